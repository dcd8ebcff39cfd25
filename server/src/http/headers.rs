//! What every answer carries so that a browser protects its reader.
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use url::Url;

use super::Server;

const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Sets the headers that the handler has not set itself; a page brings its own policy, with its nonce.
pub(super) async fn secure(State(server): State<Server>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut or = |name: HeaderName, value: HeaderValue| {
        headers.entry(name).or_insert(value);
    };
    or(
        header::CONTENT_SECURITY_POLICY,
        policy(None, &server.github_url, None),
    );
    or(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    // Addresses of runs are nobody else's business; a form without JavaScript comes back by its own.
    or(
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    let none = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()";
    or(PERMISSIONS, HeaderValue::from_static(none));
    or(OPENER, HeaderValue::from_static("same-origin"));
    or(RESOURCE, HeaderValue::from_static("same-origin"));
    or(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    if server.public_url.scheme() == "https" {
        or(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    response
}

/// The content security policy. Only scripts with the page's nonce and our own files run; WebAssembly is what the
/// pages are made of. `reload` is the address of the socket by which a development build reloads its pages.
pub(super) fn policy(nonce: Option<&str>, github: &Url, reload: Option<&str>) -> HeaderValue {
    let script = nonce
        .map(|nonce| format!(" 'nonce-{nonce}' 'wasm-unsafe-eval'"))
        .unwrap_or_default();
    let connect = reload
        .map(|address| format!(" {address}"))
        .unwrap_or_default();
    let github = github.origin().ascii_serialization();
    let policy = format!(
        "default-src 'none'; script-src 'self'{script}; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'{connect}; manifest-src 'self'; object-src 'none'; base-uri 'none'; \
         frame-ancestors 'none'; form-action 'self' {github}"
    );
    // Nonces and origins are ASCII; were one not, the strictest policy is the right one.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}
