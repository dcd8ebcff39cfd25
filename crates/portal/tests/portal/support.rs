//! A portal of its own for each test: temporary folders, SQLite, a repository made by the git program, secrets from
//! a private file, the GitHub stand-in where somebody signs in.
use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use adapters::secrets::Source;
use domain::audit::{AuditEvent, Chain, Door, Origin};
use domain::policy::{Actor, ActorName, Membership, Role};
use domain::run::{Failure, Next, Run, RunEvent, RunState};
use domain::step::{Outcome, StepKind};
use domain::{ComponentName, Digest, EnvName, Login, Ms, ProjectName, RunId, Sha};
use lab::serving::Serving;
use portal::{Builder, Config, DeployRequest, Error, GithubConfig, MemberRule, Portal, Who};
use store::{Claim, Store, StoreUrl};

/// One component, two registries, `dev` for everybody and `prod` for leads.
pub const MANIFEST: &str = r#"
name = "shop"
title = "The shop"
repository = "acme/shop"

[[registries]]
name = "hub"
prefix = "hub.example/acme"
username = "secret:HUB_USER"
password = "secret:HUB_PASSWORD"
[[registries]]
name = "spare"
prefix = "spare.example/acme"

[components.web]
image = "shop-web"
build = { context = ".", dockerfile = "dockerfile" }
container = { name = "shop-web" }

[environments.dev]
branch = "development"
secrets = "DEV_"
[environments.dev.hosts.web]
address = "secret:HOST"
user = "deploy"
password = "secret:SSH_PASSWORD"
host_key = "SHA256:xwD+Efnhb6IYiqXNrV5PaXQKg+Eo9azHXPwIrjuN8TI"

[environments.prod]
branch = "main"
follows = "dev"
deploy = "lead"
secrets = "PROD_"
[environments.prod.hosts.web]
address = "secret:HOST"
user = "deploy"
password = "secret:SSH_PASSWORD"
host_key = "SHA256:+qumaQvjxD9GZwtz0FOrm8u2i5dXkQ7wFHyU+7UeEpE"

[notify]
slack = "secret:SLACK"
"#;

/// Words that must never be read anywhere but where they are used.
pub const SECRETS: &str = "\
GITHUB_CLIENT_SECRET=hunter2-oauth
GITHUB_TOKEN=hunter2-token
HUB_USER=hunter2-user
HUB_PASSWORD=hunter2-password
DEV_HOST=hunter2-dev.example
PROD_HOST=hunter2-prod.example
SSH_PASSWORD=hunter2-ssh
SLACK=http://127.0.0.1:9/hunter2-hook
";

/// A portal with all that it stands on.
pub struct TestPortal {
    pub portal: Portal,
    /// The same database, to move runs and to look behind the portal.
    pub store: Store,
    pub config: Config,
    pub root: tempfile::TempDir,
    /// Where people sign in; dropping it takes GitHub down.
    pub github: Option<Serving>,
}

impl TestPortal {
    /// With the project `shop`.
    pub async fn new() -> Self {
        Self::with(&[("shop", MANIFEST)]).await
    }

    /// With these manifests.
    pub async fn with(manifests: &[(&str, &str)]) -> Self {
        let root = Self::root(manifests);
        let config = config(root.path(), None);
        Self::open(root, config, None).await
    }

    /// With the project `shop` and images that are built here.
    pub async fn with_builder(builder: Builder) -> Self {
        let root = Self::root(&[("shop", MANIFEST)]);
        let config = Config {
            builder,
            ..config(root.path(), None)
        };
        Self::open(root, config, None).await
    }

    /// With the project `shop` and a GitHub where `lena` and `ada` lead, `dev` develops, `vera` looks, and `omar` is
    /// in no team.
    pub async fn with_github() -> Self {
        let root = Self::root(&[("shop", MANIFEST)]);
        let github = lab::github::serve(lab::github::Config {
            listen: ([127, 0, 0, 1], 0).into(),
            public_url: None,
            repositories_dir: root.path().join("repositories"),
            client_id: "fairlead".into(),
            client_secret: "hunter2-oauth".to_owned().into(),
            token: "hunter2-token".to_owned().into(),
            webhook_secret: "hunter2-webhook".to_owned().into(),
            webhook_url: None,
            people: lab::github::Directory::of_the_lab(),
        })
        .await
        .unwrap();
        let url = format!("http://{}", github.address());
        let config = config(root.path(), Some(&url));
        Self::open(root, config, Some(github)).await
    }

