//! What can go wrong with GitHub, told apart so that a caller can act on it.
use domain::Ms;

/// What GitHub could not or would not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitHubError {
    /// The token is not valid, or not any more.
    #[error(
        "{host} does not accept the token: sign in again, or replace the token in the server's configuration"
    )]
    Unauthorized {
        /// The server.
        host: String,
    },
    /// The token is valid and may not do this.
    #[error(
        "{host} does not allow {what} ({message}): check the token's permissions and the organisation's access rules"
    )]
    Forbidden {
        /// The server.
        host: String,
        /// What was asked for.
        what: String,
        /// GitHub's own sentence.
        message: String,
    },
    /// It does not exist, or the token may not see it: GitHub does not tell which.
    #[error(
        "{host} has no {what}, or the token may not see it: check the name and the token's access"
    )]
    NotFound {
        /// The server.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// Too many requests.
    #[error("{host} takes no more requests with this token until {}: it is tried again then", reset.absolute())]
    RateLimited {
        /// The server.
        host: String,
        /// When requests are taken again.
        reset: Ms,
    },
    /// The server was not reached.
    #[error("{host} cannot be reached ({why}): check the network, or https://www.githubstatus.com")]
    Unreachable {
        /// The server.
        host: String,
        /// What the network said.
        why: String,
    },
    /// The server answered something that is not described.
    #[error(
        "{host} answers with status {status} for {what} ({message}): check `url` and `api_url` in the server's configuration, and whether the repository was renamed (301)"
    )]
    Unexpected {
        /// The server.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What was asked for.
        what: String,
        /// GitHub's own sentence, or what is wrong with the answer.
        message: String,
    },
    /// Signing in did not come to its end.
    #[error("signing in with {host} failed ({reason}): {next}")]
    SignIn {
        /// The server.
        host: String,
        /// GitHub's own word, such as `bad_verification_code`, or what is wrong.
        reason: String,
        /// What to do.
        next: &'static str,
    },
}

impl GitHubError {
    /// Whether the same call may work later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Unreachable { .. } => true,
            Self::Unexpected { status, .. } => *status >= 500,
            Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::SignIn { .. } => false,
        }
    }
}
