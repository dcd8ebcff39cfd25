//! What GitHub told and what came of it, whom runs told, and having either done again.
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::message::{Channel, MessageRow};
use domain::push::{Came, DeliveryId, DeliveryRow, Told};
use domain::{ProjectName, RunId, Sha};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::input::{By, Path, Query};
use super::problem::{Answers, Problem};
use crate::http::Server;

/// A page of deliveries.
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveryPage {
    /// The deliveries, newest first.
    deliveries: Vec<Delivery>,
    /// Give this as `before` to get the page after; null on the last.
    next: Option<i64>,
}

/// Something that GitHub told.
#[derive(Serialize, ToSchema)]
struct Delivery {
    /// Its number.
    id: i64,
    /// GitHub's name for it; of one that was asked for again, that name with an ending.
    guid: String,
    /// `push`, `ping`, …
    event: String,
    /// When it came.
    received: String,
    /// When everything was done about it; null while something is still to be done.
    done: Option<String>,
    /// The delivery that it repeats.
    again_of: Option<i64>,
    /// The push; null for other events.
    push: Option<Push>,
    /// Why nothing is done about an event that is no push.
    reason: Option<String>,
    /// What came of it.
    outcomes: Vec<Outcome>,
}

/// A push.
#[derive(Serialize, ToSchema)]
struct Push {
    /// The full name of what was moved, such as `refs/heads/main`.
    reference: String,
    /// The commit before; null of a new branch.
    before: Option<String>,
    /// The commit after; null of a branch that was deleted.
    after: Option<String>,
    /// The first line of the newest commit's message.
    title: String,
    /// Who pushed.
    by: String,
}

/// What came of a delivery.
#[derive(Serialize, ToSchema)]
struct Outcome {
    /// For which environment; null where it concerns the project as a whole.
    environment: Option<String>,
    /// `run`, `ignored` (nothing, as it should be) or `blocked` (nothing, and somebody should know).
    outcome: &'static str,
    /// The run.
    run: Option<i64>,
    /// Why nothing was started.
    reason: Option<String>,
}

