//! What the fault tests stand on: a small project of their own with its repository, a droplet, a way to it that can be
//! cut, and a portal that drives it. Nothing here is part of the product.
//!
//! Every [`World`] has a project, a container and a port of its own, so several can be at work on one droplet.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may stop at the first surprise"
)]
pub mod app;
pub mod droplet;
pub mod hold;
pub mod process;
pub mod pushed;
pub mod receiver;
pub mod road;
pub mod watch;
pub mod world;

pub use app::{App, Mode};
pub use droplet::Droplet;
pub use road::Road;
pub use watch::Watch;
pub use world::{Ended, Spec, World};
