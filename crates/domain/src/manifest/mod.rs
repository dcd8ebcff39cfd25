//! The manifest: one TOML file per project, the whole interface between a team and Fairlead.
//!
//! [`Manifest::parse`] reads text into types or gives every [`Problem`] at once. The text passes through three
//! stages: [`reader`] walks TOML with its places, `decode` turns tables into the types here, `check` holds the
//! parts against each other.
mod check;
mod container;
mod decode;
mod pattern;
mod problem;
mod reader;
mod value;

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use container::{
    Bytes, Container, HealthCheck, LogDriver, Mount, Port, Protocol, Restart, Ulimit,
};
pub use pattern::PathPattern;
pub use problem::{Problem, nearest};
pub use value::{Branch, Repository, SecretName, Span, Value};

use crate::policy::Role;
use crate::{ComponentName, EnvName, HostName, ProjectName};

/// A project as its team describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The project's short name, in URLs and labels.
    pub name: ProjectName,
    /// The project's name as people say it.
    pub title: String,
    /// Where its source is.
    pub repository: Repository,
    /// Image registries: pushed to all, pulled from the first.
    pub registries: Vec<Registry>,
    /// How many of them must have taken an image before it is deployed.
    pub registries_required: Required,
    /// What is checked before anything is built.
    pub lint: Option<Lint>,
    /// What is deployed, in the order of the file.
    pub components: IndexMap<ComponentName, Component>,
    /// Where it is deployed, in the order of the file.
    pub environments: IndexMap<EnvName, Environment>,
    /// Who is told how a run ended.
    pub notify: Option<Notify>,
    /// What a push to an environment's branch starts.
    pub on_push: OnPush,
    /// The checklist: what must exist for which environment.
    pub secrets: IndexMap<SecretName, SecretRequirement>,
}

/// An image registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// How people call it.
    pub name: String,
    /// Host and path before the image's name; `http://` in front only for a registry without TLS.
    pub prefix: String,
    /// Who logs in; absent for a registry that asks nobody.
    pub username: Option<Value>,
    /// The password or token.
    pub password: Option<Value>,
}

impl Registry {
    /// The prefix as Docker writes it, without a scheme.
    pub fn plain_prefix(&self) -> &str {
        self.prefix
            .trim_start_matches("http://")
            .trim_start_matches("https://")
    }

    /// Its host, and port where it has one.
    pub fn host(&self) -> &str {
        let prefix = self.plain_prefix();
        prefix.split_once('/').map_or(prefix, |(host, _)| host)
    }
}

/// How many registries must have taken an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Required {
    /// Each of them.
    All,
    /// One is enough.
    Any,
}

/// What a push starts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OnPush {
    /// A push that changes only such files starts nothing. Patterns are GitHub's of `paths-ignore`
    /// (<https://docs.github.com/en/actions/writing-workflows/workflow-syntax-for-github-actions#filter-pattern-cheat-sheet>).
    pub ignore: Vec<PathPattern>,
}

/// Checks of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lint {
    /// The folder of GitHub workflow files.
    pub workflows: String,
}

/// A deployable image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Component {
    /// Components that are deployed before this one.
    pub after: Vec<ComponentName>,
    /// The image's name within a registry's prefix.
    pub image: String,
    /// How it is built.
    pub build: Build,
    /// How it is tested.
    pub test: Option<Test>,
    /// How its database is brought up to date.
    pub migrate: Option<Migrate>,
    /// The host of the environment that it runs on; the one of the component's own name where absent.
    pub host: Option<HostName>,
    /// How its container is started.
    pub container: Container,
    /// Files written on the host before the container starts.
    pub files: Vec<File>,
    /// The web server in front of it.
    pub proxy: Option<Proxy>,
    /// How one knows that it works; without it, a container that keeps running counts as healthy.
    pub health: Option<Health>,
}

/// How an image is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// The folder that is sent to the builder, relative to the repository.
    pub context: String,
    /// The dockerfile, relative to the repository.
    pub dockerfile: String,
    /// Build arguments. They stay in the image's history, so secrets are refused here.
    pub args: IndexMap<String, String>,
    /// The stage to build.
    pub target: Option<String>,
    /// The longest that it may take.
    pub timeout: Span,
}

