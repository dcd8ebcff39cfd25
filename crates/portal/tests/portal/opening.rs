//! A portal that cannot start says what is wrong and what to do.
use portal::{Error, Portal};

use crate::support::TestPortal;

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

#[tokio::test]
async fn the_data_folder_is_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = TestPortal::new().await;
    let mode = std::fs::metadata(&world.config.data_dir)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}
