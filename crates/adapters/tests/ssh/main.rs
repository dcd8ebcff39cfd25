//! The SSH adapter against a real sshd.
#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy.toml allows them in test functions, not in what those call

mod connecting;
mod detached;
mod files;
mod running;
mod sshd;
mod tunnels;

use adapters::ssh::{Host, Hosts};
use sshd::Sshd;

async fn host() -> (Sshd, Host) {
    let sshd = Sshd::start();
    let host = Hosts::new().connect("test", &sshd.target()).await.unwrap();
    (sshd, host)
}
