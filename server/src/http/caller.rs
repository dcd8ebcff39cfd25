//! Who is calling, and the gate: whoever is not signed in gets no further than the sign-in page.
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use domain::audit::{Door, Origin};
use portal::{Caller, Error};
use secrecy::SecretString;
use url::form_urlencoded;

use super::record::{RequestId, client_address};
use super::{Server, log_internal, sign_in};

/// How the server functions say that nobody is signed in.
const SIGNED_OUT: &str = r#"{"error":"signed-out"}"#;

/// What a caller has shown, for those that stay long and are asked again.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// A session's cookie.
    Session(SecretString),
    /// An API token.
    Token(SecretString),
}

/// The paths that are open to everyone.
pub(super) fn is_public(path: &str) -> bool {
    matches!(path, "/sign-in" | "/auth/github" | "/auth/callback")
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
        Some(credential) => match identify_again(&server, credential).await {
            Ok(caller) => caller,
            Err(error) => return unknown(&request, &origin, error),
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

/// Whose credential this is now.
pub(crate) async fn identify_again(
    server: &Server,
    credential: &Credential,
) -> Result<Option<Caller>, Error> {
    match credential {
        Credential::Session(token) => server.portal.caller_of_session(token).await,
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
    let path = request.uri().path();
    let wants_page = request.headers().get(header::ACCEPT).is_some_and(|accept| {
        accept
            .to_str()
            .is_ok_and(|accept| accept.contains("text/html"))
    });
    if path.starts_with("/api/") {
        let words = "sign in, or send an API token as `Authorization: Bearer fl_…`";
        let mut response = crate::rest::refusal(StatusCode::UNAUTHORIZED, "signed-out", words);
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return response;
    }
    if path.starts_with("/live/") {
        return (StatusCode::UNAUTHORIZED, "sign in first\n").into_response();
    }
    if path.starts_with("/ui/") && !wants_page {
        return (
            StatusCode::UNAUTHORIZED,
            [(header::CONTENT_TYPE, "application/json")],
            SIGNED_OUT,
        )
            .into_response();
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
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
fn unknown(request: &Request, origin: &Origin, error: Error) -> Response {
    let id = origin.request.as_deref().unwrap_or_default();
    if request.uri().path().starts_with("/api/") {
        return crate::rest::problem_of(error, id).into_response();
    }
    let words = match error {
        Error::Internal(cause) => {
            log_internal(id, cause.as_ref());
            format!(
                "Something went wrong inside Fairlead. Whoever runs it finds the cause in its log under request {id}.\n"
            )
        }
        error => {
            tracing::warn!(request = id, %error, "a caller's roles cannot be known");
            format!("Fairlead cannot find out your roles right now: {error}\n")
        }
    };
    (StatusCode::SERVICE_UNAVAILABLE, words).into_response()
}