impl From<DeliveryRow> for Delivery {
    fn from(row: DeliveryRow) -> Self {
        let (push, reason) = match row.told {
            Told::Other { why } => (None, Some(why)),
            Told::Push(push) => (
                Some(Push {
                    reference: push.reference,
                    before: push.before.map(Sha::into),
                    after: push.after.map(Sha::into),
                    title: push.title,
                    by: push.by.into(),
                }),
                None,
            ),
        };
        let outcomes = row.came.into_iter().map(|(environment, came)| {
            let (outcome, run, reason) = match came {
                Came::Run { run } => ("run", Some(run.0), None),
                Came::Ignored { why } => ("ignored", None, Some(why)),
                Came::Blocked { why } => ("blocked", None, Some(why)),
            };
            Outcome {
                environment: environment.map(String::from),
                outcome,
                run,
                reason,
            }
        });
        Self {
            id: row.id.0,
            guid: row.guid,
            event: row.event,
            received: row.received.rfc3339(),
            done: row.done.map(|done| done.rfc3339()),
            again_of: row.again_of.map(|of| of.0),
            push,
            reason,
            outcomes: outcomes.collect(),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Older than this delivery only.
    #[param(value_type = Option<i64>)]
    before: Option<DeliveryId>,
    /// At most so many, up to 200; 30 where absent.
    limit: Option<u8>,
}

/// What GitHub told of the project's repository, newest first
#[utoipa::path(get, path = "/api/v1/projects/{project}/deliveries", tag = "projects", operation_id = "listDeliveries",
    params(("project" = String, Path, description = "The project's name"), Which),
    responses(
        (status = 200, description = "A page of deliveries with what came of them", body = DeliveryPage),
        (status = 400, description = "The query makes no sense", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such project for the caller", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(server): State<Server>,
    by: By,
    answers: Answers,
    Path(project): Path<ProjectName>,
    Query(Which { before, limit }): Query<Which>,
) -> Result<Response, Response> {
    let limit = i64::from(limit.unwrap_or(30));
    let page = server
        .portal
        .deliveries(&by.actor, &project, before, limit)
        .await
        .map_err(|error| answers.refuse(error))?;
    Ok(Json(DeliveryPage {
        deliveries: page.deliveries.into_iter().map(Delivery::from).collect(),
        next: page.next.map(|next| next.0),
    })
    .into_response())
}

/// The delivery that repeats another.
#[derive(Serialize, ToSchema)]
pub(super) struct Repeated {
    /// Its number.
    delivery: i64,
}

/// Has a push acted on again
#[utoipa::path(post, path = "/api/v1/projects/{project}/deliveries/{id}/redeliver", tag = "projects", operation_id = "redeliver",
    params(("project" = String, Path, description = "The project's name"), ("id" = i64, Path, description = "The delivery's number")),
    responses(
        (status = 202, description = "It will be", body = Repeated),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The caller is no lead, or the request came from another site", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such project for the caller, or no such push", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn redeliver(
    State(server): State<Server>,
    by: By,
    answers: Answers,
    Path((project, id)): Path<(ProjectName, DeliveryId)>,
) -> Result<Response, Response> {
    let again = server
        .portal
        .redeliver(&by.actor, by.origin, &project, id)
        .await
        .map_err(|error| answers.refuse(error))?;
    let repeated = Repeated { delivery: again.0 };
    Ok((StatusCode::ACCEPTED, Json(repeated)).into_response())
}

/// A message about a run.
#[derive(Serialize, ToSchema)]
pub(super) struct Message {
    /// `slack` or `webhook`.
    channel: &'static str,
    /// `pending`, `sending`, `done` or `failed`. One that is `sending` while its run has ended may have arrived or not.
    state: &'static str,
    /// The tries to send it, oldest first.
    tries: Vec<Try>,
}

/// A try to send a message.
#[derive(Serialize, ToSchema)]
struct Try {
    /// When.
    at: String,
    /// How long it took.
    took_ms: i64,
    /// Whether it arrived.
    arrived: bool,
    /// What the other side said.
    answer: String,
}

impl From<MessageRow> for Message {
    fn from(row: MessageRow) -> Self {
        let tries = row.tries.into_iter().map(|tried| Try {
            at: tried.at.rfc3339(),
            took_ms: tried.took_ms,
            arrived: tried.arrived,
            answer: tried.answer,
        });
        Self {
            channel: row.channel.as_str(),
            state: row.state.as_str(),
            tries: tries.collect(),
        }
    }
}

/// Whom a run told how it ended, with every try
#[utoipa::path(get, path = "/api/v1/runs/{id}/messages", tag = "runs", operation_id = "listMessages",
    params(("id" = i64, Path, description = "The run's number")),
    responses(
        (status = 200, description = "The messages", body = Vec<Message>),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run for the caller", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn messages(
    State(server): State<Server>,
    by: By,
    answers: Answers,
    Path(id): Path<RunId>,
) -> Result<Response, Response> {
    let messages = server
        .portal
        .messages(&by.actor, id)
        .await
        .map_err(|error| answers.refuse(error))?;
    let messages: Vec<_> = messages.into_iter().map(Message::from).collect();
    Ok(Json(messages).into_response())
}

/// Has a message about a run sent again
#[utoipa::path(post, path = "/api/v1/runs/{id}/messages/{channel}/redeliver", tag = "runs", operation_id = "sendAgain",
    params(("id" = i64, Path, description = "The run's number"), ("channel" = String, Path, description = "`slack` or `webhook`")),
    responses(
        (status = 202, description = "It will be"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The caller is no lead, or the request came from another site", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run for the caller, or it told nobody there", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run has not ended, so it may be sending it", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn send_again(
    State(server): State<Server>,
    by: By,
    answers: Answers,
    Path((id, channel)): Path<(RunId, Channel)>,
) -> Result<StatusCode, Response> {
    server
        .portal
        .send_again(&by.actor, by.origin, id, channel)
        .await
        .map_err(|error| answers.refuse(error))?;
    Ok(StatusCode::ACCEPTED)
}
