//! The new container's output on its way into the step's log.
use std::time::Duration;

use adapters::docker::{LogCursor, Logs};
use adapters::ssh::Source;
use domain::Ms;
use domain::log::Stream;
use store::NewLine;

use super::super::StepError;
use super::Site;
use crate::engine::log::LogError;

/// How long the last look may take at a program that writes faster than it can be read.
const LAST_LOOK: Duration = Duration::from_secs(3);

/// What was read so far; it goes on there, also in another life of the portal.
pub(super) struct Output<'s> {
    site: &'s Site<'s>,
    cursor: LogCursor,
}

impl<'s> Output<'s> {
    /// From where the stored log ends.
    pub(super) async fn resume(site: &'s Site<'s>) -> Result<Self, StepError> {
        let work = site.work;
        let store = &work.scene.portal.parts().store;
        let stored = work
            .patiently(|| store.log_cursor(work.scene.run, work.planned.id))
            .await?;
        // A cursor of another version is of no use; what it covered is told again.
        let cursor = stored.and_then(|text| serde_json::from_str(&text).ok());
        Ok(Self {
            site,
            cursor: cursor.unwrap_or_default(),
        })
    }

    /// Moves lines into the log as they are written; ends only with an error. It can be dropped at any point.
    pub(super) async fn follow(&mut self) -> StepError {
        loop {
            match self.read(true).await {
                Ok(true) => {}
                // The log keeps no more lines. That is no fault of the program that writes them.
                Ok(false) => std::future::pending().await,
                Err(error) => return error,
            }
            // The program has ended; it may be started again.
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// Takes what there is by now, as far as it can. A program that is healthy has written its first lines before it
    /// was, and one that failed its last ones, which say why. The engine may have them while the one who follows does
    /// not: most of all after a restart of the portal, which finds the program as it is at the first look.
    pub(super) async fn rest(mut self) {
        let read = tokio::time::timeout(LAST_LOOK, self.read(false)).await;
        if let Ok(Err(error)) = read {
            self.site.say(format!(
                "the container's last lines cannot be read: {error}"
            ));
        }
    }

    /// False when the log takes no more lines.
    async fn read(&mut self, follow: bool) -> Result<bool, StepError> {
        let site = self.site;
        let log = &site.work.log;
        let logs = (site.engine).logs(&site.serving, self.cursor, follow, log.redactor());
        let mut logs: Logs = logs.await?;
        while let Some(batch) = logs.next().await? {
            let lines = batch.into_iter().map(line).collect();
            // Before the wait, which may never end: the log has the lines from its first moment on.
            self.cursor = logs.cursor();
            match log.lines(lines, text(self.cursor)).await {
                Ok(()) => {}
                Err(LogError::LostLease) => return Err(StepError::Lost),
                Err(LogError::Unstored(_)) => return Ok(false),
            }
        }
        Ok(true)
    }
}

fn text(cursor: LogCursor) -> String {
    // Four numbers always have a JSON form.
    serde_json::to_string(&cursor).unwrap_or_default()
}

fn line(line: adapters::docker::LogLine) -> NewLine {
    let stream = match line.source {
        Source::Stdout => Stream::Out,
        Source::Stderr => Stream::Err,
    };
    let text = String::from_utf8_lossy(&line.text).into_owned();
    NewLine {
        at: Ms(line.at_ns / 1_000_000),
        stream,
        text,
    }
}
