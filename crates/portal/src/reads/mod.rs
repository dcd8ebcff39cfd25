//! What can be looked at. Every read asks for permission first; a project that the reader has no role in is not
//! told from one that does not exist.
mod board;
mod deliveries;
mod releases;
mod runs;
mod sessions;
mod settings;

use domain::ProjectName;
use domain::RunId;
use domain::plan::Plan;
use domain::policy::{Action, Actor, Grant, Role, allow};
use domain::view::{Offer, RunRow};

use crate::manifests::InForce;
use crate::{Error, Portal};

pub(crate) use releases::Keys;
pub use runs::LogRange;

impl Portal {
    /// The projects that the actor may see.
    pub async fn projects(&self, actor: &Actor) -> Result<Vec<ProjectName>, Error> {
        self.reload_manifests().await?;
        let mut projects = self.all_projects();
        projects.retain(|project| actor.role_in(project).is_some());
        Ok(projects)
    }

    /// The project's manifest in force, if the actor may see it.
    pub(crate) async fn visible_project(
        &self,
        actor: &Actor,
        project: &ProjectName,
    ) -> Result<InForce, Error> {
        self.reload_manifests().await?;
        let hidden = || {
            Error::NotFound(format!(
                "there is no project `{project}` that {} may see",
                actor.name
            ))
        };
        allow(actor, Some(project), Action::View).map_err(|_| hidden())?;
        if let Some(in_force) = self.in_force(project) {
            return Ok(in_force);
        }
        Err(match self.problems_of_broken(project) {
            Some(problems) => Error::Manifest {
                file: format!("{project}.toml"),
                problems,
            },
            None => hidden(),
        })
    }

    /// The run's head, if the actor may see its project.
    pub(crate) async fn visible_run(&self, actor: &Actor, run: RunId) -> Result<RunRow, Error> {
        let hidden = || {
            Error::NotFound(format!(
                "there is no run #{run} that {} may see",
                actor.name
            ))
        };
        let row = match self.parts().store.run_row(run).await {
            Ok(row) => row,
            Err(store::StoreError::NotFound(_)) => return Err(hidden()),
            Err(error) => return Err(error.into()),
        };
        allow(actor, Some(&row.project), Action::View).map_err(|_| hidden())?;
        Ok(row)
    }

    /// Permission to start, stop or repeat runs where this one is.
    pub(crate) fn may_steer(&self, actor: &Actor, row: &RunRow) -> Result<Grant, Error> {
        self.may_deploy_as(actor, row, Role::Developer)
    }

    /// Whether the actor may have a run repeated. One that failing tests do not hold up takes a lead again.
    pub(crate) fn may_retry(
        &self,
        actor: &Actor,
        row: &RunRow,
        plan: &Plan,
    ) -> Result<Grant, Error> {
        let least = if plan.overrides_tests() {
            Role::Lead
        } else {
            Role::Developer
        };
        self.may_deploy_as(actor, row, least)
    }

    fn may_deploy_as(&self, actor: &Actor, row: &RunRow, least: Role) -> Result<Grant, Error> {
        // An environment that the manifest has dropped since asks for what the strictest one could.
        let asked = self
            .in_force(&row.project)
            .and_then(|in_force| {
                in_force
                    .manifest
                    .environments
                    .get(&row.environment)
                    .map(|place| place.deploy)
            })
            .unwrap_or(Role::Admin);
        let action = Action::Deploy {
            environment: row.environment.clone(),
            least: asked.max(least),
        };
        Ok(allow(actor, Some(&row.project), action)?)
    }
}

fn offer(refused: Option<String>) -> Offer {
    refused.map_or(Offer::Ready, |why| Offer::Refused { why })
}
