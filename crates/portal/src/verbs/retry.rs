//! Retry: a run that did not succeed is taken up again, as a new run with the same plan. What its images cost is not
//! paid twice; what it did to hosts is looked at and done anew.
use std::collections::BTreeSet;

use domain::audit::{Change, Origin};
use domain::plan::Blocker;
use domain::policy::Actor;
use domain::run::RunState;
use domain::step::StepKind;
use domain::{RunId, StepId};
use store::{NewRun, Note, Reused, StoredRun};

use crate::{Error, Portal, now};

impl Portal {
    /// Asks for a run that repeats `run` from its failed step on, and gives its number. It has the same plan, so where
    /// failing tests did not hold up the one, they do not hold up the other, for the reason that was given then.
    pub async fn retry(&self, actor: &Actor, origin: Origin, run: RunId) -> Result<RunId, Error> {
        let row = self.visible_run(actor, run).await?;
        let stored = self.parts().store.load_run(run).await?;
        let grant = self.may_retry(actor, &row, &stored.plan)?;
        if let Some(why) = not_retried(row.state) {
            return Err(Error::Conflict(format!("run #{run} {why}")));
        }
        let manifest = self.in_force(&row.project).map(|found| found.manifest);
        if !manifest.is_some_and(|found| found.environments.contains_key(&row.environment)) {
            let environment = row.environment;
            return Err(Error::Blocked(vec![Blocker::NoSuchEnvironment {
                environment,
            }]));
        }
        let tests_overridden = stored.plan.overrides_tests();
        let reused = reusable(&stored)?;
        let mut tx = self
            .parts()
            .store
            .audited(
                &grant,
                Note {
                    origin,
                    reason: stored.reason.clone().filter(|_| tests_overridden),
                    at: now(),
                },
            )
            .await?;
        let waiting = tx
            .queued_runs(&row.project, &row.environment, row.kind)
            .await?;
        let new = tx
            .insert_run(NewRun {
                plan: &stored.plan,
                retry_of: Some(run),
                reused: &reused,
            })
            .await?;
        for older in &waiting {
            tx.supersede(*older, new).await?;
        }
        tx.commit(Change::RunRequested {
            run: new,
            kind: row.kind,
            environment: row.environment.clone(),
            commit: row.commit.sha.clone(),
            retry_of: Some(run),
            supersedes: waiting.clone(),
            tests_overridden,
        })
        .await?;
        self.ring_after_request(&row.project, waiting.iter().chain([&new]));
        Ok(new)
    }
}

/// Why a run in this state cannot be retried.
pub(crate) fn not_retried(state: RunState) -> Option<&'static str> {
    match state {
        RunState::Failed | RunState::Cancelled => None,
        RunState::Succeeded => Some("succeeded; deploy again for a fresh run"),
        RunState::Superseded => {
            Some("never started, because a newer run took its place; deploy again")
        }
        RunState::Queued | RunState::Running | RunState::Cancelling => Some("has not ended yet"),
    }
}

/// Images that are made and pushed stay what they are, and so does what was found out about the source and what was
/// done to the database. A host may have changed since.
fn reusable(stored: &StoredRun) -> Result<Vec<Reused>, Error> {
    let run = stored.run()?;
    let mut reused = Vec::new();
    let mut taken: BTreeSet<StepId> = BTreeSet::new();
    for planned in &stored.plan.steps {
        let stays = match planned.step {
            StepKind::Checkout
            | StepKind::Lint { .. }
            | StepKind::Test { .. }
            | StepKind::Migrate { .. }
            | StepKind::Build { .. }
            | StepKind::Push { .. }
            | StepKind::Tag { .. } => true,
            StepKind::Deploy { .. } | StepKind::Notify => false,
        };
        let rests_on_taken = planned.needs.iter().all(|need| taken.contains(need));
        if let Some(outcome) = run.outcome(planned.id).filter(|_| stays && rests_on_taken) {
            taken.insert(planned.id);
            // The run that did it, even when this one had taken it over itself.
            let from = stored.events.iter().find_map(|stored| match &stored.event {
                domain::run::RunEvent::StepReused { step, from, .. } if *step == planned.id => {
                    Some(*from)
                }
                _ => None,
            });
            reused.push(Reused {
                step: planned.id,
                from: from.unwrap_or(stored.row.id),
                outcome: outcome.clone(),
            });
        }
    }
    Ok(reused)
}
