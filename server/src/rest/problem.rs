//! What was not done, as `application/problem+json` (RFC 9457). `type` is a relative reference that tells programs
//! the kind; `detail` is for people.
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::audit::Origin;
use domain::plan::Blocker;
use portal::Error;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::log_internal;

/// Why something was not done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// The kind: `/problems/` and a word.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What was refused and what to do about it.
    detail: String,
    /// What stands in the way of a deploy, each with its own fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blockers: Vec<BlockerShape>,
    /// Under which id the cause stands in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
}

/// Something that stands in the way.
#[derive(Debug, Serialize, ToSchema)]
struct BlockerShape {
    /// For people.
    message: String,
    /// `blocker` tells the kind, such as `missing-secret`; the other fields depend on it.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    blocker: Blocker,
}

impl Problem {
    fn new(status: StatusCode, kind: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/problems/{kind}"),
            title: status.canonical_reason().unwrap_or("Refused").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            blockers: Vec::new(),
            request: None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

/// A refusal in few words.
pub(crate) fn refusal(status: StatusCode, kind: &str, detail: &str) -> Response {
    Problem::new(status, kind, detail).into_response()
}

/// An error of the portal, as this interface tells it.
pub(crate) fn problem_of(error: Error, request: &str) -> Response {
    let words = error.to_string();
    let (status, kind) = match &error {
        Error::SignedOut => (StatusCode::UNAUTHORIZED, "signed-out"),
        Error::Denied(_) => (StatusCode::FORBIDDEN, "denied"),
        Error::Blocked(_) => (StatusCode::CONFLICT, "blocked"),
        Error::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
        Error::NotFound(_) => (StatusCode::NOT_FOUND, "not-found"),
        Error::Manifest { .. } => (StatusCode::CONFLICT, "broken-manifest"),
        Error::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
        Error::Outside(_) => (StatusCode::BAD_GATEWAY, "outside"),
        Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    };
    let mut problem = Problem::new(status, kind, words);
    match error {
        Error::Blocked(blockers) => {
            let shape = |blocker: Blocker| BlockerShape {
                message: blocker.to_string(),
                blocker,
            };
            problem.blockers = blockers.into_iter().map(shape).collect();
        }
        Error::Internal(cause) => {
            log_internal(request, cause.as_ref());
            problem.request = Some(request.to_owned());
        }
        _ => {}
    }
    problem.into_response()
}

/// Turns the portal's errors into answers to this request.
pub(super) struct Answers {
    request: String,
}

impl Answers {
    pub(super) fn refuse(&self, error: Error) -> Response {
        problem_of(error, &self.request)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Answers {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let request = parts
            .extensions
            .get::<Origin>()
            .and_then(|origin| origin.request.clone());
        Ok(Self {
            request: request.unwrap_or_default(),
        })
    }
}
