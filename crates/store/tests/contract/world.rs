//! A store of its own for each story, and the few things that every story needs: a plan, a grant, a run.
use std::collections::HashSet;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicU32, Ordering};

use domain::audit::{Change, Door, Origin};
use domain::plan::{Commit, Plan, RunKind};
use domain::policy::{Action, Actor, ActorName, Grant, Membership, Role, allow};
use domain::release::TreeKey;
use domain::run::RunEvent;
use domain::step::{Outcome, PlannedStep, Retry, StepKind};
use domain::{
    ComponentName, Digest, EnvName, HostName, Login, Ms, ProjectName, RunId, Sha, StepId,
    manifest::Span,
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use store::{Claim, NewRun, Note, Store, StoreUrl};
use tempfile::TempDir;

/// `stories!(name, …)`: each story as a test on both databases.
macro_rules! stories {
    ($($story:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::$story($crate::world::World::sqlite().await).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                if let Some(world) = $crate::world::World::postgres().await {
                    let leftover = world.leftover();
                    super::$story(world).await;
                    leftover.remove().await;
                }
            })+
        }
    };
}
pub(crate) use stories;

pub const CHECKOUT: StepId = StepId(0);
pub const BUILD: StepId = StepId(1);
pub const PUSH: StepId = StepId(2);
pub const DEPLOY: StepId = StepId(3);
pub const NOTIFY: StepId = StepId(4);

pub const LEASE_MS: i64 = 30_000;

pub struct World {
    pub url: StoreUrl,
    pub store: Store,
    /// The folder of a SQLite file.
    pub dir: Option<TempDir>,
    /// The address of a PostgreSQL schema, as a child process wants it.
    pub address: String,
    leftover: Leftover,
}

/// A PostgreSQL schema to drop when its story has ended well.
#[derive(Clone, Default)]
pub struct Leftover(String);

impl Leftover {
    pub async fn remove(self) {
        admin(&format!("DROP SCHEMA {} CASCADE", self.0)).await;
    }
}

/// The address of the PostgreSQL server, or none where its half of the stories is skipped.
pub fn postgres_url() -> Option<String> {
    let url = std::env::var("TEST_PG_URL").ok();
    if url.is_none() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "TEST_PG_URL is not set; run the tests under scripts/with-postgres"
        );
        eprintln!(
            "SKIPPED on PostgreSQL: TEST_PG_URL is not set; run the tests under scripts/with-postgres"
        );
    }
    url
}

async fn admin(sql: &str) {
    let mut conn = PgConnection::connect(&postgres_url().unwrap())
        .await
        .unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
}

/// A new schema on the server, as the address of a database of its own.
pub async fn new_schema() -> Option<(String, Leftover)> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = postgres_url()?;
    let schema = format!(
        "story_{}_{}",
        std::process::id(),
        NUMBER.fetch_add(1, Ordering::Relaxed)
    );
    admin(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).await;
    admin(&format!("CREATE SCHEMA {schema}")).await;
    let separator = if server.contains('?') { '&' } else { '?' };
    Some((
        format!("{server}{separator}options[search_path]={schema}"),
        Leftover(schema),
    ))
}

impl World {
    pub async fn sqlite() -> Self {
        let dir = TempDir::new().unwrap();
        let url = StoreUrl::sqlite(dir.path().join("fairlead.db"));
        let world = Self {
            store: Store::open(&url).await.unwrap(),
            url,
            dir: Some(dir),
            address: String::new(),
            leftover: Leftover::default(),
        };
        world.import().await;
        world
    }

    pub async fn postgres() -> Option<Self> {
        let (address, leftover) = new_schema().await?;
        let url = StoreUrl::from_str(&address).unwrap();
        let world = Self {
            store: Store::open(&url).await.unwrap(),
            url,
            dir: None,
            address,
            leftover,
        };
        world.import().await;
        Some(world)
    }

    pub fn leftover(&self) -> Leftover {
        self.leftover.clone()
    }

    /// A second process's view of the same store.
    pub async fn second(&self) -> Store {
        Store::open_beside(&self.url).await.unwrap()
    }

    /// Runs SQL behind the store's back and gives what the database said.
    pub async fn sql(&self, sql: &str) -> Result<u64, sqlx::Error> {
        raw(&self.url, sql).await
    }

    async fn import(&self) {
        let grant = allow(&lena(), Some(&shop()), Action::ImportManifest).unwrap();
        let mut tx = self.store.audited(&grant, note(1)).await.unwrap();
        assert_eq!(
            tx.import_manifest(&shop(), "m1", "name = \"shop\"")
                .await
                .unwrap(),
            None
        );
        tx.commit(Change::ManifestImported {
            manifest: "m1".into(),
            previous: None,
        })
        .await
        .unwrap();
    }

    /// A queued run of the sample plan, asked for at `at`.
    pub async fn run_at(&self, environment: &str, at: i64) -> RunId {
        make_run(&self.store, environment, at).await
    }

    pub async fn claim_at(&self, at: i64) -> Claim {
        self.store
            .claim("one", Ms(at), LEASE_MS, &HashSet::new())
            .await
            .unwrap()
            .expect("a run to claim")
    }

    /// Appends events one second apart, from the run's last event on.
    pub async fn append_all(&self, claim: &Claim, from: i64, events: &[RunEvent]) {
        for (event, at) in events.iter().zip((from..).step_by(1000)) {
            let seq = self.store.load_run(claim.run).await.unwrap().events.len();
            let seq = i64::try_from(seq).unwrap();
            self.store.append(claim, seq, event, Ms(at)).await.unwrap();
        }
    }
}

