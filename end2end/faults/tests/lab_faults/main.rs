//! The engine against real servers, registries and repositories that go wrong. Each test has a project, a container and
//! a port of its own on a droplet of the lab.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may stop at the first surprise"
)]
mod builds;
mod by_hand;
mod crash;
mod database;
mod deploys;
mod engines;
mod files;
mod fronts;
mod half_way;
mod hosts;
mod images;
mod lint;
mod messages;
mod migrations;
mod old_images;
mod pushes;
mod rebuilds;
mod refusals;
mod registries;
mod rights;
mod secrets;
mod tests;
mod undo;
