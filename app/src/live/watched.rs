//! A run as a page watches it: loaded once, then carried forward by its events through the same function that the
//! portal itself uses.
use domain::run::{Run, RunState, StepRun, StoredEvent};
use domain::view::RunView;
use domain::{RunId, StepId};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api;

/// A run and what is known about it by now.
#[derive(Clone, Copy)]
pub struct Watched {
    /// Its number.
    pub id: RunId,
    /// As the server told it last: who asked, what the reader may do, why it waits.
    pub view: RwSignal<RunView>,
    run: RwSignal<Run>,
    /// The number of the last event that was taken.
    last: RwSignal<i64>,
}

impl Watched {
    /// Watches from what was loaded.
    pub fn new(view: RunView) -> Self {
        let mut run = Run::new(view.plan.clone());
        let last = fold(&mut run, 0, &view.events);
        let (id, view) = (view.row.id, RwSignal::new(view));
        Self {
            id,
            view,
            run: RwSignal::new(run),
            last: RwSignal::new(last),
        }
    }

    /// Takes what happened since.
    pub fn take(&self, events: &[StoredEvent]) {
        let before = self.run.with_untracked(|run| run.state);
        let mut last = self.last.get_untracked();
        self.run.update(|run| last = fold(run, last, events));
        self.last.set(last);
        if self.run.with_untracked(|run| run.state) != before {
            self.refresh();
        }
    }

    /// What the reader may do depends on the state, and only the server decides it.
    pub fn refresh(&self) {
        let watched = *self;
        spawn_local(async move {
            let answer = api::runs::run(watched.id).await;
            // The page may have been left meanwhile.
            if let (Ok(view), Some(mut last)) = (answer, watched.last.try_get_untracked()) {
                watched
                    .run
                    .try_update(|run| last = fold(run, last, &view.events));
                watched.last.try_set(last);
                watched.view.try_set(view);
            }
        });
    }

    /// Where the run stands.
    pub fn state(&self) -> RunState {
        self.run.with(|run| run.state)
    }

    /// Something of the run as it stands.
    pub fn with<T>(&self, read: impl FnOnce(&Run) -> T) -> T {
        self.run.with(read)
    }

    /// The same once, without following it.
    pub fn with_untracked<T>(&self, read: impl FnOnce(&Run) -> T) -> T {
        self.run.with_untracked(read)
    }

    /// One of its steps.
    pub fn step(&self, id: StepId) -> Option<StepRun> {
        self.run.with(|run| run.steps.get(id.index()).cloned())
    }

    /// The address to go on listening at: after the last event, and after a line of a step's log.
    pub fn address(&self, log: Option<(StepId, i64)>) -> String {
        let log = log
            .map(|(step, line)| format!("&step={step}&line={line}"))
            .unwrap_or_default();
        format!(
            "/live/runs/{}?event={}{log}",
            self.id,
            self.last.get_untracked()
        )
    }
}

/// Applies the events after `last`; the number of the last one taken. One that does not fit stops it there: the page
/// then shows what was true before, and a reload shows the rest.
fn fold(run: &mut Run, mut last: i64, events: &[StoredEvent]) -> i64 {
    for event in events {
        if event.seq <= last {
            continue;
        }
        if event.seq != last + 1 || run.apply(&event.event, event.at).is_err() {
            break;
        }
        last = event.seq;
    }
    last
}
