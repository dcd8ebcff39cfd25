//! What every step of a run works with: the manifest the run was planned from, the values of its secrets, the hosts.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use adapters::docker::Engine;
use adapters::git::Mirror;
use adapters::redact::Redactor;
use adapters::registry::Credentials;
use adapters::ssh::{Auth, Fingerprint, Host, Target};
use domain::manifest::{
    Environment, Host as HostSpec, HostLogin, Manifest, Registry, SecretName, Value,
};
use domain::plan::Plan;
use domain::release::repository;
use domain::run::Failure;
use domain::{ComponentName, HostName, RunId};
use secrecy::{ExposeSecret, SecretString};
use store::StoredRun;

use super::log::too_short;
use super::steps::StepError;
use crate::Portal;

/// What a run's traces on hosts are called.
pub(super) fn key_of(stored: &StoredRun) -> String {
    format!("{}-{:x}", stored.row.id, stored.row.requested.0)
}

fn fault(what: String) -> Failure {
    Failure {
        what,
        advice: String::new(),
        undone: None,
        counts_always: false,
    }
}

/// The manifest that a run was planned from.
pub(super) async fn manifest_of(portal: &Portal, plan: &Plan) -> Result<Manifest, Failure> {
    let store = &portal.parts().store;
    let source = store.manifest(&plan.project, &plan.manifest).await;
    let source = source.map_err(|error| fault(error.to_string()))?;
    Manifest::parse(&source).map_err(|problems| {
        let first = problems
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        fault(format!(
            "the manifest that this run was planned from cannot be read by this version: {first}"
        ))
    })
}

/// What the steps of one run share.
pub(super) struct Scene {
    pub(super) portal: Portal,
    pub(super) run: RunId,
    /// The run's number and the moment it was asked for: what its traces on hosts are called. A portal that begins
    /// anew counts from 1 again.
    pub(super) key: String,
    pub(super) plan: Arc<Plan>,
    pub(super) manifest: Manifest,
    pub(super) place: Environment,
    /// Who asked for the run, in words.
    pub(super) by: String,
    pub(super) redactor: Redactor,
    /// What is to be said of secrets that stay in logs, until a step has said it.
    too_short: Mutex<Option<String>>,
    secrets: BTreeMap<SecretName, SecretString>,
}

impl Scene {
    /// Reads the manifest that the run was planned from and fetches the secrets that it needs.
    pub(super) async fn open(portal: &Portal, stored: &StoredRun) -> Result<Self, Failure> {
        let plan = stored.plan.clone();
        let parts = portal.parts();
        let manifest = manifest_of(portal, &plan).await?;
        let place = manifest
            .environments
            .get(&plan.environment)
            .cloned()
            .ok_or_else(|| {
                fault(format!(
                    "the manifest describes no environment `{}`",
                    plan.environment
                ))
            })?;
        let mut secrets = BTreeMap::new();
        for name in manifest.secrets_of_deploy(&plan.environment) {
            let value = parts.secrets.resolve(&place.secrets, name.as_str()).await;
            if let Some(value) = value.map_err(|error| fault(error.to_string()))? {
                secrets.insert(name.clone(), value);
            }
        }
        let github = parts
            .secrets
            .get(&parts.config.github.token)
            .await
            .ok()
            .flatten();
        let named = secrets.iter().map(|(name, value)| (name.as_str(), value));
        let github = github.iter();
        let named: Vec<_> = named
            .chain(github.map(|value| (parts.config.github.token.as_str(), value)))
            .collect();
        let too_short = Mutex::new(too_short(&named));
        let redactor = Redactor::new(named.into_iter().map(|(_, value)| value));
        let redactor = redactor.map_err(|e| fault(e.to_string()))?;
        let by = stored.row.by.to_string();
        let (portal, run) = (portal.clone(), stored.row.id);
        let key = key_of(stored);
        Ok(Self {
            portal,
            run,
            key,
            plan: Arc::new(plan),
            manifest,
            place,
            by,
            redactor,
            too_short,
            secrets,
        })
    }

