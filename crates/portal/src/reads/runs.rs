//! Runs, their events and their logs.
use domain::policy::{Action, Actor, Grant, Role, allow};
use domain::report::Artifact;
use domain::run::{Run, RunState, StoredEvent};
use domain::step::StepKind;
use domain::view::{LogMatches, LogPage, Offer, RunFilter, RunPage, RunRow, RunView};
use domain::{ProjectName, RunId, StepId};
use store::LaneRuns;
use tokio::sync::watch;

use super::offer;
use crate::verbs::cancel::not_cancelled;
use crate::verbs::deploy::queued;
use crate::{Error, Portal, now};

/// The most lines or events that one read gives.
const MOST: i64 = 5_000;

/// Which lines of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogRange {
    /// The ones after this number.
    After(i64),
    /// The last ones before this number.
    Before(i64),
    /// The end.
    Tail,
}

impl Portal {
    /// A page of runs, newest first, of the projects that the actor may see.
    pub async fn runs(
        &self,
        actor: &Actor,
        filter: &RunFilter,
        limit: i64,
    ) -> Result<RunPage, Error> {
        let visible = self.projects(actor).await?;
        if let Some(project) = &filter.project
            && !visible.contains(project)
        {
            return Err(Error::NotFound(format!(
                "there is no project `{project}` that {} may see",
                actor.name
            )));
        }
        let limit = limit.clamp(1, 200);
        let mut runs = self
            .parts()
            .store
            .runs(filter, Some(&visible), limit + 1)
            .await?;
        let more = i64::try_from(runs.len()).unwrap_or(i64::MAX) > limit;
        runs.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next = runs.last().filter(|_| more).map(|row| row.id);
        Ok(RunPage {
            runs,
            next,
            now: now(),
        })
    }

    /// A run with all that happened to it.
    pub async fn run(&self, actor: &Actor, id: RunId) -> Result<RunView, Error> {
        let row = self.visible_run(actor, id).await?;
        let stored = self.parts().store.load_run(id).await?;
        let run = stored.run()?;
        let denied = |granted: Result<Grant, Error>| granted.err().map(|error| error.to_string());
        let cancel = denied(self.may_steer(actor, &row))
            .or_else(|| not_cancelled(run.state).map(|why| format!("Run #{id} {why}")));
        let retry = match denied(self.may_retry(actor, &row, &stored.plan)) {
            Some(why) => Some(why),
            None => self.no_retry(&stored.row).await?,
        };
        let mut lanes = self.parts().store.lanes(&row.project).await?;
        let lane = lanes.remove(&row.environment).unwrap_or_default();
        let retry_supersedes = match &retry {
            None => queued(&lane, row.kind),
            Some(_) => Vec::new(),
        };
        let in_force = self.in_force(&row.project);
        let commit_url = in_force
            .as_ref()
            .map(|in_force| self.commit_url(&in_force.manifest, &row.commit.sha))
            .unwrap_or_default();
        let manifest_changed =
            in_force.is_some_and(|in_force| in_force.hash != stored.plan.manifest);
        Ok(RunView {
            waiting_for: waiting_for(&run, id, &lane),
            deploy_anyway: self.deploy_anyway(actor, &row, &run),
            failure: run.failure().map(|(step, failure)| (step, failure.clone())),
            usual_ms: stored.plan.usual_ms(),
            row: stored.row,
            reason: stored.reason,
            plan: stored.plan,
            steps: run.steps,
            events: stored.events,
            commit_url,
            cancel: offer(cancel),
            retry: offer(retry),
            retry_supersedes,
            manifest_changed,
            now: now(),
        })
    }

    /// Why a run cannot be retried, in a sentence, whoever asks.
    async fn no_retry(&self, row: &RunRow) -> Result<Option<String>, Error> {
        match self.not_retried(row).await? {
            Some(why) => Ok(Some(format!("Run #{} {why}", row.id))),
            None => Ok(self.blocks_retry(row).await),
        }
    }

