//! One line for each thing done, with the seconds since the command started.
use std::{io::Write, time::Instant};

/// Prints what the lab does. Cheap to copy; lines of parallel work do not mix.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    start: Instant,
}

impl Progress {
    /// Starts the clock.
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Prints a line.
    pub fn say(&self, text: impl AsRef<str>) {
        let line = format!(
            "[{:6.1} s] {}\n",
            self.start.elapsed().as_secs_f32(),
            text.as_ref()
        );
        // Nobody reads it when stdout is closed; the work goes on.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}
