//! What handlers take: the caller, and paths, queries and bodies whose faults are answered as problems.
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use domain::audit::{Door, Origin};
use domain::policy::Actor;
use portal::{Caller, Error};

use super::problem::{problem_of, refusal};

/// A part of the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(BadPath))]
pub(super) struct Path<T>(pub(super) T);

/// The query string.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(BadInput))]
pub(super) struct Query<T>(pub(super) T);

/// A JSON body.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(BadInput))]
pub(super) struct Body<T>(pub(super) T);

/// A path that names nothing that could exist.
pub(super) struct BadPath(String);

impl From<PathRejection> for BadPath {
    fn from(rejection: PathRejection) -> Self {
        Self(rejection.body_text())
    }
}

impl IntoResponse for BadPath {
    fn into_response(self) -> Response {
        refusal(StatusCode::NOT_FOUND, "not-found", &self.0)
    }
}

/// A query or body that makes no sense.
pub(super) struct BadInput(StatusCode, String);

impl From<QueryRejection> for BadInput {
    fn from(rejection: QueryRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

impl From<JsonRejection> for BadInput {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

impl IntoResponse for BadInput {
    fn into_response(self) -> Response {
        refusal(self.0, "invalid", &self.1)
    }
}

/// Who calls, and from where.
pub(super) struct By {
    pub(super) actor: Actor,
    pub(super) origin: Origin,
}

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let caller = parts.extensions.get::<Option<Caller>>().cloned().flatten();
        let origin = parts.extensions.get::<Origin>().cloned();
        let origin = origin.unwrap_or(Origin {
            door: Door::Api,
            address: None,
            request: None,
        });
        match caller {
            Some(caller) => Ok(Self {
                actor: caller.actor,
                origin,
            }),
            None => Err(problem_of(
                Error::SignedOut,
                origin.request.as_deref().unwrap_or_default(),
            )),
        }
    }
}