pub async fn raw(url: &StoreUrl, sql: &str) -> Result<u64, sqlx::Error> {
    let sql = AssertSqlSafe(sql.to_owned());
    match url {
        StoreUrl::Sqlite(path) => {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
            let mut conn = SqliteConnection::connect_with(&options).await?;
            let done = sqlx::raw_sql(sql).execute(&mut conn).await?;
            conn.close().await?;
            Ok(done.rows_affected())
        }
        StoreUrl::Postgres(options) => {
            let mut conn = PgConnection::connect_with(options).await?;
            let done = sqlx::raw_sql(sql).execute(&mut conn).await?;
            conn.close().await?;
            Ok(done.rows_affected())
        }
    }
}

pub async fn make_run(store: &Store, environment: &str, at: i64) -> RunId {
    make_run_of(store, &plan(environment), at).await
}

pub async fn make_run_of(store: &Store, plan: &Plan, at: i64) -> RunId {
    let environment = plan.environment.as_str();
    let mut tx = store
        .audited(&deploy_grant(environment), note(at))
        .await
        .unwrap();
    let id = tx
        .insert_run(NewRun {
            plan,
            retry_of: None,
            reused: &[],
        })
        .await
        .unwrap();
    tx.commit(requested(id, environment)).await.unwrap();
    id
}

pub fn requested(run: RunId, environment: &str) -> Change {
    Change::RunRequested {
        run,
        kind: RunKind::Deploy,
        environment: env(environment),
        commit: sha('a'),
        retry_of: None,
        supersedes: vec![],
        tests_overridden: false,
        rebuild: false,
    }
}

pub fn shop() -> ProjectName {
    ProjectName::parse("shop").unwrap()
}

pub fn env(name: &str) -> EnvName {
    EnvName::parse(name).unwrap()
}

pub fn backend() -> ComponentName {
    ComponentName::parse("backend").unwrap()
}

pub fn sha(digit: char) -> Sha {
    Sha::parse(digit.to_string().repeat(40)).unwrap()
}

pub fn digest(digit: char) -> Digest {
    Digest::parse(format!("sha256:{}", digit.to_string().repeat(64))).unwrap()
}

pub fn login(name: &str) -> Login {
    Login::parse(name).unwrap()
}

pub fn lena() -> Actor {
    Actor {
        name: ActorName::Person {
            login: login("lena"),
        },
        memberships: vec![Membership {
            project: None,
            role: Role::Admin,
        }],
    }
}

pub fn note(at: i64) -> Note {
    let origin = Origin {
        door: Door::Web,
        address: Some("10.0.0.1".into()),
        request: Some("r-1".into()),
    };
    Note {
        origin,
        reason: Some("the fix for login".into()),
        at: Ms(at),
    }
}

pub fn deploy_grant(environment: &str) -> Grant {
    let action = Action::Deploy {
        environment: env(environment),
        least: Role::Developer,
    };
    allow(&lena(), Some(&shop()), action).unwrap()
}

/// Check out, build, push, deploy, and notify whatever happened.
pub fn plan(environment: &str) -> Plan {
    let docr = || "docr".to_owned();
    let kinds = [
        StepKind::Checkout,
        StepKind::Build {
            component: backend(),
            key: TreeKey("tree-1".into()),
        },
        StepKind::Push {
            component: backend(),
            registry: docr(),
        },
        StepKind::Deploy {
            component: backend(),
            host: HostName::parse("backend").unwrap(),
        },
        StepKind::Notify,
    ];
    let steps = kinds
        .into_iter()
        .zip(0..)
        .map(|(step, n): (StepKind, u16)| PlannedStep {
            id: StepId(n),
            always: step == StepKind::Notify,
            optional: false,
            step,
            needs: (0..n).map(StepId).collect(),
            timeout: Span::seconds(60),
            retry: Retry::NONE,
            usual_ms: None,
        })
        .collect();
    Plan {
        project: shop(),
        environment: env(environment),
        kind: RunKind::Deploy,
        branch: "main".parse().unwrap(),
        commit: Commit {
            sha: sha('a'),
            title: "Fix login".into(),
            author: "Lena".into(),
            at: Ms(5),
        },
        manifest: "m1".into(),
        rebuild: false,
        steps,
        notices: vec![],
    }
}

pub fn started(step: StepId) -> RunEvent {
    RunEvent::StepStarted { step, attempt: 1 }
}

pub fn succeeded(step: StepId, outcome: Outcome) -> RunEvent {
    RunEvent::StepSucceeded { step, outcome }
}

/// Everything that happens to a run that goes well, from its start to its end.
pub fn whole_run() -> Vec<RunEvent> {
    let deployed = Outcome::Deployed {
        container: "c-new".into(),
        digest: digest('d'),
        replaced: None,
    };
    vec![
        RunEvent::Started,
        started(CHECKOUT),
        succeeded(CHECKOUT, Outcome::Done),
        started(BUILD),
        succeeded(
            BUILD,
            Outcome::Built {
                image: "sha256:local".into(),
            },
        ),
        started(PUSH),
        succeeded(
            PUSH,
            Outcome::Pushed {
                digest: digest('d'),
                bytes: None,
            },
        ),
        started(DEPLOY),
        succeeded(DEPLOY, deployed),
        started(NOTIFY),
        succeeded(
            NOTIFY,
            Outcome::Nothing {
                why: "nobody to tell".into(),
            },
        ),
        RunEvent::Finished,
    ]
}