/// How a component is tested before it is deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Test {
    /// An image, or `built image`.
    pub within: String,
    /// The folder of the repository to run in.
    pub dir: Option<String>,
    /// Shell commands, in order.
    pub run: Vec<String>,
    /// Containers that are started beside the tests, by host name.
    pub services: IndexMap<String, Service>,
    /// Environment of the tests.
    pub env: IndexMap<String, Value>,
    /// Where the commands leave their results as JUnit XML: a file, or a folder of such files, in the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// The longest that it may take.
    pub timeout: Span,
}

impl Test {
    /// What `in` says where the tests run in the component's own image.
    pub const BUILT_IMAGE: &str = "built image";

    /// Whether they run in the component's own image.
    pub fn is_in_built_image(&self) -> bool {
        self.within == Self::BUILT_IMAGE
    }
}

/// A container that tests need, such as a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its image.
    pub image: String,
    /// Its environment.
    pub env: IndexMap<String, Value>,
    /// A command in it that succeeds once it can be used.
    pub ready: Option<String>,
}

/// How a database is brought up to date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migrate {
    /// On the host itself, or in a container of the new image.
    pub on: MigrateOn,
    /// The folder to run in.
    pub dir: Option<String>,
    /// Shell commands that prepare the shell, such as activating a virtualenv.
    pub before: Option<String>,
    /// The migration itself, as shell commands.
    pub run: String,
    /// Prints what the migration would do; run before it, and kept with the run.
    pub plan: Option<String>,
    /// Prints the last migration that the database has; run before and after, and kept with the release.
    pub head: Option<String>,
    /// The longest that it may take.
    pub timeout: Span,
}

/// Where migrations run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MigrateOn {
    /// In the host's own shell.
    Host,
    /// In a one-off container of the new image.
    Container,
}

/// A file on a host, rendered from a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Where it goes: an absolute path on the host.
    pub path: String,
    /// The template's name in the project's `templates` folder.
    pub template: String,
    /// Permission bits.
    pub mode: u32,
}

/// A web server's configuration in front of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proxy {
    /// Which web server.
    pub kind: ProxyKind,
    /// Where its configuration goes.
    pub path: String,
    /// The template's name in the project's `templates` folder.
    pub template: String,
    /// A URL that answers through the web server, as seen from the host; asked as the component's `health` is. Which one
    /// that is only the template's author knows: the web server's own first page answers for a configuration that leads
    /// nowhere, too.
    pub health: String,
}

/// A web server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyKind {
    /// nginx.
    Nginx,
}

/// How one knows that a component works: a GET that answers 200 to 399.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// As seen from the host, such as `http://localhost:8000/api/v1/health/`.
    pub url: String,
    /// How many times `every` the component has until it must be healthy.
    pub attempts: u32,
    /// The longest pause between two tries.
    pub every: Span,
    /// For one try.
    pub timeout: Span,
}

impl Health {
    /// How long the component has, from its start, until it must be healthy.
    pub fn deadline(&self) -> Span {
        Span(self.every.0.saturating_mul(u64::from(self.attempts)))
    }
}

/// A place that a project is deployed to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// The branch that it follows.
    pub branch: Branch,
    /// The environment that releases come from.
    pub follows: Option<EnvName>,
    /// How a release comes from there.
    pub promote: Promote,
    /// Who must agree first.
    pub approvals: Option<Approvals>,
    /// The least role that may deploy here.
    pub deploy: Role,
    /// Whether a push to the branch starts a run. Where absent, it does so only if nobody must agree first.
    pub deploy_on_push: bool,
    /// Who is told here, instead of those of the whole project.
    pub notify: Option<Notify>,
    /// `secret:X` resolves `<prefix>X` first, then `X`.
    pub secrets: String,
    /// Values for templates.
    pub vars: IndexMap<String, Value>,
    /// Its servers.
    pub hosts: IndexMap<HostName, Host>,
}

/// How a release is promoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promote {
    /// A pull request from the branch of the environment before is merged.
    PullRequest,
    /// The digests are deployed.
    Direct,
}

/// Who must agree before a run may start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvals {
    /// How many.
    pub count: u32,
    /// Of which role at least.
    pub role: Role,
    /// Whether the one who asks does not count.
    pub not_requester: bool,
}

/// A server, reached over SSH.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Name or IP address.
    pub address: Value,
    /// The SSH port.
    pub port: u16,
    /// The account.
    pub user: Value,
    /// How the account is proven.
    pub login: HostLogin,
    /// The pinned key, `SHA256:…`, as `fairlead host enrol` prints it.
    pub host_key: Option<Value>,
}

