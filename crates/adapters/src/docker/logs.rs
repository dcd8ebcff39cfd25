//! Container logs: followed without holding anything up, and resumable at the exact line.
//!
//! Lines that came together are handed over together, so that a reader pays once per batch and not once per line.

use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use bytes::Bytes;
use hyper::{
    Method,
    body::{Body, Incoming},
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{
    containers::{State, encode},
    engine::{Engine, QUICK},
    error::DockerError,
    failure::{About, Failure},
    frames::Frames,
};
use crate::{redact::Redactor, ssh::Source};

/// Most lines of one batch.
const BATCH: usize = 4096;

/// After this long without a line it is checked that there can be more.
const SILENCE: Duration = Duration::from_secs(15);

/// The engine stamps a line and then stores it, for each stream by itself, so a line may be stored behind a younger one
/// of the other stream: usually by microseconds, by as long as the engine is held up in between. So much is read again
/// where a log is opened again.
const DISORDER: Duration = Duration::from_secs(2);

/// A line that a container wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When the engine got it: nanoseconds since 1970 by the engine's clock. It rises within a stream, not across both.
    pub at_ns: i64,
    /// The stream that it was written to.
    pub source: Source,
    /// The text without its line end.
    pub text: Bytes,
}

/// A place in a container's log: what was seen of each of its streams. The default is the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogCursor {
    stdout: Mark,
    stderr: Mark,
}

/// A place in one stream: the last line's time, and how many lines of exactly that time were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Mark {
    at_ns: i64,
    seen: u32,
}

impl LogCursor {
    /// Moves behind `line`.
    pub fn advance(&mut self, line: &LogLine) {
        let mark = self.mark(line.source);
        if line.at_ns == mark.at_ns {
            mark.seen += 1;
        } else {
            *mark = Mark {
                at_ns: line.at_ns,
                seen: 1,
            };
        }
    }

    fn mark(&mut self, source: Source) -> &mut Mark {
        match source {
            Source::Stdout => &mut self.stdout,
            Source::Stderr => &mut self.stderr,
        }
    }

    /// The time from which the engine must read again so that nothing is missed that is late by less than `disorder`.
    fn since(&self, disorder: Duration) -> String {
        let (a, b) = (self.stdout.at_ns, self.stderr.at_ns);
        let late = i64::try_from(disorder.as_nanos()).unwrap_or(i64::MAX);
        let ns = a.min(b).max(a.max(b).saturating_sub(late)).max(0);
        format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
    }
}

/// What is still to be left out after a log was opened in its middle, by stream.
#[derive(Debug, Clone, Copy)]
struct Seen([Option<Mark>; 2]);

impl Seen {
    fn of(cursor: LogCursor) -> Self {
        Self([Some(cursor.stdout), Some(cursor.stderr)])
    }

    fn covers(&mut self, line: &LogLine) -> bool {
        let left = &mut self.0[line.source as usize];
        match left {
            Some(mark) if line.at_ns < mark.at_ns => true,
            Some(mark) if line.at_ns == mark.at_ns && mark.seen > 0 => {
                mark.seen -= 1;
                true
            }
            // From the first new line of a stream on, every line of it is new.
            Some(_) | None => {
                *left = None;
                false
            }
        }
    }
}

/// The log of a container as it is read. See [`Engine::logs`].
pub struct Logs {
    engine: Engine,
    container: String,
    follow: bool,
    tty: bool,
    secrets: Redactor,
    cursor: LogCursor,
    seen: Seen,
    /// [`DISORDER`], or less while a slow reader is overtaken before it has come to anything new.
    disorder: Duration,
    body: Incoming,
    frames: Frames,
    end: Option<Result<(), hyper::Error>>,
}

impl std::fmt::Debug for Logs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logs")
            .field("container", &self.container)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Reads a container's log from behind `after`; with `follow`, until the container ends. A line of more than a
    /// megabyte comes in pieces, none of `secrets` across two of them.
    ///
    /// Errors: [`DockerError::NotFound`]; [`DockerError::Other`] when its log driver cannot be read back.
    pub async fn logs(
        &self,
        container: &str,
        after: LogCursor,
        follow: bool,
        secrets: Redactor,
    ) -> Result<Logs, DockerError> {
        let found = self
            .inspect(container)
            .await?
            .ok_or_else(|| DockerError::NotFound {
                engine: self.place().to_owned(),
                what: format!("container {container}"),
            })?;
        Ok(Logs {
            body: self
                .open_logs(&found.id, after.since(DISORDER), follow)
                .await?,
            engine: self.clone(),
            container: found.id,
            follow,
            tty: found.tty,
            cursor: after,
            seen: Seen::of(after),
            disorder: DISORDER,
            frames: Frames::new(found.tty, Some(secrets.clone())),
            secrets,
            end: None,
        })
    }

    async fn open_logs(
        &self,
        id: &str,
        since: String,
        follow: bool,
    ) -> Result<Incoming, DockerError> {
        let path = format!(
            "/containers/{}/logs?stdout=1&stderr=1&timestamps=1&follow={}&since={since}",
            encode(id),
            u8::from(follow),
        );
        let answer = self
            .call(QUICK, About::Container(id), async {
                self.bulk.request(Method::GET, &path, None).await
            })
            .await?;
        Ok(answer.into_body())
    }
}

