//! A project, its repository, a droplet, a Slack, and the portal that looks after them.
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use adapters::secrets::Source;
use domain::audit::{Door, Origin};
use domain::log::{LogLine, Stream};
use domain::policy::{Actor, ActorName, Membership, Role};
use domain::run::{Failure, RunState, StepState};
use domain::step::StepKind;
use domain::view::RunView;
use domain::{EnvName, Login, ProjectName, RunId, StepId};
use lab::Lab;
use lab::serving::Serving;
use portal::{Config, DeployRequest, GithubConfig, LogRange, Portal};

use crate::Droplet;
use crate::app::{App, Repository};
use crate::road::Road;
use crate::watch::{Watch, get};

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
    /// The registry, as `address/path`; the lab's first one where absent.
    pub registry: Option<String>,
    /// Pushes to the lab's second registry too.
    pub two_registries: bool,
    /// The branch.
    pub branch: &'static str,
    /// Whether a file is rendered for the container.
    pub greeting: bool,
}

impl Spec {
    /// An ordinary one.
    pub fn new(name: &'static str, port: u16) -> Self {
        Self {
            name,
            port,
            droplet: "dev-backend",
            attempts: 20,
            build: "",
            container: "",
            registry: None,
            two_registries: false,
            branch: "main",
            greeting: false,
        }
    }
}

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

/// A run that has ended.
pub struct Ended {
    /// All about it.
    pub view: RunView,
    /// The log of each step.
    pub logs: Vec<Vec<LogLine>>,
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
            .shell(&format!("rm -rf {place}; {ours} {place}"))
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

    fn projects(&self) -> PathBuf {
        self.folder().join("projects")
    }

    fn write_manifest(&self) {
        let Spec {
            name,
            port,
            attempts,
            build,
            container,
            branch,
            ..
        } = &self.spec;
        let (place, road) = (self.place(), self.road.address);
        let (user, key) = (
            &self.droplet.described.user,
            &self.droplet.described.host_key,
        );
        let [first, second] = &self.lab.registries[..] else {
            panic!("the lab has two registries");
        };
        let first = (self.spec.registry.clone()).unwrap_or(format!("{}/faults", first.address));
        let mut registries = vec![("docr", first)];
        if self.spec.two_registries {
            registries.push(("ghcr", format!("{}/faults", second.address)));
        }
        let mut text =
            format!("name = \"{name}\"\ntitle = \"Faults\"\nrepository = \"faults/app\"\n");
        for (registry, prefix) in registries {
            let upper = registry.to_uppercase();
            let _ = write!(
                text,
                "[[registries]]\nname = \"{registry}\"\nprefix = \"{prefix}\"\nusername = \"secret:{upper}_USER\"\npassword = \"secret:{upper}_PASSWORD\"\n"
            );
        }
        let (files, volume) = match self.spec.greeting {
            true => (
                format!("files = [{{ path = \"{place}/text\", template = \"greeting\" }}]\n"),
                format!("volumes = [\"{place}:/greeting:ro\"],"),
            ),
            false => (String::new(), String::new()),
        };
        let _ = write!(
            text,
            r#"
[components.web]
host = "server"
image = "{name}"
build = {{ context = ".", dockerfile = "dockerfile", {build} }}
container = {{ name = "faults-{name}", ports = ["{port}:8000"], stop_timeout = "3s", {volume} {container} }}
health = {{ url = "http://localhost:{port}/", attempts = {attempts}, every = "1s" }}
{files}
[notify]
slack = "secret:SLACK_WEBHOOK_URL"
[environments.dev]
branch = "{branch}"
secrets = "DEV_"
hosts.server = {{ address = "{}", port = {}, user = "{user}", password = "secret:SSH_PASSWORD", host_key = "{key}" }}
"#,
            road.ip(),
            road.port(),
        );
        // `key = value, }` is what an empty addition leaves behind; TOML 1.0 wants no comma before the brace.
        let mut text = text.replace("  }", " }");
        while let Some(at) = text.find(", }") {
            text.replace_range(at..at + 3, " }");
        }
        std::fs::create_dir_all(self.projects()).unwrap();
        std::fs::write(self.projects().join(format!("{name}.toml")), text).unwrap();
    }

