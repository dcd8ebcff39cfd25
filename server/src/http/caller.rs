//! Who is calling, and the gate: whoever is not signed in gets no further than the sign-in page.
use app::error::UiError;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use domain::audit::{Door, Origin};
use portal::{Caller, Error};
use secrecy::SecretString;
use url::form_urlencoded;

use super::record::{RequestId, client_address};
use super::refusal::{self, Asker, Form};
use super::{Server, log_internal, sign_in};

/// What a caller has shown, for those that stay long and are asked again.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// A session's cookie.
    Session(SecretString),
    /// An API token.
    Token(SecretString),
}

/// The paths that are open to everyone. To come in and to leave nobody needs a role, so GitHub is not asked for it.
pub(super) fn is_public(path: &str) -> bool {
    matches!(
        path,
        "/sign-in" | "/auth/github" | "/auth/callback" | "/auth/sign-out"
    )
}

/// What a page that is left open asks by itself, to show what is now. It does not keep a session alive.
fn is_asked_by_itself(path: &str) -> bool {
    matches!(
        path,
        "/ui/board"
            | "/ui/run"
            | "/ui/runs"
            | "/ui/artifacts"
            | "/ui/messages"
            | "/ui/pushes"
            | "/ui/me"
    )
}

/// Whether a program shows an API token here. Elsewhere tokens are not looked at.
pub(super) fn shows_token(path: &str, headers: &HeaderMap) -> bool {
    takes_tokens(path) && headers.contains_key(header::AUTHORIZATION)
}

fn takes_tokens(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/live/")
}

/// Finds out who calls and puts it into the request's extensions: `Option<Caller>`, [`Origin`], and the
/// [`Credential`] if there is one.
pub(super) async fn identify(
    State(server): State<Server>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let door = if path.starts_with("/api/") {
        Door::Api
    } else {
        Door::Web
    };
    let id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.0.clone());
    let origin = Origin {
        door,
        address: client_address(&request),
        request: id,
    };
    let credential = match shows_token(path, request.headers()) {
        // A wrong token is refused even where a browser has a cookie besides.
        true => match bearer(request.headers()) {
            Some(token) => Some(Credential::Token(token)),
            None => return turned_away(&request),
        },
        false => server
            .cookies
            .session(request.headers())
            .map(Credential::Session),
    };
    let caller = match &credential {
        Some(credential) => match who(&server, path, credential).await {
            Ok(caller) => caller,
            Err(error) => return unknown(&server, Asker::of(&request), &origin, error).await,
        },
        None => None,
    };
    if caller.is_none() && !is_public(path) {
        return turned_away(&request);
    }
    let extensions = request.extensions_mut();
    extensions.insert(origin);
    extensions.insert(caller);
    if let Some(credential) = credential {
        extensions.insert(credential);
    }
    next.run(request).await
}

async fn who(
    server: &Server,
    path: &str,
    credential: &Credential,
) -> Result<Option<Caller>, Error> {
    match credential {
        Credential::Session(token) if is_public(path) => {
            server.portal.last_known_caller(token).await
        }
        Credential::Session(token) if !is_asked_by_itself(path) => {
            server.portal.caller_of_session(token).await
        }
        credential => identify_again(server, credential).await,
    }
}

/// Whose credential this is now. It does not count as used.
pub(crate) async fn identify_again(
    server: &Server,
    credential: &Credential,
) -> Result<Option<Caller>, Error> {
    match credential {
        Credential::Session(token) => server.portal.caller_of_idle_session(token).await,
        Credential::Token(token) => server.portal.caller_of_token(token).await,
    }
}

fn bearer(headers: &HeaderMap) -> Option<SecretString> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
        .then(|| SecretString::from(token.to_owned()))
}

/// The answer to somebody who is not signed in, in the form that the asking program understands.
fn turned_away(request: &Request) -> Response {
    let asker = Asker::of(request);
    match asker.form {
        Form::Problem => {
            let words = "sign in, or send an API token as `Authorization: Bearer fl_…`";
            let mut response = crate::rest::refusal(StatusCode::UNAUTHORIZED, "signed-out", words);
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return response;
        }
        Form::Words => return (StatusCode::UNAUTHORIZED, "sign in first\n").into_response(),
        Form::Function => return refusal::function(StatusCode::UNAUTHORIZED, &UiError::SignedOut),
        Form::Page => {}
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = request.uri().path();
    let asked = request
        .uri()
        .path_and_query()
        .map_or("/", |asked| asked.as_str());
    let comes_back = reads && asked != "/" && !path.starts_with("/ui/") && sign_in::is_local(asked);
    let to = match comes_back {
        true => {
            let next: String = form_urlencoded::byte_serialize(asked.as_bytes()).collect();
            format!("/sign-in?next={next}")
        }
        false => "/sign-in".to_owned(),
    };
    Redirect::to(&to).into_response()
}

/// The answer when nobody can say who calls.
async fn unknown(server: &Server, asker: Asker, origin: &Origin, error: Error) -> Response {
    let id = origin.request.as_deref().unwrap_or_default();
    if asker.form == Form::Problem {
        return crate::rest::problem_of(error, id);
    }
    let error = match error {
        Error::Internal(cause) => {
            log_internal(id, cause.as_ref());
            UiError::Internal(id.to_owned())
        }
        error => {
            tracing::warn!(request = id, %error, "a caller's roles cannot be known");
            UiError::Outside(format!(
                "Fairlead cannot find out your roles right now: {error}. It asks again in a minute."
            ))
        }
    };
    asker
        .refuse(server, StatusCode::SERVICE_UNAVAILABLE, "outside", error)
        .await
}
