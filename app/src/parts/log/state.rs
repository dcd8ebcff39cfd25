//! What the log viewer knows: the lines that are here, what was searched, and where the reader wants to be.
use domain::log::LogLine;
use domain::view::LogPage;
use domain::{RunId, StepId};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::lines::Lines;
use crate::api;
use crate::error::UiError;

/// The state of the viewer. One serves a run's page; the step changes in it.
#[derive(Clone, Copy)]
pub struct LogState {
    /// The run.
    pub run: RunId,
    /// The step whose log is shown.
    pub step: RwSignal<StepId>,
    lines: StoredValue<Lines>,
    fetching: StoredValue<bool>,
    /// Grows when lines come or go.
    pub changed: RwSignal<u32>,
    /// How many lines the whole log has.
    pub total: RwSignal<i64>,
    /// Whether the first answer about this step is here, or why it is not.
    pub opened: RwSignal<bool>,
    /// The first line of the first page: a page without JavaScript shows from there on.
    pub begins: i64,
    /// Whether the reader looks at something in this step, so that the page must not go on to the next.
    pub pinned: RwSignal<bool>,
    /// The line whose link the keyboard reaches.
    pub tab_stop: RwSignal<i64>,
    /// Whether the view stays at the end while lines arrive.
    pub following: RwSignal<bool>,
    /// How many lines there were when the reader left the end.
    pub left_at: RwSignal<i64>,
    /// Whether long lines wrap.
    pub wrap: RwSignal<bool>,
    /// Whether each line shows its time.
    pub times: RwSignal<bool>,
    /// The line that the address names.
    pub target: RwSignal<Option<i64>>,
    /// The line to bring into sight; the view does it and clears it.
    pub jump: RwSignal<Option<i64>>,
    /// What was searched.
    pub query: RwSignal<String>,
    /// Where it was found.
    pub hits: RwSignal<Vec<i64>>,
    /// Which of these is shown, from 0.
    pub hit: RwSignal<usize>,
    /// What the last search or jump came to, in words.
    pub note: RwSignal<String>,
    /// Why lines could not be fetched.
    pub trouble: RwSignal<Option<UiError>>,
}

impl LogState {
    /// Begins with the first page.
    pub fn new(run: RunId, first: LogPage) -> Self {
        let mut lines = Lines::default();
        let begins = first.lines.first().map_or(1, |line| line.n);
        lines.put(first.lines, first.total);
        let total = RwSignal::new(lines.total());
        Self {
            run,
            step: RwSignal::new(first.step),
            lines: StoredValue::new(lines),
            fetching: StoredValue::new(false),
            changed: RwSignal::new(0),
            total,
            opened: RwSignal::new(true),
            begins,
            pinned: RwSignal::new(false),
            tab_stop: RwSignal::new(begins),
            following: RwSignal::new(false),
            left_at: RwSignal::new(0),
            wrap: RwSignal::new(false),
            times: RwSignal::new(false),
            target: RwSignal::new(None),
            jump: RwSignal::new(None),
            query: RwSignal::new(String::new()),
            hits: RwSignal::new(Vec::new()),
            hit: RwSignal::new(0),
            note: RwSignal::new(String::new()),
            trouble: RwSignal::new(None),
        }
    }

    /// Shows another step's log, from its beginning.
    pub fn show(&self, step: StepId) {
        self.step.set(step);
        self.lines.set_value(Lines::default());
        self.fetching.set_value(false);
        self.total.set(0);
        self.opened.set(false);
        self.trouble.set(None);
        self.pinned.set(false);
        self.following.set(false);
        self.target.set(None);
        self.forget_search();
        self.changed.update(|changed| *changed += 1);
        self.fetch(0);
    }

    /// Asks again for what could not be fetched.
    pub fn try_again(&self) {
        self.trouble.set(None);
        match self.total.get_untracked() {
            0 => self.fetch(0),
            _ => self.changed.update(|changed| *changed += 1),
        }
    }

    /// Goes along with the end again.
    pub fn follow(&self) {
        self.target.set(None);
        self.pinned.set(false);
        self.following.set(true);
    }

    /// Holds the view: the reader looks at something that stands still.
    pub fn hold(&self) {
        self.pinned.set(true);
        self.following.set(false);
        self.left_at.set(self.total.get_untracked());
    }

    /// The line with this number, if it is here.
    pub fn line(&self, n: i64) -> Option<LogLine> {
        self.lines.with_value(|lines| lines.get(n).cloned())
    }

    /// Whether the line is here.
    pub fn has(&self, n: i64) -> bool {
        self.lines.with_value(|lines| lines.get(n).is_some())
    }

