//! Push: what GitHub told of a repository becomes a run in each environment that follows the branch, through the same
//! door as a deploy that somebody presses. Where nothing is started, the delivery says why.
//!
//! That GitHub took the push is what permits the run: who may move a branch is decided there. So the pusher needs no
//! role here, whatever role an environment asks of those who press Deploy; a project that wants both switches
//! `deploy_on_push` off.
use std::collections::BTreeSet;

use adapters::git::{GitError, Mirror};
use domain::audit::{Door, Origin};
use domain::manifest::Branch;
use domain::plan::Blocker;
use domain::policy::{Action, Actor, Role, allow};
use domain::push::{Came, DeliveryId, Push, Routed, Told, only_ignored};
use domain::view::RunFilter;
use domain::{EnvName, Sha};
use store::{NewDelivery, OpenDelivery};

use super::deploy::DeployRequest;
use crate::manifests::InForce;
use crate::{Error, Portal, now};

/// How often a delivery is tried that something outside holds up.
const TRIES: i64 = 8;

impl Portal {
    /// Stores what GitHub told, before GitHub is answered. Gives its number, and whether it is new.
    pub async fn take_in_delivery(&self, new: NewDelivery) -> Result<(DeliveryId, bool), Error> {
        let taken = self.parts().store.take_in(&new, now()).await?;
        self.parts().live.ring_deliveries();
        Ok(taken)
    }

    /// Does what is still to be done about a delivery, and closes it. An error means that it is to be tried again.
    pub async fn act_on(&self, delivery: &OpenDelivery) -> Result<(), Error> {
        if let Told::Push(push) = &delivery.told {
            self.reload_manifests().await?;
            let projects = self.all_projects().into_iter();
            let here = projects
                .filter_map(|project| self.in_force(&project))
                .filter(|found| concerns(delivery, found));
            let mut held_up = None;
            let mut some = false;
            for in_force in here {
                some = true;
                // One project's trouble is not another's.
                held_up = self.push(delivery, push, &in_force).await.err().or(held_up);
            }
            if !some {
                let repository = &delivery.repository;
                tracing::warn!(%repository, delivery = delivery.guid, "no project here has the repository that was pushed to");
            }
            if let Some(error) = held_up {
                return Err(error);
            }
        }
        Ok(self.parts().store.delivery_done(delivery.id, now()).await?)
    }

    async fn push(
        &self,
        delivery: &OpenDelivery,
        push: &Push,
        in_force: &InForce,
    ) -> Result<(), Error> {
        let store = &self.parts().store;
        let project = &in_force.manifest.name;
        let routed = match push.route(&in_force.manifest) {
            Routed::Environments(routed) => routed,
            Routed::Nowhere(came) => {
                let noted = store.note_came(delivery.id, project, None, &came, now());
                return Ok(noted.await?);
            }
        };
        let known = store.came_of(delivery.id, project).await?;
        let mut held_up = None;
        for (environment, refused) in routed {
            if known.contains_key(&Some(environment.clone())) {
                continue;
            }
            let came = match refused {
                Some(came) => Ok(Some(came)),
                None => self.push_to(delivery, push, in_force, &environment).await,
            };
            let came = match came {
                Ok(came) => came,
                Err(error) if delivery.tries + 1 < TRIES => {
                    held_up = Some(error);
                    continue;
                }
                Err(error) => {
                    tracing::error!(%project, %environment, delivery = delivery.guid, ?error, "a push starts nothing");
                    let why = format!("{error} (tried {TRIES} times)");
                    Some(Came::Blocked { why })
                }
            };
            if let Some(came) = came {
                tracing::info!(%project, %environment, delivery = delivery.guid, ?came, "a push starts nothing");
                let environment = Some(&environment);
                store
                    .note_came(delivery.id, project, environment, &came, now())
                    .await?;
                self.parts().live.ring_board(project);
            }
        }
        held_up.map_or(Ok(()), Err)
    }

    /// Starts a run and notes it, or gives the reason not to.
    async fn push_to(
        &self,
        delivery: &OpenDelivery,
        push: &Push,
        in_force: &InForce,
        environment: &EnvName,
    ) -> Result<Option<Came>, Error> {
        let manifest = &in_force.manifest;
        let project = &manifest.name;
        let (Some(after), Some(place)) = (&push.after, manifest.environments.get(environment))
        else {
            return Ok(None); // it was routed, so both are there
        };
        let mirror = self.mirror(manifest).await?;
        mirror.fetch().await.map_err(outside)?;
        self.parts().repositories.fetched(project);
        self.parts().live.ring_board(project);
        if let Some(came) = self
            .outrun(&mirror, in_force, environment, &place.branch, after)
            .await?
        {
            return Ok(Some(came));
        }
        if !manifest.on_push.ignore.is_empty()
            && let Some(changed) = changed(&mirror, push, after).await?
            && let Some(came) = only_ignored(&manifest.on_push.ignore, &changed)
        {
            return Ok(Some(came));
        }
        let pusher = Actor::pusher(push.by.clone(), project.clone());
        let action = Action::Deploy {
            environment: environment.clone(),
            least: Role::Developer,
        };
        let grant = allow(&pusher, Some(project), action)?;
        let origin = Origin {
            door: Door::Webhook,
            address: None,
            request: Some(delivery.guid.clone()),
        };
        let request = DeployRequest {
            project: project.clone(),
            environment: environment.clone(),
            commit: Some(after.clone()),
            reason: None,
            override_tests: false,
            rebuild: false,
            manifest: None,
        };
        let asked = self.ask_for_run(&grant, in_force, origin, request, Some(delivery.id));
        match asked.await {
            Ok(_) => Ok(None),
            Err(error) if is_for_people(&error) => Ok(Some(Came::Blocked {
                why: error.to_string(),
            })),
            Err(error) => Err(error),
        }
    }

