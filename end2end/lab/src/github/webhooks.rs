//! Push webhooks: what changed in a push, told to every hook of the repository, signed as GitHub signs.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;

use super::{
    directory::Permission,
    git::{Commit, GitError, Ref, Repository, Selection},
    hub::{Caller, Hub},
    rest,
    token::hmac_sha256,
};

/// GitHub waits ten seconds for an answer and does not try again by itself.
const PATIENCE: Duration = Duration::from_secs(10);
/// GitHub lists at most this many commits in one payload.
const MOST_COMMITS: usize = 2048;
const NOTHING: &str = "0000000000000000000000000000000000000000";

/// Somebody to tell.
#[derive(Clone, Debug)]
pub(super) struct Hook {
    pub(super) id: u32,
    /// The one repository, or all.
    pub(super) repository: Option<String>,
    pub(super) url: Url,
    pub(super) secret: Option<SecretString>,
    pub(super) content_type: ContentType,
    pub(super) events: Vec<String>,
    pub(super) active: bool,
    pub(super) created_at: String,
}

/// How the payload is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ContentType {
    /// In the field `payload` of a form; GitHub's default.
    #[default]
    Form,
    Json,
}

/// One delivery as it went; `GET /_lab/deliveries` lists them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// `X-GitHub-Delivery`
    pub guid: String,
    /// The hook's number.
    pub hook_id: u32,
    /// `push` or `ping`
    pub event: String,
    /// Where it was sent.
    pub url: String,
    /// The payload.
    pub payload: Value,
    /// When, RFC 3339.
    pub delivered_at: String,
    /// How long the answer took, in seconds.
    pub duration: f64,
    /// The status that came back; `None` when none did.
    pub status_code: Option<u16>,
    /// The body that came back, or why none did.
    pub response: String,
}

impl Hook {
    /// The hook of the configuration: all repositories, JSON, signed.
    pub(super) fn of_settings(url: Url, secret: SecretString) -> Self {
        let (events, created_at) = (vec!["push".into()], now());
        Self {
            id: 1,
            repository: None,
            url,
            secret: Some(secret),
            content_type: ContentType::Json,
            events,
            active: true,
            created_at,
        }
    }

    fn wants(&self, event: &str, repository: &str) -> bool {
        let here = self
            .repository
            .as_deref()
            .is_none_or(|name| name == repository);
        self.active
            && here
            && self
                .events
                .iter()
                .any(|wanted| wanted == event || wanted == "*")
    }
}

/// The client for deliveries; it follows no redirect, as GitHub does not.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    // Somebody in this process may have installed a provider already, and then theirs is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

pub(super) fn now() -> String {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0)
        .unwrap_or(now)
        .format(&Rfc3339)
        .unwrap_or_default()
}

/// Tells the hooks what a push changed, one event for each branch and tag, one after the other. The deliveries themselves go on after this returns.
pub(super) async fn after_push(
    hub: Arc<Hub>,
    caller: Caller,
    repository: Repository,
    before: Vec<Ref>,
    hooks: Vec<Hook>,
) {
    match payloads(&hub, &caller, &repository, &before).await {
        Ok(payloads) => drop(tokio::spawn(async move {
            for payload in payloads {
                for hook in &hooks {
                    hub.deliver(hook, "push", payload.clone()).await;
                }
            }
        })),
        Err(error) => {
            tracing::error!(%error, "what was pushed could not be read; no webhook is sent")
        }
    }
}

async fn payloads(
    hub: &Hub,
    caller: &Caller,
    repository: &Repository,
    before: &[Ref],
) -> Result<Vec<Value>, GitError> {
    let after = repository.refs().await?;
    let sha_in = |refs: &[Ref], name: &str| {
        refs.iter()
            .find(|other| other.name == name)
            .map(|found| found.sha.clone())
    };
    let mut payloads = Vec::new();
    for new in &after {
        let old = sha_in(before, &new.name);
        if old.as_ref() != Some(&new.sha) {
            payloads.push(
                push(
                    hub,
                    caller,
                    repository,
                    before,
                    (&new.name, old.as_deref(), Some(&new.sha)),
                )
                .await?,
            );
        }
    }
    for old in before
        .iter()
        .filter(|old| sha_in(&after, &old.name).is_none())
    {
        payloads.push(
            push(
                hub,
                caller,
                repository,
                before,
                (&old.name, Some(&old.sha), None),
            )
            .await?,
        );
    }
    Ok(payloads)
}

/// Name of a ref, and its hashes before and after.
type Move<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