    fn root(manifests: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("projects")).unwrap();
        for (name, text) in manifests {
            std::fs::write(root.path().join(format!("projects/{name}.toml")), text).unwrap();
        }
        write_secrets(root.path(), SECRETS);
        let repository = root.path().join("repositories/acme/shop.git");
        std::fs::create_dir_all(&repository).unwrap();
        git(&repository, &["init", "--quiet", "--bare"]);
        let work = root.path().join("work");
        std::fs::create_dir_all(&work).unwrap();
        git(&work, &["init", "--quiet", "--initial-branch=development"]);
        git(
            &work,
            &["remote", "add", "origin", repository.to_str().unwrap()],
        );
        root
    }

    async fn open(root: tempfile::TempDir, config: Config, github: Option<Serving>) -> Self {
        let portal = Portal::open(config.clone()).await.unwrap();
        let store = Store::open_beside(&StoreUrl::sqlite(database(root.path())))
            .await
            .unwrap();
        let world = Self {
            portal,
            store,
            config,
            root,
            github,
        };
        world.commit("First", &[("dockerfile", "FROM scratch\n")]);
        world.push("development:main");
        world
    }

    pub fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// Commits to `development` and pushes it.
    pub fn commit(&self, title: &str, files: &[(&str, &str)]) -> Sha {
        for (path, text) in files {
            std::fs::write(self.work().join(path), text).unwrap();
        }
        git(&self.work(), &["add", "--all"]);
        git(
            &self.work(),
            &["commit", "--quiet", "--allow-empty", "-m", title],
        );
        self.push("development");
        Sha::parse(git(&self.work(), &["rev-parse", "HEAD"])).unwrap()
    }

    pub fn push(&self, what: &str) {
        git(
            &self.work(),
            &["push", "--quiet", "--force", "origin", what],
        );
    }

    pub fn manifest_file(&self, project: &str) -> PathBuf {
        self.config.projects_dir.join(format!("{project}.toml"))
    }

    /// Writes a project's file and lets the portal look at it. The portal looks once per second at most.
    pub async fn rewrite(&self, project: &str, text: &str) {
        std::fs::write(self.manifest_file(project), text).unwrap();
        self.look().await;
    }

    /// Lets the portal look at the projects folder again.
    pub async fn look(&self) {
        tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
        self.portal.reload_manifests().await.unwrap();
    }

    /// The newest commit of `development` to `dev`, asked for by `lena`.
    pub async fn deploy(&self) -> RunId {
        let request = to("dev");
        let asked = self.portal.deploy(&lead(), origin(), request).await;
        asked.unwrap()
    }

    /// The next run that one more portal would take up.
    pub async fn claim(&self) -> Option<Claim> {
        static PORTALS: AtomicU32 = AtomicU32::new(0);
        let owner = format!("portal-{}", PORTALS.fetch_add(1, Ordering::Relaxed));
        let held = HashSet::new();
        self.store
            .claim(&owner, now(), 60_000, &held)
            .await
            .unwrap()
    }

    /// The run that is taken up now, already started.
    pub async fn start(&self) -> Claim {
        let claim = self.claim().await.expect("there should be a run to drive");
        self.tell(&claim, RunEvent::Started).await;
        claim
    }

    /// Adds an event to a run that was claimed.
    pub async fn tell(&self, claim: &Claim, event: RunEvent) {
        let seq = self.run(claim.run).await.seq;
        let stored = self.store.append(claim, seq, &event, now()).await;
        stored.unwrap();
    }

    pub async fn run(&self, id: RunId) -> Run {
        self.store.load_run(id).await.unwrap().run().unwrap()
    }

    pub async fn state(&self, id: RunId) -> RunState {
        self.run(id).await.state
    }

    /// Drives the next run to its end as the engine would; `works` says for which kinds of step a try succeeds.
    pub async fn drive(&self, works: impl Fn(&StepKind) -> bool) -> RunState {
        let claim = self.start().await;
        self.drive_on(&claim, works).await
    }

    /// Drives a run that was started.
    pub async fn drive_on(&self, claim: &Claim, works: impl Fn(&StepKind) -> bool) -> RunState {
        loop {
            let run = self.run(claim.run).await;
            if run.state.is_final() {
                return run.state;
            }
            for next in run.next(now()) {
                match next {
                    Next::Start(step, attempt) => {
                        let kind = &run.plan.steps[step.index()].step;
                        self.tell(claim, RunEvent::StepStarted { step, attempt })
                            .await;
                        let event = if works(kind) {
                            let outcome = outcome(kind);
                            RunEvent::StepSucceeded { step, outcome }
                        } else {
                            let failure = failure();
                            RunEvent::StepFailed { step, failure }
                        };
                        self.tell(claim, event).await;
                    }
                    Next::Skip(step, because) => {
                        self.tell(claim, RunEvent::StepSkipped { step, because })
                            .await;
                    }
                    Next::Cancel(step) => self.tell(claim, RunEvent::StepCancelled { step }).await,
                    Next::Finish => self.tell(claim, RunEvent::Finished).await,
                }
            }
        }
    }

    /// Every audit event, chain by chain, after the chains were checked.
    pub async fn trail(&self) -> Vec<AuditEvent> {
        let mut trail = Vec::new();
        for head in self.store.audit_heads().await.unwrap() {
            self.store.verify_audit(&head).await.unwrap();
            let mut events = self
                .store
                .audit_page(&head.chain, None, 1_000)
                .await
                .unwrap();
            events.reverse();
            trail.extend(events);
        }
        trail
    }

    /// The events of the project's own chain.
    pub async fn trail_of(&self, name: &str) -> Vec<AuditEvent> {
        let chain = Chain::Project(project(name));
        self.store.audit_page(&chain, None, 1_000).await.unwrap()
    }

    /// What a denied verb must leave as it is: the trail, the runs with their events, the tokens, the sessions.
    pub async fn everything(&self) -> String {
        let mut all = format!("{:?}", self.store.audit_heads().await.unwrap());
        for row in self
            .store
            .runs(&Default::default(), None, 1_000)
            .await
            .unwrap()
        {
            all += &format!("{:?}", self.store.load_run(row.id).await.unwrap());
        }
        let open = self.store.open_deliveries(now()).await.unwrap();
        let due = self.store.messages_due(now()).await.unwrap();
        all += &format!("{open:?} {due:?}");
        all += &format!("{:?}", self.store.tokens().await.unwrap());
        all + &format!("{:?}", self.store.people(now()).await.unwrap())
    }
}

