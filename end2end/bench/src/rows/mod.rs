//! The rows of the table: one file each.
pub mod board;
pub mod chatty;
pub mod crowd;
pub mod demo;
pub mod deploy;
pub mod flood;
pub mod live;
pub mod open_log;
pub mod sample;
pub mod wasm;
