//! Projects: which there are, what runs where, and what a deploy would do.
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::view::Proposal;
use domain::{EnvName, ProjectName, Sha};
use portal::{DeployRequest, Error};
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::{By, Path, Query};
use super::problem::{Answers, Problem};
use super::shapes;
use crate::http::Server;

/// The projects that the caller may see
#[utoipa::path(get, path = "/api/v1/projects", tag = "projects", operation_id = "listProjects", responses(
    (status = 200, description = "The projects", body = Vec<shapes::Project>),
    (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(server): State<Server>,
    by: By,
    answers: Answers,
) -> Result<Response, Response> {
    let projects = server
        .portal
        .projects(&by.actor)
        .await
        .map_err(|error| answers.refuse(error))?;
    let projects: Vec<_> = projects.into_iter().map(shapes::Project::of).collect();
    Ok(Json(projects).into_response())
}

/// What runs where
#[utoipa::path(get, path = "/api/v1/projects/{project}/board", tag = "projects", operation_id = "getBoard",
    params(("project" = String, Path, description = "The project's name")),
    responses(
        (status = 200, description = "The board", body = shapes::Board),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such project for the caller", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn board(
    State(server): State<Server>,
    by: By,
    answers: Answers,
    Path(project): Path<ProjectName>,
) -> Result<Response, Response> {
    let board = server
        .portal
        .board(&by.actor, &project)
        .await
        .map_err(|error| answers.refuse(error))?;
    Ok(Json(shapes::Board::from(board)).into_response())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The commit; the newest of the environment's branch where absent.
    #[param(value_type = Option<String>)]
    commit: Option<Sha>,
    /// Whether every image is to be built anew, without the cache and on base images as they are now.
    #[serde(default)]
    rebuild: bool,
}

/// What a deploy would do now, without doing it
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/plan", tag = "projects", operation_id = "planDeploy",
    params(("project" = String, Path, description = "The project's name"), ("environment" = String, Path, description = "The environment's name"), Wanted),
    responses(
        (status = 200, description = "The plan", body = shapes::Plan),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The caller may not deploy there", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such project for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Something stands in the way; `blockers` say what", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn plan(
    State(server): State<Server>,
    by: By,
    answers: Answers,
    Path((project, environment)): Path<(ProjectName, EnvName)>,
    Query(Wanted { commit, rebuild }): Query<Wanted>,
) -> Result<Response, Response> {
    let request = DeployRequest {
        project,
        environment,
        commit,
        reason: None,
        override_tests: false,
        rebuild,
        manifest: None,
    };
    match server
        .portal
        .propose(&by.actor, &request)
        .await
        .map_err(|error| answers.refuse(error))?
    {
        Proposal::Plan {
            plan,
            usual_ms,
            behind_run,
            supersedes,
            ..
        } => {
            let plan = shapes::Plan::of(*plan, usual_ms, behind_run, &supersedes);
            Ok(Json(plan).into_response())
        }
        Proposal::Blocked { blockers, .. } => Err(answers.refuse(Error::Blocked(blockers))),
    }
}
