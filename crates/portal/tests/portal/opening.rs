//! A portal that cannot start says what is wrong and what to do.
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use portal::{Error, Portal};

use crate::support::{TestPortal, admin, project, to};

async fn told(world: &TestPortal) -> String {
    match Portal::open(world.config.clone()).await {
        Err(error @ Error::Outside(_)) => error.to_string(),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it started"),
    }
}

#[tokio::test]
async fn a_second_portal_on_the_same_file_is_refused_in_words() {
    let world = TestPortal::new().await;
    let why = told(&world).await;
    assert!(why.contains("in use by another portal"), "{why}");
}

#[tokio::test]
async fn a_database_address_that_is_none_is_told_without_its_password() {
    let mut world = TestPortal::new().await;
    world.config.database = "mysql://root:hunter2@db/fairlead".into();
    let why = told(&world).await;
    assert!(
        why.contains("`mysql:…`") && !why.contains("hunter2"),
        "{why}"
    );
}

#[tokio::test]
async fn a_projects_folder_that_is_not_there_is_named() {
    let mut world = TestPortal::new().await;
    world.config.data_dir = world.root.path().join("other");
    world.config.database = format!("sqlite://{}/other/f.db", world.root.path().display()).into();
    world.config.projects_dir = world.root.path().join("nowhere");
    let why = told(&world).await;
    assert!(
        why.contains("nowhere") && why.contains("projects_dir"),
        "{why}"
    );
}

fn rights(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_data_folder_that_is_made_is_the_owners_alone() {
    let mut world = TestPortal::new().await;
    assert_eq!(rights(&world.config.data_dir), 0o700);
    let folder = world.root.path().join("deep/down");
    world.config.data_dir = folder.clone();
    world.config.database = format!("sqlite://{}/f.db", folder.display()).into();
    Portal::open(world.config.clone()).await.unwrap();
    assert_eq!(rights(&folder), 0o700);
}

#[tokio::test]
async fn a_data_folder_that_is_there_keeps_its_rights_and_what_is_made_in_it_is_the_owners_alone() {
    let mut world = TestPortal::new().await;
    let folder = world.root.path().join("shared");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    world.config.data_dir = folder.clone();
    world.config.database = format!("sqlite://{}/f.db", folder.display()).into();
    let portal = Portal::open(world.config.clone()).await.unwrap();
    portal.board(&admin(), &project("shop")).await.unwrap();
    portal.propose(&admin(), &to("dev")).await.unwrap();
    assert_eq!(rights(&folder), 0o755);
    let mut made = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        let rights = rights(&entry.path());
        assert_eq!(rights & 0o077, 0, "{:?}: {rights:o}", entry.file_name());
        made.push(entry.file_name().into_string().unwrap());
    }
    made.sort();
    let wanted = [
        "f-logs.db",
        "f-logs.db-shm",
        "f-logs.db-wal",
        "f.db",
        "f.db-shm",
        "f.db-wal",
        "f.db.lock",
        "git",
    ];
    assert_eq!(made, wanted);
}