/// How an account is proven to a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostLogin {
    /// A password.
    Password(Value),
    /// A private key in OpenSSH or PEM form, and its passphrase.
    Key {
        /// The key itself.
        key: Value,
        /// What it is encrypted with.
        passphrase: Option<Value>,
    },
    /// The SSH agent of the portal's own environment.
    Agent,
}

/// Who is told how a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// The URL of a Slack incoming webhook.
    pub slack: Option<Value>,
    /// Somebody else's program.
    pub webhook: Option<Webhook>,
}

/// A program that is told by a signed request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Where to.
    pub url: Value,
    /// What the request is signed with (HMAC-SHA256).
    pub secret: Value,
}

/// A line of the secrets checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRequirement {
    /// What it is.
    pub description: String,
    /// Whether a run may start without it.
    pub optional: bool,
    /// For which environments; every one where empty.
    pub environments: Vec<EnvName>,
}

impl Manifest {
    /// Reads a manifest. `Err` holds every problem of the text, in the order of the file; how the parts fit
    /// together is checked as soon as each of them can be read.
    pub fn parse(source: &str) -> Result<Self, Vec<Problem>> {
        let reader = reader::Reader::new(source);
        let decoded = decode::manifest(&reader);
        let whole = reader.is_whole();
        let mut problems = reader.into_problems();
        if let Some((manifest, places)) = decoded.as_ref().filter(|_| whole) {
            problems.extend(check::check(manifest, places));
        }
        problems.sort_by_key(|problem| (problem.line, problem.column));
        match decoded {
            Some((manifest, _)) if problems.is_empty() => Ok(manifest),
            _ => Err(problems),
        }
    }

    /// The environments in promotion order: those that follow none first, each before its followers.
    pub fn lanes(&self) -> Vec<&EnvName> {
        let mut lanes: Vec<&EnvName> = Vec::with_capacity(self.environments.len());
        while lanes.len() < self.environments.len() {
            let before = lanes.len();
            for (name, environment) in &self.environments {
                let ready = environment
                    .follows
                    .as_ref()
                    .is_none_or(|f| lanes.contains(&f));
                if ready && !lanes.contains(&name) {
                    lanes.push(name);
                }
            }
            if lanes.len() == before {
                break; // a cycle, which `check` refuses
            }
        }
        lanes
    }

    /// The secrets that a deploy to `environment` needs, whatever else the manifest mentions.
    pub fn secrets_of_deploy(&self, environment: &EnvName) -> BTreeSet<&SecretName> {
        let mut found = BTreeSet::new();
        let Some(place) = self.environments.get(environment) else {
            return found;
        };
        for registry in &self.registries {
            found.extend(
                [&registry.username, &registry.password]
                    .into_iter()
                    .flatten()
                    .filter_map(Value::secret),
            );
        }
        for (name, component) in &self.components {
            let Container { env, hosts, .. } = &component.container;
            found.extend(env.values().chain(hosts.values()).filter_map(Value::secret));
            if let Some(host) = place.hosts.get(&component.host_or(name)) {
                found.extend(host.secrets());
            }
        }
        found.extend(place.vars.values().filter_map(Value::secret));
        for component in self.components.values() {
            let Some(test) = &component.test else {
                continue;
            };
            let services = test
                .services
                .values()
                .flat_map(|service| service.env.values());
            found.extend(test.env.values().chain(services).filter_map(Value::secret));
        }
        if let Some(Notify { slack, webhook }) = self.notify_of(environment) {
            let webhook = webhook.iter().flat_map(|hook| [&hook.url, &hook.secret]);
            found.extend(slack.iter().chain(webhook).filter_map(Value::secret));
        }
        found
    }

    /// Who is told of runs to `environment`.
    pub fn notify_of(&self, environment: &EnvName) -> Option<&Notify> {
        self.environments
            .get(environment)
            .and_then(|place| place.notify.as_ref())
            .or(self.notify.as_ref())
    }
}

impl Component {
    /// The host that it runs on; `name` is the component's own name.
    pub fn host_or(&self, name: &ComponentName) -> HostName {
        self.host.clone().unwrap_or_else(|| name.into())
    }
}

impl Host {
    /// The secrets that signing in takes.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        let login: Vec<&Value> = match &self.login {
            HostLogin::Password(password) => vec![password],
            HostLogin::Key { key, passphrase } => std::iter::once(key).chain(passphrase).collect(),
            HostLogin::Agent => vec![],
        };
        [&self.address, &self.user]
            .into_iter()
            .chain(&self.host_key)
            .chain(login)
            .filter_map(Value::secret)
    }
}
