//! Hooks of a repository: made, listed and removed by those who administer it. Those of an organisation, which are told
//! of all its repositories, come from the configuration: they are listed, and switched off and on.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::{Path, State},
    http::{HeaderName, StatusCode, header},
    routing::get,
};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{Refused, Whoever};
use crate::github::{
    directory::Permission,
    git::Repository,
    hub::{Caller, Hub},
    webhooks::{self, ContentType, Hook},
};

pub(super) fn routes() -> Router<Arc<Hub>> {
    Router::new()
        .route("/repos/{owner}/{name}/hooks", get(list).post(create))
        .route("/repos/{owner}/{name}/hooks/{id}", get(one).delete(remove))
        .route("/orgs/{org}/hooks", get(list_of_org))
        .route("/orgs/{org}/hooks/{id}", get(one_of_org).patch(switch))
}

type Hubs = State<Arc<Hub>>;

#[derive(Deserialize)]
struct Wanted {
    #[serde(default = "only_kind")]
    name: String,
    config: WantedConfig,
    #[serde(default = "only_push")]
    events: Vec<String>,
    #[serde(default = "yes")]
    active: bool,
}

#[derive(Deserialize)]
struct WantedConfig {
    url: Option<Url>,
    #[serde(default)]
    content_type: ContentType,
    secret: Option<SecretString>,
}

/// GitHub changes the address, the secret and the events in the same way; nobody here needs that.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switched {
    active: bool,
}

fn only_kind() -> String {
    "web".into()
}
fn only_push() -> Vec<String> {
    vec!["push".into()]
}
fn yes() -> bool {
    true
}

impl Hub {
    /// The repository, for those who may see its hooks; GitHub denies its existence to others.
    fn administered(
        &self,
        caller: &Option<Caller>,
        owner: &str,
        name: &str,
    ) -> Result<Repository, Refused> {
        let (repository, permission) = self.find(caller, owner, name)?;
        if permission == Permission::Admin {
            Ok(repository)
        } else {
            Err(Refused::not_found())
        }
    }

    /// Whether the caller may see an organisation's hooks; GitHub denies their existence to others.
    fn administers(&self, caller: &Option<Caller>, org: &str) -> Result<(), Refused> {
        let caller = caller.as_ref();
        match caller.and_then(|caller| self.permission(caller, org)) {
            Some(Permission::Admin) => Ok(()),
            _ => Err(Refused::not_found()),
        }
    }

    fn hook_json(&self, full_name: &str, hook: &Hook) -> Value {
        let url = format!("{}/api/v3/repos/{full_name}/hooks/{}", self.url, hook.id);
        json!({
            "type": "Repository", "id": hook.id, "name": "web", "active": hook.active, "events": hook.events, "config": hook.config_json(),
            "created_at": hook.created_at, "updated_at": hook.created_at, "url": url, "test_url": format!("{url}/test"),
            "ping_url": format!("{url}/pings"), "deliveries_url": format!("{url}/deliveries"),
            "last_response": {"code": null, "status": "unused", "message": null},
        })
    }

    fn org_hook_json(&self, org: &str, hook: &Hook) -> Value {
        let url = format!("{}/api/v3/orgs/{org}/hooks/{}", self.url, hook.id);
        json!({
            "type": "Organization", "id": hook.id, "name": "web", "active": hook.active, "events": hook.events, "config": hook.config_json(),
            "created_at": hook.created_at, "updated_at": hook.created_at, "url": url,
            "ping_url": format!("{url}/pings"), "deliveries_url": format!("{url}/deliveries"),
        })
    }
}

async fn create(
    State(hub): Hubs,
    Extension(caller): Whoever,
    Path((owner, name)): Path<(String, String)>,
    body: Result<Json<Wanted>, axum::extract::rejection::JsonRejection>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Value>), Refused> {
    let repository = hub.administered(&caller, &owner, &name)?;
    let Json(wanted) = body.map_err(|error| Refused::invalid("Hook", &error.body_text()))?;
    let url = wanted
        .config
        .url
        .ok_or_else(|| Refused::invalid("Hook", "url cannot be blank"))?;
    if wanted.name != "web" || !matches!(url.scheme(), "http" | "https") {
        return Err(Refused::invalid(
            "Hook",
            "the name is `web` and the url is http or https",
        ));
    }
    let mut hooks = hub.hooks.lock().await;
    if hooks
        .iter()
        .any(|hook| hook.repository.as_deref() == Some(repository.full_name()) && hook.url == url)
    {
        return Err(Refused::invalid(
            "Hook",
            "Hook already exists on this repository",
        ));
    }
    let hook = Hook {
        id: hooks.iter().map(|hook| hook.id).max().unwrap_or_default() + 1,
        repository: Some(repository.full_name().to_owned()),
        url,
        secret: wanted.config.secret,
        content_type: wanted.config.content_type,
        events: wanted.events,
        active: wanted.active,
        created_at: webhooks::now(),
    };
    hooks.push(hook.clone());
    drop(hooks);
    let shown = hub.hook_json(repository.full_name(), &hook);
    let location = [(
        header::LOCATION,
        shown["url"].as_str().unwrap_or_default().to_owned(),
    )];
    ping(hub, hook, shown.clone());
    Ok((StatusCode::CREATED, location, Json(shown)))
}