fn config(root: &Path, github: Option<&str>) -> Config {
    let file = format!("file://{}", root.join("repositories").display());
    let member = |team: &str, role| MemberRule {
        project: Some(project("shop")),
        role,
        who: Who::Team(format!("meats-central/{team}")),
    };
    Config {
        public_url: "http://localhost:3000".parse().unwrap(),
        database: format!("sqlite://{}", database(root).display()).into(),
        data_dir: root.join("data"),
        projects_dir: root.join("projects"),
        builder: Builder::Socket("unix:///nowhere/docker.sock".into()),
        github: GithubConfig {
            url: github.unwrap_or(&file).parse().unwrap(),
            api_url: format!("{}/api/v3", github.unwrap_or("http://127.0.0.1:9"))
                .parse()
                .unwrap(),
            client_id: "fairlead".into(),
            client_secret: "GITHUB_CLIENT_SECRET".into(),
            token: "GITHUB_TOKEN".into(),
        },
        secrets: vec![Source::File(root.join("secrets.env"))],
        members: vec![
            member("leads", Role::Lead),
            member("developers", Role::Developer),
            member("viewers", Role::Viewer),
        ],
    }
}

fn database(root: &Path) -> PathBuf {
    root.join("data/fairlead.db")
}

/// Writes the secrets file, for its owner alone.
pub fn write_secrets(root: &Path, text: &str) {
    let path = root.join("secrets.env");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

pub fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(dir).args(args);
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), "Lena Brandt")
            .env(format!("GIT_{role}_EMAIL"), "lena@meatscentral.example");
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub fn now() -> Ms {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Ms(i64::try_from(since.as_millis()).unwrap())
}

pub fn origin() -> Origin {
    Origin {
        door: Door::Web,
        address: Some("192.0.2.7".into()),
        request: Some("r-1".into()),
    }
}

pub fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).unwrap()
}

pub fn env(name: &str) -> EnvName {
    EnvName::parse(name).unwrap()
}

pub fn component(name: &str) -> ComponentName {
    ComponentName::parse(name).unwrap()
}

pub fn login(name: &str) -> Login {
    Login::parse(name).unwrap()
}

pub fn digest() -> Digest {
    Digest::parse(format!("sha256:{}", "d".repeat(64))).unwrap()
}

/// Somebody with these roles; a role in no named project holds in all.
pub fn somebody(name: &str, roles: &[(Option<&str>, Role)]) -> Actor {
    let memberships = roles.iter().map(|(in_project, role)| Membership {
        project: in_project.map(project),
        role: *role,
    });
    Actor {
        name: ActorName::Person { login: login(name) },
        memberships: memberships.collect(),
    }
}

pub fn lead() -> Actor {
    somebody("lena", &[(Some("shop"), Role::Lead)])
}

pub fn admin() -> Actor {
    somebody("root", &[(None, Role::Admin)])
}

/// The newest commit to an environment of `shop`.
pub fn to(environment: &str) -> DeployRequest {
    DeployRequest {
        project: project("shop"),
        environment: env(environment),
        commit: None,
        reason: None,
        override_tests: false,
        rebuild: false,
        manifest: None,
    }
}

/// Whether somebody may not: a role too low, or a project that they must not know of.
pub fn is_no(error: &Error) -> bool {
    matches!(error, Error::Denied(_) | Error::NotFound(_))
}

pub fn outcome(step: &StepKind) -> Outcome {
    match step {
        StepKind::Checkout | StepKind::Notify => Outcome::Done,
        StepKind::Lint { .. } => Outcome::Linted { warnings: 0 },
        StepKind::Test { .. } => Outcome::Tested {
            passed: None,
            skipped: None,
        },
        StepKind::Migrate { .. } => Outcome::Migrated {
            before: None,
            after: None,
        },
        StepKind::Build { .. } => Outcome::Built {
            image: "sha256:image".into(),
        },
        StepKind::Push { .. } | StepKind::Tag { .. } => Outcome::Pushed {
            digest: digest(),
            bytes: Some(61_300_000),
        },
        StepKind::Deploy { .. } => Outcome::Deployed {
            container: "c0ffee".into(),
            digest: digest(),
            replaced: None,
        },
    }
}

pub fn failure() -> Failure {
    Failure {
        what: "the host did not answer".into(),
        advice: "look after it".into(),
        undone: None,
        counts_always: false,
    }
}
