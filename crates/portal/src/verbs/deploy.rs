//! Deploy: a commit of an environment's branch becomes a run there. [`Portal::propose`] shows what it would be.
use adapters::git::{GitError, Mirror};
use domain::audit::{Change, Origin};
use domain::manifest::{Branch, Manifest};
use domain::plan::{Blocker, Commit, Plan, RunKind, deploy as plan_deploy};
use domain::policy::{Action, Actor, Grant, Role, allow};
use domain::push::DeliveryId;
use domain::view::Proposal;
use domain::{EnvName, ProjectName, RunId, Sha};
use serde::{Deserialize, Serialize};
use store::{LaneRuns, NewRun, Note};

use crate::facts::in_words;
use crate::manifests::InForce;
use crate::{Error, Portal, now};

/// What somebody wants to have where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployRequest {
    /// The project.
    pub project: ProjectName,
    /// Where to.
    pub environment: EnvName,
    /// Which commit; the newest of the environment's branch where absent.
    #[serde(default)]
    pub commit: Option<Sha>,
    /// Why, for the audit trail.
    #[serde(default)]
    pub reason: Option<String>,
    /// Tests that fail do not hold it up. Takes a lead and a reason.
    #[serde(default)]
    pub override_tests: bool,
    /// Every image is built anew, without the cache and on base images as they are now.
    #[serde(default)]
    pub rebuild: bool,
    /// The manifest whose plan was looked at and confirmed, by its SHA-256 in hex; any one where absent.
    #[serde(default)]
    pub manifest: Option<String>,
}

/// The audit trail keeps a reason for ever, and pages show it whole.
const LONGEST_REASON: usize = 500;

