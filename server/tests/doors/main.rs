//! The doors of the portal, tried from outside: the router as browsers and programs meet it, against the lab's
//! GitHub in this process and a portal on a temporary folder, and the command line as a process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows these in tests, but not in the functions that tests are made of"
)]

mod access;
mod cli;
mod headers;
mod health;
mod hooks;
mod live;
mod pages;
mod rest;
mod sign_in;
mod world;
