//! The server functions: each asks who is calling, makes one call of the portal, and is done. They live under `/ui`;
//! `/api` is the interface for programs.
pub mod board;
pub mod logs;
pub mod releases;
pub mod runs;
pub mod session;
pub mod settings;
