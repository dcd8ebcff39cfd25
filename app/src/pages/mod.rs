//! The pages. Each loads what it shows, on the server for the first one, and lays it out with `parts`.
pub mod board;
pub mod deploy;
pub mod not_found;
pub mod release;
pub mod run;
pub mod runs;
pub mod settings;
pub mod sign_in;
