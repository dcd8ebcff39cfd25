//! Runs: list, start, look, stop, start again, and what happened.
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::run::RunState;
use domain::view::RunFilter;
use domain::{EnvName, ProjectName, RunId, Sha};
use portal::DeployRequest;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::input::{Body, By, Path, Query};
use super::problem::{Answers, Problem};
use super::shapes;
use crate::http::Server;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Of one project only.
    #[param(value_type = Option<String>)]
    project: Option<ProjectName>,
    /// To one environment only.
    #[param(value_type = Option<String>)]
    environment: Option<EnvName>,
    /// About one commit only, by its full id.
    #[param(value_type = Option<String>)]
    commit: Option<Sha>,
    /// In one state only.
    #[param(value_type = Option<shapes::State>)]
    state: Option<RunState>,
    /// Older than this run only.
    #[param(value_type = Option<i64>)]
    before: Option<RunId>,
    /// At most so many, up to 200; 30 where absent.
    limit: Option<u8>,
}

/// Runs, newest first
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", operation_id = "listRuns", params(Filter), responses(
    (status = 200, description = "A page of runs", body = shapes::RunPage),
    (status = 400, description = "The query makes no sense", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such project for the caller", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(server): State<Server>,
    by: By,
    answers: Answers,
    Query(Filter {
        project,
        environment,
        commit,
        state,
        before,
        limit,
    }): Query<Filter>,
) -> Result<Response, Response> {
    let filter = RunFilter {
        project,
        environment,
        state,
        before,
        commit,
    };
    let limit = i64::from(limit.unwrap_or(30));
    let page = server
        .portal
        .runs(&by.actor, &filter, limit)
        .await
        .map_err(|error| answers.refuse(error))?;
    Ok(Json(shapes::RunPage::from(page)).into_response())
}

/// A deploy to ask for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRun {
    /// The project.
    #[schema(value_type = String)]
    project: ProjectName,
    /// Where to.
    #[schema(value_type = String)]
    environment: EnvName,
    /// Which commit, by its full id; the newest of the environment's branch where absent.
    #[schema(value_type = Option<String>)]
    commit: Option<Sha>,
    /// Why, for the audit trail.
    reason: Option<String>,
    /// Whether tests that fail are not to hold it up. Takes a lead and a reason.
    #[serde(default)]
    override_tests: bool,
    /// Whether every image is to be built anew, without the cache and on base images as they are now, although there may
    /// be one of the same source.
    #[serde(default)]
    rebuild: bool,
    /// The `manifest` of the plan that was looked at: where another one is in force by now, nothing starts.
    manifest: Option<String>,
}

/// Asks for a deploy
#[utoipa::path(post, path = "/api/v1/runs", tag = "runs", operation_id = "createRun", request_body = NewRun, responses(
    (status = 201, description = "The run that will do it; a queued one of the same kind makes way", body = shapes::RunCreated,
        headers(("Location" = String, description = "The run's address here"))),
    (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The caller may not deploy there, or the request came from another site", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such project for the caller", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "Something stands in the way; `blockers` say what", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The body makes no sense", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn create(
    State(server): State<Server>,
    by: By,
    answers: Answers,
    Body(NewRun {
        project,
        environment,
        commit,
        reason,
        override_tests,
        rebuild,
        manifest,
    }): Body<NewRun>,
) -> Result<Response, Response> {
    let request = DeployRequest {
        project,
        environment,
        commit,
        reason,
        override_tests,
        rebuild,
        manifest,
    };
    let run = server.portal.deploy(&by.actor, by.origin, request).await;
    Ok(created(
        &server,
        run.map_err(|error| answers.refuse(error))?,
    ))
}

fn created(server: &Server, run: RunId) -> Response {
    let location = format!("/api/v1/runs/{run}");
    let page = server
        .public_url
        .join(&format!("runs/{run}"))
        .map(String::from)
        .unwrap_or_default();
    (
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(shapes::RunCreated { id: run.0, page }),
    )
        .into_response()
}

/// A run and its steps
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "runs", operation_id = "getRun",
    params(("id" = i64, Path, description = "The run's number")),
    responses(
        (status = 200, description = "The run", body = shapes::RunDetail),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run for the caller", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn get(
    State(server): State<Server>,
    by: By,
    answers: Answers,
    Path(id): Path<RunId>,
) -> Result<Response, Response> {
    let view = server
        .portal
        .run(&by.actor, id)
        .await
        .map_err(|error| answers.refuse(error))?;
    Ok(Json(shapes::RunDetail::from(view)).into_response())
}

/// Asks a run to stop at its next safe point
#[utoipa::path(post, path = "/api/v1/runs/{id}/cancel", tag = "runs", operation_id = "cancelRun",
    params(("id" = i64, Path, description = "The run's number")),
    responses(
        (status = 202, description = "It was asked"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The caller may not stop it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It cannot be stopped any more", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn cancel(
    State(server): State<Server>,
    by: By,
    answers: Answers,
    Path(id): Path<RunId>,
) -> Result<StatusCode, Response> {
    server
        .portal
        .cancel(&by.actor, by.origin, id)
        .await
        .map_err(|error| answers.refuse(error))?;
    Ok(StatusCode::ACCEPTED)
}

/// Asks for a new run that repeats this one from its failed step
#[utoipa::path(post, path = "/api/v1/runs/{id}/retry", tag = "runs", operation_id = "retryRun",
    params(("id" = i64, Path, description = "The run's number")),
    responses(
        (status = 201, description = "The new run", body = shapes::RunCreated,
            headers(("Location" = String, description = "The new run's address here"))),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The caller may not deploy there", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It did not fail, has not ended, or is behind a newer run; or something stands in the way, as a commit that has left the branch, and `blockers` say what", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn retry(
    State(server): State<Server>,
    by: By,
    answers: Answers,
    Path(id): Path<RunId>,
) -> Result<Response, Response> {
    let run = server.portal.retry(&by.actor, by.origin, id).await;
    Ok(created(
        &server,
        run.map_err(|error| answers.refuse(error))?,
    ))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AfterEvent {
    /// The number of the last event that is known; 0 for all.
    #[serde(default)]
    after: i64,
}

/// What happened to a run, in order, at most 1,000 events
#[utoipa::path(get, path = "/api/v1/runs/{id}/events", tag = "runs", operation_id = "listEvents",
    params(("id" = i64, Path, description = "The run's number"), AfterEvent),
    responses(
        (status = 200, description = "The events after that number", body = Vec<shapes::Event>),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run for the caller", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn events(
    State(server): State<Server>,
    by: By,
    answers: Answers,
    Path(id): Path<RunId>,
    Query(AfterEvent { after }): Query<AfterEvent>,
) -> Result<Response, Response> {
    let events = server
        .portal
        .events_after(&by.actor, id, after.max(0), 1_000)
        .await;
    let events = events.map_err(|error| answers.refuse(error))?;
    let events: Vec<_> = events.into_iter().map(shapes::Event::from).collect();
    Ok(Json(events).into_response())
}
