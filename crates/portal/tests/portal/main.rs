//! The portal's verbs and reads on a real SQLite store and a real git repository, without a lab or a network. The
//! engine does not run: a test moves runs through the store's own door, so it decides what happens when.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]
mod audit;
mod blockers;
mod board;
mod deploying;
mod manifests;
mod opening;
mod outputs;
mod permissions;
mod pushes;
mod reading;
mod rebuilding;
mod retrying;
mod sessions;
mod support;
mod tokens;
mod verbs;