async fn push(
    hub: &Hub,
    caller: &Caller,
    repository: &Repository,
    known: &[Ref],
    (name, old, new): Move<'_>,
) -> Result<Value, GitError> {
    let full_name = repository.full_name();
    let html = format!("{}/{full_name}", hub.url);
    let forced = match (old, new) {
        (Some(old), Some(new)) => repository.merge_base(old, new).await?.as_deref() != Some(old),
        _ => false,
    };
    // A new branch brings the commits that no other ref had; a moved one those since where it was.
    let without: Vec<String> = match old {
        Some(old) => vec![format!("^{old}")],
        None => known
            .iter()
            .map(|known| format!("^{}", known.sha))
            .collect(),
    };
    let commits = match new.filter(|_| name.starts_with("refs/heads/")) {
        Some(new) => {
            let revisions = [vec![new.to_owned()], without].concat();
            repository
                .commits(
                    &Selection {
                        revisions,
                        oldest_first: true,
                        ..Selection::default()
                    },
                    0,
                    MOST_COMMITS,
                )
                .await?
        }
        None => Vec::new(),
    };
    let mut listed = Vec::new();
    for commit in &commits {
        listed.push(commit_of_push(hub, repository, known, commit).await?);
    }
    let head = match new {
        Some(new) => repository.commit(new).await?,
        None => None,
    };
    let head = match head {
        Some(commit) => commit_of_push(hub, repository, known, &commit).await?,
        None => Value::Null,
    };
    let compare = match (old, new) {
        (Some(old), Some(new)) => format!("{html}/compare/{}...{}", &old[..12], &new[..12]),
        _ => format!("{html}/commit/{}", &new.or(old).unwrap_or(NOTHING)[..12]),
    };
    let person = &caller.person;
    Ok(json!({
        "ref": name, "before": old.unwrap_or(NOTHING), "after": new.unwrap_or(NOTHING), "base_ref": null,
        "created": old.is_none(), "deleted": new.is_none(), "forced": forced, "compare": compare,
        "commits": listed, "head_commit": head, "pusher": {"name": person.login, "email": person.email},
        "repository": rest::repository_json(hub, repository, Permission::Pull).await?,
        "organization": hub.shape().org(repository.owner()), "sender": hub.shape().simple_user(&person.login),
    }))
}

async fn commit_of_push(
    hub: &Hub,
    repository: &Repository,
    known: &[Ref],
    commit: &Commit,
) -> Result<Value, GitError> {
    // Distinct is what no other branch or tag had before this push: a fast-forwarded `uat` brings nothing distinct.
    let mut revisions = vec![commit.sha.clone()];
    revisions.extend(known.iter().map(|known| format!("^{}", known.sha)));
    let distinct = repository
        .count(&Selection {
            revisions,
            ..Selection::default()
        })
        .await?
        > 0;
    let changes = repository
        .changes(commit.parents.first().map(String::as_str), &commit.sha)
        .await?;
    let paths = |wanted: &[char]| -> Vec<&str> {
        changes
            .iter()
            .filter(|change| wanted.contains(&change.status))
            .map(|change| change.path.as_str())
            .collect()
    };
    let mut removed = paths(&['D']);
    removed.extend(
        changes
            .iter()
            .filter(|change| change.status == 'R')
            .filter_map(|change| change.previous.as_deref()),
    );
    let who = |signature: &super::git::Signature| {
        let mut who = json!({"name": signature.name, "email": signature.email});
        if let Some(person) = hub.config.people.person_of_email(&signature.email) {
            who["username"] = json!(person.login);
        }
        who
    };
    Ok(json!({
        "id": commit.sha, "tree_id": commit.tree, "distinct": distinct, "message": commit.message, "timestamp": commit.committer.date,
        "url": format!("{}/{}/commit/{}", hub.url, repository.full_name(), commit.sha),
        "author": who(&commit.author), "committer": who(&commit.committer),
        "added": paths(&['A', 'C', 'R']), "removed": removed, "modified": paths(&['M', 'T']),
    }))
}

impl Hub {
    /// The hooks that want an event now.
    pub(super) async fn hooks_for(&self, event: &str, repository: &str) -> Vec<Hook> {
        let hooks = self.hooks.lock().await;
        let wanting = hooks.iter().filter(|hook| hook.wants(event, repository));
        wanting.cloned().collect()
    }

    /// Delivers one event to one hook and keeps how it went.
    pub(super) async fn deliver(&self, hook: &Hook, event: &str, payload: Value) {
        let guid = guid();
        let json = payload.to_string();
        let (content_type, body) = match hook.content_type {
            ContentType::Json => ("application/json", json),
            ContentType::Form => {
                let form = url::form_urlencoded::Serializer::new(String::new())
                    .append_pair("payload", &json)
                    .finish();
                ("application/x-www-form-urlencoded", form)
            }
        };
        let mut request = self
            .client
            .post(hook.url.clone())
            .header("User-Agent", "GitHub-Hookshot/lab")
            .header("Content-Type", content_type)
            .header("X-GitHub-Event", event)
            .header("X-GitHub-Delivery", &guid)
            .header("X-GitHub-Hook-ID", hook.id);
        if let Some(secret) = hook
            .secret
            .as_ref()
            .filter(|secret| !secret.expose_secret().is_empty())
        {
            let signature = hex::encode(hmac_sha256(secret, body.as_bytes()));
            request = request.header("X-Hub-Signature-256", format!("sha256={signature}"));
        }
        let (delivered_at, started) = (now(), Instant::now());
        let (status_code, response) = match request.body(body).send().await {
            Ok(answer) => (
                Some(answer.status().as_u16()),
                answer.text().await.unwrap_or_default(),
            ),
            Err(error) => (None, format!("{error:#}")),
        };
        let duration = started.elapsed().as_secs_f64();
        tracing::info!(event, %guid, url = %hook.url, ?status_code, duration, "webhook delivered");
        let (event, url) = (event.to_owned(), hook.url.to_string());
        let delivery = Delivery {
            guid,
            hook_id: hook.id,
            event,
            url,
            payload,
            delivered_at,
            duration,
            status_code,
            response,
        };
        self.deliveries.lock().await.push(delivery);
    }
}

/// A random UUID, as GitHub names its deliveries.
fn guid() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}
