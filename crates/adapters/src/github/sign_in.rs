//! Signing in with GitHub: the OAuth web flow with state and PKCE.
//!
//! The browser is sent to [`SignIn::authorize_url`] and comes back with a code; [`SignIn::exchange`] makes a token of
//! it. What has to be remembered in between is a [`PendingSignIn`]; it belongs to that one browser and is good once.
use oauth2::basic::{BasicClient, BasicErrorResponse, BasicErrorResponseType};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, TokenResponse as _, TokenUrl,
};
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::GitHubError;
use crate::http::{self, BodyError};
use crate::redact::whole_words;

/// A person's token.
pub type AccessToken = SecretString;

/// What a person is asked to grant: who they are, and which organisations and teams they are in.
const SCOPES: [&str; 2] = ["read:user", "read:org"];

/// A sign-in that was begun.
#[derive(Debug, Clone)]
pub struct PendingSignIn {
    /// What GitHub has to send back, so that nobody is signed in by a link.
    pub state: SecretString,
    /// What proves that the code is exchanged by the one who asked for it.
    pub verifier: SecretString,
}

type OAuth = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// The portal as an OAuth application of GitHub.
#[derive(Debug, Clone)]
pub struct SignIn {
    client: Client,
    oauth: OAuth,
    host: String,
}

impl SignIn {
    /// `url` is where people use GitHub (`https://github.com`), `callback` where it sends them back to.
    pub fn new(
        client: Client,
        url: &Url,
        client_id: &str,
        client_secret: &SecretString,
        callback: &Url,
    ) -> Self {
        let page = |path: &[&str]| {
            let mut page = url.clone();
            // Only an address such as `mailto:` has no path; GitHub then cannot be reached, and that is what it says.
            if let Ok(mut segments) = page.path_segments_mut() {
                segments.pop_if_empty().extend(path);
            }
            page
        };
        let oauth = BasicClient::new(ClientId::new(client_id.to_owned()))
            .set_client_secret(ClientSecret::new(client_secret.expose_secret().to_owned()))
            .set_auth_uri(AuthUrl::from_url(page(&["login", "oauth", "authorize"])))
            .set_token_uri(TokenUrl::from_url(page(&[
                "login",
                "oauth",
                "access_token",
            ])))
            .set_redirect_uri(RedirectUrl::from_url(callback.clone()))
            // GitHub documents only this.
            .set_auth_type(AuthType::RequestBody);
        Self {
            client,
            oauth,
            host: url.host_str().unwrap_or("GitHub").to_owned(),
        }
    }

    /// Begins: where to send the browser, and what to remember until it comes back.
    pub fn authorize_url(&self) -> (Url, PendingSignIn) {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let scopes = SCOPES.iter().map(|scope| Scope::new((*scope).to_owned()));
        let request = self
            .oauth
            .authorize_url(CsrfToken::new_random)
            .add_scopes(scopes);
        let (url, state) = request.set_pkce_challenge(challenge).url();
        let pending = PendingSignIn {
            state: SecretString::from(state.into_secret()),
            verifier: SecretString::from(verifier.into_secret()),
        };
        (url, pending)
    }

    /// Ends: makes a token of the code that the browser came back with. `state` is what it came back with as well.
    pub async fn exchange(
        &self,
        code: &SecretString,
        state: &str,
        pending: PendingSignIn,
    ) -> Result<AccessToken, GitHubError> {
        // The state is random and good once, so there is nothing to learn from how long this takes.
        if state != pending.state.expose_secret() {
            return Err(self.failed(
                "the answer belongs to another sign-in",
                "begin again from the portal's sign-in page",
            ));
        }
        let send = |request| self.send(request);
        let answer = self
            .oauth
            .exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(
                pending.verifier.expose_secret().to_owned(),
            ))
            .request_async(&send)
            .await;
        match answer {
            Ok(token) => Ok(SecretString::from(token.access_token().secret().clone())),
            Err(RequestTokenError::Request(error)) => Err(error),
            Err(RequestTokenError::ServerResponse(problem)) => Err(self.refused(problem.error())),
            // GitHub answers a refusal with status 200.
            Err(RequestTokenError::Parse(_, body)) => {
                Err(match serde_json::from_slice::<BasicErrorResponse>(&body) {
                    Ok(problem) => self.refused(problem.error()),
                    Err(_) => self.failed(
                        "the answer holds no token",
                        "check `url` in the server's configuration",
                    ),
                })
            }
            Err(RequestTokenError::Other(_)) => Err(self.failed(
                "the answer is not JSON",
                "check `url` in the server's configuration",
            )),
        }
    }

    /// The HTTP of the `oauth2` crate, by the one client.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, GitHubError> {
        let unreachable = |why| GitHubError::Unreachable {
            host: self.host.clone(),
            why,
        };
        let request = reqwest::Request::try_from(request)
            .map_err(|error| unreachable(http::reason(&error)))?;
        let response = self
            .client
            .execute(request)
            .await
            .map_err(|error| unreachable(http::reason(&error)))?;
        let status = response.status();
        if status.is_server_error() {
            let (host, status) = (self.host.clone(), status.as_u16());
            let (what, message) = ("a token".into(), "no reason given".into());
            return Err(GitHubError::Unexpected {
                host,
                status,
                what,
                message,
            });
        }
        let mut answer = HttpResponse::default();
        *answer.status_mut() = status;
        answer.headers_mut().clone_from(response.headers());
        let body = http::body(response).await.map_err(|error| match error {
            BodyError::Lost(why) => unreachable(why),
            BodyError::TooLarge => unreachable("its answer is too large".into()),
        })?;
        *answer.body_mut() = body.into();
        Ok(answer)
    }

    fn refused(&self, error: &BasicErrorResponseType) -> GitHubError {
        let next = match error.as_ref() {
            "bad_verification_code" => "the code was used already or is too old; sign in again",
            "incorrect_client_credentials" => {
                "correct `client_id` and `client_secret` in the server's configuration"
            }
            "redirect_uri_mismatch" => {
                "set the OAuth application's callback to the portal's `public_url` followed by the callback's path"
            }
            _ => {
                "sign in again; if it stays, look up this word in GitHub's documentation of OAuth applications"
            }
        };
        self.failed(error.as_ref(), next)
    }

    fn failed(&self, reason: &str, next: &'static str) -> GitHubError {
        GitHubError::SignIn {
            host: self.host.clone(),
            reason: whole_words(reason, 100).to_owned(),
            next,
        }
    }
}
