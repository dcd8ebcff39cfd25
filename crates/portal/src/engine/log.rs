//! The one path of a log line: redacted, gathered for a moment, stored, and only then is the bell rung.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adapters::redact::Redactor;
use domain::StepId;
use domain::log::Stream;
use store::{Claim, NewLine, StoreError};
use tokio::sync::{mpsc, oneshot};

use crate::{Portal, now};

/// Lines are gathered for this long at most: a viewer sees a line well within the blink of an eye.
const GATHER: Duration = Duration::from_millis(25);
/// Or until this many bytes have come together (FACTS: chunks of this size store fastest).
const FULL: usize = 64 * 1024;
/// How long storing is tried before the step fails for want of its log.
const PATIENCE: Duration = Duration::from_secs(20);

/// A writer that is this many lines ahead of the store waits for it.
const AHEAD: usize = 20_000;

/// The log of one step at work. Cheap to clone.
#[derive(Clone)]
pub(super) struct Log {
    lines: mpsc::UnboundedSender<Message>,
    ahead: Arc<AtomicUsize>,
}

enum Message {
    /// Lines, and where their source stands behind them.
    Lines(Vec<NewLine>, Option<String>),
    /// Look for these secrets too from here on.
    Redact(Redactor),
    Flush(oneshot::Sender<Result<(), StoreError>>),
}

impl Log {
    /// Starts the task that stores this step's lines.
    pub(super) fn open(portal: Portal, claim: Claim, step: StepId, redactor: Redactor) -> Self {
        let (lines, inbox) = mpsc::unbounded_channel();
        let ahead = Arc::new(AtomicUsize::new(0));
        let keeper = Keeper {
            portal,
            claim,
            step,
            redactors: vec![redactor],
            gathered: Vec::new(),
            cursor: None,
            bytes: 0,
            ahead: ahead.clone(),
            failed: None,
        };
        tokio::spawn(keeper.keep(inbox));
        Self { lines, ahead }
    }

    /// A line of Fairlead's own.
    pub(super) fn say(&self, text: impl Into<String>) {
        self.put(Stream::Portal, text);
    }

    /// A line that a program wrote now.
    pub(super) fn put(&self, stream: Stream, text: impl Into<String>) {
        let (at, text) = (now(), text.into());
        self.send(vec![NewLine { at, stream, text }], None);
    }

    /// Lines from a source that can write faster than the store takes them, and that can be resumed at `cursor`.
    pub(super) async fn lines(
        &self,
        lines: Vec<NewLine>,
        cursor: String,
    ) -> Result<(), StoreError> {
        self.send(lines, Some(cursor));
        if self.ahead.load(Ordering::Relaxed) > AHEAD {
            self.flush().await
        } else {
            Ok(())
        }
    }

    fn send(&self, lines: Vec<NewLine>, cursor: Option<String>) {
        self.ahead.fetch_add(lines.len(), Ordering::Relaxed);
        // The keeper ends only when the last `Log` is gone.
        let _ = self.lines.send(Message::Lines(lines, cursor));
    }

    /// Values that turned up on the way, such as those of a host's `.env`.
    pub(super) fn redact_too(&self, redactor: Redactor) {
        let _ = self.lines.send(Message::Redact(redactor));
    }

    /// Returns once everything said so far is stored.
    pub(super) async fn flush(&self) -> Result<(), StoreError> {
        let (done, stored) = oneshot::channel();
        let _ = self.lines.send(Message::Flush(done));
        stored.await.unwrap_or(Ok(()))
    }
}

struct Keeper {
    portal: Portal,
    claim: Claim,
    step: StepId,
    redactors: Vec<Redactor>,
    gathered: Vec<NewLine>,
    /// Where the source stands behind the gathered lines.
    cursor: Option<String>,
    bytes: usize,
    ahead: Arc<AtomicUsize>,
    failed: Option<StoreError>,
}

impl Keeper {
    async fn keep(mut self, mut inbox: mpsc::UnboundedReceiver<Message>) {
        let mut due: Option<tokio::time::Instant> = None;
        loop {
            let message = match due {
                None => inbox.recv().await,
                Some(at) => match tokio::time::timeout_at(at, inbox.recv()).await {
                    Ok(message) => message,
                    Err(_) => {
                        self.store().await;
                        due = None;
                        continue;
                    }
                },
            };
            match message {
                Some(Message::Lines(lines, cursor)) => {
                    self.take(lines);
                    self.cursor = cursor.or(self.cursor);
                    if self.bytes >= FULL {
                        self.store().await;
                        due = None;
                    } else {
                        due.get_or_insert_with(|| tokio::time::Instant::now() + GATHER);
                    }
                }
                Some(Message::Redact(redactor)) => self.redactors.push(redactor),
                Some(Message::Flush(done)) => {
                    self.store().await;
                    due = None;
                    let _ = done.send(self.failed.take().map_or(Ok(()), Err));
                }
                None => {
                    self.store().await;
                    return;
                }
            }
        }
    }

    fn take(&mut self, lines: Vec<NewLine>) {
        for mut line in lines {
            for redactor in &self.redactors {
                if let std::borrow::Cow::Owned(clean) = redactor.redact_line(&line.text) {
                    line.text = clean;
                }
            }
            self.bytes += line.text.len() + 16;
            self.gathered.push(line);
        }
    }

    async fn store(&mut self) {
        if self.gathered.is_empty() {
            return;
        }
        let lines = std::mem::take(&mut self.gathered);
        let cursor = self.cursor.take();
        self.bytes = 0;
        self.ahead.fetch_sub(lines.len(), Ordering::Relaxed);
        let store = &self.portal.parts().store;
        let give_up = tokio::time::Instant::now() + PATIENCE;
        loop {
            let stored = store.append_lines(&self.claim, self.step, &lines, cursor.as_deref());
            match stored.await {
                Ok(_) => {
                    self.portal.parts().live.ring_run(self.claim.run);
                    return;
                }
                Err(error)
                    if matches!(error, StoreError::LostLease { .. })
                        || tokio::time::Instant::now() >= give_up =>
                {
                    tracing::error!(%error, run = %self.claim.run, step = %self.step, "log lines cannot be stored");
                    self.failed = Some(error);
                    return;
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
    }
}
