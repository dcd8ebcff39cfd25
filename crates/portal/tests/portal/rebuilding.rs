//! Images that are built anew although their source was built before.
use domain::audit::Change;
use domain::plan::Plan;
use domain::policy::{Actor, Role};
use domain::run::RunState;
use domain::step::StepKind;
use domain::view::Proposal;
use domain::{RunId, Sha};
use portal::DeployRequest;

use crate::support::{MANIFEST, TestPortal, component, lead, origin, project, somebody, to};

/// Tests in the image that is built, and a component beside it whose tests run in another image.
const TESTED: &str = r#"
[components.web.test]
in = "built image"
run = ["make test"]
[components.docs]
host = "web"
image = "shop-docs"
build = { context = ".", dockerfile = "dockerfile" }
container = { name = "shop-docs" }
test = { in = "node:18-alpine", run = ["npm test"] }
"#;

fn anew(environment: &str) -> DeployRequest {
    DeployRequest {
        rebuild: true,
        ..to(environment)
    }
}

async fn asked(world: &TestPortal, actor: &Actor, request: DeployRequest) -> RunId {
    let asked = world.portal.deploy(actor, origin(), request).await;
    asked.unwrap()
}

async fn plan_of(world: &TestPortal, run: RunId) -> Plan {
    world.portal.run(&lead(), run).await.unwrap().plan
}

async fn proposed(world: &TestPortal, request: DeployRequest) -> Plan {
    match world.portal.propose(&lead(), &request).await.unwrap() {
        Proposal::Plan { plan, .. } => *plan,
        blocked => panic!("{blocked:?}"),
    }
}

fn titles(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter();
    steps.map(|planned| planned.step.title()).collect()
}

/// The tag of the component's image, after `dev-<sha>` and its like.
fn rebuild(plan: &Plan, head: &Sha) -> String {
    let tag = plan.tag(&component("web"));
    let plain = format!("{}-{head}", plan.environment);
    tag.strip_prefix(&plain).unwrap().to_owned()
}

#[tokio::test]
async fn whoever_may_deploy_has_the_images_built_anew_and_the_plan_the_run_and_the_trail_say_so() {
    let world = TestPortal::new().await;
    let head = world.commit("Second", &[("a", "1")]);
    world.deploy().await;
    assert_eq!(world.drive(|_| true).await, RunState::Succeeded);
    let usual = proposed(&world, to("dev")).await;
    assert_eq!(titles(&usual)[1], "Tag web on hub");
    assert!(!usual.rebuild && rebuild(&usual, &head).is_empty());

    let proposal = proposed(&world, anew("dev")).await;
    assert_eq!(
        titles(&proposal)[1..4],
        ["Build web", "Push web to hub", "Push web to spare"]
    );
    assert!(proposal.steps[1].step.sentence().contains("anew"));

    let dev = somebody("dev", &[(Some("shop"), Role::Developer)]);
    let run = asked(&world, &dev, anew("dev")).await;
    let plan = plan_of(&world, run).await;
    assert!(plan.rebuild, "{plan:?}");
    assert_eq!(titles(&plan), titles(&proposal));
    let tag = rebuild(&plan, &head);
    assert!(
        tag.len() == 16 && tag.starts_with("-r2"),
        "tags are never moved: {tag}"
    );
    let trail = world.trail_of("shop").await;
    assert!(
        matches!(trail[0].what, Change::RunRequested { run: of, rebuild: true, .. } if of == run)
    );
    assert!(
        matches!(trail[1].what, Change::RunRequested { rebuild: false, .. }),
        "{trail:?}"
    );
}

#[tokio::test]
async fn what_was_built_anew_is_what_is_reused_from_then_on_in_every_environment() {
    let world = TestPortal::new().await;
    let head = world.commit("Second", &[("a", "1")]);
    world.push("development:main");
    world.deploy().await;
    world.drive(|_| true).await;
    let run = asked(&world, &lead(), anew("dev")).await;
    let plan = plan_of(&world, run).await;
    let tag = rebuild(&plan, &head);
    assert_eq!(world.drive(|_| true).await, RunState::Succeeded);
    for environment in ["dev", "prod"] {
        let reused = proposed(&world, to(environment)).await;
        assert_eq!(titles(&reused)[1], "Tag web on hub", "{environment}");
        assert_eq!(reused.key(&component("web")), plan.key(&component("web")));
        assert_eq!(rebuild(&reused, &head), tag);
        assert!(!reused.rebuild);
    }
    let shop = project("shop");
    let release = world.portal.release(&lead(), &shop, &head).await.unwrap();
    let hub = &release.components[0].images[0];
    let tags = [format!("dev-{head}{tag}"), format!("dev-{head}")];
    assert_eq!(hub.tags, tags, "the newest run comes first");

    // Another source has nothing to do with it.
    let other = world.commit("Third", &[("a", "2")]);
    let plan = proposed(&world, to("dev")).await;
    assert_eq!(titles(&plan)[1], "Build web");
    assert_eq!(rebuild(&plan, &other), "");
}

