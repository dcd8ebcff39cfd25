//! The Docker adapter against real engines: the machine's own, and those of the lab's droplets through SSH.
#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy.toml allows them in test functions, not in what those call

mod beside;
mod builds;
mod containers;
mod lab;
mod logs;
mod registries;
mod ways;
