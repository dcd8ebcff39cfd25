//! What can go wrong in the lab, and what to do about it.
use std::{io, path::PathBuf};

/// A failure of a lab command. Every message says what failed, on what, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A program is not installed.
    #[error("{program} is missing; install it with: {install}")]
    Missing {
        /// The program that was looked for.
        program: &'static str,
        /// The command that installs it.
        install: String,
    },
    /// A program ran and failed.
    #[error("`{line}` failed ({status}): {stderr}")]
    Failed {
        /// The command, shortened; arguments of the lab never hold a secret.
        line: String,
        /// Its exit status, or that it was stopped.
        status: String,
        /// The end of what it wrote on stderr.
        stderr: String,
    },
    /// A file or a process could not be used.
    #[error("cannot {action} {path}: {source}", path = .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file of the lab does not hold what it should.
    #[error("{path} is not valid ({reason}); `scripts/lab` writes it again", path = .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The lab was asked for but is not there.
    #[error("there is no lab: {path} is missing; start it with `scripts/lab`", path = .path.display())]
    Absent {
        /// Where its description would be.
        path: PathBuf,
    },
    /// Something that was started does not answer.
    #[error("{what} did not answer within {seconds} s; see {log}")]
    Silent {
        /// What was waited for.
        what: String,
        /// For how long.
        seconds: u64,
        /// Where it says why.
        log: String,
    },
    /// The lab of another checkout, or another program, has the address of a stand-in.
    #[error("{address} is taken by {holder}; stop that first")]
    Taken {
        /// The address.
        address: std::net::SocketAddr,
        /// Who answers there.
        holder: String,
    },
    /// Ctrl-C, or a script that ended.
    #[error("stopped before it was done")]
    Interrupted,
    /// The machine needs something that only a person can do.
    #[error("{0}")]
    Needs(String),
    /// A stand-in stopped.
    #[error("a stand-in stopped: {0}")]
    StandIn(String),
}

impl LabError {
    /// An [`LabError::Io`] for `map_err`.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