impl Logs {
    /// The next lines, at least one; `None` at the end. After an error a new [`Engine::logs`] from [`Logs::cursor`]
    /// goes on without a gap and without a repetition. Dropping the future loses nothing.
    ///
    /// A reader that falls behind does not hold anything up: the stream is then opened again from where the reader is.
    pub async fn next(&mut self) -> Result<Option<Vec<LogLine>>, DockerError> {
        loop {
            let batch = self.take();
            if !batch.is_empty() {
                self.disorder = DISORDER;
                return Ok(Some(batch));
            }
            match self.end.take() {
                None => {
                    if timeout(SILENCE, self.fill()).await.is_err() {
                        self.look_after_silence().await?;
                    }
                }
                // Where a container ends, the engine may end the following before it has stored the last words.
                Some(Ok(())) if self.follow => {
                    self.follow = false;
                    self.open_again().await?;
                }
                Some(Ok(())) => {
                    self.end = Some(Ok(()));
                    return Ok(None);
                }
                Some(Err(error)) if fell_behind(&error) => {
                    self.disorder /= 2;
                    self.open_again().await?;
                }
                Some(Err(error)) => {
                    return Err(self
                        .engine
                        .error(About::Container(&self.container), Failure::from(error)));
                }
            }
        }
    }

    /// Behind the last line that [`Logs::next`] gave.
    pub fn cursor(&self) -> LogCursor {
        self.cursor
    }

    /// A container may have nothing to say, but the stream may also hang: the end of a followed container can be missed.
    async fn look_after_silence(&mut self) -> Result<(), DockerError> {
        let about = About::Container(&self.container);
        if !self.follow {
            return Err(self.engine.error(about, Failure::Timeout(SILENCE)));
        }
        match self
            .engine
            .inspect(&self.container)
            .await?
            .map(|found| found.state)
        {
            Some(State::Running | State::Paused | State::Restarting) => Ok(()),
            Some(State::Created | State::Exited { .. } | State::Removing | State::Dead) => {
                self.follow = false;
                self.open_again().await
            }
            None => Err(DockerError::NotFound {
                engine: self.engine.place().to_owned(),
                what: format!("container {}", self.container),
            }),
        }
    }

    async fn open_again(&mut self) -> Result<(), DockerError> {
        self.body = self
            .engine
            .open_logs(
                &self.container,
                self.cursor.since(self.disorder),
                self.follow,
            )
            .await?;
        self.frames = Frames::new(self.tty, Some(self.secrets.clone()));
        self.seen = Seen::of(self.cursor);
        Ok(())
    }

    /// The new lines among what has come.
    fn take(&mut self) -> Vec<LogLine> {
        let whole = matches!(self.end, Some(Ok(())));
        let mut batch = Vec::new();
        while batch.len() < BATCH
            && let Some(line) = self.frames.next(whole)
        {
            if !self.seen.covers(&line) {
                self.cursor.advance(&line);
                batch.push(line);
            }
        }
        batch
    }

    /// Waits for data, then takes all that is there.
    async fn fill(&mut self) {
        let Self {
            body, frames, end, ..
        } = self;
        poll_fn(|cx| {
            for got in 0..BATCH {
                match Pin::new(&mut *body).poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => {
                        if let Ok(data) = frame.into_data() {
                            frames.feed(&data);
                        }
                    }
                    // Kept until what came before it was given: the body tells an error only once.
                    Poll::Ready(Some(Err(error))) => {
                        *end = Some(Err(error));
                        break;
                    }
                    Poll::Ready(None) => {
                        *end = Some(Ok(()));
                        break;
                    }
                    Poll::Pending if got > 0 => break,
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(())
        })
        .await;
    }
}

fn fell_behind(error: &hyper::Error) -> bool {
    std::error::Error::source(error)
        .and_then(|cause| cause.downcast_ref::<std::io::Error>())
        .is_some_and(|cause| cause.kind() == std::io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at_ns: i64, source: Source) -> LogLine {
        LogLine {
            at_ns,
            source,
            text: Bytes::new(),
        }
    }

    #[test]
    fn a_log_that_is_opened_again_goes_on_behind_what_was_seen_of_each_stream() {
        use Source::{Stderr, Stdout};
        // As the engine stores them: the error of time 3 behind the output of time 9, several lines at one time.
        let stored = [
            (1, Stdout),
            (5, Stdout),
            (5, Stdout),
            (9, Stdout),
            (3, Stderr),
            (9, Stdout),
            (9, Stderr),
        ];
        for split in 0..=stored.len() {
            let mut cursor = LogCursor::default();
            for (at, source) in &stored[..split] {
                cursor.advance(&line(*at, *source));
            }
            let mut seen = Seen::of(cursor);
            let rest: Vec<_> = stored
                .iter()
                .filter(|(at, source)| !seen.covers(&line(*at, *source)))
                .collect();
            assert_eq!(
                rest,
                stored[split..].iter().collect::<Vec<_>>(),
                "behind line {split}"
            );
        }
    }

    #[test]
    fn the_engine_reads_again_from_the_older_stream_but_not_from_long_ago() {
        let since = |out, err| {
            let mark = |at_ns| Mark { at_ns, seen: 1 };
            LogCursor {
                stdout: mark(out),
                stderr: mark(err),
            }
            .since(DISORDER)
        };
        assert_eq!(LogCursor::default().since(DISORDER), "0.000000000");
        assert_eq!(since(100_000_000_005, 99_000_000_007), "99.000000007");
        assert_eq!(since(100_000_000_005, 0), "98.000000005");
    }
}
