//! A write and a websocket must come from our own pages: a cookie alone proves only which browser it is, not that its
//! owner wanted this. Programs that show an API token have no browser to be tricked.
use app::error::UiError;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use url::Url;

use super::refusal::Asker;
use super::{Server, caller};

/// Refuses what other sites have made a browser send.
pub(super) async fn check(State(server): State<Server>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let reads = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    let upgrades = headers.contains_key(header::UPGRADE);
    let path = request.uri().path();
    let asks_for_proof = !reads || upgrades;
    if !asks_for_proof || caller::shows_token(path, headers) || is_ours(headers, &server.public_url)
    {
        return next.run(request).await;
    }
    let words = "This request did not come from the portal's own pages. Open the portal and try again there.";
    let error = UiError::Denied(words.to_owned());
    Asker::of(&request)
        .refuse(&server, StatusCode::FORBIDDEN, "cross-site", error)
        .await
}

/// Browsers say where a request was made: in `Sec-Fetch-Site` on https and localhost, in `Origin` everywhere. A
/// request that says neither is no page's.
fn is_ours(headers: &HeaderMap, public_url: &Url) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site")
        && site != "same-origin"
    {
        return false;
    }
    let Some(origin) = text("origin") else {
        return text("sec-fetch-site") == Some("same-origin");
    };
    if origin == public_url.origin().ascii_serialization() {
        return true;
    }
    // The address in the browser's bar, where the portal is reached by another one than its public. Of a page on http
    // it is not known who wrote it, so it may not write to a portal on https.
    let host = text("host");
    origin
        .split_once("://")
        .is_some_and(|(scheme, authority)| scheme == public_url.scheme() && Some(authority) == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_may_write() {
        let public = Url::parse("https://deploy.example.com").unwrap();
        let cases: &[(&[(&str, &str)], bool)] = &[
            (&[], false),
            (&[("host", "deploy.example.com")], false),
            (&[("origin", "https://deploy.example.com")], true),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "null")], false),
            (
                &[
                    ("origin", "https://10.0.0.1:3000"),
                    ("host", "10.0.0.1:3000"),
                ],
                true,
            ),
            (
                &[
                    ("origin", "http://deploy.example.com"),
                    ("host", "deploy.example.com"),
                ],
                false,
            ),
            (
                &[
                    ("origin", "https://10.0.0.2:3000"),
                    ("host", "10.0.0.1:3000"),
                ],
                false,
            ),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "https://deploy.example.com"),
                ],
                false,
            ),
            (
                &[
                    ("sec-fetch-site", "same-origin"),
                    ("origin", "https://evil.example"),
                ],
                false,
            ),
        ];
        for (given, ours) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in *given {
                headers.insert(*name, value.parse().unwrap());
            }
            assert_eq!(is_ours(&headers, &public), *ours, "{given:?}");
        }
    }
}
