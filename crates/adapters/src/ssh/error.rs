//! What can go wrong between us and a server, told apart as far as a caller or a person can act on it.

use super::target::Fingerprint;

/// A failed operation on a host. `host` is the name the caller gave to [`Hosts::connect`](super::Hosts::connect).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshError {
    /// No SSH conversation could be started.
    #[error(
        "host {host} cannot be reached: {why}; check the address, the port, the firewall and that sshd runs"
    )]
    Unreachable {
        /// The host.
        host: String,
        /// The cause in the system's words.
        why: String,
    },
    /// The server's key is not pinned yet.
    #[error(
        "host {host} shows the key {found}, which is not pinned; compare it on the server with \
         `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`, then put it into `host_key`"
    )]
    HostKeyUnknown {
        /// The host.
        host: String,
        /// The key it shows.
        found: Fingerprint,
    },
    /// The server's key is not the pinned one.
    #[error(
        "host {host} shows the key {found} instead of the pinned {pinned}; somebody may be in between, or the server was \
         rebuilt: find out, and only then change `host_key`"
    )]
    HostKeyChanged {
        /// The host.
        host: String,
        /// The key it must show.
        pinned: Fingerprint,
        /// The key it shows.
        found: Fingerprint,
    },
    /// The server said no to our credentials.
    #[error(
        "host {host} refuses {user} with {method}; check the secret and that the server allows this way of logging in"
    )]
    AuthRefused {
        /// The host.
        host: String,
        /// The account.
        user: String,
        /// `a password`, `a key`, `the agent's keys`.
        method: &'static str,
    },
    /// The private key cannot be used.
    #[error("the private key for host {host} cannot be read: {why}")]
    BadKey {
        /// The host.
        host: String,
        /// What is wrong with it, with advice.
        why: String,
    },
    /// The SSH agent cannot be asked.
    #[error(
        "the SSH agent needed for host {host} does not answer: {why}; start one, or use a key or a password"
    )]
    NoAgent {
        /// The host.
        host: String,
        /// The cause.
        why: String,
    },
    /// The account may log in but not run commands.
    #[error("host {host} does not let {user} run commands ({why}); give the account a login shell")]
    NoShell {
        /// The host.
        host: String,
        /// The account.
        user: String,
        /// What the server answered.
        why: String,
    },
    /// The connection ended before the answer came: what was asked may or may not have happened.
    #[error(
        "the connection to host {host} was lost; whether the last command ran is unknown, look at the host before repeating it"
    )]
    Lost {
        /// The host.
        host: String,
    },
    /// The server refused to open a channel, for example a forward to a closed port.
    #[error("host {host} does not open {what}: {why}")]
    Refused {
        /// The host.
        host: String,
        /// What was asked for.
        what: String,
        /// The server's reason.
        why: String,
    },
    /// More output came than one call may keep in memory.
    #[error("`{command}` on host {host} wrote more than {limit} bytes; stream it instead")]
    TooMuchOutput {
        /// The host.
        host: String,
        /// The command line.
        command: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The reader of a stream was too slow, and its backlog was dropped to keep the connection alive.
    #[error("output of host {host} came faster than it was read; the stream was closed")]
    Behind {
        /// The host.
        host: String,
    },
    /// The command cannot be sent.
    #[error("a command for host {host} holds a NUL byte, which no command line can carry")]
    BadCommand {
        /// The host.
        host: String,
    },
    /// The host lacks a program that a detached command needs.
    #[error(
        "host {host} has no `{program}`, without which no command can outlive its connection; install it (on Debian and \
         Ubuntu: `apt-get install bash util-linux`)"
    )]
    NoProgram {
        /// The host.
        host: String,
        /// What is missing.
        program: String,
    },
    /// A detached command was handed over and has not begun yet; it may still begin.
    #[error(
        "a command was handed to host {host} and has not begun within 10 s; look there at its load and its disk, and into {folder}"
    )]
    NotBegun {
        /// The host.
        host: String,
        /// Its folder.
        folder: String,
    },
    /// No room left where a file should be written; the old file is untouched.
    #[error(
        "the disk of host {host} is full: {path} was not written and the old file stays; free some space and run this again"
    )]
    DiskFull {
        /// The host.
        host: String,
        /// The file.
        path: String,
    },
    /// The account may not touch this file.
    #[error(
        "{user} may not touch {path} on host {host}; give it the right, or passwordless sudo (`NOPASSWD: ALL` in /etc/sudoers.d)"
    )]
    NoPermission {
        /// The host.
        host: String,
        /// The account.
        user: String,
        /// The file.
        path: String,
    },
    /// A file operation failed for another reason; an old file is untouched.
    #[error("{path} on host {host}: {why}")]
    File {
        /// The host.
        host: String,
        /// The file.
        path: String,
        /// What the host said.
        why: String,
    },
}

impl SshError {
    /// True when the same call may succeed later without anybody changing anything.
    /// After [`SshError::Lost`] look at the host first: the command may have run; a detached one looks by itself.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Lost { .. }
            | Self::Behind { .. }
            | Self::NotBegun { .. } => true,
            Self::HostKeyUnknown { .. }
            | Self::HostKeyChanged { .. }
            | Self::AuthRefused { .. }
            | Self::BadKey { .. }
            | Self::NoAgent { .. }
            | Self::NoShell { .. }
            | Self::Refused { .. }
            | Self::TooMuchOutput { .. }
            | Self::BadCommand { .. }
            | Self::NoProgram { .. }
            | Self::DiskFull { .. }
            | Self::NoPermission { .. }
            | Self::File { .. } => false,
        }
    }
}
