//! Signing in with GitHub and out again. What goes wrong is told on the sign-in page, by a word in its address:
//! `refused` (by the person, on GitHub), `expired`, `no-role`, `unreachable` (GitHub did not play its part), `busy`, `internal`.
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use domain::audit::Origin;
use portal::{Caller, Error, PendingSignIn};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::cookies::Begun;
use super::{Server, log_internal};

/// How many sign-ins are at work at once. Each keeps a thread while GitHub is asked, before anybody knows who it is.
pub(super) const AT_ONCE: usize = 16;

#[derive(Deserialize)]
pub(super) struct Wanted {
    /// The page to come back to.
    next: Option<String>,
}

/// Sends a browser to GitHub.
pub(super) async fn begin(
    State(server): State<Server>,
    Extension(origin): Extension<Origin>,
    Query(Wanted { next }): Query<Wanted>,
) -> Response {
    let next = next
        .filter(|next| is_local(next))
        .unwrap_or_else(|| "/".to_owned());
    let begun = async {
        let (url, pending) = server.portal.sign_in_url().await?;
        let cookie = server
            .cookies
            .begin(&Begun { pending, next })
            .map_err(|error| Error::Internal(error.into()))?;
        Ok((url, cookie))
    };
    match begun.await {
        Ok((url, cookie)) => no_store((cookie, Redirect::to(url.as_str()))),
        Err(error) => failed(&server, &origin, error),
    }
}

/// What GitHub sends a browser back with.
#[derive(Deserialize)]
pub(super) struct Back {
    code: Option<SecretString>,
    state: Option<String>,
    error: Option<String>,
}

/// Takes a browser that comes back from GitHub.
pub(super) async fn end(
    State(server): State<Server>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    Query(Back { code, state, error }): Query<Back>,
) -> Response {
    if let Some(error) = error {
        let word = if error == "access_denied" {
            "refused"
        } else {
            "unreachable"
        };
        return back_to_sign_in(&server, word);
    }
    let (Some(begun), Some(code), Some(state)) = (server.cookies.begun(&headers), code, state)
    else {
        return back_to_sign_in(&server, "expired");
    };
    // Not waited for: whoever holds all places would else hold all who wait, too.
    let Ok(_place) = server.sign_ins.try_acquire() else {
        tracing::warn!("a sign-in is refused: {AT_ONCE} others are at work");
        return back_to_sign_in(&server, "busy");
    };
    let Begun { pending, next } = begun;
    match exchange(&server, code, state, pending, origin.clone()).await {
        Ok(token) => no_store((server.cookies.signed_in(&token), Redirect::to(&next))),
        Err(error) => failed(&server, &origin, error),
    }
}

/// Makes a session of what a browser came back with. It is driven on one thread: the compiler cannot see that a future
/// around `oauth2`'s borrowed client may change threads (rust-lang/rust#102211).
async fn exchange(
    server: &Server,
    code: SecretString,
    state: String,
    pending: PendingSignIn,
    origin: Origin,
) -> Result<SecretString, Error> {
    let (portal, runtime) = (server.portal.clone(), Handle::current());
    let driven =
        spawn_blocking(move || runtime.block_on(portal.sign_in(&code, &state, pending, origin)));
    driven
        .await
        .map_err(|error| Error::Internal(error.into()))?
}

/// Ends the session of a browser.
pub(super) async fn sign_out(
    State(server): State<Server>,
    Extension(caller): Extension<Option<Caller>>,
    Extension(origin): Extension<Origin>,
) -> Response {
    if let Some(caller) = caller
        && let Err(error) = server.portal.sign_out(&caller, origin.clone()).await
    {
        // The browser keeps its session: it would believe itself signed out while the token still opens the door.
        return failed(&server, &origin, error);
    }
    no_store((server.cookies.signed_out(), Redirect::to("/sign-in")))
}

fn failed(server: &Server, origin: &Origin, error: Error) -> Response {
    let word = match error {
        Error::Denied(_) => "no-role",
        Error::Internal(cause) => {
            log_internal(
                origin.request.as_deref().unwrap_or_default(),
                cause.as_ref(),
            );
            "internal"
        }
        error => {
            tracing::warn!(%error, "a sign-in failed");
            "unreachable"
        }
    };
    back_to_sign_in(server, word)
}

fn back_to_sign_in(server: &Server, word: &str) -> Response {
    no_store((
        server.cookies.sign_in_ended(),
        Redirect::to(&format!("/sign-in?error={word}")),
    ))
}

fn no_store(answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether an address is a page of ours: a browser reads `//host` and `/\host` as another site.
pub(super) fn is_local(address: &str) -> bool {
    let mut chars = address.chars();
    chars.next() == Some('/')
        && !matches!(chars.next(), Some('/' | '\\'))
        && address.len() <= 500
        && address.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn one_comes_back_only_to_our_own_pages() {
        for ours in ["/", "/runs/4?step=2#L10"] {
            assert!(is_local(ours), "{ours}");
        }
        for other in [
            "",
            "runs",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/a\r\nb",
        ] {
            assert!(!is_local(other), "{other:?}");
        }
    }
}
