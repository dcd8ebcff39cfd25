//! What the routes share: configuration, the little state there is, and who is calling.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::http::{HeaderMap, header};
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;
use url::Url;

use super::{
    Config,
    directory::{Permission, Person},
    git::Repository,
    oauth::Codes,
    token::{self, Scopes},
    webhooks::{Delivery, Hook},
};

/// Shared by all routes.
pub(super) struct Hub {
    pub(super) config: Config,
    /// Without a slash at the end.
    pub(super) url: String,
    pub(super) http_backend: PathBuf,
    pub(super) client: reqwest::Client,
    pub(super) codes: Mutex<Codes>,
    pub(super) hooks: Mutex<Vec<Hook>>,
    pub(super) deliveries: Mutex<Vec<Delivery>>,
    /// Pushes to one repository wait for each other, so that what changed between before and after is one push.
    pushes: Mutex<HashMap<String, Arc<Mutex<()>>>>,
    /// Requests of the current hour by caller.
    used: Mutex<HashMap<String, (u64, u32)>>,
}

/// Somebody with a good token.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) person: Person,
    pub(super) scopes: Scopes,
    /// The service token of the configuration.
    service: bool,
}

/// What a request's credentials turned out to be.
pub(super) enum Credentials {
    None,
    Bad,
    Good(Caller),
}

impl Hub {
    pub(super) fn new(
        config: Config,
        address: SocketAddr,
        http_backend: PathBuf,
        client: reqwest::Client,
    ) -> Self {
        let url = config
            .public_url
            .as_ref()
            .map_or_else(|| format!("http://{address}"), Url::to_string);
        let hook = config
            .webhook_url
            .clone()
            .map(|url| Hook::of_settings(url, config.webhook_secret.clone()));
        Self {
            url: url.trim_end_matches('/').to_owned(),
            http_backend,
            client,
            codes: Mutex::default(),
            hooks: Mutex::new(hook.into_iter().collect()),
            deliveries: Mutex::default(),
            pushes: Mutex::default(),
            used: Mutex::default(),
            config,
        }
    }

    /// `Bearer`, `token` and basic authentication with the token as password, as GitHub takes them.
    pub(super) fn credentials(&self, headers: &HeaderMap) -> Credentials {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Credentials::None;
        };
        let token = value.to_str().ok().and_then(token_of);
        token
            .and_then(|token| self.caller(&token))
            .map_or(Credentials::Bad, Credentials::Good)
    }

    fn caller(&self, token: &str) -> Option<Caller> {
        if token == self.config.token.expose_secret() {
            let person = Person {
                login: "fairlead-service".into(),
                name: "Fairlead service".into(),
                email: "service@meatscentral.example".into(),
                teams: Vec::new(),
            };
            return Some(Caller {
                person,
                scopes: Scopes::ALL,
                service: true,
            });
        }
        let (person, scopes) =
            token::verify(&self.config.client_secret, &self.config.people, token)?;
        Some(Caller {
            person: person.clone(),
            scopes,
            service: false,
        })
    }

    /// What the caller may do with repositories of `owner`.
    pub(super) fn permission(&self, caller: &Caller, owner: &str) -> Option<Permission> {
        if caller.service {
            return Some(Permission::Pull);
        }
        if !caller.scopes.has("repo") {
            return None;
        }
        self.config.people.permission(&caller.person, owner)
    }

    /// The repository with what the caller may do; `None` when there is none or the caller may not know of it.
    pub(super) fn repository(
        &self,
        caller: Option<&Caller>,
        owner: &str,
        name: &str,
    ) -> Option<(Repository, Permission)> {
        let permission = self.permission(caller?, owner)?;
        Some((
            Repository::open(&self.config.repositories_dir, owner, name)?,
            permission,
        ))
    }

    /// How many repositories an owner has.
    pub(super) fn count_repositories(&self, owner: &str) -> usize {
        let dir = self.config.repositories_dir.join(owner);
        std::fs::read_dir(dir).map_or(0, |entries| {
            entries
                .filter_map(Result::ok)
                .filter(|entry| entry.path().join("HEAD").is_file())
                .count()
        })
    }

    /// Waits for its turn to push to `full_name`.
    pub(super) async fn turn_to_push(&self, full_name: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = self
            .pushes
            .lock()
            .await
            .entry(full_name.to_owned())
            .or_default()
            .clone();
        turn.lock_owned().await
    }

    /// Counts one request: how many were used in this hour, and when the hour ends (epoch seconds).
    pub(super) async fn count_request(&self, login: &str) -> (u32, u64) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let mut used = self.used.lock().await;
        let (until, count) = used.entry(login.to_owned()).or_default();
        if *until <= now {
            (*until, *count) = (now + 3600, 0);
        }
        *count += 1;
        (*count, *until)
    }
}

fn token_of(authorization: &str) -> Option<String> {
    let (scheme, rest) = authorization.split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "token" => Some(rest.trim().to_owned()),
        "basic" => {
            let pair = String::from_utf8(BASE64_STANDARD.decode(rest.trim()).ok()?).ok()?;
            let (user, password) = pair.split_once(':')?;
            // GitHub also takes the token as user name with no password.
            Some(if password.is_empty() { user } else { password }.to_owned())
        }
        _ => None,
    }
}

impl Caller {
    /// The portal itself, not a person.
    pub(super) fn is_service(&self) -> bool {
        self.service
    }
}
