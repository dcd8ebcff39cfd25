//! `POST /hooks/github`: what GitHub tells by itself. Nobody is signed in here and no page sends it, so it stands outside
//! of the gate and of the same-origin check; the signature says that it is GitHub's. It is stored and then answered;
//! what follows from it is done apart from that, because GitHub waits ten seconds and does not ask again.
use std::time::Duration;

use adapters::github::webhook;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::post};
use portal::NewDelivery;
use secrecy::SecretString;
use serde_json::json;
use url::form_urlencoded;

use super::record::RequestId;
use super::{Server, log_internal};

/// GitHub's own limit of a payload
/// (<https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap>).
const LARGEST: usize = 25 << 20;
/// A body up to this size needs no place: any other door of the server takes as much.
const SMALL: usize = 256 * 1024;
/// How long a body may take to come. GitHub itself gives up after ten seconds.
const PATIENCE: Duration = Duration::from_secs(15);
/// How many larger bodies are held in memory at once, before anybody knows who sends them.
pub(super) const AT_ONCE: usize = 4;

pub(super) fn routes(server: Server) -> Router {
    Router::new()
        .route("/hooks/github", post(github))
        .with_state(server)
}

async fn github(
    State(server): State<Server>,
    axum::Extension(RequestId(id)): axum::Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match take_in(&server, &headers, body).await {
        Ok(taken) => taken,
        Err(Refusal::Words(status, words)) => {
            tracing::warn!(request = id, %status, words, "a webhook is refused");
            (status, format!("{words}\n")).into_response()
        }
        Err(Refusal::Internal(error)) => {
            log_internal(&id, error.as_ref());
            let words = format!("not stored; the log has the cause under request {id}\n");
            (StatusCode::SERVICE_UNAVAILABLE, words).into_response()
        }
    }
}

/// Why a request is not taken in.
enum Refusal {
    Words(StatusCode, &'static str),
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

fn refused(status: StatusCode, words: &'static str) -> Refusal {
    Refusal::Words(status, words)
}

async fn take_in(server: &Server, headers: &HeaderMap, body: Body) -> Result<Response, Refusal> {
    let secret = secret(server).await?;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // Asked for first, so that a body without one is not even read.
    let signature = text("x-hub-signature-256").ok_or(refused(
        StatusCode::UNAUTHORIZED,
        "there is no X-Hub-Signature-256; give the webhook the secret that the portal has",
    ))?;
    let bad = |words| refused(StatusCode::BAD_REQUEST, words);
    let event = text("x-github-event").filter(|event| is_word(event));
    let event = event.ok_or(bad("there is no X-GitHub-Event"))?.to_owned();
    let guid = text("x-github-delivery").filter(|guid| is_word(guid));
    let guid = guid.ok_or(bad("there is no X-GitHub-Delivery"))?.to_owned();
    let is_form = text("content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));

    // Whoever holds all places with bodies that do not come must not keep GitHub's usual ones out.
    let length = length(headers);
    let place = match length {
        Some(length) if length <= SMALL => None,
        _ => Some(server.hooks.acquire().await),
    };
    let body = read(length, body).await?;
    // A body of GitHub's largest size takes a moment to hash and to parse.
    let signature = signature.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        if !webhook::is_signed(&secret, &signature, &body) {
            return None;
        }
        let (repository, told) = match is_form {
            true => webhook::read(&event, &payload_of(&body)),
            false => webhook::read(&event, &body),
        };
        Some(NewDelivery {
            guid,
            event,
            repository,
            told,
        })
    });
    let read = read
        .await
        .map_err(|error| Refusal::Internal(error.into()))?;
    drop(place);
    let new = read.ok_or(refused(
        StatusCode::UNAUTHORIZED,
        "the signature is not made with the portal's secret; compare the two",
    ))?;
    let is_ping = new.event == "ping";
    let taken = server.portal.take_in_delivery(new).await;
    let (number, fresh) = taken.map_err(|error| Refusal::Internal(error.into()))?;
    let status = if is_ping {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let answer = json!({ "delivery": number, "known_already": !fresh });
    Ok((status, Json(answer)).into_response())
}

/// The secret that deliveries are signed with.
async fn secret(server: &Server) -> Result<SecretString, Refusal> {
    let off = "this portal takes no webhooks; set `github.webhook_secret` in its configuration";
    let name = server.webhook_secret.as_ref();
    let name = name.ok_or(refused(StatusCode::NOT_FOUND, off))?;
    let found = server.secrets.get(name.as_str()).await;
    let found = found.map_err(|error| Refusal::Internal(error.into()))?;
    let missing = "the secret of `github.webhook_secret` is in no source of the portal";
    found.ok_or(refused(StatusCode::SERVICE_UNAVAILABLE, missing))
}

/// The length that a body has by its own word; the server reads no more than that.
fn length(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

async fn read(length: Option<usize>, body: Body) -> Result<Bytes, Refusal> {
    let too_large = refused(
        StatusCode::PAYLOAD_TOO_LARGE,
        "the body is larger than any that GitHub sends",
    );
    if length.is_some_and(|length| length > LARGEST) {
        return Err(too_large);
    }
    match tokio::time::timeout(PATIENCE, to_bytes(body, length.unwrap_or(LARGEST))).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(too_large),
        Err(_) => Err(refused(
            StatusCode::REQUEST_TIMEOUT,
            "the body did not come in time",
        )),
    }
}

/// The JSON in the field `payload` of a form, which is how GitHub sends it unless it is told otherwise.
fn payload_of(form: &[u8]) -> Vec<u8> {
    let mut fields = form_urlencoded::parse(form);
    let payload = fields.find(|(name, _)| name == "payload");
    payload.map_or_else(Vec::new, |(_, json)| json.into_owned().into_bytes())
}

/// The names of events and deliveries go into a log and an audit trail.
fn is_word(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
