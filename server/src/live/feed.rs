//! One read of the store for all viewers of a run that stand at the same place.
//!
//! A run is often watched by many, and at each ring of the bell all of them want the same page. The first one reads
//! it and turns it into text; the others, who ask in the same moment, get the same text. A page belongs to a moment
//! (how often the bell had rung, and a clock for rings that were lost), so a later ring is never answered by an
//! earlier read.
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use axum::extract::ws::Utf8Bytes;
use domain::live::{Cursor, Frame};
use domain::log::LogLine;
use domain::policy::Actor;
use domain::run::{RunEvent, StoredEvent};
use domain::{RunId, StepId};
use portal::{Error, LogRange, Portal};
use tokio::sync::OnceCell;

/// The most events, and the most lines, of one page.
const PAGE: i64 = 500;
/// A frame is closed when its lines come to this many bytes.
const FRAME_BYTES: usize = 256 * 1024;
/// Without a ring, a page holds for this long.
const SLOT: Duration = Duration::from_millis(500);
/// Viewers at the end of a log get its news in this rhythm: fewer, larger frames, well within the blink of an eye.
/// All of them in the same moments, after which they stand at the same place and share the next read.
const PACE: Duration = Duration::from_millis(30);

/// The feeds of the runs that are watched.
#[derive(Default)]
pub(crate) struct Feeds(Mutex<HashMap<RunId, Weak<Feed>>>);

impl Feeds {
    /// The feed of a run, shared with whoever watches it too.
    pub(super) fn of(&self, run: RunId) -> Arc<Feed> {
        let mut feeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = feeds.get(&run).and_then(Weak::upgrade) {
            return feed;
        }
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let feed = Arc::new(Feed::new(run));
        feeds.insert(run, Arc::downgrade(&feed));
        feed
    }
}

/// What a viewer at one place is sent next.
#[derive(Debug)]
pub(super) struct Page {
    /// Frames as text.
    pub(super) frames: Vec<Utf8Bytes>,
    /// Where the viewer stands afterwards.
    pub(super) next: Cursor,
    /// Whether it is worth to ask again at once.
    pub(super) more: bool,
    /// Nothing will ever follow.
    pub(super) ended: bool,
}

/// The pages of one run that are wanted now.
pub(super) struct Feed {
    run: RunId,
    started: Instant,
    pages: Mutex<Pages>,
    /// Whether the run has ended, once that is known.
    over: OnceCell<AtomicBool>,
}

/// A [`Cursor`] as a key: the event, the step and its line.
type Place = (i64, Option<StepId>, i64);

#[derive(Default)]
struct Pages {
    moment: (u64, u128),
    cells: HashMap<Place, Arc<OnceCell<Arc<Page>>>>,
}

impl Feed {
    fn new(run: RunId) -> Self {
        Self {
            run,
            started: Instant::now(),
            pages: Mutex::default(),
            over: OnceCell::new(),
        }
    }

    /// The page after `cursor`, read after the bell had rung `rings` times. Whoever may watch the run was asked at
    /// the door and is asked again while it stays, so the read itself is the portal's own.
    pub(super) async fn page(
        &self,
        portal: &Portal,
        cursor: Cursor,
        rings: u64,
        at_once: bool,
    ) -> Result<Arc<Page>, Error> {
        let cell = {
            let slot = self.started.elapsed().as_millis() / SLOT.as_millis();
            let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
            // Moments only move forward: a viewer that heard the bell before the others joins them.
            let (known, known_slot) = pages.moment;
            let moment = (known.max(rings), known_slot.max(slot));
            if pages.moment != moment {
                *pages = Pages {
                    moment,
                    ..Pages::default()
                };
            }
            pages
                .cells
                .entry((cursor.event, cursor.step, cursor.line))
                .or_default()
                .clone()
        };
        let read = async {
            if !at_once {
                tokio::time::sleep_until(self.next_turn(Instant::now()).into()).await;
            }
            self.read(portal, cursor).await.map(Arc::new)
        };
        cell.get_or_try_init(|| read).await.cloned()
    }

    /// When the next read at the end of the log may begin.
    fn next_turn(&self, now: Instant) -> Instant {
        let turns = (now - self.started).as_millis() / PACE.as_millis() + 1;
        self.started + PACE * u32::try_from(turns).unwrap_or(u32::MAX)
    }

