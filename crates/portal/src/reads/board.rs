//! The board: what runs where, and what could be deployed.
use domain::plan::{Blocker, Commit};
use domain::policy::{Action, Actor, allow};
use domain::push::Came;
use domain::view::{Board, ComponentRow, IdlePush, Lane, Progress};
use domain::{EnvName, ProjectName};
use store::{LaneRuns, LastPush};

use super::offer;
use crate::facts::Head;
use crate::{Error, Portal, now};

impl Portal {
    /// Has the project's repository fetched in the background where that is due; then the board's bell rings.
    pub async fn refresh_board(&self, project: &ProjectName) {
        if let Some(in_force) = self.in_force(project) {
            self.refresh(&in_force.manifest).await;
        }
    }

    /// The board of a project. It shows what the portal knows and has the repository fetched in the background.
    pub async fn board(&self, actor: &Actor, project: &ProjectName) -> Result<Board, Error> {
        let in_force = self.visible_project(actor, project).await?;
        let manifest = &in_force.manifest;
        self.refresh(manifest).await;
        let store = &self.parts().store;
        let repository = manifest.repository.to_string();
        let (mut running, mut runs, mut pushes) = tokio::try_join!(
            store.running(project),
            store.lanes(project),
            store.last_pushes(&repository, project)
        )?;
        let removed = in_force.removed.then(|| {
            let project = project.clone();
            Blocker::ManifestRemoved { project }.to_string()
        });
        let mut lanes = Vec::new();
        for name in manifest.lanes() {
            let place = &manifest.environments[name];
            let mut there = running.remove(name).unwrap_or_default();
            let components: Vec<ComponentRow> = manifest
                .components
                .keys()
                .map(|component| ComponentRow {
                    component: component.clone(),
                    running: there.remove(component),
                })
                .collect();
            // A lane whose components differ is as far behind as the oldest of them.
            let oldest = components
                .iter()
                .filter_map(|row| row.running.as_ref())
                .min_by_key(|r| r.since);
            let oldest = oldest.map(|running| &running.commit.sha);
            let Head {
                commit,
                behind,
                trouble,
            } = self.head(manifest, &place.branch, oldest).await;
            let of_lane = runs.remove(name).unwrap_or_default();
            let idle_push = pushes
                .remove(name)
                .and_then(|last| idle(last, commit.as_ref(), &of_lane));
            let LaneRuns {
                active,
                queued,
                last,
            } = of_lane;
            let progress = match &active {
                Some(row) => Some(Progress::of(&store.load_run(row.id).await?.run()?)),
                None => None,
            };
            let action = Action::Deploy {
                environment: EnvName::clone(name),
                least: place.deploy,
            };
            let denied = allow(actor, Some(project), action).err();
            lanes.push(Lane {
                environment: name.clone(),
                branch: place.branch.to_string(),
                follows: place.follows.clone(),
                head: commit,
                head_trouble: trouble,
                behind,
                idle_push,
                components,
                active,
                progress,
                queued,
                last,
                deploy: offer(
                    denied
                        .map(|denied| denied.to_string())
                        .or_else(|| removed.clone()),
                ),
            });
        }
        Ok(Board {
            project: project.clone(),
            title: manifest.title.clone(),
            repository_url: self.repository_url(manifest),
            now: now(),
            lanes,
            manifest_removed: in_force.removed,
            manifest_problems: in_force.problems,
        })
    }
}

/// The last push to a lane's branch, where nothing came of it and nothing else was started since.
fn idle(last: LastPush, head: Option<&Commit>, runs: &LaneRuns) -> Option<IdlePush> {
    let commit = last.push.after?;
    let (why, blocked) = match last.came {
        Came::Run { .. } => return None,
        Came::Ignored { why } => (why, false),
        Came::Blocked { why } => (why, true),
    };
    // One that came too late is ignored, too: the branch is elsewhere.
    if !blocked && head.is_none_or(|head| head.sha != commit) {
        return None;
    }
    let mut runs = runs.active.iter().chain(&runs.queued).chain(&runs.last);
    let outdated = runs.any(|run| run.requested > last.received || run.commit.sha == commit);
    (!outdated).then_some(IdlePush {
        commit,
        why,
        blocked,
    })
}
