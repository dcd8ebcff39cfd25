//! A request's id, its line in the server's log, and its count in the metrics. Query strings are never logged:
//! the sign-in's carries a code.
use std::net::SocketAddr;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use super::Server;

/// The header that tells a client under which id its request stands in the log.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: made here, never taken from the client, since it stands in the audit trail.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Names the request.
pub(super) async fn name(mut request: Request, next: Next) -> Response {
    let id = format!("{:016x}", rand::random::<u64>());
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

/// Logs and counts the request when its answer begins.
pub(super) async fn record(State(server): State<Server>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.0.clone())
        .unwrap_or_default();
    let address = client_address(&request);
    let response = next.run(request).await;
    let took = started.elapsed();
    let status = response.status();
    server.metrics.request(area(&path), &method, status, took);
    let ms = took.as_secs_f64() * 1000.0;
    let (status, address) = (status.as_u16(), address.unwrap_or_default());
    // Files and probes come by the dozen and tell nothing.
    if matches!(area(&path), "files" | "probes") {
        tracing::debug!(target: "access", %method, path, status, ms, address, request = id);
    } else {
        tracing::info!(target: "access", %method, path, status, ms, address, request = id);
    }
    response
}

/// The part of the site that a path belongs to: few enough to be a label of a metric.
fn area(path: &str) -> &'static str {
    match path.split('/').nth(1).unwrap_or_default() {
        "api" => "api",
        "auth" => "auth",
        "hooks" => "hooks",
        "live" => "live",
        "ui" => "ui",
        "pkg" => "files",
        "healthz" | "readyz" | "metrics" => "probes",
        _ => "pages",
    }
}

/// Where the request comes from. What a proxy says is believed only of one on this machine, and of what it says
/// only the last entry, which it has added itself.
pub(super) fn client_address(request: &Request) -> Option<String> {
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    let forwarded = request
        .headers()
        .get("x-forwarded-for")
        .filter(|_| peer.ip().is_loopback());
    let forwarded =
        forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    Some(forwarded.unwrap_or(peer.ip()).to_string())
}

/// Logs a fault on our side, once, under the id that its answer shows.
pub(crate) fn log_internal(request: &str, error: &(dyn std::error::Error + 'static)) {
    tracing::error!(request, error, "a request failed");
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_a_proxy_on_this_machine_is_believed() {
        let from = |peer: &str, forwarded: Option<&str>| {
            let mut request = Request::new(Body::empty());
            request
                .extensions_mut()
                .insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
            if let Some(forwarded) = forwarded {
                request
                    .headers_mut()
                    .insert("x-forwarded-for", forwarded.parse().unwrap());
            }
            client_address(&request).unwrap()
        };
        assert_eq!(from("127.0.0.1:9", None), "127.0.0.1");
        assert_eq!(
            from("127.0.0.1:9", Some("6.6.6.6, 203.0.113.7")),
            "203.0.113.7"
        );
        assert_eq!(from("127.0.0.1:9", Some("nonsense")), "127.0.0.1");
        assert_eq!(from("198.51.100.1:9", Some("203.0.113.7")), "198.51.100.1");
    }
}