#[tokio::test]
async fn a_rebuild_counts_once_its_image_is_in_a_registry() {
    let world = TestPortal::new().await;
    let head = world.commit("Second", &[("a", "1")]);
    world.deploy().await;
    world.drive(|_| true).await;
    asked(&world, &lead(), anew("dev")).await;
    let build_fails = |step: &StepKind| !matches!(step, StepKind::Build { .. });
    assert_eq!(world.drive(build_fails).await, RunState::Failed);
    let plan = proposed(&world, to("dev")).await;
    assert_eq!(titles(&plan)[1], "Tag web on hub");
    assert_eq!(rebuild(&plan, &head), "", "the first image is still there");

    let run = asked(&world, &lead(), anew("dev")).await;
    let tag = rebuild(&plan_of(&world, run).await, &head);
    let spare_is_down =
        |step: &StepKind| !matches!(step, StepKind::Push { registry, .. } if registry == "spare");
    assert_eq!(world.drive(spare_is_down).await, RunState::Failed);
    let plan = proposed(&world, to("dev")).await;
    assert_eq!(
        titles(&plan)[1..4],
        ["Build web", "Push web to hub", "Push web to spare"],
        "what one registry lacks is brought to it"
    );
    assert_eq!(rebuild(&plan, &head), tag);
}

#[tokio::test]
async fn a_retry_repeats_a_rebuild_as_one() {
    let world = TestPortal::new().await;
    world.deploy().await;
    world.drive(|_| true).await;
    let run = asked(&world, &lead(), anew("dev")).await;
    let build_fails = |step: &StepKind| !matches!(step, StepKind::Build { .. });
    assert_eq!(world.drive(build_fails).await, RunState::Failed);
    let again = world.portal.retry(&lead(), origin(), run).await.unwrap();
    assert_eq!(plan_of(&world, again).await, plan_of(&world, run).await);
    let trail = world.trail_of("shop").await;
    assert!(
        matches!(trail[0].what, Change::RunRequested { run: of, retry_of, rebuild: true, .. }
            if of == again && retry_of == Some(run))
    );
}

#[tokio::test]
async fn tests_see_the_image_that_was_built_anew_and_none_is_taken_for_passed_on_it() {
    let world = TestPortal::new().await;
    world.rewrite("shop", &format!("{MANIFEST}{TESTED}")).await;
    world.commit("Second", &[("a", "1")]);
    let tests = |plan: &Plan| -> Vec<String> {
        let steps = plan.steps.iter();
        let tests = steps.filter(|planned| matches!(planned.step, StepKind::Test { .. }));
        tests.map(|planned| planned.step.sentence()).collect()
    };
    let first = world.deploy().await;
    assert_eq!(world.drive(|_| true).await, RunState::Succeeded);
    let passed =
        |of: &str, run| format!("the tests of {of} passed on the same source in run #{run}");
    let both = ["web", "docs"].map(|of| passed(of, first));
    assert_eq!(tests(&proposed(&world, to("dev")).await), both);

    let run = asked(&world, &lead(), anew("dev")).await;
    let expected = ["run the tests of web".to_owned(), passed("docs", first)];
    assert_eq!(tests(&plan_of(&world, run).await), expected);
    let it_fails = |step: &StepKind| !matches!(step, StepKind::Test { component, .. } if component.as_str() == "web");
    assert_eq!(world.drive(it_fails).await, RunState::Failed);
    // Its image is what is reused now, and nobody has seen its tests pass.
    let plan = proposed(&world, to("dev")).await;
    assert_eq!(tests(&plan)[0], expected[0]);
    assert_eq!(titles(&plan)[1], "Tag web on hub");
}
