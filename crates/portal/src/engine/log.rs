//! The one path of a log line: redacted, gathered for a moment, stored, and only then is the bell rung.
use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use adapters::redact::{Redactor, SHORTEST, too_short as is_too_short};
use domain::StepId;
use domain::log::Stream;
use secrecy::SecretString;
use store::{Claim, NewLine, StoreError};
use tokio::sync::{mpsc, oneshot};

use crate::{Portal, now};

/// Lines are gathered for this long at most: a viewer sees a line well within the blink of an eye.
const GATHER: Duration = Duration::from_millis(25);
/// Or until this many bytes have come together (FACTS: chunks of this size store fastest).
const FULL: usize = 64 * 1024;
/// How long storing is tried before the rest of the log is given up. The step goes on: a host that is half changed is
/// worse than a log that breaks off.
const PATIENCE: Duration = Duration::from_secs(20);

/// A writer that is this many lines ahead of the store waits for it.
const AHEAD: usize = 20_000;

/// The log of one step at work. Cheap to clone.
#[derive(Clone)]
pub(super) struct Log {
    inbox: mpsc::UnboundedSender<Message>,
    shared: Arc<Shared>,
}

/// What the writers and the task that stores share.
struct Shared {
    /// Lines that were said and are not stored yet.
    ahead: AtomicUsize,
    /// What must not be seen; it grows as values turn up on the way, such as those of a host's `.env`.
    redactor: RwLock<Redactor>,
    /// Why nothing is stored any more. Lines after a gap would look as if there were none.
    broken: OnceLock<LogError>,
}

/// Why the rest of a log is missing.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum LogError {
    /// Another portal writes it now.
    #[error("another portal drives the run now")]
    LostLease,
    /// It could not be stored.
    #[error("{0}")]
    Unstored(String),
}

enum Message {
    /// Lines, and where their source stands behind them.
    Lines(Vec<NewLine>, Option<String>),
    Flush(oneshot::Sender<()>),
}

impl Log {
    /// Starts the task that stores this step's lines.
    pub(super) fn open(
        portal: Portal,
        claim: Claim,
        step: StepId,
        redactor: Option<Redactor>,
    ) -> Self {
        let (inbox, messages) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            ahead: AtomicUsize::new(0),
            redactor: RwLock::new(redactor.unwrap_or_default()),
            broken: OnceLock::new(),
        });
        let keeper = Keeper {
            portal,
            claim,
            step,
            gathered: Vec::new(),
            cursor: None,
            bytes: 0,
            stored: None,
            shared: shared.clone(),
        };
        tokio::spawn(keeper.keep(messages));
        Self { inbox, shared }
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
    pub(super) async fn lines(&self, lines: Vec<NewLine>, cursor: String) -> Result<(), LogError> {
        if let Some(error) = self.shared.broken.get() {
            return Err(error.clone());
        }
        self.send(lines, Some(cursor));
        if self.shared.ahead.load(Ordering::Relaxed) > AHEAD {
            self.flush().await
        } else {
            Ok(())
        }
    }

    fn send(&self, lines: Vec<NewLine>, cursor: Option<String>) {
        self.shared.ahead.fetch_add(lines.len(), Ordering::Relaxed);
        // The keeper ends only when the last `Log` is gone.
        let _ = self.inbox.send(Message::Lines(lines, cursor));
    }

    /// Looks for these secrets too from here on.
    pub(super) fn redact_too(&self, redactor: Redactor) {
        let known = self.shared.redactor.write();
        known.unwrap_or_else(PoisonError::into_inner).add(redactor);
    }

    /// What is looked for by now, for those who must cut long lines before they come here.
    pub(super) fn redactor(&self) -> Redactor {
        let known = self.shared.redactor.read();
        known.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes everything that must not be seen out of a text that is shown elsewhere.
    pub(super) fn clean(&self, text: &mut String) {
        self.shared.clean(text);
    }

    /// Returns once everything said so far is stored, or says why some of it is not.
    pub(super) async fn flush(&self) -> Result<(), LogError> {
        let (done, stored) = oneshot::channel();
        let _ = self.inbox.send(Message::Flush(done));
        let kept = stored.await;
        match self.shared.broken.get() {
            Some(error) => Err(error.clone()),
            None => kept.map_err(|_| LogError::Unstored("the task that stores it has died".into())),
        }
    }
}

impl Shared {
    fn clean(&self, text: &mut String) {
        let known = self.redactor.read();
        let known = known.unwrap_or_else(PoisonError::into_inner);
        if let Cow::Owned(clean) = known.redact_line(text) {
            *text = clean;
        }
    }
}

