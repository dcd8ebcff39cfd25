//! The outside systems, one module each: its client, its words and its typed errors.
//!
//! Nothing here knows what a run or a plan is. Every error says what failed, where, and what to do next, and none
//! of them, nor any `Debug`, shows a secret.
pub mod docker;
pub mod git;
pub mod github;
pub mod http;
pub mod nginx;
pub mod redact;
pub mod registry;
pub mod reports;
pub mod secrets;
pub mod slack;
pub mod ssh;
pub mod webhook;
pub mod workflows;
