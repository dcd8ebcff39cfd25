//! The log of a step: only the lines in sight are rendered, the others are fetched when they come into sight.
mod ansi;
mod fold;
mod lines;
mod marks;
mod row;
mod state;
mod toolbar;
mod view;
mod window;

pub use fold::thousands;
pub use state::LogState;
pub use view::LogView;
