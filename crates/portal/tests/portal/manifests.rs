//! Manifests come from the projects folder. What is broken changes nothing, and is shown.
use domain::audit::Change;
use domain::plan::Blocker;
use domain::policy::ActorName;
use domain::step::StepKind;
use domain::view::{Lane, Offer, Proposal, Settings};
use portal::{DeployRequest, Error, Portal};

use crate::support::{MANIFEST, TestPortal, lead, origin, project, to};

async fn settings(world: &TestPortal) -> Settings {
    let settings = world.portal.settings(&lead(), &project("shop")).await;
    settings.unwrap()
}

fn titled(title: &str) -> String {
    MANIFEST.replace("The shop", title)
}

#[tokio::test]
async fn a_changed_file_comes_into_force_with_an_audit_event() {
    let world = TestPortal::new().await;
    let first = settings(&world).await;
    world.rewrite("shop", &titled("The new shop")).await;
    let second = settings(&world).await;
    assert_eq!(second.title, "The new shop");
    assert_ne!(second.manifest_hash, first.manifest_hash);
    let trail = world.trail_of("shop").await;
    assert_eq!(trail.len(), 2);
    assert_eq!(trail[0].actor, ActorName::Engine);
    let expected = Change::ManifestImported {
        manifest: second.manifest_hash.clone(),
        previous: Some(first.manifest_hash),
    };
    assert_eq!(trail[0].what, expected);
    assert_eq!(second.manifest_since, trail[0].at);
    world.trail().await;
}

#[tokio::test]
async fn a_file_that_is_written_again_unchanged_is_no_event() {
    let world = TestPortal::new().await;
    world.rewrite("shop", MANIFEST).await;
    assert_eq!(world.trail_of("shop").await.len(), 1);
}

#[tokio::test]
async fn a_broken_file_leaves_the_last_good_one_in_force_and_is_shown_until_it_is_mended() {
    let world = TestPortal::new().await;
    let bell = world.portal.bell_of_board(&lead(), &project("shop")).await;
    let mut bell = bell.unwrap();
    let broken = titled("The new shop").replace("branch = \"main\"", "brunch = \"main\"");
    world.rewrite("shop", &broken).await;
    assert!(bell.has_changed().unwrap());
    bell.mark_unchanged();

    let shown = settings(&world).await;
    assert_eq!(shown.title, "The shop");
    assert!(!shown.problems.is_empty());
    let board = world.portal.board(&lead(), &project("shop")).await.unwrap();
    assert_eq!(board.manifest_problems, shown.problems);
    assert!(
        board
            .manifest_problems
            .iter()
            .any(|p| p.key.contains("brunch"))
    );
    assert_eq!(world.trail_of("shop").await.len(), 1);
    // A deploy goes on with what is in force, and says so.
    let proposal = world.portal.propose(&lead(), &to("dev")).await.unwrap();
    let Proposal::Plan { plan, .. } = proposal else {
        panic!("{proposal:?}")
    };
    assert_eq!(plan.manifest, shown.manifest_hash);
    assert!(
        plan.notices
            .iter()
            .any(|notice| notice.contains("the manifest file has")),
        "{:?}",
        plan.notices
    );
    world
        .portal
        .deploy(&lead(), origin(), to("dev"))
        .await
        .unwrap();

    world.rewrite("shop", &titled("The new shop")).await;
    let mended = settings(&world).await;
    assert_eq!(
        (mended.title.as_str(), mended.problems.len()),
        ("The new shop", 0)
    );
    assert!(bell.has_changed().unwrap());
}

#[tokio::test]
async fn a_file_that_goes_back_to_the_text_in_force_is_no_event_and_has_no_problems() {
    let world = TestPortal::new().await;
    world.rewrite("shop", "nonsense").await;
    assert!(!settings(&world).await.problems.is_empty());
    world.rewrite("shop", MANIFEST).await;
    assert_eq!(settings(&world).await.problems, []);
    assert_eq!(world.trail_of("shop").await.len(), 1);
}

#[tokio::test]
async fn a_file_is_named_like_its_project() {
    let world = TestPortal::new().await;
    world
        .rewrite("shop", &MANIFEST.replace("\"shop\"", "\"store\""))
        .await;
    let shown = settings(&world).await;
    assert_eq!(shown.problems.len(), 1);
    assert_eq!(shown.problems[0].key, "name");
    assert!(
        shown.problems[0].message.contains("is `store`"),
        "{:?}",
        shown.problems
    );
    assert_eq!(shown.title, "The shop");
    // A name that is none is passed over.
    world.rewrite("Not A Project", MANIFEST).await;
    assert_eq!(
        world.portal.projects(&lead()).await.unwrap(),
        [project("shop")]
    );
}

#[tokio::test]
async fn a_new_file_is_a_new_project() {
    let world = TestPortal::new().await;
    world
        .rewrite("store", &MANIFEST.replace("\"shop\"", "\"store\""))
        .await;
    let admin = crate::support::admin();
    let projects = world.portal.projects(&admin).await.unwrap();
    assert_eq!(projects, [project("shop"), project("store")]);
}