impl Portal {
    /// What [`Portal::deploy`] would do now, without doing it.
    pub async fn propose(&self, actor: &Actor, request: &DeployRequest) -> Result<Proposal, Error> {
        let planned = match self.granted(actor, request).await {
            Ok((_, in_force)) => self.plan(&in_force, request).await,
            Err(error) => Err(error),
        };
        match planned {
            Ok(plan) => {
                let mut lanes = self.parts().store.lanes(&request.project).await?;
                let lane = lanes.remove(&request.environment).unwrap_or_default();
                Ok(Proposal::Plan {
                    usual_ms: plan.usual_ms(),
                    supersedes: queued(&lane, plan.kind),
                    plan: Box::new(plan),
                    behind_run: lane.active.map(|run| run.id),
                    now: now(),
                })
            }
            Err(Error::Blocked(blockers)) => {
                let sentences = blockers.iter().map(ToString::to_string).collect();
                Ok(Proposal::Blocked {
                    blockers,
                    sentences,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Asks for a run and gives its number. A queued run of the same kind that has not started makes way for it.
    pub async fn deploy(
        &self,
        actor: &Actor,
        origin: Origin,
        request: DeployRequest,
    ) -> Result<RunId, Error> {
        let (grant, in_force) = self.granted(actor, &request).await?;
        self.ask_for_run(&grant, &in_force, origin, request, None)
            .await
    }

    /// Makes the run that was granted. The delivery that leads to it is noted in the same commit.
    pub(super) async fn ask_for_run(
        &self,
        grant: &Grant,
        in_force: &InForce,
        origin: Origin,
        request: DeployRequest,
        delivery: Option<DeliveryId>,
    ) -> Result<RunId, Error> {
        let reason = checked_reason(request.reason.as_deref())?;
        if request.override_tests && reason.is_none() {
            return Err(Error::Invalid(
                "say why failing tests are not to hold up the run; the reason goes into the audit trail".into(),
            ));
        }
        if request
            .manifest
            .as_ref()
            .is_some_and(|seen| *seen != in_force.hash)
        {
            return Err(Error::Conflict(
                "the manifest has changed since this plan was shown; look at the new plan, and confirm that".into(),
            ));
        }
        let plan = self.plan(in_force, &request).await?;
        let note = Note {
            origin,
            reason,
            at: now(),
        };
        let mut tx = self.parts().store.audited(grant, note).await?;
        let waiting = tx
            .queued_runs(&plan.project, &plan.environment, RunKind::Deploy)
            .await?;
        let run = tx
            .insert_run(NewRun {
                plan: &plan,
                retry_of: None,
                reused: &[],
            })
            .await?;
        for older in &waiting {
            tx.supersede(*older, run).await?;
        }
        if let Some(delivery) = delivery {
            tx.delivery_came(delivery, &plan.environment, run).await?;
        }
        tx.commit(Change::RunRequested {
            run,
            kind: plan.kind,
            environment: plan.environment.clone(),
            commit: plan.commit.sha.clone(),
            retry_of: None,
            supersedes: waiting.clone(),
            tests_overridden: request.override_tests,
            rebuild: request.rebuild,
        })
        .await?;
        self.ring_after_request(&plan.project, waiting.iter().chain([&run]));
        Ok(run)
    }

    /// Tells everyone that runs were made or changed by a request.
    pub(super) fn ring_after_request<'r>(
        &self,
        project: &ProjectName,
        runs: impl IntoIterator<Item = &'r RunId>,
    ) {
        let live = &self.parts().live;
        for run in runs {
            live.ring_run(*run);
        }
        live.ring_board(project);
        live.ring_engine();
    }

    async fn granted(
        &self,
        actor: &Actor,
        request: &DeployRequest,
    ) -> Result<(Grant, InForce), Error> {
        let in_force = self.visible_project(actor, &request.project).await?;
        let Some(place) = in_force.manifest.environments.get(&request.environment) else {
            return Err(Error::Blocked(vec![Blocker::NoSuchEnvironment {
                environment: request.environment.clone(),
            }]));
        };
        let action = Action::Deploy {
            environment: request.environment.clone(),
            least: if request.override_tests {
                place.deploy.max(Role::Lead)
            } else {
                place.deploy
            },
        };
        Ok((allow(actor, Some(&request.project), action)?, in_force))
    }

    async fn plan(&self, in_force: &InForce, request: &DeployRequest) -> Result<Plan, Error> {
        if in_force.removed {
            return Err(Error::Blocked(vec![Blocker::ManifestRemoved {
                project: request.project.clone(),
            }]));
        }
        let manifest = &in_force.manifest;
        let branch = &manifest.environments[&request.environment].branch;
        let mirror = self.mirror(manifest).await.map_err(unreadable)?;
        // A commit that is given may be known from a moment ago; the newest of a branch never is for certain.
        let known = match &request.commit {
            Some(sha) if self.parts().repositories.is_fresh(&manifest.name) => {
                find(&mirror, branch, Some(sha)).await.ok()
            }
            _ => None,
        };
        let commit = match known {
            Some(commit) => commit,
            None => {
                self.find_now(&mirror, manifest, branch, request.commit.as_ref())
                    .await?
            }
        };
        let facts = self
            .deploy_facts(in_force, request, &mirror, commit)
            .await?;
        let mut plan =
            plan_deploy(manifest, &request.environment, &facts).map_err(Error::Blocked)?;
        if let Some(first) = in_force.problems.first() {
            plan.notices.push(format!(
                "the manifest file has {} problem(s), so the last good one is used; the first: {first}",
                in_force.problems.len()
            ));
        }
        Ok(plan)
    }

    /// As [`find`], after a fetch: on the branch as it is now.
    pub(super) async fn find_now(
        &self,
        mirror: &Mirror,
        manifest: &Manifest,
        branch: &Branch,
        asked: Option<&Sha>,
    ) -> Result<Commit, Error> {
        mirror.fetch().await.map_err(unreadable)?;
        self.parts().repositories.fetched(&manifest.name);
        find(mirror, branch, asked).await
    }
}

/// The runs that wait and would make way for a newer one of this kind.
pub(crate) fn queued(lane: &LaneRuns, kind: RunKind) -> Vec<RunId> {
    let same = lane.queued.iter().filter(|row| row.kind == kind);
    same.map(|row| row.id).collect()
}

/// A reason that is fit for the audit trail; what is blank is none.
fn checked_reason(reason: Option<&str>) -> Result<Option<String>, Error> {
    let Some(reason) = reason.map(str::trim).filter(|reason| !reason.is_empty()) else {
        return Ok(None);
    };
    let length = reason.chars().count();
    if length > LONGEST_REASON {
        return Err(Error::Invalid(format!(
            "the reason has {length} characters; say it in {LONGEST_REASON} at most"
        )));
    }
    Ok(Some(reason.to_owned()))
}

/// The commit that was asked for, if it is on the branch; the branch's newest where none was.
pub(super) async fn find(
    mirror: &Mirror,
    branch: &Branch,
    asked: Option<&Sha>,
) -> Result<Commit, Error> {
    let newest = mirror.resolve(branch.as_str()).await.map_err(unreadable)?;
    let Some(newest) = newest else {
        let branch = branch.clone();
        return Err(Error::Blocked(vec![Blocker::NoSuchBranch { branch }]));
    };
    let no_commit = |commit| Error::Blocked(vec![Blocker::NoSuchCommit { commit }]);
    let sha = match asked {
        None => newest,
        // Whatever leads to it and not to the branch's newest is not on the branch.
        Some(sha) => match mirror.log(Some(&newest), sha, 1).await {
            Ok(beyond) if beyond.is_empty() => sha.clone(),
            Ok(_) => return Err(no_commit(format!("{sha} on branch `{branch}`"))),
            Err(GitError::NoSuchCommit { .. }) => return Err(no_commit(sha.to_string())),
            Err(error) => return Err(unreadable(error)),
        },
    };
    mirror.commit(&sha).await.map(in_words).map_err(unreadable)
}

pub(super) fn unreadable(error: impl ToString) -> Error {
    let why = error.to_string();
    Error::Blocked(vec![Blocker::NoRepository { why }])
}