    /// Takes lines that arrived live.
    pub fn take(&self, step: StepId, arrived: Vec<LogLine>) {
        if self.step.get_untracked() == step {
            self.put(arrived, 0);
        }
    }

    fn put(&self, arrived: Vec<LogLine>, total: i64) {
        self.lines.update_value(|lines| lines.put(arrived, total));
        self.total.set(self.lines.with_value(Lines::total));
        self.changed.update(|changed| *changed += 1);
    }

    /// Sees to it that these lines come, and that those far from them go.
    pub fn want(&self, first: i64, last: i64) {
        self.lines
            .update_value(|lines| lines.trim((first + last) / 2));
        if let Some(after) = self.lines.with_value(|lines| lines.missing(first, last)) {
            self.fetch(after);
        }
    }

    /// Fetches a page, unless one is on its way; the next look at what is missing comes with its arrival.
    fn fetch(&self, after: i64) {
        if self.fetching.get_value() {
            return;
        }
        self.fetching.set_value(true);
        let (state, step) = (*self, self.step.get_untracked());
        spawn_local(async move {
            let answer = api::logs::log(state.run, step, after).await;
            if state.step.try_get_untracked() != Some(step) {
                return; // another step is shown by now, or the page was left
            }
            state.fetching.set_value(false);
            state.opened.set(true);
            match answer {
                Ok(page) => {
                    state.trouble.set(None);
                    // An answer without lines would be asked for again at once.
                    if page.lines.is_empty() {
                        state.total.set(page.total);
                    } else {
                        state.put(page.lines, page.total);
                    }
                }
                Err(error) => state.trouble.set(Some(error)),
            }
        });
    }

    /// Searches on the server and goes to the first hit; the same text again goes to the next.
    pub fn search(&self, text: String) {
        if text.is_empty() {
            return self.forget_search();
        }
        if text == self.query.get_untracked() && !self.hits.with_untracked(Vec::is_empty) {
            return self.next_hit(1);
        }
        self.query.set(text.clone());
        self.note.set("Searching…".into());
        let (state, step) = (*self, self.step.get_untracked());
        spawn_local(async move {
            let answer = api::logs::search_log(state.run, step, text.clone()).await;
            if state.step.try_get_untracked() != Some(step)
                || state.query.try_get_untracked().as_ref() != Some(&text)
            {
                return;
            }
            match answer {
                Ok(found) => {
                    let more = if found.more { "+" } else { "" };
                    state.note.set(match found.lines.len() {
                        0 => "No line holds it".into(),
                        1 => "1 line".into(),
                        n => format!("{n}{more} lines"),
                    });
                    state.hits.set(found.lines);
                    state.hit.set(0);
                    state.show_hit();
                }
                Err(error) => state.note.set(error.to_string()),
            }
        });
    }

    /// Goes some hits on, around the end.
    pub fn next_hit(&self, by: isize) {
        let count = self.hits.with_untracked(Vec::len) as isize;
        if count > 0 {
            self.hit
                .update(|hit| *hit = (*hit as isize + by).rem_euclid(count) as usize);
            self.show_hit();
        }
    }

    fn show_hit(&self) {
        let at = self.hit.get_untracked();
        if let Some(line) = self.hits.with_untracked(|hits| hits.get(at).copied()) {
            self.go_to(line);
        }
    }

    fn forget_search(&self) {
        self.query.set(String::new());
        self.hits.set(Vec::new());
        self.note.set(String::new());
    }

    /// Goes to the first line that looks like an error.
    pub fn first_error(&self) {
        let (state, step) = (*self, self.step.get_untracked());
        spawn_local(async move {
            let answer = api::logs::first_error(state.run, step).await;
            if state.step.try_get_untracked() != Some(step) {
                return;
            }
            match answer {
                Ok(Some(line)) => {
                    state
                        .note
                        .set(format!("First error: line {}", super::thousands(line)));
                    state.go_to(line);
                }
                Ok(None) => state.note.set("No line looks like an error".into()),
                Err(error) => state.note.set(error.to_string()),
            }
        });
    }

    /// Brings a line into sight and marks it.
    pub fn go_to(&self, line: i64) {
        self.hold();
        self.target.set(Some(line));
        self.jump.set(Some(line));
    }

    /// Marks a line that is in sight.
    pub fn choose(&self, line: i64) {
        self.hold();
        self.target.set(Some(line));
    }

    /// The address of a line.
    pub fn permalink(&self, line: i64) -> String {
        format!(
            "/runs/{}?step={}#L{line}",
            self.run,
            self.step.get_untracked()
        )
    }
}
