//! A run as it is driven: what may happen when, how it ends, and that its events alone tell all of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]

#[path = "../common/mod.rs"]
mod common;

mod cancelling;
mod chance;
mod driven;
mod steps;
mod told;
