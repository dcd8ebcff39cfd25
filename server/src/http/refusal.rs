//! What is refused before a handler is reached, or because one has failed, in the form that the asker understands: a
//! page for people, a problem for programs, an error for the pages' own functions.
use std::panic::AssertUnwindSafe;

use app::error::UiError;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;

use super::record::RequestId;
use super::{Server, site};

/// In which form an asker understands an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `application/problem+json`.
    Problem,
    /// What a server function gives to the page that called it.
    Function,
    /// A page.
    Page,
    /// A line of text.
    Words,
}

/// Whom an answer is for.
pub(super) struct Asker {
    pub(super) form: Form,
    headers: HeaderMap,
}

impl Asker {
    pub(super) fn of(request: &Request) -> Self {
        let (path, headers) = (request.uri().path(), request.headers());
        let wants_page = headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html"));
        let form = if path.starts_with("/api/") {
            Form::Problem
        } else if path.starts_with("/live/") {
            Form::Words
        } else if path.starts_with("/ui/") && !wants_page {
            Form::Function
        } else {
            Form::Page
        };
        Self {
            form,
            headers: headers.clone(),
        }
    }

    /// The refusal in the asker's form; `kind` is its word for programs.
    pub(super) async fn refuse(
        self,
        server: &Server,
        status: StatusCode,
        kind: &str,
        error: UiError,
    ) -> Response {
        match self.form {
            Form::Problem => crate::rest::refusal(status, kind, &error.to_string()),
            Form::Function => function(status, &error),
            Form::Words => (status, format!("{error}\n")).into_response(),
            Form::Page => {
                // Of the request only its cookies matter: they hold the choice of colours.
                let mut request = Request::new(Body::empty());
                *request.headers_mut() = self.headers;
                let mut page = site::trouble(server, request, error).await;
                *page.status_mut() = status;
                page
            }
        }
    }
}

/// An error as the pages' own functions tell it.
pub(super) fn function(status: StatusCode, error: &UiError) -> Response {
    (status, axum::Json(error)).into_response()
}

/// Answers in place of a handler that panicked. The panic's message went to stderr.
pub(super) async fn panicked(
    State(server): State<Server>,
    request: Request,
    next: Next,
) -> Response {
    let asker = Asker::of(&request);
    let id = request.extensions().get::<RequestId>();
    let id = id.map(|id| id.0.clone()).unwrap_or_default();
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!(request = id, "a request's handler panicked");
            let error = UiError::Internal(id);
            asker
                .refuse(
                    &server,
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    error,
                )
                .await
        }
    }
}

/// Turns what the router and its layers refuse in words of their own into problems, where a program asks.
pub(super) async fn in_form(request: Request, next: Next) -> Response {
    let form = Asker::of(&request).form;
    let response = next.run(request).await;
    let (kind, words) = match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => (
            "method-not-allowed",
            "this address does not take this method; /api/v1/openapi.json lists them",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => (
            "too-large",
            "the body is larger than 256 kB, the most that is read",
        ),
        _ => return response,
    };
    if form != Form::Problem {
        return response;
    }
    let mut problem = crate::rest::refusal(response.status(), kind, words);
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}
