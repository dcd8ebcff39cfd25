//! What every step of a run works with: the manifest the run was planned from, the values of its secrets, the hosts.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use adapters::docker::Engine;
use adapters::git::Mirror;
use adapters::redact::Redactor;
use adapters::registry::Credentials;
use adapters::secrets::SecretError;
use adapters::ssh::Host;
use domain::manifest::{Environment, Manifest, Registry, Value};
use domain::plan::Plan;
use domain::release::repository;
use domain::run::Failure;
use domain::{ComponentName, HostName, RunId};
use secrecy::{ExposeSecret, SecretString};
use store::{Store, StoreError, StoredRun};

use super::log::too_short;
use super::secrets::Secrets;
use super::steps::StepError;
use crate::manifests::called;
use crate::{Builder, Portal};

/// What the builder is called among the hosts that are connected to; those of environments have a `/` in their names.
const BUILDER: &str = "builder";

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

/// The run of this key. Nothing is known of the runs of another portal.
pub(super) async fn run_of(store: &Store, key: &str) -> Result<Option<StoredRun>, StoreError> {
    let number = key
        .split_once('-')
        .and_then(|(number, _)| number.parse().ok());
    let Some(run) = number.map(RunId) else {
        return Ok(None);
    };
    match store.load_run(run).await {
        Ok(stored) => Ok(Some(stored).filter(|stored| key_of(stored) == key)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What signing in to the builder takes.
pub(super) async fn of_builder(portal: &Portal) -> Result<Secrets, SecretError> {
    let parts = portal.parts();
    Secrets::fetch(&parts.secrets, "", parts.config.builder.secrets()).await
}

/// The engine that builds images and runs tests.
pub(super) async fn builder(portal: &Portal, secrets: &Secrets) -> Result<Engine, StepError> {
    match &portal.parts().config.builder {
        Builder::Socket(address) => Ok(Engine::local(address)?),
        Builder::Host(described) => {
            let target = secrets.target(described)?;
            let host = portal.parts().hosts.connect(BUILDER, &target).await?;
            Ok(host.docker().await?)
        }
    }
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
    secrets: Secrets,
    /// What signing in to the builder takes.
    of_builder: Secrets,
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
        let names = manifest.secrets_of_deploy(&plan.environment);
        let secrets = Secrets::fetch(&parts.secrets, &place.secrets, names)
            .await
            .map_err(|error| fault(error.to_string()))?;
        let of_builder = of_builder(portal)
            .await
            .map_err(|error| fault(error.to_string()))?;
        let github = parts
            .secrets
            .get(&parts.config.github.token)
            .await
            .ok()
            .flatten();
        let github = github.iter();
        let github = github.map(|value| (parts.config.github.token.as_str(), value));
        let named: Vec<_> = secrets
            .named()
            .chain(of_builder.named())
            .chain(github)
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
            of_builder,
        })
    }

    /// What a person should know of secrets that stay in logs; once, so that a run says it where it begins.
    pub(super) fn warning(&self) -> Option<String> {
        let said = self.too_short.lock();
        said.unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The value itself, or what the secret holds.
    pub(super) fn value(&self, value: &Value) -> Result<SecretString, StepError> {
        self.secrets.value(value)
    }

    /// The environment's host of this name, connected.
    pub(super) async fn host(&self, name: &HostName) -> Result<Host, StepError> {
        let Plan {
            project,
            environment,
            ..
        } = &*self.plan;
        let called = called(project, environment, name);
        let spec = self.place.hosts.get(name).ok_or_else(|| {
            StepError::fatal(format!(
                "environment `{environment}` has no host `{name}` in the manifest"
            ))
        })?;
        let target = self.secrets.target(spec)?;
        Ok(self.portal.parts().hosts.connect(&called, &target).await?)
    }

    /// The mirror of the project's repository, cloned now if it is not there yet.
    pub(super) async fn mirror(&self) -> Result<Mirror, StepError> {
        let token = self.portal.git_token().await?;
        Ok(self.portal.open_mirror(&self.manifest, token).await?)
    }

    /// The engine that builds images and runs tests.
    pub(super) async fn builder(&self) -> Result<Engine, StepError> {
        builder(&self.portal, &self.of_builder).await
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
