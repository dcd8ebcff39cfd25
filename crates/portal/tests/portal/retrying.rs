//! A run that did not succeed is taken up again: what became images is kept, what was done to hosts is done anew.
use domain::RunId;
use domain::audit::Change;
use domain::run::{RunEvent, RunState};
use domain::step::StepKind;
use domain::view::Offer;
use portal::Error;

use crate::support::{MANIFEST, TestPortal, admin, git, lead, origin};

const WITH_MIGRATION: &str = "\n[components.web.migrate]\non = \"container\"\nrun = \"migrate\"\n";

/// Why the page says that a run cannot be retried; nothing where it offers it.
async fn refused(world: &TestPortal, run: RunId) -> Option<String> {
    match world.portal.run(&lead(), run).await.unwrap().retry {
        Offer::Ready => None,
        Offer::Refused { why } => Some(why),
    }
}

fn not_the_deploy(step: &StepKind) -> bool {
    !matches!(step, StepKind::Deploy { .. })
}

/// The steps that a run took over, by title, and from which run.
async fn taken(world: &TestPortal, run: RunId) -> Vec<(String, RunId)> {
    let view = world.portal.run(&lead(), run).await.unwrap();
    let taken = view.events.iter().filter_map(|stored| match &stored.event {
        RunEvent::StepReused { step, from, .. } => {
            Some((view.plan.steps[step.index()].step.title(), *from))
        }
        _ => None,
    });
    taken.collect()
}

#[tokio::test]
async fn a_retry_keeps_the_images_and_does_the_hosts_and_the_message_again() {
    let world = TestPortal::new().await;
    let failed = world.deploy().await;
    assert_eq!(world.drive(not_the_deploy).await, RunState::Failed);
    let retry = world.portal.retry(&lead(), origin(), failed).await.unwrap();
    let titles = [
        "Check out",
        "Build web",
        "Push web to hub",
        "Push web to spare",
    ];
    let expected: Vec<_> = titles.map(|title| (title.to_owned(), failed)).into();
    assert_eq!(taken(&world, retry).await, expected);
    let view = world.portal.run(&lead(), retry).await.unwrap();
    assert_eq!(view.row.retry_of, Some(failed));
    let trail = world.trail_of("shop").await;
    assert!(matches!(trail[0].what,
        Change::RunRequested { run, retry_of, .. } if run == retry && retry_of == Some(failed)));

    // Its own retry names the run that really did the work.
    assert_eq!(world.drive(not_the_deploy).await, RunState::Failed);
    let third = world.portal.retry(&lead(), origin(), retry).await.unwrap();
    assert_eq!(taken(&world, third).await, expected);
    assert_eq!(world.drive(|_| true).await, RunState::Succeeded);
}

#[tokio::test]
async fn a_step_after_one_that_failed_is_not_taken_over() {
    let world = TestPortal::new().await;
    let failed = world.deploy().await;
    let build_fails = |step: &StepKind| !matches!(step, StepKind::Build { .. });
    assert_eq!(world.drive(build_fails).await, RunState::Failed);
    let retry = world.portal.retry(&lead(), origin(), failed).await.unwrap();
    assert_eq!(
        taken(&world, retry).await,
        [("Check out".to_owned(), failed)]
    );
}

#[tokio::test]
async fn of_two_pushes_the_one_that_worked_is_taken_over() {
    let world = TestPortal::new().await;
    let failed = world.deploy().await;
    let spare_is_down =
        |step: &StepKind| !matches!(step, StepKind::Push { registry, .. } if registry == "spare");
    assert_eq!(world.drive(spare_is_down).await, RunState::Failed);
    let retry = world.portal.retry(&lead(), origin(), failed).await.unwrap();
    let titles: Vec<String> = taken(&world, retry)
        .await
        .into_iter()
        .map(|t| t.0)
        .collect();
    assert_eq!(titles, ["Check out", "Build web", "Push web to hub"]);
}

#[tokio::test]
async fn only_a_run_that_failed_or_was_cancelled_is_retried() {
    let world = TestPortal::new().await;
    let superseded = world.deploy().await;
    let succeeded = world.deploy().await;
    world.drive(|_| true).await;
    let running = world.deploy().await;
    world.start().await;
    let queued = world.deploy().await;
    let before = world.everything().await;
    for (run, why) in [
        (superseded, "never started"),
        (succeeded, "succeeded"),
        (running, "has not ended yet"),
        (queued, "has not ended yet"),
    ] {
        let retried = world.portal.retry(&lead(), origin(), run).await;
        assert!(
            matches!(&retried, Err(Error::Conflict(told)) if told.contains(why)),
            "{retried:?}"
        );
    }
    assert_eq!(world.everything().await, before);
    world
        .portal
        .cancel(&lead(), origin(), queued)
        .await
        .unwrap();
    let retry = world.portal.retry(&lead(), origin(), queued).await.unwrap();
    assert_eq!(taken(&world, retry).await, []);
}