    /// Why a pushed commit is not to be deployed any more. Deliveries come late and in any order, and one that is
    /// repeated may be old: none of them takes an environment back behind its branch.
    async fn outrun(
        &self,
        mirror: &Mirror,
        in_force: &InForce,
        environment: &EnvName,
        branch: &Branch,
        after: &Sha,
    ) -> Result<Option<Came>, Error> {
        let short = after.short();
        let ignored = |why: String| Ok(Some(Came::Ignored { why }));
        match mirror.commit(after).await {
            Ok(_) => {}
            Err(GitError::NoSuchCommit { url, .. }) => {
                return Err(Error::Outside(format!(
                    "{url} does not show the pushed commit {after}; if it was pushed over since, there is nothing to do"
                )));
            }
            Err(error) => return Err(outside(error)),
        }
        match mirror.resolve(branch.as_str()).await.map_err(outside)? {
            None => return ignored(format!("the branch `{branch}` was deleted since")),
            // The branch is there, also when it was pushed back to where an environment was before.
            Some(head) if head == *after => return Ok(None),
            Some(head) if !is_within(mirror, after, &head).await? => {
                return ignored(format!(
                    "a later push took {short} off the branch `{branch}`"
                ));
            }
            Some(_) => {}
        }
        let filter = RunFilter {
            project: Some(in_force.manifest.name.clone()),
            environment: Some(environment.clone()),
            ..RunFilter::default()
        };
        let last = self.parts().store.runs(&filter, None, 1).await?.pop();
        if let Some(last) = last
            && last.commit.sha != *after
            && is_within(mirror, after, &last.commit.sha).await?
        {
            let (run, newer) = (last.id, last.commit.sha.short());
            return ignored(format!(
                "run #{run} is about {newer}, which comes after {short}"
            ));
        }
        Ok(None)
    }
}

fn concerns(delivery: &OpenDelivery, found: &InForce) -> bool {
    let manifest = &found.manifest;
    let only = delivery.project.as_ref();
    only.is_none_or(|only| *only == manifest.name)
        && manifest
            .repository
            .to_string()
            .eq_ignore_ascii_case(&delivery.repository)
}

/// The files that a push changed: of a branch that was there, what differs from where it was, also when it was pushed
/// over; of a new one, what its own commits changed. `None` where that is not known for certain.
async fn changed(
    mirror: &Mirror,
    push: &Push,
    after: &Sha,
) -> Result<Option<BTreeSet<String>>, Error> {
    let changed = match (&push.before, &push.commits) {
        (Some(before), _) => mirror.changed_between(before, after).await,
        (None, Some(commits)) => mirror.changed_by(commits).await,
        (None, None) => return Ok(None),
    };
    match changed {
        Ok(changed) => Ok(Some(changed)),
        // What was pushed over before the first look at it.
        Err(GitError::NoSuchCommit { .. }) => Ok(None),
        Err(error) => Err(outside(error)),
    }
}

/// Whether `commit` is `newer` or leads to it.
async fn is_within(mirror: &Mirror, commit: &Sha, newer: &Sha) -> Result<bool, Error> {
    match mirror.log(Some(newer), commit, 1).await {
        Ok(beyond) => Ok(beyond.is_empty()),
        Err(GitError::NoSuchCommit { .. }) => Ok(false),
        Err(error) => Err(outside(error)),
    }
}

fn outside(error: GitError) -> Error {
    Error::Outside(error.to_string())
}

/// Whether a person has to do something first; anything else may be over in a moment.
fn is_for_people(error: &Error) -> bool {
    match error {
        Error::Blocked(blockers) => !blockers
            .iter()
            .any(|blocker| matches!(blocker, Blocker::NoRepository { .. })),
        Error::Denied(_) | Error::Manifest { .. } | Error::Invalid(_) => true,
        Error::SignedOut
        | Error::Conflict(_)
        | Error::NotFound(_)
        | Error::Outside(_)
        | Error::Internal(_) => false,
    }
}
