//! The icons: strokes on a grid of 16, drawn in the colour of the text around them.
use leptos::prelude::*;

/// What can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// Done.
    Check,
    /// Failed.
    Cross,
    /// Its turn has not come.
    Clock,
    /// At work; it turns.
    Spinner,
    /// Tried again.
    Retry,
    /// Left out.
    Skip,
    /// Stopped.
    Stop,
    /// Mind this.
    Warning,
    /// A word to know.
    Info,
    /// A commit.
    Commit,
    /// A branch.
    Branch,
    /// To deploy.
    Ship,
    /// To search.
    Search,
    /// Before.
    Up,
    /// After.
    Down,
    /// To the next page.
    Right,
    /// To the page before.
    Left,
    /// The raw file.
    Download,
    /// Lines wrap.
    Wrap,
    /// As the system says.
    System,
    /// Light.
    Sun,
    /// Dark.
    Moon,
    /// Not allowed.
    Lock,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Icon::Check => {
                "M8 1.75a6.25 6.25 0 1 0 0 12.5a6.25 6.25 0 0 0 0-12.5M5.2 8.2l2 2l3.7-4.2"
            }
            Icon::Cross => {
                "M8 1.75a6.25 6.25 0 1 0 0 12.5a6.25 6.25 0 0 0 0-12.5M5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4"
            }
            Icon::Clock => "M8 1.75a6.25 6.25 0 1 0 0 12.5a6.25 6.25 0 0 0 0-12.5M8 4.75V8l2.2 1.6",
            Icon::Spinner => "M8 1.75a6.25 6.25 0 1 1-6.25 6.25",
            Icon::Retry => "M13.5 8a5.5 5.5 0 1 1-1.7-4M13.5 1.75V4.5h-2.75",
            Icon::Skip => "M8 1.75a6.25 6.25 0 1 0 0 12.5a6.25 6.25 0 0 0 0-12.5M5.2 8h5.6",
            Icon::Stop => "M8 1.75a6.25 6.25 0 1 0 0 12.5a6.25 6.25 0 0 0 0-12.5M6 6h4v4H6z",
            Icon::Warning => "M8 2.2L14.4 13.4H1.6zM8 6.4v3.2M8 11.6v.2",
            Icon::Info => "M8 1.75a6.25 6.25 0 1 0 0 12.5a6.25 6.25 0 0 0 0-12.5M8 7.4v3.6M8 5v.2",
            Icon::Commit => {
                "M8 5.25a2.75 2.75 0 1 0 0 5.5a2.75 2.75 0 0 0 0-5.5M1.5 8h3.75M10.75 8h3.75"
            }
            Icon::Branch => {
                "M4.5 2.25a1.5 1.5 0 1 0 0 3a1.5 1.5 0 0 0 0-3M4.5 10.75a1.5 1.5 0 1 0 0 3a1.5 1.5 0 0 0 0-3\
                 M11.5 3.75a1.5 1.5 0 1 0 0 3a1.5 1.5 0 0 0 0-3M4.5 5.25v5.5M11.5 6.75c0 2.4-3.4 2.2-6.4 3.9"
            }
            Icon::Ship => "M8 10.5V2M4.75 5L8 1.75L11.25 5M2.5 10v3.25h11V10",
            Icon::Search => "M7 2.25a4.75 4.75 0 1 0 0 9.5a4.75 4.75 0 0 0 0-9.5M10.5 10.5l3.5 3.5",
            Icon::Up => "M3.5 10.25L8 5.75l4.5 4.5",
            Icon::Down => "M3.5 5.75L8 10.25l4.5-4.5",
            Icon::Right => "M5.75 3.5L10.25 8l-4.5 4.5",
            Icon::Left => "M10.25 3.5L5.75 8l4.5 4.5",
            Icon::Download => "M8 2v8M4.75 7L8 10.25L11.25 7M2.5 13.5h11",
            Icon::Wrap => {
                "M2 3.5h12M2 8h9.5a2.25 2.25 0 0 1 0 4.5H8.5M10.25 10.5l-2 2l2 2M2 12.5h3.5"
            }
            Icon::System => "M2 3h12v8H2zM5.5 13.75h5M8 11v2.75",
            Icon::Sun => {
                "M8 5.25a2.75 2.75 0 1 0 0 5.5a2.75 2.75 0 0 0 0-5.5M8 1.5v1.25M8 13.25v1.25M1.5 8h1.25M13.25 8h1.25\
                 M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9"
            }
            Icon::Moon => "M13.5 9.5A5.75 5.75 0 0 1 6.5 2.5a5.75 5.75 0 1 0 7 7",
            Icon::Lock => "M3.5 7.25h9v6.25h-9zM5.25 7.25V5a2.75 2.75 0 0 1 5.5 0v2.25",
        }
    }

    /// Draws it. It says nothing to a screen reader: a word stands beside it.
    pub fn draw(self) -> impl IntoView {
        let class = if self == Icon::Spinner {
            "icon spin"
        } else {
            "icon"
        };
        view! {
            <svg class=class viewBox="0 0 16 16" aria-hidden="true">
                <path d=self.path()></path>
            </svg>
        }
    }
}
