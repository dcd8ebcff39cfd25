//! Keeps a portal at a place in a run's list of events: its database refuses the next one, and the portal tries on.
use std::path::Path;

use domain::RunId;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

async fn connect(folder: &Path) -> SqliteConnection {
    let url = format!("sqlite://{}", folder.join("portal/fairlead.db").display());
    SqliteConnection::connect(&url).await.unwrap()
}

async fn tell(folder: &Path, sql: String) {
    let mut database = connect(folder).await;
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut database)
        .await
        .unwrap();
    database.close().await.unwrap();
}

/// From now on the database of the portal in this folder takes no event behind this many of one run.
pub async fn hold_after(folder: &Path, events: i64) {
    let refuse = "SELECT RAISE(ABORT, 'the test holds the run here');";
    let hold = format!(
        "CREATE TRIGGER hold BEFORE INSERT ON run_event WHEN NEW.seq > {events} BEGIN {refuse} END"
    );
    tell(folder, hold).await;
}

/// Lets it go on.
pub async fn let_go(folder: &Path) {
    tell(folder, "DROP TRIGGER hold".into()).await;
}

/// How many events of a run are stored.
pub async fn stored_events(folder: &Path, run: RunId) -> i64 {
    let mut database = connect(folder).await;
    let stored = sqlx::query_scalar("SELECT COALESCE(MAX(seq), 0) FROM run_event WHERE run = $1")
        .bind(run.0)
        .fetch_one(&mut database)
        .await
        .unwrap();
    database.close().await.unwrap();
    stored
}