    /// Writes the secrets: what the lab says, except for these. An empty value leaves a name out.
    pub fn write_secrets(&self, except: &[(&str, &str)]) {
        let password = self
            .droplet
            .described
            .password
            .clone()
            .expect("a droplet with a password");
        let mut secrets = vec![
            ("DEV_SSH_PASSWORD".to_owned(), password),
            (
                "SLACK_WEBHOOK_URL".to_owned(),
                format!("http://{}/services/T0/B0/faults", self.slack.address()),
            ),
        ];
        for (name, registry) in ["DOCR", "GHCR"].iter().zip(&self.lab.registries) {
            secrets.push((format!("{name}_USER"), registry.username.clone()));
            secrets.push((format!("{name}_PASSWORD"), registry.password.clone()));
        }
        let mut text = String::new();
        for (name, value) in secrets {
            let value = except
                .iter()
                .find(|(other, _)| *other == name)
                .map_or(value.as_str(), |(_, value)| value);
            if !value.is_empty() {
                let _ = writeln!(text, "{name}={value}");
            }
        }
        let path = self.folder().join("secrets.env");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
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

    /// Somebody who uses the app from now on.
    pub fn watch(&self) -> Watch {
        Watch::start(self.address())
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

    async fn messages(&self) -> Vec<String> {
        let (_, body) = get(self.slack.address(), "/messages").await.unwrap();
        let messages: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
        messages.iter().map(ToString::to_string).collect()
    }

    /// Takes from the droplet what the test put there. Not in `Drop`: what a failed test left is worth a look.
    pub async fn close(self) {
        self.droplet.clear(&self.container()).await;
        self.droplet
            .shell(&format!("rm -rf {}", self.place()))
            .await;
    }
}

/// What a portal with its folder here is told.
pub fn config(folder: &Path) -> Config {
    let nowhere = "http://127.0.0.1:9".parse::<url::Url>().unwrap();
    Config {
        public_url: "http://localhost:3000".parse().unwrap(),
        database: format!("sqlite://{}", folder.join("portal/fairlead.db").display()).into(),
        data_dir: folder.join("portal"),
        projects_dir: folder.join("projects"),
        builder: "unix:///var/run/docker.sock".into(),
        github: GithubConfig {
            url: format!("file://{}", folder.join("git").display())
                .parse()
                .unwrap(),
            api_url: nowhere,
            client_id: "none".into(),
            client_secret: "GITHUB_CLIENT_SECRET".into(),
            token: "GITHUB_TOKEN".into(),
        },
        secrets: vec![Source::File(folder.join("secrets.env"))],
        members: Vec::new(),
    }
}

/// Waits until `run` is as `wanted`, and fails with what it was instead.
pub async fn until(portal: &Portal, run: RunId, wanted: impl Fn(&RunView) -> bool) -> RunView {
    let limit = Instant::now() + Duration::from_secs(150);
    let mut bell = portal.bell_of_run(&lead(), run).await.unwrap();
    loop {
        bell.borrow_and_update();
        let view = portal.run(&lead(), run).await.unwrap();
        if wanted(&view) {
            return view;
        }
        assert!(
            !view.row.state.is_final() && Instant::now() < limit,
            "{view:#?}"
        );
        // The bell is rung for lines as well as for events; the timer covers what is not of this run.
        let _ = tokio::time::timeout(Duration::from_millis(200), bell.changed()).await;
    }
}

/// Waits until the log of a step holds the text.
pub async fn until_said(portal: &Portal, run: RunId, step: StepId, text: &str) {
    let limit = Instant::now() + Duration::from_secs(60);
    let mut bell = portal.bell_of_run(&lead(), run).await.unwrap();
    loop {
        bell.borrow_and_update();
        let found = portal.search_log(&lead(), run, step, text).await.unwrap();
        if !found.lines.is_empty() {
            return;
        }
        assert!(Instant::now() < limit, "nobody said {text:?}");
        let _ = tokio::time::timeout(Duration::from_millis(200), bell.changed()).await;
    }
}

/// Waits for the end of a run and takes all that is known of it.
pub async fn ended(portal: &Portal, run: RunId) -> Ended {
    let view = until(portal, run, |view| view.row.state.is_final()).await;
    let mut logs = Vec::new();
    for planned in &view.plan.steps {
        let all = LogRange::After(0);
        let page = portal
            .log(&lead(), run, planned.id, all, 100_000)
            .await
            .unwrap();
        logs.push(page.lines);
    }
    Ended { view, logs }
}

impl Ended {
    /// How it ended.
    pub fn state(&self) -> RunState {
        self.view.row.state
    }

    /// All of it, for a message of a failing test.
    pub fn story(&self) -> String {
        let mut story = format!("{:?}\n", self.state());
        for ((planned, step), log) in self
            .view
            .plan
            .steps
            .iter()
            .zip(&self.view.steps)
            .zip(&self.logs)
        {
            let _ = writeln!(story, "{}: {:?}", planned.step.title(), step.state);
            for line in log {
                let _ = writeln!(story, "    {:?} {}", line.stream, line.text);
            }
        }
        story
    }

    /// Checks that it succeeded.
    pub fn succeeded(&self) {
        assert_eq!(self.state(), RunState::Succeeded, "{}", self.story());
    }

    /// The step of this kind: its place in the plan.
    pub fn step(&self, kind: fn(&StepKind) -> bool) -> StepId {
        step(&self.view, kind)
    }

    /// Checks that the run failed in that step, and that what it says holds all of these; gives the failure.
    pub fn failed(&self, kind: fn(&StepKind) -> bool, says: &[&str]) -> &Failure {
        assert_eq!(self.state(), RunState::Failed, "{}", self.story());
        let id = self.step(kind);
        let StepState::Failed { failure } = &self.view.steps[id.index()].state else {
            panic!("{}", self.story());
        };
        let whole = format!("{}; {}", failure.what, failure.advice);
        for said in says {
            assert!(
                whole.contains(said),
                "{said:?} is not in {whole:?}\n{}",
                self.story()
            );
        }
        // The same is in the log, where people look first.
        let logged = self.logs[id.index()]
            .iter()
            .any(|line| line.text.contains(&failure.what));
        assert!(logged, "{}", self.story());
        failure
    }

    /// The lines that a program wrote in a step to a stream.
    pub fn lines(&self, step: StepId, stream: Stream) -> Vec<&str> {
        let lines = self.logs[step.index()].iter();
        lines
            .filter(|line| line.stream == stream)
            .map(|line| line.text.as_str())
            .collect()
    }
}

/// The first step of this kind.
pub fn step(view: &RunView, kind: fn(&StepKind) -> bool) -> StepId {
    let found = view.plan.steps.iter().find(|planned| kind(&planned.step));
    found.expect("the plan has such a step").id
}

/// Kinds of step, for [`Ended::failed`] and its like.
pub mod kind {
    use domain::step::StepKind;

    /// A build.
    pub fn build(kind: &StepKind) -> bool {
        matches!(kind, StepKind::Build { .. })
    }

    /// A push.
    pub fn push(kind: &StepKind) -> bool {
        matches!(kind, StepKind::Push { .. })
    }

    /// A deploy.
    pub fn deploy(kind: &StepKind) -> bool {
        matches!(kind, StepKind::Deploy { .. })
    }

    /// The notification.
    pub fn notify(kind: &StepKind) -> bool {
        matches!(kind, StepKind::Notify)
    }
}
