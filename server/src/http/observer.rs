//! What the metrics say about runs, gathered from the portal's reads each time that somebody asks for the metrics, so
//! that it costs nothing in between. History before the start of this process is not counted.
use std::collections::BTreeMap;

use domain::RunId;
use domain::policy::Actor;
use domain::run::{RunState, StepState};
use domain::view::{RunFilter, RunView};
use portal::{Error, LogRange, Portal};
use tokio::sync::Mutex;

use super::Metrics;

/// As many runs as one read gives.
const PAGE: i64 = 200;

/// Follows runs from one look to the next.
#[derive(Default)]
pub(crate) struct Observer(Mutex<Option<Seen>>);

/// What was seen at the last look.
struct Seen {
    newest: i64,
    /// The runs that had not ended, each with the log lines that were counted.
    open: BTreeMap<RunId, i64>,
}

impl Observer {
    /// Brings the metrics up to date.
    pub(super) async fn observe(&self, portal: &Portal, metrics: &Metrics) -> Result<(), Error> {
        let mut held = self.0.lock().await;
        let seen = match held.as_mut() {
            Some(seen) => {
                seen.find_new(portal).await?;
                seen
            }
            None => held.insert(Seen::first(portal).await?),
        };
        let mut states: BTreeMap<&'static str, usize> = BTreeMap::new();
        for run in seen.open.keys().copied().collect::<Vec<_>>() {
            let view = portal.run(&Actor::engine(), run).await?;
            let lines = stored_lines(portal, &view).await?;
            let counted = seen.open.insert(run, lines).unwrap_or_default();
            metrics.log_lines(u64::try_from(lines - counted).unwrap_or_default());
            if view.row.state.is_final() {
                seen.open.remove(&run);
                count_ended(metrics, &view);
            } else {
                *states.entry(view.row.state.as_str()).or_default() += 1;
            }
        }
        for state in RunState::ALL.into_iter().filter(|state| !state.is_final()) {
            metrics.unfinished(
                state.as_str(),
                states.get(state.as_str()).copied().unwrap_or_default(),
            );
        }
        Ok(())
    }
}

impl Seen {
    /// Begins with the runs that have not ended.
    async fn first(portal: &Portal) -> Result<Self, Error> {
        let engine = Actor::engine();
        let newest = portal
            .runs(&engine, &RunFilter::default(), 1)
            .await?
            .runs
            .first()
            .map_or(0, |row| row.id.0);
        let mut open = BTreeMap::new();
        for state in RunState::ALL.into_iter().filter(|state| !state.is_final()) {
            let filter = RunFilter {
                state: Some(state),
                ..RunFilter::default()
            };
            for row in portal.runs(&engine, &filter, PAGE).await?.runs {
                // Its lines so far were stored before this look.
                let view = portal.run(&engine, row.id).await?;
                open.insert(row.id, stored_lines(portal, &view).await?);
            }
        }
        Ok(Self { newest, open })
    }

    /// Adds the runs that were made since the last look.
    async fn find_new(&mut self, portal: &Portal) -> Result<(), Error> {
        let mut newest = self.newest;
        let mut before = None;
        loop {
            let filter = RunFilter {
                before,
                ..RunFilter::default()
            };
            let page = portal.runs(&Actor::engine(), &filter, PAGE).await?;
            for row in page.runs.iter().take_while(|row| row.id.0 > self.newest) {
                newest = newest.max(row.id.0);
                self.open.insert(row.id, 0);
            }
            before = page.next.filter(|next| next.0 > self.newest);
            if before.is_none() {
                break;
            }
        }
        self.newest = newest;
        Ok(())
    }
}

async fn stored_lines(portal: &Portal, view: &RunView) -> Result<i64, Error> {
    let mut lines = 0;
    for planned in &view.plan.steps {
        lines += portal
            .log(&Actor::engine(), view.row.id, planned.id, LogRange::Tail, 1)
            .await?
            .total;
    }
    Ok(lines)
}

fn count_ended(metrics: &Metrics, view: &RunView) {
    metrics.finished(view.row.state.as_str());
    for (planned, step) in view.plan.steps.iter().zip(&view.steps) {
        let ran = matches!(
            step.state,
            StepState::Succeeded { .. } | StepState::Failed { .. } | StepState::Cancelled
        );
        if let (true, Some(started), Some(ended)) = (ran, step.started, step.ended) {
            let seconds = ended.since(started) as f64 / 1000.0;
            let (project, environment) = (view.row.project.as_str(), view.row.environment.as_str());
            metrics.step(
                project,
                environment,
                planned.step.history_key(),
                step.state.as_str(),
                seconds,
            );
        }
    }
}
