//! What can go wrong with a registry, told apart so that a caller can act on it.
use domain::Digest;

/// What a registry could not or would not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The prefix in the manifest does not name a registry.
    #[error(
        "`{prefix}` does not name a registry ({why}): expected such as registry.digitalocean.com/team"
    )]
    BadPrefix {
        /// The prefix as given.
        prefix: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An image or tag cannot have this name.
    #[error(
        "`{name}` cannot be {what}: use lower-case letters, digits, `.`, `_` and `-` (tags also upper-case, at most 128)"
    )]
    BadName {
        /// The name as given.
        name: String,
        /// `an image name` or `a tag`.
        what: &'static str,
    },
    /// The registry was not reached.
    #[error(
        "the registry {registry} cannot be reached ({why}): check its address, the network and its certificate"
    )]
    Unreachable {
        /// The registry.
        registry: String,
        /// What the network said.
        why: String,
    },
    /// The registry refuses the credentials, or they may not do this.
    #[error(
        "the registry {registry} refuses the credentials for {what}: check `username` and `password` and what they may do"
    )]
    Unauthorized {
        /// The registry.
        registry: String,
        /// What was asked for.
        what: String,
    },
    /// The image is not there.
    #[error(
        "the registry {registry} has no {what}: it was never pushed or was deleted; build it again"
    )]
    NotFound {
        /// The registry.
        registry: String,
        /// What was looked for.
        what: String,
    },
    /// The tag points at another image, and tags of releases never move.
    #[error(
        "the tag {tag} in {registry} is taken by {existing}: a release's tag never moves; delete it there if it is wrong"
    )]
    TagTaken {
        /// The registry.
        registry: String,
        /// Image and tag.
        tag: String,
        /// What it points at.
        existing: Digest,
    },
    /// The registry has a problem of its own.
    #[error(
        "the registry {registry} answers with status {status} for {what}: try again later, or look at its own log"
    )]
    Server {
        /// The registry.
        registry: String,
        /// The HTTP status.
        status: u16,
        /// What was asked for.
        what: String,
    },
    /// The answer is not what the registry API says.
    #[error(
        "the registry {registry} gives an answer that makes no sense for {what} ({why}): is this a registry?"
    )]
    Garbled {
        /// The registry.
        registry: String,
        /// What was asked for.
        what: String,
        /// What is wrong with the answer.
        why: String,
    },
}

impl RegistryError {
    /// Whether the same call may work later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Server { status, .. } => *status >= 500 || *status == 429,
            _ => false,
        }
    }
}
