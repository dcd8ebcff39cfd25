//! What runs leave besides logs: artifacts and releases; and tests that do not hold up a run.
use domain::StepId;
use domain::audit::Change;
use domain::policy::Role;
use domain::report::{Artifact, Content};
use domain::run::RunState;
use portal::{DeployRequest, Error};

use crate::support::{TestPortal, is_no, lead, now, origin, project, somebody, to};

const WITH_TESTS: &str = "\n[components.web.test]\nin = \"built image\"\nrun = [\"make test\"]\n";

/// `shop` with a component that has tests.
async fn tested() -> TestPortal {
    let world = TestPortal::new().await;
    let manifest = format!("{}{WITH_TESTS}", crate::support::MANIFEST);
    world.rewrite("shop", &manifest).await;
    world
}

#[tokio::test]
async fn what_a_step_left_is_read_by_those_who_may_see_the_run() {
    let world = TestPortal::new().await;
    let run = world.deploy().await;
    let claim = world.start().await;
    let artifact = |text: &str| Artifact {
        step: StepId(1),
        name: "app.conf".into(),
        content: Content::Text(text.into()),
    };
    for text in ["first", "second"] {
        let artifact = artifact(text);
        let stored = world.store.put_artifact(&claim, &artifact, now()).await;
        stored.unwrap();
    }
    let read = world.portal.artifacts(&lead(), run).await.unwrap();
    assert_eq!(
        read,
        [artifact("second")],
        "a step taken up again leaves it once"
    );
    let stranger = somebody("omar", &[]);
    assert!(is_no(
        &world.portal.artifacts(&stranger, run).await.unwrap_err()
    ));
}

#[tokio::test]
async fn a_release_tells_what_was_made_of_a_commit_and_where_it_is() {
    let world = TestPortal::new().await;
    let first = world.commit("First", &[("a", "1")]);
    let run = world.deploy().await;
    assert_eq!(world.drive(|_| true).await, RunState::Succeeded);
    let shop = project("shop");
    let release = world.portal.release(&lead(), &shop, &first).await.unwrap();
    assert_eq!(release.commit.sha, first);
    let component = &release.components[0];
    assert!(component.key.is_some() && component.tested.is_none());
    assert!(!component.images.is_empty());
    for image in &component.images {
        assert_eq!(image.tags, [format!("dev-{first}")]);
    }
    let place = &release.places[0];
    assert_eq!((place.run, place.runs_now), (run, true));
    assert_eq!(release.runs.len(), 1);

    let second = world.commit("Second", &[("a", "2")]);
    world.deploy().await;
    world.drive(|_| true).await;
    let release = world.portal.release(&lead(), &shop, &first).await.unwrap();
    assert!(!release.places[0].runs_now, "another commit took its place");
    let release = world.portal.release(&lead(), &shop, &second).await.unwrap();
    assert!(release.places[0].runs_now);

    let never = world.commit("Never", &[("a", "3")]);
    let error = world.portal.release(&lead(), &shop, &never).await;
    assert!(matches!(error.unwrap_err(), Error::NotFound(why) if why.contains("no run")));
    let stranger = somebody("omar", &[]);
    let error = world.portal.release(&stranger, &shop, &first).await;
    assert!(is_no(&error.unwrap_err()));

    // The component has another name by now.
    let manifest = crate::support::MANIFEST.replace(".web]", ".site]");
    world.rewrite("shop", &manifest).await;
    let release = world.portal.release(&lead(), &shop, &first).await.unwrap();
    let components = release.components.iter();
    let names: Vec<&str> = components.map(|of| of.component.as_str()).collect();
    assert_eq!(names, ["site", "web"]);
    assert!(!release.components[1].images.is_empty());
}

#[tokio::test]
async fn a_release_names_the_run_that_tested_and_migrated_and_not_the_one_that_took_it_over() {
    let world = TestPortal::new().await;
    let migration = "\n[components.web.migrate]\non = \"container\"\nrun = \"migrate\"\n";
    let manifest = format!("{}{WITH_TESTS}{migration}", crate::support::MANIFEST);
    world.rewrite("shop", &manifest).await;
    let commit = world.commit("First", &[("a", "1")]);
    let first = world.deploy().await;
    let works =
        |step: &domain::step::StepKind| !matches!(step, domain::step::StepKind::Deploy { .. });
    assert_eq!(world.drive(works).await, RunState::Failed);
    let again = world.portal.retry(&lead(), origin(), first).await.unwrap();
    assert_eq!(world.drive(|_| true).await, RunState::Succeeded);
    let shop = project("shop");
    let release = world.portal.release(&lead(), &shop, &commit).await.unwrap();
    let tested = release.components[0].tested.map(|tested| tested.run);
    assert_eq!(tested, Some(first));
    let migrations: Vec<_> = release.migrations.iter().map(|done| done.run).collect();
    assert_eq!(migrations, [first]);
    assert_eq!(release.places[0].run, again);
}

