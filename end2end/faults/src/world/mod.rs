//! A project, its repository, a droplet, a Slack, and the portal that looks after them.
mod files;
mod runs;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use adapters::docker::Engine;
use adapters::registry::Credentials;
use domain::audit::{Door, Origin};
use domain::policy::{Actor, ActorName, Membership, Role};
use domain::report::Artifact;
use domain::{EnvName, Login, ProjectName, RunId};
use lab::Lab;
use lab::serving::Serving;
use portal::{Config, DeployRequest, Portal};
use secrecy::ExposeSecret as _;
use store::{Store, StoreUrl};

pub use files::config;
pub use runs::{Ended, ended, ended_within, kind, step, until, until_said};

use crate::Droplet;
use crate::app::{App, PYTHON, Repository};
use crate::droplet::clear_builder;
use crate::road::Road;
use crate::watch::{Watch, get, post};

/// Enough attempts for a program that works on a machine that has much else to do.
pub const HEALTHY: u32 = 60;

/// What a test sets about its world.
pub struct Spec {
    /// The project; its container is called `faults-<name>`.
    pub name: &'static str,
    /// The port on the droplet, one for each test.
    pub port: u16,
    /// A droplet that is signed in to by password.
    pub droplet: &'static str,
    /// How often a second the app is asked for its health.
    pub attempts: u32,
    /// Into `build = { … }`.
    pub build: &'static str,
    /// Into `container = { … }`.
    pub container: &'static str,
    /// More lines of the component.
    pub component: &'static str,
    /// The registry, as `address/path`; the lab's first one where absent.
    pub registry: Option<String>,
    /// Pushes to the lab's second registry too.
    pub two_registries: bool,
    /// Whether one of them is enough.
    pub one_is_enough: bool,
    /// The branch.
    pub branch: &'static str,
    /// Whether the workflow files are checked.
    pub lint: bool,
    /// Whether a file is rendered for the container.
    pub greeting: bool,
    /// Where the program is that is told besides Slack.
    pub receiver: Option<SocketAddr>,
    /// Into `migrate = { … }`; no migration where empty.
    pub migrate: String,
    /// At the end of the manifest.
    pub more: &'static str,
    /// The lines of `[components.web.test]` and what is below it; empty for no tests.
    pub test: &'static str,
}

impl Spec {
    /// An ordinary one.
    pub fn new(name: &'static str, port: u16) -> Self {
        Self {
            name,
            port,
            droplet: "dev-backend",
            attempts: HEALTHY,
            build: "",
            container: "",
            component: "",
            registry: None,
            two_registries: false,
            one_is_enough: false,
            branch: "main",
            lint: false,
            greeting: false,
            receiver: None,
            migrate: String::new(),
            more: "",
            test: "",
        }
    }
}

/// What the program that is told besides Slack checks signatures with.
pub const HOOK_SECRET: &str = "hush";

/// Everything that a test needs.
pub struct World {
    /// What was set.
    pub spec: Spec,
    /// The lab.
    pub lab: Lab,
    /// Where the app goes.
    pub droplet: Droplet,
    /// The way to the droplet's sshd.
    pub road: Road,
    /// The app's source.
    pub repository: Repository,
    slack: Serving,
    folder: tempfile::TempDir,
}

/// Somebody who may do everything here.
pub fn lead() -> Actor {
    let login = Login::parse("lena").unwrap();
    Actor {
        name: ActorName::Person { login },
        memberships: vec![Membership {
            project: None,
            role: Role::Lead,
        }],
    }
}

/// Where the tests' requests come from.
pub fn origin() -> Origin {
    Origin {
        door: Door::Api,
        address: None,
        request: None,
    }
}

impl World {
    /// The world of a test, without leftovers of an earlier one.
    pub async fn new(spec: Spec) -> Self {
        let lab = Lab::load().expect("these tests need the lab: start it with `make lab`");
        let droplet = Droplet {
            described: lab.droplets[spec.droplet].clone(),
        };
        droplet.clear(&format!("faults-{}", spec.name)).await;
        droplet.forget_images(spec.name).await;
        clear_builder(spec.name).await;
        let road = Road::new(([127, 0, 0, 1], 0).into(), droplet.sshd()).await;
        let slack = lab::slack::Config {
            listen: ([127, 0, 0, 1], 0).into(),
        };
        let folder = tempfile::tempdir().unwrap();
        let world = Self {
            repository: Repository::create(&folder.path().join("git")),
            slack: lab::slack::serve(slack).await.unwrap(),
            spec,
            lab,
            droplet,
            road,
            folder,
        };
        let place = world.place();
        let ours = "install -d -o django -g django";
        world
            .droplet
            .shell(&format!(
                "umount --lazy {place} 2>/dev/null; rm -rf {place}; {ours} {place}"
            ))
            .await;
        world.write("templates/greeting", "hello from {{ environment }}\n");
        world.write_manifest();
        world.write_secrets(&[]);
        world
    }

    /// The folder of the portal of this world.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The project's name.
    pub fn project(&self) -> ProjectName {
        ProjectName::parse(self.spec.name).unwrap()
    }

    /// The name of its container.
    pub fn container(&self) -> String {
        format!("faults-{}", self.spec.name)
    }