#[tokio::test]
async fn a_file_that_is_gone_or_broken_at_the_start_leaves_what_was_in_force() {
    let mut world = TestPortal::new().await;
    std::fs::write(world.manifest_file("shop"), "nonsense").unwrap();
    world.portal = Portal::open_beside(world.config.clone()).await.unwrap();
    let shown = settings(&world).await;
    assert_eq!(
        (shown.title.as_str(), shown.problems.is_empty()),
        ("The shop", false)
    );
    std::fs::remove_file(world.manifest_file("shop")).unwrap();
    world.portal = Portal::open_beside(world.config.clone()).await.unwrap();
    let shown = settings(&world).await;
    assert_eq!(shown.title, "The shop");
    assert!(
        shown.problems[0].message.contains("was removed"),
        "{:?}",
        shown.problems
    );
    assert_eq!(world.trail_of("shop").await.len(), 1);
}

#[tokio::test]
async fn a_project_whose_file_is_removed_stays_in_sight_and_deploys_nothing_until_it_is_back() {
    let world = TestPortal::new().await;
    let failed = world.deploy().await;
    world
        .drive(|step| !matches!(step, StepKind::Deploy { .. }))
        .await;
    std::fs::remove_file(world.manifest_file("shop")).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    let board = world.portal.board(&lead(), &project("shop")).await.unwrap();
    assert!(board.manifest_problems[0].message.contains("was removed"));
    let refused =
        |lane: &Lane| matches!(&lane.deploy, Offer::Refused { why } if why.contains("put it back"));
    assert!(board.manifest_removed && board.lanes.iter().all(refused));
    let deployed = world.portal.deploy(&lead(), origin(), to("dev")).await;
    let retried = world.portal.retry(&lead(), origin(), failed).await;
    for refused in [deployed, retried] {
        let why = [Blocker::ManifestRemoved {
            project: project("shop"),
        }];
        assert!(
            matches!(&refused, Err(Error::Blocked(blockers)) if *blockers == why),
            "{refused:?}"
        );
    }
    world.rewrite("shop", MANIFEST).await;
    assert_eq!(settings(&world).await.problems, []);
    world.deploy().await;
}

#[tokio::test]
async fn one_file_that_cannot_be_read_does_not_hide_the_board_or_the_other_files() {
    let world = TestPortal::new().await;
    std::fs::remove_file(world.manifest_file("shop")).unwrap();
    // Reading a folder fails, also for root.
    std::fs::create_dir(world.manifest_file("shop")).unwrap();
    world
        .rewrite("zoo", &MANIFEST.replace("\"shop\"", "\"zoo\""))
        .await;
    let board = world.portal.board(&lead(), &project("shop")).await.unwrap();
    assert!(
        board.manifest_problems[0]
            .message
            .contains("cannot be read"),
        "{:?}",
        board.manifest_problems
    );
    let admin = crate::support::admin();
    let projects = world.portal.projects(&admin).await.unwrap();
    assert_eq!(projects, [project("shop"), project("zoo")]);
}

#[tokio::test]
async fn a_projects_folder_that_vanishes_does_not_hide_the_board() {
    let world = TestPortal::new().await;
    std::fs::remove_dir_all(&world.config.projects_dir).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    let board = world.portal.board(&lead(), &project("shop")).await;
    assert_eq!(board.unwrap().title, "The shop");
}

#[tokio::test]
async fn a_link_to_a_file_that_changes_is_followed() {
    let world = TestPortal::new().await;
    let target = world.root.path().join("shop-elsewhere.toml");
    std::fs::write(&target, MANIFEST).unwrap();
    std::fs::remove_file(world.manifest_file("shop")).unwrap();
    std::os::unix::fs::symlink(&target, world.manifest_file("shop")).unwrap();
    world.look().await;
    std::fs::write(&target, titled("The new shop")).unwrap();
    world.look().await;
    assert_eq!(settings(&world).await.title, "The new shop");
}

#[tokio::test]
async fn two_portals_that_see_the_same_change_import_it_once() {
    let world = TestPortal::new().await;
    let beside = Portal::open_beside(world.config.clone()).await.unwrap();
    world.rewrite("shop", &titled("The new shop")).await;
    beside.reload_manifests().await.unwrap();
    let shown = beside.settings(&lead(), &project("shop")).await.unwrap();
    assert_eq!(shown.title, "The new shop");
    let trail = world.trail_of("shop").await;
    assert_eq!(trail.len(), 2, "{trail:?}");
    assert_eq!(shown.manifest_since, trail[0].at);
}

#[tokio::test]
async fn a_plan_that_is_confirmed_is_the_one_that_starts() {
    let world = TestPortal::new().await;
    let proposal = world.portal.propose(&lead(), &to("dev")).await.unwrap();
    let Proposal::Plan { plan, .. } = proposal else {
        panic!("{proposal:?}");
    };
    let confirmed = || DeployRequest {
        manifest: Some(plan.manifest.clone()),
        ..to("dev")
    };
    let deploy = async || world.portal.deploy(&lead(), origin(), confirmed()).await;
    deploy().await.unwrap();
    world.rewrite("shop", &titled("Another shop")).await;
    let before = world.everything().await;
    let refused = deploy().await;
    assert!(
        matches!(&refused, Err(Error::Conflict(why)) if why.contains("the manifest has changed")),
        "{refused:?}"
    );
    assert_eq!(world.everything().await, before);
}
