//! The rows of the table: one file each.
pub mod board;
pub mod demo;
pub mod deploy;
pub mod flood;
pub mod live;
pub mod open_log;
pub mod wasm;
