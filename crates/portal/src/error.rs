//! The one error of verbs and reads. The doors (pages, REST, command line) turn it into their own form once.
use domain::manifest::Problem;
use domain::plan::Blocker;
use domain::policy::Denied;
use store::StoreError;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody is signed in, or the session or token is not valid any more.
    #[error("nobody is signed in; sign in and try again")]
    SignedOut,
    /// The one who asked may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// It cannot happen now.
    #[error("{}", sentences(.0))]
    Blocked(Vec<Blocker>),
    /// Something else happened in the meantime.
    #[error("{0}")]
    Conflict(String),
    /// There is no such thing, or the one who asked may not know of it.
    #[error("{0}")]
    NotFound(String),
    /// A manifest has faults.
    #[error("{} has {} problem(s), the first: {}", .file, .problems.len(), .problems.first().map(ToString::to_string).unwrap_or_default())]
    Manifest {
        /// The file.
        file: String,
        /// All of them, in the order of the file.
        problems: Vec<Problem>,
    },
    /// What was given makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// A system outside did not play its part; the text says which, why, and what to do next.
    #[error("{0}")]
    Outside(String),
    /// A fault on our side. The cause is logged, not shown.
    #[error("something went wrong inside Fairlead; the server's log has the cause")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A fault on our side.
    pub(crate) fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Internal(error.into())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(what) => Error::NotFound(format!("there is no such {what}")),
            StoreError::Conflict(why) => Error::Conflict(why.to_string()),
            StoreError::Illegal(illegal) => Error::Conflict(illegal.to_string()),
            // These say what to do, and a person can do it.
            error @ (StoreError::ReadOnly { .. }
            | StoreError::DiskFull
            | StoreError::Unreachable { .. }) => Error::Outside(error.to_string()),
            error => Error::internal(error),
        }
    }
}

fn sentences(blockers: &[Blocker]) -> String {
    let sentences: Vec<String> = blockers.iter().map(ToString::to_string).collect();
    sentences.join("; ")
}
