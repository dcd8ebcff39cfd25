//! Each migration is applied over rows that were written under the ones before it, and the rows keep their meaning.
use std::str::FromStr as _;

use domain::RunId;
use domain::message::MessageState;
use domain::push::Came;
use domain::run::RunState;
use sqlx::migrate::Migrator;
use sqlx::{PgPool, SqlitePool};
use store::{Store, StoreUrl};
use tempfile::TempDir;

use crate::world::*;

static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");

/// Rows as version 1 wrote them. Never edit it: a later version gets a sample of its own.
const SAMPLE_1: &str = include_str!("sample_0001.sql");
/// Rows as version 3 wrote them, over those of version 1.
const SAMPLE_3: &str = include_str!("sample_0003.sql");
/// Rows as version 4 wrote them, over those of version 3.
const SAMPLE_4: &str = include_str!("sample_0004.sql");

async fn the_sample_means_what_it_meant(store: &Store) {
    let stored = store.load_run(RunId(1)).await.unwrap();
    assert_eq!(stored.row.state, RunState::Succeeded);
    assert_eq!(stored.plan.commit.title, "Fix login");
    let lanes = store.lanes(&shop()).await.unwrap();
    assert_eq!(
        lanes[&env("dev")].last.as_ref().map(|row| row.id),
        Some(RunId(1))
    );
    assert_eq!(
        store.running(&shop()).await.unwrap()[&env("dev")][&backend()].digest,
        digest('d')
    );
    assert_eq!(
        store.current_manifest(&shop()).await.unwrap().unwrap().hash,
        "m1"
    );
    for head in store.audit_heads().await.unwrap() {
        assert_eq!(head.seq, 2);
        store.verify_audit(&head).await.unwrap();
    }
    let people = store.people(domain::Ms(30)).await.unwrap();
    assert_eq!(
        people
            .iter()
            .map(|person| person.name.as_str())
            .collect::<Vec<_>>(),
        vec!["Lena"]
    );
    assert_eq!(
        store
            .sessions(Some(&login("lena")), domain::Ms(30))
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(store.tokens().await.unwrap()[0].project, Some(shop()));
    assert_eq!(
        store.outbox_state("run 1").await.unwrap(),
        Some(MessageState::Done)
    );
    for (key, state) in [
        ("webhook:left", MessageState::Failed),
        ("webhook:new", MessageState::Sending),
    ] {
        assert_eq!(store.outbox_state(key).await.unwrap(), Some(state), "{key}");
    }
    let deliveries = store
        .deliveries("Acme/Shop", &shop(), None, 10)
        .await
        .unwrap();
    assert_eq!(
        deliveries[0].came,
        [(Some(env("dev")), Came::Run { run: RunId(1) })]
    );
    let next = make_run(store, "dev", 100_000).await;
    assert!(next > RunId(1), "new numbers follow the old ones");
}

#[tokio::test]
async fn a_sqlite_file_of_the_first_version_is_brought_up_to_date() {
    let dir = TempDir::new().unwrap();
    let url = StoreUrl::sqlite(dir.path().join("fairlead.db"));
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(dir.path().join("fairlead.db"))
        .create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    SQLITE.run_to(1, &pool).await.unwrap();
    raw(&url, SAMPLE_1).await.unwrap();
    SQLITE.run_to(3, &pool).await.unwrap();
    raw(&url, SAMPLE_3).await.unwrap();
    SQLITE.run_to(4, &pool).await.unwrap();
    pool.close().await;
    raw(&url, SAMPLE_4).await.unwrap();
    the_sample_means_what_it_meant(&Store::open(&url).await.unwrap()).await;
}

#[tokio::test]
async fn a_postgresql_database_of_the_first_version_is_brought_up_to_date() {
    let Some((address, leftover)) = new_schema().await else {
        return;
    };
    let url = StoreUrl::from_str(&address).unwrap();
    let pool = PgPool::connect(&address).await.unwrap();
    POSTGRES.run_to(1, &pool).await.unwrap();
    raw(&url, SAMPLE_1).await.unwrap();
    POSTGRES.run_to(3, &pool).await.unwrap();
    raw(&url, SAMPLE_3).await.unwrap();
    POSTGRES.run_to(4, &pool).await.unwrap();
    pool.close().await;
    raw(&url, SAMPLE_4).await.unwrap();
    the_sample_means_what_it_meant(&Store::open(&url).await.unwrap()).await;
    leftover.remove().await;
}

#[test]
fn both_databases_have_the_same_numbers() {
    static SQLITE_LOGS: Migrator = sqlx::migrate!("../../migrations/sqlite-logs");
    let mut sqlite: Vec<_> = SQLITE
        .iter()
        .chain(SQLITE_LOGS.iter())
        .map(|step| (step.version, step.description.clone()))
        .collect();
    sqlite.sort();
    let postgres: Vec<_> = POSTGRES
        .iter()
        .map(|step| (step.version, step.description.clone()))
        .collect();
    assert_eq!(sqlite, postgres);
}
