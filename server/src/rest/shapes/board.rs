//! A project and its board.
use domain::ProjectName;
use domain::view::Lane;
use serde::Serialize;
use utoipa::ToSchema;

use super::runs::Run;
use super::{Commit, refused};

/// A project.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct Project {
    /// Its name.
    name: String,
}

impl Project {
    pub(in crate::rest) fn of(name: ProjectName) -> Self {
        Self { name: name.into() }
    }
}

/// What runs where.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct Board {
    /// The project.
    project: String,
    /// Its name as people say it.
    title: String,
    /// The repository's page.
    repository_url: String,
    /// When this was read.
    now: String,
    /// In promotion order.
    environments: Vec<Environment>,
    /// What is wrong with the manifest as it is on disk; the last good one is in force.
    manifest_problems: Vec<String>,
}

/// An environment.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct Environment {
    /// Its name.
    name: String,
    /// Its branch.
    branch: String,
    /// The environment that releases come from.
    follows: Option<String>,
    /// The branch's newest commit that the portal knows of.
    head: Option<Commit>,
    /// Why that is not known, or may not be the newest any more.
    head_trouble: Option<String>,
    /// How many commits of the branch do not run here yet, where that is known.
    behind: Option<u32>,
    /// What runs.
    components: Vec<Component>,
    /// The run at work here.
    active: Option<Run>,
    /// Runs that wait, the next one first.
    queued: Vec<Run>,
    /// The last run that ended here.
    last: Option<Run>,
    /// Why the caller may not deploy here; null where they may.
    deploy_refused: Option<String>,
}

/// A component in an environment.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct Component {
    /// Its name.
    name: String,
    /// What was deployed last; null before the first deploy.
    running: Option<Running>,
}

/// What was deployed last.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct Running {
    /// The commit.
    commit: Commit,
    /// The image.
    digest: String,
    /// The run that did it.
    run: i64,
    /// When its container was healthy.
    since: String,
}

impl From<domain::view::Board> for Board {
    fn from(board: domain::view::Board) -> Self {
        let domain::view::Board {
            project,
            title,
            repository_url,
            now,
            lanes,
            manifest_removed: _, // each lane says that it keeps the caller from deploying
            manifest_problems,
        } = board;
        Self {
            project: project.into(),
            title,
            repository_url,
            now: now.rfc3339(),
            environments: lanes.into_iter().map(Environment::from).collect(),
            manifest_problems: manifest_problems.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<Lane> for Environment {
    fn from(lane: Lane) -> Self {
        let Lane {
            environment,
            branch,
            follows,
            head,
            head_trouble,
            behind,
            idle_push: _, // the deliveries tell of it
            components,
            active,
            progress: _,
            queued,
            last,
            deploy,
        } = lane;
        let components = components.into_iter().map(|row| Component {
            name: row.component.into(),
            running: row.running.map(|running| Running {
                commit: running.commit.into(),
                digest: running.digest.into(),
                run: running.run.0,
                since: running.since.rfc3339(),
            }),
        });
        Self {
            name: environment.into(),
            branch,
            follows: follows.map(String::from),
            head: head.map(Commit::from),
            head_trouble,
            behind,
            components: components.collect(),
            active: active.map(Run::from),
            queued: queued.into_iter().map(Run::from).collect(),
            last: last.map(Run::from),
            deploy_refused: refused(deploy),
        }
    }
}
