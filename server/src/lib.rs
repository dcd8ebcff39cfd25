//! The doors of Fairlead: the command line, the web pages' router, sign-in, the REST interface and the websockets.
//!
//! Nothing is decided here. Each door finds out who is calling and from where, calls one verb or read of [`portal`],
//! and puts the answer into its own form.
pub mod cli;
pub mod config;
pub mod http;
mod live;
mod rest;
mod telemetry;
