//! GitHub: signing in, who a person is, and the commits of a repository. github.com, Enterprise Server and the lab
//! differ only in their base addresses.
//!
//! A thin typed client rather than octocrab: seven reads are needed, and octocrab would bring its own HTTP stack
//! (hyper, tower and retry layers, JSON web tokens) beside the one client whose TLS, timeouts and redirects are
//! decided in [`crate::http`]. The sign-in protocol itself is the `oauth2` crate's.
use domain::Ms;
use reqwest::{Client, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::http::{self, BodyError};
use crate::redact::whole_words;

mod commits;
mod error;
mod membership;
mod people;
mod sign_in;
pub mod webhook;

pub use commits::{Branch, Commit, Comparison};
pub use error::GitHubError;
pub use people::{Membership, User};
pub use sign_in::{AccessToken, PendingSignIn, SignIn};

/// The largest page that GitHub gives.
const PAGE: usize = 100;
/// Where reading page after page ends: 10,000 of anything is no list that a person looks at.
const PAGES: usize = 100;

/// GitHub's REST API. Cheap to clone; each call says on whose behalf it is made.
#[derive(Debug, Clone)]
pub struct GitHub {
    client: Client,
    api: Url,
}

impl GitHub {
    /// The API at `https://api.github.com`, or `https://<host>/api/v3` of an Enterprise Server.
    pub fn new(client: Client, api: Url) -> Self {
        Self { client, api }
    }

    /// One answer. The last part of `path` may be anything; it is escaped.
    async fn get<T: DeserializeOwned>(
        &self,
        token: &SecretString,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, GitHubError> {
        let response = self.send(token, path, query).await?;
        self.read(response, &path.join("/")).await
    }

    /// All pages of a list.
    async fn list<T: DeserializeOwned>(
        &self,
        token: &SecretString,
        path: &[&str],
    ) -> Result<Vec<T>, GitHubError> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let response = self.send(token, path, &page_query(page)).await?;
            let more = has_next(&response);
            all.append(&mut self.read::<Vec<T>>(response, &path.join("/")).await?);
            if !more {
                break;
            }
        }
        Ok(all)
    }

    async fn send(
        &self,
        token: &SecretString,
        path: &[&str],
        query: &[(impl AsRef<str>, impl AsRef<str>)],
    ) -> Result<Response, GitHubError> {
        let what = path.join("/");
        let mut url = self.api.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().extend(path),
            Err(()) => {
                return Err(self.unexpected(0, &what, "the API's address cannot have a path"));
            }
        };
        for (key, value) in query {
            url.query_pairs_mut()
                .append_pair(key.as_ref(), value.as_ref());
        }
        let request = self
            .client
            .get(url)
            .bearer_auth(token.expose_secret())
            .header("accept", "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28");
        let response = request
            .send()
            .await
            .map_err(|error| self.unreachable(http::reason(&error)))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refusal(response, what).await)
    }

    async fn refusal(&self, response: Response, what: String) -> GitHubError {
        let host = self.host();
        let status = response.status();
        if matches!(
            status,
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        ) && let Some(reset) = rate_limit_reset(&response)
        {
            return GitHubError::RateLimited { host, reset };
        }
        let message = message_of(response).await;
        match status {
            StatusCode::UNAUTHORIZED => GitHubError::Unauthorized { host },
            StatusCode::FORBIDDEN => GitHubError::Forbidden {
                host,
                what,
                message,
            },
            StatusCode::NOT_FOUND => GitHubError::NotFound { host, what },
            _ => GitHubError::Unexpected {
                host,
                status: status.as_u16(),
                what,
                message,
            },
        }
    }

    async fn read<T: DeserializeOwned>(
        &self,
        response: Response,
        what: &str,
    ) -> Result<T, GitHubError> {
        let status = response.status().as_u16();
        let bytes = http::body(response).await.map_err(|error| match error {
            BodyError::Lost(why) => self.unreachable(why),
            BodyError::TooLarge => self.unexpected(status, what, "the answer is too large"),
        })?;
        // serde's message names the field that is missing; it may quote a value, none of which is secret here.
        serde_json::from_slice(&bytes)
            .map_err(|error| self.unexpected(status, what, &error.to_string()))
    }

    fn host(&self) -> String {
        self.api.host_str().unwrap_or("GitHub").to_owned()
    }

    fn unreachable(&self, why: String) -> GitHubError {
        GitHubError::Unreachable {
            host: self.host(),
            why,
        }
    }

    fn unexpected(&self, status: u16, what: &str, message: &str) -> GitHubError {
        GitHubError::Unexpected {
            host: self.host(),
            status,
            what: what.to_owned(),
            message: message.to_owned(),
        }
    }
}

fn page_query(page: usize) -> [(&'static str, String); 2] {
    [("per_page", PAGE.to_string()), ("page", page.to_string())]
}

/// Whether another page follows. Only that is taken from the `Link` header: its addresses are not called, since the
/// token goes along.
fn has_next(response: &Response) -> bool {
    http::header(response, "link").is_some_and(|link| link.contains("rel=\"next\""))
}

/// When requests are taken again, if this refusal is about their number.
fn rate_limit_reset(response: &Response) -> Option<Ms> {
    if let Some(wait) = http::retry_after(response) {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .ok()?;
        return Some(Ms(i64::try_from((now + wait).as_millis()).ok()?));
    }
    let left = http::header(response, "x-ratelimit-remaining")?;
    let reset: i64 = http::header(response, "x-ratelimit-reset")?.parse().ok()?;
    (left.trim() == "0").then(|| Ms(reset.saturating_mul(1000)))
}

/// GitHub's own sentence, if the answer is GitHub's.
async fn message_of(response: Response) -> String {
    #[derive(Deserialize)]
    struct Problem {
        message: String,
    }
    let bytes = http::body(response).await.unwrap_or_default();
    let message = serde_json::from_slice::<Problem>(&bytes)
        .map(|problem| problem.message)
        .unwrap_or_default();
    if message.is_empty() {
        "no reason given".into()
    } else {
        whole_words(&message, 300).to_owned()
    }
}