/// GitHub pings a new hook, whatever events it wants.
fn ping(hub: Arc<Hub>, hook: Hook, shown: Value) {
    tokio::spawn(async move {
        // The answer to the request that made the hook goes out first.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let payload =
            json!({"zen": "Keep it logically awesome.", "hook_id": hook.id, "hook": shown});
        hub.deliver(&hook, "ping", payload).await;
    });
}

async fn list(
    State(hub): Hubs,
    Extension(caller): Whoever,
    Path((owner, name)): Path<(String, String)>,
) -> Result<Json<Vec<Value>>, Refused> {
    let repository = hub.administered(&caller, &owner, &name)?;
    let full_name = repository.full_name();
    let hooks = hub.hooks.lock().await;
    Ok(Json(
        hooks
            .iter()
            .filter(|hook| hook.repository.as_deref() == Some(full_name))
            .map(|hook| hub.hook_json(full_name, hook))
            .collect(),
    ))
}

async fn one(
    State(hub): Hubs,
    Extension(caller): Whoever,
    Path((owner, name, id)): Path<(String, String, u32)>,
) -> Result<Json<Value>, Refused> {
    let repository = hub.administered(&caller, &owner, &name)?;
    let hooks = hub.hooks.lock().await;
    let hook = hooks
        .iter()
        .find(|hook| hook.is(&repository, id))
        .ok_or_else(Refused::not_found)?;
    Ok(Json(hub.hook_json(repository.full_name(), hook)))
}

async fn remove(
    State(hub): Hubs,
    Extension(caller): Whoever,
    Path((owner, name, id)): Path<(String, String, u32)>,
) -> Result<StatusCode, Refused> {
    let repository = hub.administered(&caller, &owner, &name)?;
    let mut hooks = hub.hooks.lock().await;
    let at = hooks
        .iter()
        .position(|hook| hook.is(&repository, id))
        .ok_or_else(Refused::not_found)?;
    hooks.remove(at);
    Ok(StatusCode::NO_CONTENT)
}

async fn list_of_org(
    State(hub): Hubs,
    Extension(caller): Whoever,
    Path(org): Path<String>,
) -> Result<Json<Vec<Value>>, Refused> {
    hub.administers(&caller, &org)?;
    let hooks = hub.hooks.lock().await;
    Ok(Json(
        hooks
            .iter()
            .filter(|hook| hook.repository.is_none())
            .map(|hook| hub.org_hook_json(&org, hook))
            .collect(),
    ))
}

async fn one_of_org(
    State(hub): Hubs,
    Extension(caller): Whoever,
    Path((org, id)): Path<(String, u32)>,
) -> Result<Json<Value>, Refused> {
    hub.administers(&caller, &org)?;
    let hooks = hub.hooks.lock().await;
    let hook = hooks
        .iter()
        .find(|hook| hook.is_of_org(id))
        .ok_or_else(Refused::not_found)?;
    Ok(Json(hub.org_hook_json(&org, hook)))
}

/// A hook that is off is told nothing; what happens meanwhile it never hears of.
async fn switch(
    State(hub): Hubs,
    Extension(caller): Whoever,
    Path((org, id)): Path<(String, u32)>,
    body: Result<Json<Switched>, axum::extract::rejection::JsonRejection>,
) -> Result<Json<Value>, Refused> {
    hub.administers(&caller, &org)?;
    let Json(wanted) = body.map_err(|error| Refused::invalid("Hook", &error.body_text()))?;
    let mut hooks = hub.hooks.lock().await;
    let hook = hooks
        .iter_mut()
        .find(|hook| hook.is_of_org(id))
        .ok_or_else(Refused::not_found)?;
    hook.active = wanted.active;
    Ok(Json(hub.org_hook_json(&org, hook)))
}

impl Hook {
    fn is(&self, repository: &Repository, id: u32) -> bool {
        self.id == id && self.repository.as_deref() == Some(repository.full_name())
    }

    fn is_of_org(&self, id: u32) -> bool {
        self.id == id && self.repository.is_none()
    }

    fn config_json(&self) -> Value {
        let mut config =
            json!({"url": self.url, "content_type": self.content_type, "insecure_ssl": "0"});
        if self.secret.is_some() {
            config["secret"] = json!("********");
        }
        config
    }
}
