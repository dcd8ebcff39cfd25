//! Servers reached over SSH: commands, files, tunnels, HTTP probes and the Docker engine, all through one connection.
//!
//! [`Hosts`] keeps at most one [`Host`] per name. A host owns two lanes, each one SSH connection that is opened when it
//! is first needed and reopened when it is lost: `control` for short calls, `bulk` for long streams (logs, builds),
//! so that a stream can never delay a call. The server's key is pinned: an unknown or changed key ends the attempt
//! before any password is sent.
//!
//! What a lost connection means is never guessed: [`SshError::Lost`] says that the outcome of a command is unknown.
//! A command that must not be cut off is [`Detached`].

mod auth;
mod channel;
mod command;
mod connection;
mod detached;
mod engine;
mod error;
mod exec;
mod files;
mod hosts;
mod link;
mod probe;
mod target;

pub use channel::Tunnel;
pub use command::Command;
pub use connection::host_key;
pub use detached::{Cursor, Detached, Following, News, Phase};
pub use error::SshError;
pub use exec::{Exit, Output, Source};
pub use files::HostFile;
pub use hosts::{Host, Hosts};
pub use probe::ProbeError;
pub use target::{Auth, Fingerprint, FingerprintError, Target};