/// Says which secrets stay in logs because they are too short to be looked for, where there are such.
pub(super) fn too_short(secrets: &[(&str, &SecretString)]) -> Option<String> {
    let short = secrets.iter().filter(|(_, value)| is_too_short(value));
    let names: Vec<&str> = short.map(|(name, _)| *name).collect();
    (!names.is_empty()).then(|| {
        format!(
            "not hidden in the log because shorter than {SHORTEST} bytes: {}",
            names.join(", ")
        )
    })
}

struct Keeper {
    portal: Portal,
    claim: Claim,
    step: StepId,
    gathered: Vec<NewLine>,
    /// Where the source stands behind the gathered lines.
    cursor: Option<String>,
    bytes: usize,
    /// How many lines of the log are stored, once that is known.
    stored: Option<i64>,
    shared: Arc<Shared>,
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
                Some(Message::Flush(done)) => {
                    self.store().await;
                    due = None;
                    let _ = done.send(());
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
            self.shared.clean(&mut line.text);
            self.bytes += line.text.len() + 16;
            self.gathered.push(line);
        }
    }

    async fn store(&mut self) {
        let lines = std::mem::take(&mut self.gathered);
        let cursor = self.cursor.take();
        self.bytes = 0;
        self.shared.ahead.fetch_sub(lines.len(), Ordering::Relaxed);
        if lines.is_empty() || self.shared.broken.get().is_some() {
            return;
        }
        let store = &self.portal.parts().store;
        let give_up = tokio::time::Instant::now() + PATIENCE;
        if self.stored.is_none() {
            self.stored = store.line_count(self.claim.run, self.step).await.ok();
        }
        loop {
            // A database server may have stored them although its answer was lost.
            let cursor = cursor.as_deref();
            let stored = store.append_lines(&self.claim, self.step, &lines, cursor, self.stored);
            let error = match stored.await {
                Ok(last) => {
                    self.stored = Some(last);
                    self.portal.parts().live.ring_run(self.claim.run);
                    return;
                }
                Err(StoreError::LostLease { .. }) => LogError::LostLease,
                Err(error) if tokio::time::Instant::now() >= give_up => {
                    LogError::Unstored(error.to_string())
                }
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    continue;
                }
            };
            tracing::error!(%error, run = %self.claim.run, step = %self.step, "log lines cannot be stored");
            let _ = self.shared.broken.set(error);
            return;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use adapters::secrets::Source;
    use domain::{EnvName, ProjectName, RunId};

    use super::*;
    use crate::{Builder, Config, GithubConfig};

    /// One of its own in an empty folder.
    pub(in crate::engine) async fn portal(folder: &std::path::Path) -> Portal {
        let nowhere: url::Url = "http://127.0.0.1:9".parse().unwrap();
        std::fs::create_dir(folder.join("projects")).unwrap();
        let config = Config {
            public_url: nowhere.clone(),
            database: format!("sqlite://{}", folder.join("fairlead.db").display()).into(),
            data_dir: folder.to_path_buf(),
            projects_dir: folder.join("projects"),
            builder: Builder::Socket("unix:///var/run/docker.sock".into()),
            github: GithubConfig {
                url: nowhere.clone(),
                api_url: nowhere,
                client_id: "none".into(),
                client_secret: "GITHUB_CLIENT_SECRET".into(),
                token: "GITHUB_TOKEN".into(),
            },
            secrets: vec![Source::File(folder.join("secrets.env"))],
            members: Vec::new(),
        };
        Portal::open(config).await.unwrap()
    }

    /// Nobody holds it.
    fn claim() -> Claim {
        Claim {
            run: RunId(1),
            project: ProjectName::parse("shop").unwrap(),
            environment: EnvName::parse("dev").unwrap(),
            fence: 1,
        }
    }

    #[tokio::test]
    async fn a_log_that_broke_off_stays_broken_and_says_so_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(portal(folder.path()).await, claim(), StepId(0), None);
        assert!(log.flush().await.is_ok(), "nothing was said yet");
        log.say("one");
        for _ in 0..2 {
            let flushed = log.flush().await;
            assert!(matches!(flushed, Err(LogError::LostLease)), "{flushed:?}");
        }
        let more = log.lines(Vec::new(), "behind the gap".into()).await;
        assert!(matches!(more, Err(LogError::LostLease)), "{more:?}");
    }

    #[tokio::test]
    async fn values_that_turn_up_on_the_way_are_taken_out_of_failures_too() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(portal(folder.path()).await, claim(), StepId(0), None);
        let secret = SecretString::from("hunter2");
        log.redact_too(Redactor::new([&secret]).unwrap());
        let mut text = "cannot log in with hunter2".to_owned();
        log.clean(&mut text);
        assert_eq!(text, "cannot log in with [REDACTED]");
    }
}
