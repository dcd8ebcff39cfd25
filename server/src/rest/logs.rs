//! Logs, as text for people and as JSON Lines for programs; a million lines are read and sent page by page.
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::log::LogLine;
use domain::policy::Actor;
use domain::{RunId, StepId};
use futures::stream;
use portal::{Error, LogRange};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::input::{By, Path, Query};
use super::problem::{Answers, Problem, refusal};
use super::shapes;
use crate::http::Server;

/// How many lines are read at a time.
const PAGE: i64 = 2_000;

/// In which form a log is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// The lines as they were written.
    Text,
    /// An object per line.
    Jsonl,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The number of the last line that is known; 0 for all.
    #[serde(default)]
    after: i64,
    /// Stronger than `Accept`; text where neither says it.
    #[param(inline)]
    format: Option<Format>,
}

/// The log of a step, as far as it is stored
#[utoipa::path(get, path = "/api/v1/runs/{id}/steps/{step}/log", tag = "runs", operation_id = "getLog",
    params(("id" = i64, Path, description = "The run's number"), ("step" = u16, Path, description = "The step's place, from 0"), Wanted),
    responses(
        (status = 200, description = "The lines after that number", content(
            (String = "text/plain"), (shapes::Line = "application/jsonl"))),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run or step for the caller", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn log(
    State(server): State<Server>,
    by: By,
    answers: Answers,
    Path((id, step)): Path<(RunId, StepId)>,
    Query(Wanted { after, format }): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let view = server
        .portal
        .run(&by.actor, id)
        .await
        .map_err(|error| answers.refuse(error))?;
    if view.plan.step(step).is_none() {
        return Err(refusal(
            StatusCode::NOT_FOUND,
            "not-found",
            &format!("run #{id} has no step {step}"),
        ));
    }
    let format = format.unwrap_or_else(|| accepted(&headers));
    let (kind, ending) = match format {
        Format::Text => ("text/plain; charset=utf-8", "txt"),
        Format::Jsonl => ("application/jsonl", "jsonl"),
    };
    // As a page of ours it would be read with our origin's rights; and who wants it raw wants to keep it.
    let name = format!("attachment; filename=\"run-{id}-step-{step}.{ending}\"");
    let pages = stream::try_unfold(
        (server, by.actor, after.max(0)),
        move |(server, actor, after)| async move {
            let lines = page(&server, &actor, id, step, after).await?;
            let Some(last) = lines.last() else {
                return Ok(None);
            };
            let last = last.n;
            Ok::<_, std::io::Error>(Some((written(format, &lines)?, (server, actor, last))))
        },
    );
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}

/// A log that cannot be read to its end must not look as if it had ended: the connection breaks off.
async fn page(
    server: &Server,
    actor: &Actor,
    id: RunId,
    step: StepId,
    after: i64,
) -> Result<Vec<LogLine>, std::io::Error> {
    let page = server
        .portal
        .log(actor, id, step, LogRange::After(after), PAGE)
        .await;
    page.map(|page| page.lines).map_err(|error| {
        match &error {
            Error::Internal(cause) => tracing::error!(error = cause.as_ref() as &dyn std::error::Error, run = %id, "a log cannot be read"),
            error => tracing::warn!(%error, run = %id, "a log cannot be read any further"),
        }
        std::io::Error::other("the log cannot be read any further")
    })
}

fn written(format: Format, lines: &[LogLine]) -> Result<Bytes, std::io::Error> {
    let mut bytes = Vec::with_capacity(lines.iter().map(|line| line.text.len() + 64).sum());
    for line in lines {
        match format {
            Format::Text => bytes.extend_from_slice(line.text.as_bytes()),
            Format::Jsonl => serde_json::to_writer(&mut bytes, &shapes::Line::of(line))?,
        }
        bytes.push(b'\n');
    }
    Ok(bytes.into())
}

/// JSON Lines for whoever names it, text for browsers and everybody else.
fn accepted(headers: &HeaderMap) -> Format {
    let jsonl = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| {
            let kinds = accept.split(',').filter_map(|part| part.split(';').next());
            kinds.map(str::trim).any(|kind| {
                matches!(
                    kind,
                    "application/jsonl" | "application/x-ndjson" | "application/json-lines"
                )
            })
        });
    if jsonl { Format::Jsonl } else { Format::Text }
}
