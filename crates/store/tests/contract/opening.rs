//! Opening: what is refused, with which advice, and that a killed portal leaves nothing half-done.
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::str::FromStr as _;

use domain::audit::Chain;
use store::{NewRun, Store, StoreError, StoreUrl};
use tempfile::TempDir;

use crate::world::*;

stories!(
    a_database_of_a_newer_version_is_refused_by_both_versions,
    what_was_committed_is_there_after_closing_and_opening_again,
    a_process_that_is_killed_within_a_transaction_leaves_nothing_of_it,
    a_database_that_turned_read_only_is_told_as_that,
    a_command_does_not_bring_a_database_up_to_date_under_a_portals_feet,
);

async fn a_database_of_a_newer_version_is_refused_by_both_versions(world: World) {
    world
        .sql("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) SELECT 9999, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1")
        .await
        .unwrap();
    let World {
        url,
        store,
        dir: _dir,
        ..
    } = world;
    store.close().await;
    drop(store);
    let refused = Store::open(&url).await.unwrap_err();
    assert!(
        matches!(
            refused,
            StoreError::Newer {
                found: 9999,
                known: 5,
                ..
            }
        ),
        "{refused:?}"
    );
    let words = refused.to_string();
    assert!(
        words.contains("version 9999") && words.contains("start the newer Fairlead"),
        "{words}"
    );
}

async fn what_was_committed_is_there_after_closing_and_opening_again(world: World) {
    let run = world.run_at("dev", 100).await;
    let World {
        url,
        store,
        dir: _dir,
        ..
    } = world;
    store.close().await;
    assert!(
        matches!(store.load_run(run).await, Err(StoreError::Unreachable(_))),
        "it is closed"
    );
    drop(store);
    let again = Store::open(&url).await.unwrap();
    assert_eq!(again.load_run(run).await.unwrap().plan, plan("dev"));
}

async fn a_process_that_is_killed_within_a_transaction_leaves_nothing_of_it(world: World) {
    let kept = world.run_at("dev", 100).await;
    let heads = world.store.audit_heads().await.unwrap();
    let address = match &world.url {
        StoreUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
        StoreUrl::Postgres(_) => world.address.clone(),
    };
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "opening::the_process_that_is_killed",
            "--ignored",
            "--nocapture",
        ])
        .env("STORE_TEST_KILLED", address)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let told = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .any(|line| line.unwrap().contains("HALF DONE"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(told, "the child never got as far as to write");

    // On PostgreSQL the server may need a moment to notice; the next writer waits for it.
    let next = world.run_at("dev", 200).await;
    let rows = world
        .store
        .runs(&domain::view::RunFilter::default(), None, 10)
        .await
        .unwrap();
    assert_eq!(
        rows.iter().map(|row| row.id).collect::<Vec<_>>(),
        vec![next, kept]
    );
    let head = world.store.audit_heads().await.unwrap().remove(0);
    assert_eq!(
        (&head.chain, head.seq),
        (&Chain::Project(shop()), heads[0].seq + 1)
    );
    world.store.verify_audit(&head).await.unwrap();
}

/// The child of the story above: writes, says so, and waits for its end. Alone it does nothing.
#[tokio::test]
#[ignore = "the child process of another test"]
async fn the_process_that_is_killed() {
    let Ok(address) = std::env::var("STORE_TEST_KILLED") else {
        return;
    };
    let store = Store::open_beside(&StoreUrl::from_str(&address).unwrap())
        .await
        .unwrap();
    let plan = plan("dev");
    let mut tx = store
        .audited(&deploy_grant("dev"), note(150))
        .await
        .unwrap();
    tx.insert_run(NewRun {
        plan: &plan,
        retry_of: None,
        reused: &[],
    })
    .await
    .unwrap();
    println!("\nHALF DONE");
    std::future::pending::<()>().await;
}

fn in_folder() -> (TempDir, StoreUrl) {
    let dir = TempDir::new().unwrap();
    let url = StoreUrl::sqlite(dir.path().join("fairlead.db"));
    (dir, url)
}

#[tokio::test]
async fn a_read_only_file_is_refused_with_advice() {
    let (dir, url) = in_folder();
    Store::open(&url).await.unwrap().close().await;
    let file = dir.path().join("fairlead.db");
    let mut permissions = std::fs::metadata(&file).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&file, permissions).unwrap();
    let refused = Store::open(&url).await.unwrap_err();
    assert!(matches!(refused, StoreError::ReadOnly(_)), "{refused:?}");
    let words = refused.to_string();
    assert!(
        words.contains("fairlead.db is read-only") && words.contains("chmod u+w"),
        "{words}"
    );
}