#[tokio::test]
async fn tests_that_passed_on_a_source_are_not_run_again_on_it() {
    let world = tested().await;
    world.commit("First", &[("a", "1")]);
    let run = world.deploy().await;
    assert_eq!(world.drive(|_| true).await, RunState::Succeeded);
    let sentences = async || {
        let again = world.deploy().await;
        let plan = world.portal.run(&lead(), again).await.unwrap().plan;
        let sentences = plan.steps.iter().map(|planned| planned.step.sentence());
        sentences.collect::<Vec<_>>().join("\n")
    };
    let passed = format!("the tests of web passed on the same source in run #{run}");
    assert!(sentences().await.contains(&passed));
    world.commit("Second", &[("a", "2")]);
    assert!(sentences().await.contains("run the tests of web"));
}

#[tokio::test]
async fn a_test_that_fails_holds_up_the_run_unless_a_lead_says_why_not() {
    let world = tested().await;
    world.commit("First", &[("a", "1")]);
    let run = world.deploy().await;
    let works =
        |step: &domain::step::StepKind| !matches!(step, domain::step::StepKind::Test { .. });
    assert_eq!(world.drive(works).await, RunState::Failed);
    let offer = async |actor| {
        let view = world.portal.run(actor, run).await.unwrap();
        view.deploy_anyway
    };
    let dev = somebody("dev", &[(Some("shop"), Role::Developer)]);
    let lena = lead();
    assert_eq!(offer(&lena).await, Some(domain::view::Offer::Ready));
    assert!(matches!(
        offer(&dev).await,
        Some(domain::view::Offer::Refused { .. })
    ));

    let anyway = |reason: &str| DeployRequest {
        reason: Some(reason.to_owned()),
        override_tests: true,
        ..to("dev")
    };
    let refused = world.portal.deploy(&dev, origin(), anyway("urgent")).await;
    assert!(matches!(refused.unwrap_err(), Error::Denied(_)));
    let refused = world.portal.deploy(&lead(), origin(), anyway(" ")).await;
    assert!(matches!(refused.unwrap_err(), Error::Invalid(why) if why.contains("say why")));
    let run = world
        .portal
        .deploy(&lead(), origin(), anyway("the test is wrong"))
        .await;
    let run = run.unwrap();
    assert_eq!(world.drive(works).await, RunState::Succeeded);
    assert!(
        world
            .portal
            .run(&lead(), run)
            .await
            .unwrap()
            .deploy_anyway
            .is_none()
    );
    let trail = world.trail_of("shop").await;
    assert!(trail.iter().any(|event| {
        event.reason.as_deref() == Some("the test is wrong")
            && matches!(event.what, Change::RunRequested { run: of, tests_overridden: true, .. } if of == run)
    }));
}

#[tokio::test]
async fn a_run_that_failing_tests_do_not_hold_up_is_repeated_by_a_lead_alone_and_on_the_record() {
    let world = tested().await;
    world.commit("First", &[("a", "1")]);
    let why = "the test is wrong";
    let anyway = DeployRequest {
        reason: Some(why.into()),
        override_tests: true,
        ..to("dev")
    };
    let run = world.portal.deploy(&lead(), origin(), anyway).await;
    let run = run.unwrap();
    let state = world
        .drive(|step| {
            !matches!(
                step,
                domain::step::StepKind::Test { .. } | domain::step::StepKind::Deploy { .. }
            )
        })
        .await;
    assert_eq!(state, RunState::Failed);

    let dev = somebody("dev", &[(Some("shop"), Role::Developer)]);
    let offered = world.portal.run(&dev, run).await.unwrap().retry;
    assert!(matches!(offered, domain::view::Offer::Refused { .. }));
    let refused = world.portal.retry(&dev, origin(), run).await;
    assert!(matches!(refused.unwrap_err(), Error::Denied(_)));

    let again = world.portal.retry(&lead(), origin(), run).await.unwrap();
    let trail = world.trail_of("shop").await;
    assert!(trail.iter().any(|event| {
        event.reason.as_deref() == Some(why)
            && matches!(event.what, Change::RunRequested { run: of, retry_of, tests_overridden: true, .. }
                if of == again && retry_of == Some(run))
    }));
}
