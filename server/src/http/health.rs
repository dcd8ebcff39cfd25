//! For machines that look after the portal: is it alive, can it work, and how much does it do.
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Extension;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::policy::Actor;
use domain::view::RunFilter;
use secrecy::ExposeSecret;

use super::Server;

/// The engine looks at the facts each second; a portal whose engine has not for this long is not well.
const ENGINE_SILENT_MS: i64 = 15_000;

/// The process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The store answers and the engine is at work.
pub(super) async fn readyz(State(server): State<Server>) -> Response {
    let not_ready =
        |why: &str| (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response();
    if server.stopping.is_cancelled() {
        return not_ready("the portal is stopping");
    }
    if let Err(error) = server
        .portal
        .runs(&Actor::engine(), &RunFilter::default(), 1)
        .await
    {
        tracing::warn!(%error, "not ready: the store does not answer");
        return not_ready("the store does not answer; the server's log has the cause");
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = domain::Ms(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    match server.engine_ticked() {
        Some(ticked) if now.since(ticked) < ENGINE_SILENT_MS => "ready\n".into_response(),
        Some(_) => not_ready("the engine is stuck; the server's log has the cause"),
        None => not_ready("the engine is not started"),
    }
}

/// The metrics, to whoever shows the configured token, and to this machine itself.
pub(super) async fn metrics(
    State(server): State<Server>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
) -> Response {
    let peer = peer.map(|Extension(ConnectInfo(peer))| peer);
    if !may_read(&server, peer, &headers).await {
        let words =
            "metrics are for this machine, or for who shows the token that `metrics_token` names\n";
        return (StatusCode::FORBIDDEN, words).into_response();
    }
    if let Err(error) = server
        .observer
        .observe(&server.portal, &server.metrics)
        .await
    {
        tracing::warn!(%error, "the metrics are given without the runs' latest");
    }
    match server.metrics.text() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn may_read(server: &Server, peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    if let Some(name) = &server.metrics_token
        && let Some(shown) = headers.get(header::AUTHORIZATION)
    {
        let Ok(Some(token)) = server.secrets.get(name.as_str()).await else {
            tracing::warn!(secret = %name, "`metrics_token` resolves to nothing");
            return false;
        };
        return same(
            shown.as_bytes(),
            format!("Bearer {}", token.expose_secret()).as_bytes(),
        );
    }
    // What a proxy on this machine passes on is not this machine's own.
    let forwarded = ["x-forwarded-for", "forwarded"]
        .iter()
        .any(|name| headers.contains_key(*name));
    !forwarded && peer.is_some_and(|peer| peer.ip().is_loopback())
}

/// Compares without telling by its time how much was right.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}