    /// What a person should know of secrets that stay in logs; once, so that a run says it where it begins.
    pub(super) fn warning(&self) -> Option<String> {
        let said = self.too_short.lock();
        said.unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The value itself, or what the secret holds.
    pub(super) fn value(&self, value: &Value) -> Result<SecretString, StepError> {
        match value {
            Value::Plain(text) => Ok(SecretString::from(text.clone())),
            Value::Secret(name) => self.secrets.get(name).cloned().ok_or_else(|| {
                let prefix = &self.place.secrets;
                StepError::advised(
                    format!(
                        "secret `{name}` resolves to nothing (looked for {prefix}{name}, {name})"
                    ),
                    "add it to a secret source of the portal and retry the run",
                )
            }),
        }
    }

    /// The environment's host of this name, connected.
    pub(super) async fn host(&self, name: &HostName) -> Result<Host, StepError> {
        let Plan {
            project,
            environment,
            ..
        } = &*self.plan;
        let spec = self.place.hosts.get(name).ok_or_else(|| {
            StepError::fatal(format!(
                "environment `{environment}` has no host `{name}` in the manifest"
            ))
        })?;
        let target = self.target(spec)?;
        let called = format!("{project}/{environment}/{name}");
        Ok(self.portal.parts().hosts.connect(&called, &target).await?)
    }

    fn target(&self, spec: &HostSpec) -> Result<Target, StepError> {
        let plain = |value: &Value| {
            Ok::<_, StepError>(self.value(value)?.expose_secret().trim().to_owned())
        };
        let auth = match &spec.login {
            HostLogin::Password(password) => Auth::Password(self.value(password)?),
            HostLogin::Key { key, passphrase } => Auth::Key {
                pem: self.value(key)?,
                passphrase: passphrase.as_ref().map(|p| self.value(p)).transpose()?,
            },
            HostLogin::Agent => Auth::Agent,
        };
        let host_key = match &spec.host_key {
            None => None,
            Some(key) => Some(
                plain(key)?
                    .parse::<Fingerprint>()
                    .map_err(|e| StepError::fatal(e.to_string()))?,
            ),
        };
        Ok(Target {
            address: plain(&spec.address)?,
            port: spec.port,
            user: plain(&spec.user)?,
            auth,
            host_key,
        })
    }

    /// The mirror of the project's repository, cloned now if it is not there yet.
    pub(super) async fn mirror(&self) -> Result<Mirror, StepError> {
        let token = self.portal.git_token().await?;
        Ok(self.portal.open_mirror(&self.manifest, token).await?)
    }

    /// The engine that builds.
    pub(super) fn builder(&self) -> Result<Engine, StepError> {
        Ok(Engine::local(&self.portal.parts().config.builder)?)
    }

    /// The registry of this name.
    pub(super) fn registry(&self, name: &str) -> Result<&Registry, StepError> {
        let found = self
            .manifest
            .registries
            .iter()
            .find(|registry| registry.name == name);
        found
            .ok_or_else(|| StepError::fatal(format!("the manifest describes no registry `{name}`")))
    }

    /// How to log in there, unless the registry asks nobody.
    pub(super) fn credentials(
        &self,
        registry: &Registry,
    ) -> Result<Option<Credentials>, StepError> {
        match (&registry.username, &registry.password) {
            (Some(username), Some(password)) => Ok(Some(Credentials {
                username: self.value(username)?,
                password: self.value(password)?,
            })),
            _ => Ok(None),
        }
    }

    /// The accounts of all registries that ask for one, by host.
    pub(super) fn accounts(&self) -> Result<BTreeMap<String, Credentials>, StepError> {
        let mut accounts = BTreeMap::new();
        for registry in &self.manifest.registries {
            // Of two at one host, the first is asked first.
            if let Some(account) = self.credentials(registry)? {
                accounts
                    .entry(registry.host().to_owned())
                    .or_insert(account);
            }
        }
        Ok(accounts)
    }

    /// A component's image in a registry, without tag or digest, as Docker names it.
    pub(super) fn image(&self, registry: &Registry, component: &ComponentName) -> String {
        let name = self
            .manifest
            .components
            .get(component)
            .map_or("", |c| c.image.as_str());
        repository(registry.plain_prefix(), name)
    }

    /// The text of one of the project's templates with the environment's `vars` filled in.
    pub(super) async fn render(&self, template: &str) -> Result<SecretString, StepError> {
        let Plan {
            project,
            environment,
            commit,
            ..
        } = &*self.plan;
        let path = self
            .portal
            .parts()
            .config
            .projects_dir
            .join(project.as_str())
            .join("templates")
            .join(template);
        let source = tokio::fs::read_to_string(&path).await.map_err(|error| {
            StepError::advised(
                format!(
                    "template `{template}` cannot be read at {}: {error}",
                    path.display()
                ),
                "put the file there, or correct its name in the manifest",
            )
        })?;
        let mut vars = BTreeMap::new();
        for (name, value) in &self.place.vars {
            vars.insert(name.as_str(), self.value(value)?.expose_secret().to_owned());
        }
        let known = format!(
            "known are project, environment, commit, and of the environment's `vars`: {}",
            vars.keys()
                .map(|name| format!("vars.{name}"))
                .collect::<Vec<_>>()
                .join(", ")
        );
        let values = minijinja::context! {
            project => project.as_str(),
            environment => environment.as_str(),
            commit => commit.sha.as_str(),
            vars,
        };
        let mut engine = minijinja::Environment::new();
        engine.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        // The target may be JavaScript or nginx: no language's escaping fits them all, so the template says it.
        engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        engine.set_keep_trailing_newline(true);
        engine
            .render_named_str(template, &source, values)
            .map(SecretString::from)
            .map_err(|error| {
                let line = error
                    .line()
                    .map(|line| format!(", line {line}"))
                    .unwrap_or_default();
                StepError::advised(format!("template `{template}`{line}: {error}"), known)
            })
    }
}