    /// What the steps of a run left besides their logs, in the plan's order.
    pub async fn artifacts(&self, actor: &Actor, id: RunId) -> Result<Vec<Artifact>, Error> {
        self.visible_run(actor, id).await?;
        Ok(self.parts().store.artifacts(id).await?)
    }

    /// Whether the reader may deploy this commit although its tests failed; `None` where that was not what stopped it.
    fn deploy_anyway(&self, actor: &Actor, row: &RunRow, run: &Run) -> Option<Offer> {
        let (step, _) = run.failure().filter(|_| run.state == RunState::Failed)?;
        if !matches!(run.plan.step(step)?.step, StepKind::Test { .. }) {
            return None;
        }
        let in_force = self.in_force(&row.project)?;
        let place = in_force.manifest.environments.get(&row.environment)?;
        let action = Action::Deploy {
            environment: row.environment.clone(),
            least: place.deploy.max(Role::Lead),
        };
        let refused = allow(actor, Some(&row.project), action).err();
        Some(offer(refused.map(|denied| denied.to_string())))
    }

    /// Events of a run after the number `seq`, in order.
    pub async fn events_after(
        &self,
        actor: &Actor,
        id: RunId,
        seq: i64,
        limit: i64,
    ) -> Result<Vec<StoredEvent>, Error> {
        self.visible_run(actor, id).await?;
        Ok(self
            .parts()
            .store
            .events_after(id, seq, limit.clamp(1, MOST))
            .await?)
    }

    /// Lines of a step's log, in order.
    pub async fn log(
        &self,
        actor: &Actor,
        id: RunId,
        step: StepId,
        range: LogRange,
        limit: i64,
    ) -> Result<LogPage, Error> {
        self.visible_run(actor, id).await?;
        let store = &self.parts().store;
        let limit = limit.clamp(1, MOST);
        let lines = match range {
            LogRange::After(n) => store.lines_after(id, step, n, limit).await?,
            LogRange::Before(n) => store.lines_before(id, step, n.max(1), limit).await?,
            LogRange::Tail => store.lines_before(id, step, i64::MAX, limit).await?,
        };
        let total = store.line_count(id, step).await?;
        let first_error = store.first_error(id, step).await?;
        Ok(LogPage {
            step,
            lines,
            total,
            first_error,
        })
    }

    /// The first line of a step's log that looks like an error.
    pub async fn first_error(
        &self,
        actor: &Actor,
        id: RunId,
        step: StepId,
    ) -> Result<Option<i64>, Error> {
        self.visible_run(actor, id).await?;
        Ok(self.parts().store.first_error(id, step).await?)
    }

    /// Where a text stands in a step's log.
    pub async fn search_log(
        &self,
        actor: &Actor,
        id: RunId,
        step: StepId,
        text: &str,
    ) -> Result<LogMatches, Error> {
        self.visible_run(actor, id).await?;
        Ok(self.parts().store.search(id, step, text, 1_000).await?)
    }

    /// A bell that rings when there may be new events or lines of the run. Listen first, read after.
    pub async fn bell_of_run(
        &self,
        actor: &Actor,
        id: RunId,
    ) -> Result<watch::Receiver<u64>, Error> {
        self.visible_run(actor, id).await?;
        Ok(self.parts().live.of_run(id))
    }

    /// A bell that rings when the project's board may have changed.
    pub async fn bell_of_board(
        &self,
        actor: &Actor,
        project: &ProjectName,
    ) -> Result<watch::Receiver<u64>, Error> {
        self.visible_project(actor, project).await?;
        Ok(self.parts().live.of_board(project))
    }
}

/// Why a run waits, in a sentence; nothing where it does not.
fn waiting_for(run: &Run, id: RunId, lane: &LaneRuns) -> Option<String> {
    if run.state != RunState::Queued {
        return None;
    }
    let before = lane
        .active
        .as_ref()
        .or_else(|| lane.queued.iter().find(|queued| queued.id < id));
    Some(match before {
        Some(other) => format!(
            "Waits for run #{} by {}, which is {} in {}",
            other.id, other.by, other.state, run.plan.environment
        ),
        None => "Starts in a moment".to_owned(),
    })
}