    /// A folder of its own on the droplet.
    pub fn place(&self) -> String {
        format!("/home/django/faults-{}", self.spec.name)
    }

    /// Where the app answers.
    pub fn address(&self) -> SocketAddr {
        (self.droplet.described.address, self.spec.port).into()
    }

    /// Writes a file of the project, such as a template.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.projects().join(self.spec.name).join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Sets something anew: what is clicked from now on is planned from the manifest so written.
    pub async fn rewrite(&mut self, change: impl FnOnce(&mut Spec)) {
        change(&mut self.spec);
        self.write_manifest();
        // A portal looks at its files once a second at most.
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }

    /// Puts the image with Python into the lab's first registry, from where it can be had with an account only, and gives
    /// its name there. This machine's engine then does not know it by that name.
    pub async fn private_base(&self, tag: &str) -> &'static str {
        let registry = &self.lab.registries[0];
        let name = format!("{}/faults/base:{tag}", registry.address);
        let account = Credentials {
            username: registry.username.clone().into(),
            password: registry.password.clone().into(),
        };
        let engine = Engine::local(lab::DOCKER_HOST).unwrap();
        engine.tag(PYTHON, &name).await.unwrap();
        engine.push(&name, Some(&account), |_| {}).await.unwrap();
        engine.remove_image(&name).await.unwrap();
        Box::leak(name.into_boxed_str())
    }

    /// What a portal of this world is told.
    pub fn config(&self) -> Config {
        config(self.folder())
    }

    /// A portal in this process, not yet at work.
    pub async fn portal(&self) -> Portal {
        Portal::open(self.config()).await.unwrap()
    }

    /// The request to deploy the branch's newest commit.
    pub fn request(&self) -> DeployRequest {
        DeployRequest {
            project: self.project(),
            environment: EnvName::parse("dev").unwrap(),
            commit: None,
            reason: Some("a test".into()),
            override_tests: false,
            rebuild: false,
            manifest: None,
        }
    }

    /// Commits an app and asks for its deploy.
    pub async fn start(&self, portal: &Portal, app: &App) -> RunId {
        self.repository.commit(app);
        portal
            .deploy(&lead(), origin(), self.request())
            .await
            .unwrap()
    }

    /// Commits an app, deploys it and waits for the end.
    pub async fn deploy(&self, portal: &Portal, app: &App) -> Ended {
        let run = self.start(portal, app).await;
        ended(portal, run).await
    }

    /// The same with an app that works, which then serves.
    pub async fn deploy_first(&self, portal: &Portal) -> Ended {
        let first = self.deploy(portal, &App::fine("v1")).await;
        first.succeeded();
        assert_eq!(self.serves().await.as_deref(), Some("v1"));
        first
    }

    /// The version that answers with 200.
    pub async fn serves(&self) -> Option<String> {
        match get(self.address(), "/").await {
            Some((200, version)) => Some(version),
            _ => None,
        }
    }

    /// Waits until this version answers: a container that was started again needs a moment until its program listens.
    pub async fn until_serves(&self, version: &str) {
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            let serves = self.serves().await;
            if serves.as_deref() == Some(version) {
                return;
            }
            assert!(
                Instant::now() < limit,
                "{version} does not serve, but {serves:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Somebody who uses the app from now on.
    pub fn watch(&self) -> Watch {
        Watch::start(self.address())
    }

    /// What the steps of a run left.
    pub async fn artifacts(&self, run: RunId) -> Vec<Artifact> {
        let url: Result<StoreUrl, _> = config(self.folder()).database.expose_secret().parse();
        let store = Store::open_beside(&url.unwrap()).await.unwrap();
        store.artifacts(run).await.unwrap()
    }

    /// The containers of this world on the droplet.
    pub async fn containers(&self) -> Vec<(String, String)> {
        self.droplet.containers(&self.container()).await
    }

    /// How many messages Slack got, and what the last one says.
    pub async fn told(&self) -> (usize, String) {
        let messages = self.messages().await;
        let last = messages.last().cloned().unwrap_or_default();
        (messages.len(), last)
    }

    /// How many messages Slack got about one run.
    pub async fn told_of(&self, run: i64) -> usize {
        let link = format!("/runs/{run}|");
        let messages = self.messages().await;
        messages
            .iter()
            .filter(|message| message.contains(&link))
            .count()
    }

    /// Makes Slack's next answers go wrong, as the stand-in's `/_lab/fail` takes it: `next=500&times=2`.
    pub async fn slack_fails(&self, order: &str) {
        let path = format!("/_lab/fail?{order}");
        let answer = post(self.slack.address(), &path).await;
        assert!(answer.is_some_and(|(status, _)| status < 300), "{order}");
    }

    async fn messages(&self) -> Vec<String> {
        let (_, body) = get(self.slack.address(), "/messages").await.unwrap();
        let messages: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
        messages.iter().map(ToString::to_string).collect()
    }

    /// Takes away what the test put on the droplet and on the builder. Not in `Drop`: what a failed test left is worth
    /// a look, and the next world of this name begins with the same.
    pub async fn close(self) {
        self.droplet.clear(&self.container()).await;
        self.droplet.forget_images(self.spec.name).await;
        clear_builder(self.spec.name).await;
        self.droplet
            .shell(&format!("rm -rf {}", self.place()))
            .await;
    }
}
