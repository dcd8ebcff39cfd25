//! Retry: a run that did not succeed is taken up again, as a new run with the same plan. What its images cost is not
//! paid twice; what it did to hosts is looked at and done anew.
use std::collections::BTreeSet;
use std::sync::Arc;

use domain::audit::{Change, Origin};
use domain::manifest::{Branch, Manifest};
use domain::plan::Blocker;
use domain::policy::Actor;
use domain::run::RunState;
use domain::step::StepKind;
use domain::view::RunRow;
use domain::{RunId, StepId};
use store::{NewRun, Note, Reused, StoredRun};

use super::deploy::{find, unreadable};
use crate::manifests::InForce;
use crate::{Error, Portal, now};

impl Portal {
    /// Asks for a run that repeats `run` from its failed step on, and gives its number. It has the same plan, so where
    /// failing tests did not hold up the one, they do not hold up the other, for the reason that was given then.
    pub async fn retry(&self, actor: &Actor, origin: Origin, run: RunId) -> Result<RunId, Error> {
        let row = self.visible_run(actor, run).await?;
        let stored = self.parts().store.load_run(run).await?;
        let grant = self.may_retry(actor, &row, &stored.plan)?;
        if let Some(why) = self.not_retried(&row).await? {
            return Err(refused(&row, &why));
        }
        let place = self.place_of(&row);
        let (manifest, branch) = place.map_err(|gone| Error::Blocked(vec![gone]))?;
        let mirror = self.mirror(&manifest).await.map_err(unreadable)?;
        self.find_now(&mirror, &manifest, &branch, Some(&row.commit.sha))
            .await?;
        let tests_overridden = stored.plan.overrides_tests();
        let reused = reusable(&stored, self.migrated_since(&row).await?)?;
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
        // Another run may have begun while the repository was asked.
        if let Some(newer) = tx.overtaken_by(&row).await? {
            return Err(refused(&row, &overtaken(&newer)));
        }
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
            rebuild: stored.plan.rebuild,
        })
        .await?;
        self.ring_after_request(&row.project, waiting.iter().chain([&new]));
        Ok(new)
    }

    /// Why a run cannot be retried, to be read after its number; `None` where it can.
    pub(crate) async fn not_retried(&self, row: &RunRow) -> Result<Option<String>, Error> {
        let why = match row.state {
            RunState::Failed | RunState::Cancelled => {
                let newer = self.parts().store.overtaken_by(row).await?;
                return Ok(newer.map(|newer| overtaken(&newer)));
            }
            RunState::Succeeded => "succeeded; deploy again for a fresh run",
            RunState::Superseded => {
                "never started, because a newer run took its place; deploy again"
            }
            RunState::Queued | RunState::Running | RunState::Cancelling => "has not ended yet",
        };
        Ok(Some(why.to_owned()))
    }

    /// What else stands in the way of a retry, as far as is known without asking the repository's server.
    pub(crate) async fn blocks_retry(&self, row: &RunRow) -> Option<String> {
        let (manifest, branch) = match self.place_of(row) {
            Ok(place) => place,
            Err(gone) => return Some(gone.to_string()),
        };
        let mirror = self.known_mirror(&manifest)?;
        match find(&mirror, &branch, Some(&row.commit.sha)).await {
            Err(Error::Blocked(blockers)) => blockers.first().map(ToString::to_string),
            _ => None,
        }
    }

    /// The manifest that is in force now, with the branch that it gives to the run's environment.
    fn place_of(&self, row: &RunRow) -> Result<(Arc<Manifest>, Branch), Blocker> {
        let in_force = self.in_force(&row.project);
        if in_force.as_ref().is_some_and(|found| found.removed) {
            return Err(Blocker::ManifestRemoved {
                project: row.project.clone(),
            });
        }
        let place = in_force.and_then(|InForce { manifest, .. }| {
            let branch = manifest.environments.get(&row.environment)?.branch.clone();
            Some((manifest, branch))
        });
        place.ok_or_else(|| Blocker::NoSuchEnvironment {
            environment: row.environment.clone(),
        })
    }

    /// Whether a later run has begun to migrate in the same environment, so that this one's migrations are not the last
    /// word about its databases.
    async fn migrated_since(&self, row: &RunRow) -> Result<bool, Error> {
        let store = &self.parts().store;
        for later in store.started_after(row).await? {
            let run = store.load_run(later).await?.run()?;
            let mut steps = run.plan.steps.iter().zip(&run.steps);
            let migrates = |step: &StepKind| matches!(step, StepKind::Migrate { .. });
            if steps.any(|(planned, step)| migrates(&planned.step) && step.attempt > 0) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A retry that is refused, with what [`Portal::not_retried`] says.
fn refused(row: &RunRow, why: &str) -> Error {
    Error::Conflict(format!("run #{} {why}", row.id))
}

/// What a newer run says about one that failed before it: an environment is not taken back unawares.
fn overtaken(newer: &RunRow) -> String {
    let RunRow {
        id,
        environment,
        commit,
        ..
    } = newer;
    let short = commit.sha.short();
    match newer.state {
        RunState::Succeeded => format!(
            "was overtaken: run #{id} has brought {short} to {environment} since; deploy again"
        ),
        _ => format!(
            "is behind run #{id}, which is bringing {short} to {environment}; wait how that ends"
        ),
    }
}

/// Images that are made and pushed stay what they are, and so does what was found out about the source, and what was
/// done to the database unless another run has changed it since. A host may have changed anyhow.
fn reusable(stored: &StoredRun, migrated_since: bool) -> Result<Vec<Reused>, Error> {
    let run = stored.run()?;
    let mut reused = Vec::new();
    let mut taken: BTreeSet<StepId> = BTreeSet::new();
    for planned in &stored.plan.steps {
        let stays = match planned.step {
            StepKind::Checkout
            | StepKind::Lint { .. }
            | StepKind::Test { .. }
            | StepKind::Build { .. }
            | StepKind::Push { .. }
            | StepKind::Tag { .. } => true,
            StepKind::Migrate { .. } => !migrated_since,
            StepKind::Deploy { .. } | StepKind::Notify => false,
        };
        let rests_on_taken = planned.needs.iter().all(|need| taken.contains(need));
        if let Some(outcome) = run.outcome(planned.id).filter(|_| stays && rests_on_taken) {
            taken.insert(planned.id);
            reused.push(Reused {
                step: planned.id,
                from: stored.who_did(planned.id),
                outcome: outcome.clone(),
            });
        }
    }
    Ok(reused)
}
