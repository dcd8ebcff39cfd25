//! What travels over the websockets `/live/...`: always from the store, by cursor, never from memory.
use serde::{Deserialize, Serialize};

use crate::StepId;
use crate::log::LogLine;
use crate::run::StoredEvent;

/// A message from the portal to a browser, as one JSON text frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "kebab-case")]
pub enum Frame {
    /// Events of the run after the cursor, in order, without gap.
    Events {
        /// At least one.
        events: Vec<StoredEvent>,
    },
    /// Lines of the step's log after the cursor, in order, without gap.
    Lines {
        /// Which step.
        step: StepId,
        /// At least one.
        lines: Vec<LogLine>,
    },
    /// Something on the board changed; load it again.
    Board,
    /// Nothing will follow: the run has ended and everything was sent.
    End,
}

/// Where a viewer of a run stands; the query of `/live/runs/{id}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The last event that the viewer has; 0 for none.
    #[serde(default)]
    pub event: i64,
    /// The step whose log it shows.
    #[serde(default)]
    pub step: Option<StepId>,
    /// The last line of that log that it has; 0 for none.
    #[serde(default)]
    pub line: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ms;
    use crate::log::Stream;
    use crate::run::RunEvent;

    #[test]
    fn frames_are_the_json_that_browsers_read() {
        let started = StoredEvent {
            seq: 2,
            at: Ms(5),
            event: RunEvent::StepStarted {
                step: StepId(1),
                attempt: 1,
            },
        };
        let line = LogLine {
            n: 1,
            at: Ms(6),
            stream: Stream::Err,
            text: "a\tb".into(),
        };
        for (frame, json) in [
            (
                Frame::Events {
                    events: vec![started],
                },
                r#"{"frame":"events","events":[{"seq":2,"at":5,"event":"step-started","step":1,"attempt":1}]}"#,
            ),
            (
                Frame::Lines {
                    step: StepId(1),
                    lines: vec![line],
                },
                r#"{"frame":"lines","step":1,"lines":[{"n":1,"at":6,"stream":"err","text":"a\tb"}]}"#,
            ),
            (Frame::Board, r#"{"frame":"board"}"#),
            (Frame::End, r#"{"frame":"end"}"#),
        ] {
            assert_eq!(serde_json::to_string(&frame).unwrap(), json);
            assert_eq!(serde_json::from_str::<Frame>(json).unwrap(), frame);
        }
    }

    #[test]
    fn a_cursor_begins_before_everything() {
        let cursor = Cursor {
            event: 0,
            step: None,
            line: 0,
        };
        assert_eq!(serde_json::from_str::<Cursor>("{}").unwrap(), cursor);
    }
}