#[tokio::test]
async fn a_second_portal_is_refused_and_a_command_is_not() {
    let (_dir, url) = in_folder();
    let portal = Store::open(&url).await.unwrap();
    let refused = Store::open(&url).await.unwrap_err();
    let words = refused.to_string();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused:?}");
    assert!(
        words.contains(&format!("process {}", std::process::id())),
        "{words}"
    );
    let command = Store::open_beside(&url).await.unwrap();
    assert_eq!(command.audit_heads().await.unwrap(), vec![]);
    drop((portal, command));
    Store::open(&url).await.unwrap();
}

async fn a_command_does_not_bring_a_database_up_to_date_under_a_portals_feet(world: World) {
    world
        .sql("DELETE FROM _sqlx_migrations WHERE version > 1")
        .await
        .unwrap();
    for refused in [
        Store::open_beside(&world.url).await,
        Store::open_existing(&world.url).await,
    ] {
        let refused = refused.unwrap_err();
        assert!(
            matches!(
                refused,
                StoreError::Older {
                    found: 1,
                    known: 5,
                    ..
                }
            ),
            "{refused:?}"
        );
        let words = refused.to_string();
        assert!(words.contains("start the portal"), "{words}");
    }
}

#[tokio::test]
async fn a_command_that_only_looks_makes_no_database() {
    let (dir, url) = in_folder();
    let refused = Store::open_existing(&url).await.unwrap_err();
    assert!(matches!(refused, StoreError::Absent(_)), "{refused:?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_lock_that_is_let_go_within_a_moment_is_waited_for() {
    let (dir, url) = in_folder();
    let held = std::fs::File::create(dir.path().join("fairlead.db.lock")).unwrap();
    held.lock().unwrap();
    let open = tokio::spawn(async move { Store::open(&url).await });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!open.is_finished(), "it waits");
    drop(held);
    open.await.unwrap().unwrap().close().await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_as_damaged() {
    let (dir, url) = in_folder();
    std::fs::write(
        dir.path().join("fairlead.db"),
        "this is no database at all, but long enough to look".repeat(50),
    )
    .unwrap();
    let refused = Store::open(&url).await.unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused:?}");
    assert!(
        refused.to_string().contains("restore the last good backup"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named() {
    let url = StoreUrl::from_str("postgres://someone:hidden@127.0.0.1:1/fairlead").unwrap();
    let refused = Store::open(&url).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unreachable(_)), "{refused:?}");
    assert!(!format!("{refused} {refused:?} {url} {url:?}").contains("hidden"));
}

#[test]
fn an_address_that_is_none_is_refused_without_repeating_it() {
    for bad in [
        "",
        "sqlite://relative.db",
        "sqlite:x.db",
        "mysql://root:hidden@host/db",
        "postgres://user:hidden@:port/",
    ] {
        let refused = StoreUrl::from_str(bad).unwrap_err();
        assert!(
            matches!(refused, StoreError::BadUrl(_)),
            "{bad}: {refused:?}"
        );
        assert!(!refused.to_string().contains("hidden"), "{refused}");
    }
}

async fn a_database_that_turned_read_only_is_told_as_that(world: World) {
    let read_only = match &world.dir {
        Some(_) => "PRAGMA query_only = ON; DELETE FROM outbox",
        None => "SET TRANSACTION READ ONLY; DELETE FROM outbox",
    };
    let refused = StoreError::from(world.sql(read_only).await.unwrap_err());
    assert!(matches!(refused, StoreError::ReadOnly(_)), "{refused:?}");
}

#[tokio::test]
async fn a_full_disk_is_told_as_that() {
    let (_dir, url) = in_folder();
    Store::open(&url).await.unwrap().close().await;
    // SQLite answers the same when a file may not grow as when the disk has no room.
    let fill = "PRAGMA max_page_count = 1; INSERT INTO manifest VALUES ('shop', 'm', hex(zeroblob(1000000)), 1)";
    let refused = StoreError::from(raw(&url, fill).await.unwrap_err());
    assert!(matches!(refused, StoreError::DiskFull), "{refused:?}");
    assert!(refused.is_transient());
}
