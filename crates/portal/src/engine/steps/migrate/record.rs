//! What is known of a migration. It is stored as the log's cursor, so that the lines and what is known are of one moment.
use adapters::docker::LogCursor;
use adapters::ssh::Cursor;
use domain::log::Stream;
use serde::{Deserialize, Serialize};
use store::NewLine;

use super::super::{StepError, Work};
use crate::now;

/// How far a migration is known to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Stage {
    /// Nobody has asked for it.
    #[default]
    New,
    /// The host was asked to start it.
    Asked,
    /// It was seen there.
    Started,
}

/// How a migration ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    /// Its exit status, in words that say more where more is known.
    pub(super) status: String,
    /// Whether that is a success.
    pub(super) success: bool,
    /// The heads.
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

/// What is known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    pub(super) stage: Stage,
    /// How far its output was read; one of the two, by where it runs.
    pub(super) on_host: Cursor,
    pub(super) in_container: LogCursor,
    /// From here on nothing on the host is needed any more.
    pub(super) end: Option<End>,
}

impl Record {
    /// As an earlier life of the portal, or an earlier try, left it.
    pub(super) async fn load(work: &Work) -> Result<Self, StepError> {
        let store = &work.scene.portal.parts().store;
        let stored = store.log_cursor(work.scene.run, work.planned.id).await?;
        match stored {
            None => Ok(Self::default()),
            // Taking what cannot be read for nothing could start a migration twice.
            Some(text) => serde_json::from_str(&text).map_err(|error| {
                StepError::advised(
                    format!("another version of Fairlead was at this step, and its notes cannot be read: {error}"),
                    "look at the host and at the database whether the migration ran, then start a new run",
                )
            }),
        }
    }

    /// Puts lines into the log, and itself behind them.
    pub(super) async fn write(&self, work: &Work, lines: Vec<NewLine>) -> Result<(), StepError> {
        let text = serde_json::to_string(self)
            .map_err(|error| StepError::fatal(format!("the step's notes have no form: {error}")))?;
        Ok(work.log.lines(lines, text).await?)
    }

    /// The same with a line of Fairlead's own; returns once it is stored.
    pub(super) async fn keep(&self, work: &Work, said: String) -> Result<(), StepError> {
        let line = NewLine {
            at: now(),
            stream: Stream::Portal,
            text: said,
        };
        self.write(work, vec![line]).await?;
        Ok(work.log.flush().await?)
    }
}
