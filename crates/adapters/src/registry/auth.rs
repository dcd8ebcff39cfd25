//! How a registry is logged in to: it says with its first refusal whether it wants the password itself (basic) or a
//! short-lived token that is fetched with the password (bearer).
use std::time::{Duration, Instant};

use reqwest::{RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::{Credentials, Purpose, Registry, RegistryError};

/// A token's life when the registry does not say, by the protocol's description.
const LIFE: u64 = 60;
/// How long before its end a token is not used any more.
const MARGIN: u64 = 5;

/// What goes into the `Authorization` header.
#[derive(Debug, Clone)]
pub(super) enum Login {
    Basic(Credentials),
    Bearer { token: SecretString, until: Instant },
}

impl Login {
    pub fn is_fresh(&self) -> bool {
        match self {
            Self::Basic(_) => true,
            Self::Bearer { until, .. } => Instant::now() < *until,
        }
    }

    pub fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Basic(login) => request.basic_auth(
                login.username.expose_secret(),
                Some(login.password.expose_secret()),
            ),
            Self::Bearer { token, .. } => request.bearer_auth(token.expose_secret()),
        }
    }
}

/// What a refusal asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

impl Challenge {
    pub fn of(response: &Response) -> Option<Self> {
        let headers = response.headers().get_all("www-authenticate");
        headers
            .iter()
            .filter_map(|value| Self::parse(value.to_str().ok()?))
            .next()
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, mut rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (None, None, None);
        // `key="value",key="value"`; values may hold commas.
        while let Some((key, after)) = rest.split_once('=') {
            let (value, next) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_once(',').unwrap_or((after, "")),
            };
            match key.trim_matches([' ', ',']).to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value.to_owned()),
                "service" => service = Some(value.to_owned()),
                "scope" => scope = Some(value.to_owned()),
                _ => {}
            }
            rest = next;
        }
        Some(Self::Bearer {
            realm: realm?,
            service,
            scope,
        })
    }
}

#[derive(Deserialize)]
struct Answer {
    token: Option<SecretString>,
    access_token: Option<SecretString>,
    expires_in: Option<u64>,
}

impl Registry {
    pub(super) async fn log_in(
        &self,
        challenge: Challenge,
        purpose: &Purpose,
    ) -> Result<Login, RegistryError> {
        let Challenge::Bearer {
            realm,
            service,
            scope,
        } = challenge
        else {
            let credentials = self.credentials.clone();
            return credentials
                .map(Login::Basic)
                .ok_or_else(|| self.unauthorized(purpose));
        };
        let realm = Url::parse(&realm)
            .map_err(|_| self.garbled(purpose, "the login server's address is no URL"))?;
        if realm.scheme() != "https" && self.base.scheme() == "https" {
            return Err(self.garbled(purpose, "it wants the password sent without encryption"));
        }
        let mut query = Vec::new();
        if let Some(service) = service {
            query.push(("service", service));
        }
        // Ours first: a registry may answer with the rights that it has seen the need for, not those of the next request.
        if let Some(scope) = purpose.scope.clone().or(scope) {
            query.push(("scope", scope));
        }
        let mut request = self.client.get(realm).query(&query);
        if let Some(login) = &self.credentials {
            request = request.basic_auth(
                login.username.expose_secret(),
                Some(login.password.expose_secret()),
            );
        }
        let response = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        // Some login servers answer 400 or 404 to a wrong password, but none 5xx.
        let status = response.status();
        if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
            return Err(self.unauthorized(purpose));
        }
        let bytes = self
            .body(self.expect_success(response, purpose)?, purpose)
            .await?;
        let answer: Answer = serde_json::from_slice(&bytes).map_err(|_| {
            self.garbled(
                purpose,
                "the login server's answer is not the JSON that was expected",
            )
        })?;
        let token = answer.token.or(answer.access_token);
        let token = token.ok_or_else(|| self.garbled(purpose, "the login server gave no token"))?;
        let life = answer.expires_in.unwrap_or(LIFE).clamp(MARGIN, 3600) - MARGIN;
        Ok(Login::Bearer {
            token,
            until: Instant::now() + Duration::from_secs(life),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_of_known_registries_are_understood() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let Some(Challenge::Bearer {
            realm,
            service,
            scope,
        }) = Challenge::parse(hub)
        else {
            panic!("not bearer")
        };
        assert_eq!(realm, "https://auth.docker.io/token");
        assert_eq!(service.as_deref(), Some("registry.docker.io"));
        assert_eq!(scope.as_deref(), Some("repository:a/b:pull,push"));
        let bare = "bearer realm=https://x/token, service=y";
        let expected = Challenge::Bearer {
            realm: "https://x/token".into(),
            service: Some("y".into()),
            scope: None,
        };
        assert_eq!(Challenge::parse(bare), Some(expected));
        assert_eq!(
            Challenge::parse("Basic realm=\"Registry\""),
            Some(Challenge::Basic)
        );
        for bad in ["", "Negotiate", "Bearer", "Bearer realm=\"x"] {
            assert_eq!(Challenge::parse(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_password_is_not_sent_in_the_clear_for_a_registry_that_is_encrypted() {
        let secret = || SecretString::from("hunter2");
        let credentials = Credentials {
            username: secret(),
            password: secret(),
        };
        let client = crate::http::client().unwrap();
        let registry = Registry::new(client, "ghcr.io/team", Some(credentials)).unwrap();
        let realm = "http://127.0.0.1:9/token".to_owned();
        let purpose = Purpose {
            scope: None,
            what: "x".into(),
        };
        let answer = registry
            .log_in(
                Challenge::Bearer {
                    realm,
                    service: None,
                    scope: None,
                },
                &purpose,
            )
            .await;
        assert!(
            matches!(answer, Err(RegistryError::Garbled { .. })),
            "{answer:?}"
        );
    }
}