#[tokio::test]
async fn a_retry_to_an_environment_that_is_gone_is_refused() {
    let world = TestPortal::new().await;
    let failed = world.deploy().await;
    world.drive(not_the_deploy).await;
    let renamed = MANIFEST
        .replace("environments.dev", "environments.test")
        .replace("follows = \"dev\"", "follows = \"test\"");
    world.rewrite("shop", &renamed).await;
    let before = world.everything().await;
    let retried = world.portal.retry(&admin(), origin(), failed).await;
    assert!(
        matches!(&retried, Err(Error::Blocked(blockers)) if blockers[0].to_string().contains("no environment `dev`")),
        "{retried:?}"
    );
    assert_eq!(world.everything().await, before);
    let view = world.portal.run(&admin(), failed).await.unwrap();
    assert!(
        matches!(&view.retry, Offer::Refused { why } if why.contains("no environment `dev`")),
        "{:?}",
        view.retry
    );
}

#[tokio::test]
async fn a_retry_of_a_commit_that_has_left_the_branch_is_refused() {
    let world = TestPortal::new().await;
    let gone = world.commit("Not reviewed", &[("a", "1")]);
    let failed = world.deploy().await;
    world.drive(not_the_deploy).await;
    assert_eq!(refused(&world, failed).await, None);
    git(&world.work(), &["reset", "--quiet", "--hard", "HEAD~1"]);
    world.commit("Reviewed", &[("a", "2")]);
    let before = world.everything().await;
    let retried = world.portal.retry(&lead(), origin(), failed).await;
    let why = format!("the repository has no commit {gone} on branch `development`");
    assert!(
        matches!(&retried, Err(Error::Blocked(blockers)) if blockers[0].to_string() == why),
        "{retried:?}"
    );
    assert_eq!(world.everything().await, before);
    assert_eq!(refused(&world, failed).await, Some(why));
}

#[tokio::test]
async fn a_retry_goes_by_the_old_manifest_and_the_page_says_when_there_is_a_new_one() {
    let world = TestPortal::new().await;
    let failed = world.deploy().await;
    world.drive(not_the_deploy).await;
    let changed = async |run| {
        let view = world.portal.run(&lead(), run).await.unwrap();
        view.manifest_changed
    };
    assert!(!changed(failed).await);
    world
        .rewrite("shop", &format!("{MANIFEST}{WITH_MIGRATION}"))
        .await;
    assert!(changed(failed).await);
    let retry = world.portal.retry(&lead(), origin(), failed).await.unwrap();
    assert!(changed(retry).await);
    world.drive(|_| true).await;
    assert!(!changed(world.deploy().await).await);
}

#[tokio::test]
async fn a_run_that_a_newer_one_has_overtaken_is_not_retried() {
    let world = TestPortal::new().await;
    let failed = world.deploy().await;
    world.drive(not_the_deploy).await;
    let head = world.commit("Second", &[("a", "1")]);
    let newer = world.deploy().await;
    let claim = world.start().await;
    let short = head.short();
    let at_work =
        format!("is behind run #{newer}, which is bringing {short} to dev; wait how that ends");
    let done =
        format!("was overtaken: run #{newer} has brought {short} to dev since; deploy again");
    for why in [at_work, done] {
        let retried = world.portal.retry(&lead(), origin(), failed).await;
        assert!(
            matches!(&retried, Err(Error::Conflict(told)) if *told == format!("run #{failed} {why}")),
            "{retried:?}"
        );
        let told = refused(&world, failed).await;
        assert_eq!(told, Some(format!("Run #{failed} {why}")));
        world.drive_on(&claim, |_| true).await;
    }
}

#[tokio::test]
async fn a_migration_is_taken_over_unless_a_later_run_has_begun_to_migrate() {
    let world = TestPortal::new().await;
    world
        .rewrite("shop", &format!("{MANIFEST}{WITH_MIGRATION}"))
        .await;
    let migrations = async |run| {
        let mut taken = taken(&world, run).await;
        taken.retain(|(title, _)| title == "Migrate web");
        taken
    };
    let failed = world.deploy().await;
    world.drive(not_the_deploy).await;
    let retry = world.portal.retry(&lead(), origin(), failed).await.unwrap();
    let by_the_first = [("Migrate web".to_owned(), failed)];
    assert_eq!(migrations(retry).await, by_the_first);
    world.drive(not_the_deploy).await;

    // One whose migration fails may have changed the database all the same.
    world.commit("Second", &[("a", "1")]);
    world.deploy().await;
    let images = |step: &StepKind| !matches!(step, StepKind::Migrate { .. });
    assert_eq!(world.drive(images).await, RunState::Failed);
    let third = world.portal.retry(&lead(), origin(), retry).await.unwrap();
    assert_eq!(migrations(third).await, []);
}

#[tokio::test]
async fn a_retry_takes_the_place_of_the_run_that_waits() {
    let world = TestPortal::new().await;
    let failed = world.deploy().await;
    world.drive(not_the_deploy).await;
    let waiting = world.deploy().await;
    let retry = world.portal.retry(&lead(), origin(), failed).await.unwrap();
    assert_eq!(world.state(waiting).await, RunState::Superseded);
    assert_eq!(world.state(retry).await, RunState::Queued);
}
