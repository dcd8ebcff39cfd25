//! What can go wrong with an engine, told apart as far as a caller or a person can act on it.

use std::time::Duration;

use crate::ssh::SshError;

/// A failed call. `engine` is the place of the engine, such as `host dev-backend`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DockerError {
    /// There is no such container.
    #[error("{engine} has no {what}")]
    NotFound {
        /// The engine.
        engine: String,
        /// Kind and name.
        what: String,
    },
    /// The name is taken, or the thing is not in a state that allows this.
    #[error("{engine}: {what}: {why}")]
    Conflict {
        /// The engine.
        engine: String,
        /// Kind and name.
        what: String,
        /// The engine's words.
        why: String,
    },
    /// A published port is in use by something else.
    #[error(
        "{engine}: {what} cannot start because a port is taken: {why}; find its owner with `ss -ltnp` and stop it, or publish another port"
    )]
    PortTaken {
        /// The engine.
        engine: String,
        /// Kind and name.
        what: String,
        /// The engine's words, which name the port.
        why: String,
    },
    /// No room left.
    #[error(
        "{engine}: the disk is full ({why}); free some space there, for example with `docker image prune --all`, which removes every image that no container uses, and run this again"
    )]
    DiskFull {
        /// The engine.
        engine: String,
        /// The engine's words.
        why: String,
    },
    /// The registry does not accept the credentials.
    #[error(
        "registry {registry} refuses {engine}: {why}; check the registry's username and password and their rights"
    )]
    Unauthorized {
        /// The engine.
        engine: String,
        /// The registry's address.
        registry: String,
        /// The registry's words.
        why: String,
    },
    /// The registry cannot be reached from the engine's machine.
    #[error(
        "{engine} cannot reach the registry {registry}: {why}; check that it is up, its name and the network"
    )]
    RegistryUnreachable {
        /// The engine.
        engine: String,
        /// The registry's address.
        registry: String,
        /// The engine's words.
        why: String,
    },
    /// The registry takes no more requests for a while.
    #[error(
        "registry {registry} has had enough requests of {engine} for now: {why}; it helps to wait, or to use an account that may ask more often"
    )]
    RegistryBusy {
        /// The engine.
        engine: String,
        /// The registry's address.
        registry: String,
        /// The registry's words.
        why: String,
    },
    /// There is no such image, here or in the registry.
    #[error("{engine} does not find the image {reference}: {why}")]
    ImageMissing {
        /// The engine.
        engine: String,
        /// The image.
        reference: String,
        /// The engine's words.
        why: String,
    },
    /// A step of a build failed.
    #[error("the build failed{}: {message}", step.as_deref().map(|step| format!(" at `{step}`")).unwrap_or_default())]
    BuildFailed {
        /// The failing step as the builder prints it: `Step 3/7 : RUN npm ci`.
        step: Option<String>,
        /// The builder's words.
        message: String,
    },
    /// What was to be sent, such as a build context, could not be read to its end.
    #[error("the source broke off on its way to the engine: {why}")]
    Context {
        /// The cause.
        why: String,
    },
    /// The engine cannot be reached; nothing was asked of it.
    #[error(
        "{engine} cannot be reached: {why}; check that Docker runs there (`systemctl status docker`)"
    )]
    EngineUnreachable {
        /// The engine.
        engine: String,
        /// The cause.
        why: String,
    },
    /// The connection ended in the middle of a call: what was asked may or may not have happened.
    #[error(
        "the connection to {engine} broke ({why}); what became of the last call is unknown, look before repeating it"
    )]
    Interrupted {
        /// The engine.
        engine: String,
        /// The cause.
        why: String,
    },
    /// No answer in time: what was asked may still happen.
    #[error("{engine} did not answer about {what} within {} s", limit.as_secs())]
    Timeout {
        /// The engine.
        engine: String,
        /// Kind and name.
        what: String,
        /// The time that was given.
        limit: Duration,
    },
    /// Docker is not installed on the host.
    #[error(
        "host {host} has no Docker; install it (on Debian and Ubuntu: `apt-get install docker.io`)"
    )]
    NoDocker {
        /// The host.
        host: String,
    },
    /// Docker is installed on the host but does not run.
    #[error(
        "Docker on host {host} does not run; start it with `systemctl start docker` (and `systemctl enable docker`)"
    )]
    NotRunning {
        /// The host.
        host: String,
    },
    /// The account may not use Docker.
    #[error(
        "{user} may not use Docker on host {host}; run `usermod -aG docker {user}` there, or allow it passwordless sudo"
    )]
    NoPermission {
        /// The host.
        host: String,
        /// The account.
        user: String,
    },
    /// Not an engine's address.
    #[error(
        "`{address}` is not the address of an engine; expected `unix:///var/run/docker.sock` or `tcp://host:port`"
    )]
    BadAddress {
        /// What was given.
        address: String,
    },
    /// The host behind the engine.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// Anything else, in the engine's words.
    #[error("{engine}: {what}: {why}")]
    Other {
        /// The engine.
        engine: String,
        /// Kind and name.
        what: String,
        /// The engine's words.
        why: String,
    },
}

impl DockerError {
    /// True when the same call may succeed later without anybody changing anything.
    /// After [`DockerError::Interrupted`] and [`DockerError::Timeout`] look first: the call may have had its effect.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::EngineUnreachable { .. }
            | Self::Interrupted { .. }
            | Self::Timeout { .. }
            | Self::RegistryUnreachable { .. }
            | Self::RegistryBusy { .. }
            // As while it is restarted, for example for an update.
            | Self::NotRunning { .. } => true,
            Self::Ssh(error) => error.is_transient(),
            Self::NotFound { .. }
            | Self::Conflict { .. }
            | Self::PortTaken { .. }
            | Self::DiskFull { .. }
            | Self::Unauthorized { .. }
            | Self::ImageMissing { .. }
            | Self::BuildFailed { .. }
            | Self::Context { .. }
            | Self::NoDocker { .. }
            | Self::NoPermission { .. }
            | Self::BadAddress { .. }
            | Self::Other { .. } => false,
        }
    }
}
