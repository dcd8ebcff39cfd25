//! The GitHub stand-in from the outside: real git, real HTTP, and GitHub's own description of its answers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where something is not as expected"
)]

mod fixture;
mod git_over_http;
mod openapi;
mod reads;
mod sign_in;
mod webhooks;
