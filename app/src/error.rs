//! The one error that crosses from the server to the browser, already in words for people. What went wrong inside
//! Fairlead is logged with the request's id here, once, and only that id is shown.
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

use crate::api::JsonText;

/// Why a page or a button could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", content = "detail", rename_all = "kebab-case")]
pub enum UiError {
    /// Nobody is signed in any more.
    #[error("You are not signed in, or your session has ended.")]
    SignedOut,
    /// The reader may not.
    #[error("{0}")]
    Denied(String),
    /// It cannot happen now; each reason in a sentence.
    #[error("{}", .0.join("; "))]
    Blocked(Vec<String>),
    /// Something else happened in the meantime.
    #[error("{0}")]
    Conflict(String),
    /// There is no such thing, or the reader may not know of it.
    #[error("{0}")]
    NotFound(String),
    /// A project's manifest has faults; each in a sentence.
    #[error("{}", .0.join("; "))]
    Manifest(Vec<String>),
    /// What was given makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// A system outside did not play its part.
    #[error("{0}")]
    Outside(String),
    /// A fault on our side; the text is the request's id.
    #[error(
        "Something went wrong inside Fairlead. Whoever runs it finds the cause in its log under request {0}."
    )]
    Internal(String),
    /// The portal did not answer.
    #[error("The portal cannot be reached. Check the connection and try again.")]
    Unreachable,
}

impl UiError {
    /// A heading for a page or box that shows this.
    pub fn title(&self) -> &'static str {
        match self {
            UiError::SignedOut => "Signed out",
            UiError::Denied(_) => "No access",
            UiError::Blocked(_) => "This cannot happen now",
            UiError::Conflict(_) => "Something changed in the meantime",
            UiError::NotFound(_) => "Not found",
            UiError::Manifest(_) => "The manifest has problems",
            UiError::Invalid(_) => "This does not fit",
            UiError::Outside(_) => "Another system did not answer as expected",
            UiError::Internal(_) => "Something went wrong",
            UiError::Unreachable => "No connection",
        }
    }

    /// What to tell people, a sentence each.
    pub fn sentences(&self) -> Vec<String> {
        match self {
            UiError::Blocked(sentences) | UiError::Manifest(sentences) => sentences.clone(),
            other => vec![other.to_string()],
        }
    }
}

impl FromServerFnError for UiError {
    type Encoder = JsonText;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            // A proxy in between answers in its own words when the portal is down.
            ServerFnErrorErr::Request(_) | ServerFnErrorErr::Deserialization(_) => {
                UiError::Unreachable
            }
            ServerFnErrorErr::Args(why) | ServerFnErrorErr::MissingArg(why) => {
                UiError::Invalid(why)
            }
            other => UiError::Internal(other.to_string()),
        }
    }
}

#[cfg(feature = "ssr")]
impl UiError {
    /// The HTTP status of an answer that says this.
    pub fn status(&self) -> u16 {
        match self {
            UiError::SignedOut => 401,
            UiError::Denied(_) => 403,
            UiError::NotFound(_) => 404,
            UiError::Blocked(_) | UiError::Conflict(_) | UiError::Manifest(_) => 409,
            UiError::Invalid(_) => 422,
            UiError::Internal(_) => 500,
            UiError::Outside(_) | UiError::Unreachable => 502,
        }
    }
}

#[cfg(feature = "ssr")]
impl From<portal::Error> for UiError {
    fn from(error: portal::Error) -> Self {
        use portal::Error;
        let error = match error {
            Error::SignedOut => UiError::SignedOut,
            Error::Denied(denied) => UiError::Denied(denied.to_string()),
            Error::Blocked(blockers) => {
                UiError::Blocked(blockers.iter().map(ToString::to_string).collect())
            }
            Error::Conflict(why) => UiError::Conflict(why),
            Error::NotFound(what) => UiError::NotFound(what),
            Error::Manifest { file, problems } => UiError::Manifest(
                problems
                    .iter()
                    .map(|problem| format!("{file}:{problem}"))
                    .collect(),
            ),
            Error::Invalid(why) => UiError::Invalid(why),
            Error::Outside(why) => UiError::Outside(why),
            Error::Internal(cause) => {
                let request = crate::ssr::request_id();
                let cause = cause.as_ref() as &dyn std::error::Error;
                tracing::error!(request, error = cause, "a page or a server function failed");
                UiError::Internal(request)
            }
        };
        crate::ssr::set_status(error.status());
        error
    }
}
