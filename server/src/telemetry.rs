//! The server's own log, to stderr: lines of words for people, or of JSON for programs.
use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::{Log, LogFormat};

/// Starts the log of this process; a second call changes nothing.
pub(crate) fn start(log: &Log) -> Result<(), ParseError> {
    // On debug, the Docker client logs whole requests, and a container's environment holds secrets.
    let filter = EnvFilter::try_new(&log.filter)?.add_directive("bollard=info".parse()?);
    let log_to = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Text => log_to.try_init(),
        LogFormat::Json => log_to.json().flatten_event(true).try_init(),
    };
    // Only a test starts it twice.
    drop(started);
    Ok(())
}
