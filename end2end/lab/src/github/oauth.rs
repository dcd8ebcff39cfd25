//! Sign-in: GitHub's web application flow with PKCE.
//!
//! Errors are GitHub's words and are answered as GitHub does: 200 with `error` in the body at the token endpoint, a redirect with `error`
//! where a redirect is safe, a page where it is not.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine, prelude::*};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::{
    hub::Hub,
    page,
    token::{self, Scopes},
};

/// GitHub's codes are good for ten minutes.
const CODE_LIFE: Duration = Duration::from_secs(600);

/// Codes that nobody has exchanged yet.
pub(super) type Codes = HashMap<String, Code>;

pub(super) struct Code {
    login: String,
    redirect_uri: String,
    scopes: Scopes,
    challenge: Option<String>,
    made: Instant,
}

pub(super) fn routes() -> Router<Arc<Hub>> {
    Router::new()
        .route("/login/oauth/authorize", get(ask).post(answer))
        .route("/login/oauth/access_token", post(exchange))
}

/// What an application asks for; the page carries it from the question to the answer.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Asked {
    pub(super) client_id: String,
    pub(super) redirect_uri: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) state: Option<String>,
    pub(super) code_challenge: Option<String>,
    pub(super) code_challenge_method: Option<String>,
}

async fn ask(State(hub): State<Arc<Hub>>, Query(asked): Query<Asked>) -> Response {
    match hub.check(&asked) {
        Ok(_) => Html(page::choose(&hub.config.people, &asked)).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

#[derive(Deserialize)]
struct Chosen {
    /// Empty when the person cancelled.
    login: String,
    #[serde(flatten)]
    asked: Asked,
}

async fn answer(
    State(hub): State<Arc<Hub>>,
    Form(Chosen { login, asked }): Form<Chosen>,
) -> Response {
    let back = match hub.check(&asked) {
        Ok(back) => back,
        Err(refusal) => return refusal.into_response(),
    };
    let Some(person) = hub.config.people.person(&login) else {
        return back
            .refuse(
                "access_denied",
                "The user has denied your application access.",
            )
            .into_response();
    };
    let code = hex::encode(rand::random::<[u8; 10]>());
    let made = Code {
        login: person.login.clone(),
        redirect_uri: back.to.to_string(),
        scopes: Scopes::parse(asked.scope.as_deref().unwrap_or_default()),
        challenge: asked.code_challenge,
        made: Instant::now(),
    };
    hub.codes.lock().await.insert(code.clone(), made);
    back.with(&[("code", &code)]).into_response()
}

/// Where the browser goes next, with the application's state.
struct Back {
    to: Url,
    state: Option<String>,
}

impl Back {
    fn with(&self, pairs: &[(&str, &str)]) -> Redirect {
        let mut to = self.to.clone();
        to.query_pairs_mut()
            .extend_pairs(pairs)
            .extend_pairs(self.state.iter().map(|state| ("state", state)));
        Redirect::to(to.as_str())
    }

    fn refuse(&self, error: &str, description: &str) -> Redirect {
        self.with(&[
            ("error", error),
            ("error_description", description),
            ("error_uri", &help(error)),
        ])
    }
}

/// The question cannot be put: a page, or back to the application with the reason.
enum Refusal {
    Page(StatusCode, &'static str),
    Back(Redirect),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Page(status, why) => (status, Html(page::refusal(why))).into_response(),
            Self::Back(redirect) => redirect.into_response(),
        }
    }
}

impl Hub {
    fn check(&self, asked: &Asked) -> Result<Back, Refusal> {
        if asked.client_id != self.config.client_id {
            return Err(Refusal::Page(
                StatusCode::NOT_FOUND,
                "There is no application with this client_id.",
            ));
        }
        let to = asked
            .redirect_uri
            .as_deref()
            .and_then(|uri| Url::parse(uri).ok())
            .filter(is_loopback);
        let Some(to) = to else {
            let why = "The redirect_uri must be an address of this machine, such as http://localhost:3000/….";
            return Err(Refusal::Page(StatusCode::BAD_REQUEST, why));
        };
        let back = Back {
            to,
            state: asked.state.clone(),
        };
        match (
            &asked.code_challenge,
            asked.code_challenge_method.as_deref(),
        ) {
            (None, None) => Ok(back),
            (Some(challenge), Some("S256")) if challenge.len() == 43 => Ok(back),
            _ => Err(Refusal::Back(back.refuse(
                "invalid_request",
                "PKCE needs a code_challenge of 43 characters and code_challenge_method=S256.",
            ))),
        }
    }
}

fn is_loopback(uri: &Url) -> bool {
    matches!(uri.scheme(), "http" | "https")
        && match uri.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

#[derive(Deserialize)]
struct Exchange {
    client_id: Option<String>,
    client_secret: Option<String>,
    code: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
}

async fn exchange(
    State(hub): State<Arc<Hub>>,
    headers: HeaderMap,
    Form(asked): Form<Exchange>,
) -> Response {
    let wants_json = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json"));
    let fields = match hub.exchange(&headers, &asked).await {
        Ok((token, scopes)) => [
            ("access_token", token),
            ("token_type", "bearer".into()),
            ("scope", scopes.list()),
        ],
        Err((error, description)) => {
            tracing::info!(error, "refused to exchange a code");
            [
                ("error", error.into()),
                ("error_description", description.into()),
                ("error_uri", help(error)),
            ]
        }
    };
    if wants_json {
        let fields: Map<String, Value> = fields
            .into_iter()
            .map(|(key, value)| (key.to_owned(), json!(value)))
            .collect();
        Json(fields).into_response()
    } else {
        Form(fields).into_response()
    }
}

type OAuthError = (&'static str, &'static str);
const BAD_CODE: OAuthError = (
    "bad_verification_code",
    "The code passed is incorrect or expired.",
);

impl Hub {
    async fn exchange(
        &self,
        headers: &HeaderMap,
        asked: &Exchange,
    ) -> Result<(String, Scopes), OAuthError> {
        if !self.is_the_app(headers, asked) {
            return Err((
                "incorrect_client_credentials",
                "The client_id and/or client_secret passed are incorrect.",
            ));
        }
        // Taken out whatever comes next: a code is good for one attempt.
        let code = self
            .codes
            .lock()
            .await
            .remove(asked.code.as_deref().unwrap_or_default());
        let code = code
            .filter(|code| code.made.elapsed() < CODE_LIFE)
            .ok_or(BAD_CODE)?;
        let same =
            |uri: &String| Url::parse(uri).is_ok_and(|uri| uri.as_str() == code.redirect_uri);
        if !asked.redirect_uri.as_ref().is_none_or(same) {
            return Err((
                "redirect_uri_mismatch",
                "The redirect_uri MUST match the registered callback URL for this application.",
            ));
        }
        let answer = asked
            .code_verifier
            .as_ref()
            .map(|verifier| BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)));
        if code.challenge != answer {
            return Err(BAD_CODE);
        }
        let person = self.config.people.person(&code.login).ok_or(BAD_CODE)?;
        let token = token::issue(&self.config.client_secret, "gho_", person, code.scopes);
        Ok((token.expose_secret().to_owned(), code.scopes))
    }

    /// The credentials come in the body, as GitHub documents, or as basic authentication, as OAuth 2 asks and GitHub takes as well.
    fn is_the_app(&self, headers: &HeaderMap, asked: &Exchange) -> bool {
        let basic = headers.get(header::AUTHORIZATION).and_then(|value| {
            let pair = BASE64_STANDARD
                .decode(value.as_bytes().strip_prefix(b"Basic ")?)
                .ok()?;
            let (id, secret) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
            Some((decoded(id), decoded(secret)))
        });
        let body = || Some((asked.client_id.clone()?, asked.client_secret.clone()?));
        let app = (
            self.config.client_id.clone(),
            self.config.client_secret.expose_secret().to_owned(),
        );
        basic.or_else(body) == Some(app)
    }
}

/// RFC 6749 §2.3.1 form-encodes both halves of basic credentials.
fn decoded(text: &str) -> String {
    url::form_urlencoded::parse(format!("x={text}").as_bytes())
        .map(|(_, value)| value.into_owned())
        .collect()
}

fn help(error: &str) -> String {
    let anchor = error.replace('_', "-");
    match error {
        "access_denied" | "invalid_request" => {
            format!(
                "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-authorization-request-errors/#{anchor}"
            )
        }
        _ => format!(
            "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/#{anchor}"
        ),
    }
}