    async fn read(&self, portal: &Portal, cursor: Cursor) -> Result<Page, Error> {
        let engine = Actor::engine();
        // Before the read: whatever a run that has ended left behind is in the store by now.
        let over = self
            .over
            .get_or_try_init(|| async { self.has_ended(portal).await.map(AtomicBool::new) })
            .await?;
        let was_over = over.load(Ordering::Acquire);
        let Cursor { event, step, line } = cursor;
        let events = portal.events_after(&engine, self.run, event, PAGE).await?;
        let lines = match step {
            Some(step) => {
                portal
                    .log(&engine, self.run, step, LogRange::After(line), PAGE)
                    .await?
                    .lines
            }
            None => Vec::new(),
        };
        if !was_over && events.iter().any(may_end) && self.has_ended(portal).await? {
            over.store(true, Ordering::Release);
        }
        let next = Cursor {
            event: events.last().map_or(event, |last| last.seq),
            step,
            line: lines.last().map_or(line, |last| last.n),
        };
        let nothing = events.is_empty() && lines.is_empty();
        let full = |length: usize| i64::try_from(length).is_ok_and(|length| length >= PAGE);
        Ok(Page {
            ended: was_over && nothing,
            more: full(events.len()) || full(lines.len()) || over.load(Ordering::Acquire),
            frames: frames(step, events, lines)?,
            next,
        })
    }

    async fn has_ended(&self, portal: &Portal) -> Result<bool, Error> {
        Ok(portal
            .run(&Actor::engine(), self.run)
            .await?
            .row
            .state
            .is_final())
    }
}

fn may_end(stored: &StoredEvent) -> bool {
    matches!(
        stored.event,
        RunEvent::Finished | RunEvent::Superseded { .. } | RunEvent::CancelRequested { .. }
    )
}

fn frames(
    step: Option<StepId>,
    events: Vec<StoredEvent>,
    lines: Vec<LogLine>,
) -> Result<Vec<Utf8Bytes>, Error> {
    let mut frames = Vec::new();
    let mut put = |frame: &Frame| {
        let text = serde_json::to_string(frame).map_err(|error| Error::Internal(error.into()))?;
        frames.push(Utf8Bytes::from(text));
        Ok::<_, Error>(())
    };
    if !events.is_empty() {
        put(&Frame::Events { events })?;
    }
    if let Some(step) = step {
        let (mut some, mut bytes) = (Vec::new(), 0);
        for line in lines {
            bytes += line.text.len();
            some.push(line);
            if bytes >= FRAME_BYTES {
                put(&Frame::Lines {
                    step,
                    lines: std::mem::take(&mut some),
                })?;
                bytes = 0;
            }
        }
        if !some.is_empty() {
            put(&Frame::Lines { step, lines: some })?;
        }
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use domain::Ms;
    use domain::log::Stream;

    use super::*;

    #[test]
    fn very_long_lines_are_spread_over_frames_without_losing_one() {
        let line = |n| LogLine {
            n,
            at: Ms(0),
            stream: Stream::Out,
            text: "x".repeat(100_000),
        };
        let frames = frames(Some(StepId(1)), Vec::new(), (1..=7).map(line).collect()).unwrap();
        assert_eq!(frames.len(), 3);
        let mut numbers = Vec::new();
        for frame in &frames {
            match serde_json::from_str(frame).unwrap() {
                Frame::Lines { lines, .. } => numbers.extend(lines.iter().map(|line| line.n)),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(numbers, (1..=7).collect::<Vec<_>>());
    }

    #[test]
    fn viewers_at_the_end_of_a_log_read_in_the_same_moments() {
        let feed = Feed::new(RunId(1));
        let turn = |ms| feed.next_turn(feed.started + Duration::from_millis(ms));
        assert_eq!(turn(1), turn(29));
        assert_eq!(turn(30), turn(1) + PACE);
        assert_eq!(turn(31), turn(30));
    }

    #[test]
    fn a_feed_is_shared_while_somebody_watches_and_forgotten_after() {
        let feeds = Feeds::default();
        let feed = feeds.of(RunId(1));
        assert!(Arc::ptr_eq(&feed, &feeds.of(RunId(1))));
        drop(feed);
        drop(feeds.of(RunId(2)));
        let _three = feeds.of(RunId(3));
        assert_eq!(feeds.0.lock().unwrap().len(), 1);
    }
}
