//! The plan of a deploy: which steps, after which others, and what stands in the way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]

mod common;

use std::collections::BTreeMap;

use common::{NOW, component, digest, env, example, example_plan, facts, secret, sha};
use domain::StepId;
use domain::manifest::{Manifest, Span};
use domain::plan::{self, Blocker, Plan};
use domain::step::{Retry, StepKind};
use proptest::prelude::*;

/// Each step as `number title <- the numbers that it needs`.
fn drawn(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|planned| {
            let needs: Vec<String> = planned.needs.iter().map(ToString::to_string).collect();
            format!(
                "{} {} <- {}",
                planned.id,
                planned.step.title(),
                needs.join(" ")
            )
            .trim_end()
            .to_owned()
        })
        .collect()
}

#[test]
fn what_was_never_built_is_built_and_pushed_to_every_registry() {
    assert_eq!(
        drawn(&example_plan()),
        [
            "0 Check out <-",
            "1 Lint <- 0",
            "2 Build backend <- 1",
            "3 Push backend to docr <- 2",
            "4 Push backend to ghcr <- 2",
            "5 Build frontend <- 1",
            "6 Push frontend to docr <- 5",
            "7 Push frontend to ghcr <- 5",
            "8 Test backend <- 2",
            "9 Test frontend <- 1",
            "10 Migrate backend <- 3 4 6 7 8 9",
            "11 Deploy backend <- 3 4 6 7 8 9 10",
            "12 Deploy frontend <- 3 4 6 7 8 9 10 11",
            "13 Notify <- 0 1 2 3 4 5 6 7 8 9 10 11 12",
        ]
    );
}

#[test]
fn what_was_built_from_the_same_tree_is_only_tagged() {
    let manifest = example();
    let mut facts = facts(&manifest);
    facts.built = BTreeMap::from([
        (component("backend"), digest('1')),
        (component("frontend"), digest('2')),
    ]);
    let plan = plan::deploy(&manifest, &env("uat"), &facts).unwrap();
    assert_eq!(
        drawn(&plan),
        [
            "0 Check out <-",
            "1 Lint <- 0",
            "2 Tag backend on docr <- 1",
            "3 Tag backend on ghcr <- 1",
            "4 Tag frontend on docr <- 1",
            "5 Tag frontend on ghcr <- 1",
            "6 Test backend <- 2",
            "7 Test frontend <- 1",
            "8 Migrate backend <- 2 3 4 5 6 7",
            "9 Deploy backend <- 2 3 4 5 6 7 8",
            "10 Deploy frontend <- 2 3 4 5 6 7 8 9",
            "11 Notify <- 0 1 2 3 4 5 6 7 8 9 10",
        ]
    );
    let StepKind::Tag { digest: reused, .. } = &plan.steps[4].step else {
        panic!("step 4 is no tag")
    };
    assert_eq!(*reused, digest('2'), "each component keeps its own image");
}

#[test]
fn one_component_may_be_built_while_the_other_is_reused() {
    let manifest = example();
    let mut facts = facts(&manifest);
    facts.built = BTreeMap::from([(component("backend"), digest('1'))]);
    let plan = plan::deploy(&manifest, &env("dev"), &facts).unwrap();
    assert_eq!(
        drawn(&plan)[2..7],
        [
            "2 Tag backend on docr <- 1",
            "3 Tag backend on ghcr <- 1",
            "4 Build frontend <- 1",
            "5 Push frontend to docr <- 4",
            "6 Push frontend to ghcr <- 4",
        ]
    );
}

#[test]
fn components_are_deployed_after_those_that_they_name_wherever_they_stand_in_the_file() {
    let mut manifest = example();
    manifest.components.reverse();
    let plan = plan::deploy(&manifest, &env("dev"), &facts(&manifest)).unwrap();
    let deploys: Vec<String> = plan
        .steps
        .iter()
        .map(|s| s.step.title())
        .filter(|title| title.starts_with("Deploy"))
        .collect();
    assert_eq!(deploys, ["Deploy backend", "Deploy frontend"]);

    for described in manifest.components.values_mut() {
        described.after.clear();
    }
    let plan = plan::deploy(&manifest, &env("dev"), &facts(&manifest)).unwrap();
    assert_eq!(
        drawn(&plan)[11..13],
        [
            "11 Deploy frontend <- 3 4 6 7 8 9 10",
            "12 Deploy backend <- 3 4 6 7 8 9 10"
        ],
        "side by side"
    );
}

#[test]
fn a_plan_says_what_it_was_made_from() {
    let plan = example_plan();
    assert_eq!(
        (
            plan.project.as_str(),
            plan.environment.as_str(),
            plan.branch.as_str()
        ),
        ("projectmeats", "dev", "development")
    );
    assert_eq!((plan.commit.sha.clone(), plan.commit.at), (sha('a'), NOW));
    assert_eq!(plan.manifest, "f".repeat(64));
    let StepKind::Build { key, .. } = &plan.steps[2].step else {
        panic!("step 2 is no build")
    };
    assert_eq!(key.0, "tree-of-backend");
    let StepKind::Deploy { host, .. } = &plan.steps[12].step else {
        panic!("step 12 is no deploy")
    };
    assert_eq!(host.as_str(), "frontend");
}

#[test]
fn only_what_may_be_repeated_is_tried_again_and_every_step_has_an_end() {
    for planned in example_plan().steps {
        let tries = planned.retry.attempts;
        match planned.step {
            StepKind::Build { .. } | StepKind::Lint { .. } | StepKind::Test { .. } => {
                assert_eq!(planned.retry, Retry::NONE);
            }
            _ => assert!(tries > 1, "{} is tried {tries} times", planned.step.title()),
        }
        assert!(
            planned.timeout > Span::seconds(0) && planned.timeout <= Span::seconds(3600),
            "{}",
            planned.step.title()
        );
        assert_eq!(planned.always, planned.step == StepKind::Notify);
    }
}

#[test]
fn pauses_between_tries_double_up_to_five_minutes() {
    let retry = Retry {
        attempts: 100,
        pause: Span::seconds(2),
    };
    let pauses: Vec<u64> = (0..12)
        .map(|failed| retry.pause_after(failed).0 / 1000)
        .collect();
    assert_eq!(pauses, [2, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    assert_eq!(retry.pause_after(u16::MAX), Span::seconds(300));
    assert_eq!(Retry::NONE.pause_after(1), Span(0));
}

#[test]
fn nobody_is_told_where_the_manifest_names_nobody() {
    let mut manifest = example();
    manifest.notify = None;
    let plan = plan::deploy(&manifest, &env("dev"), &facts(&manifest)).unwrap();
    assert!(
        plan.steps
            .iter()
            .all(|planned| planned.step != StepKind::Notify && !planned.always)
    );
}

#[test]
fn the_usual_duration_is_that_of_the_longest_path() {
    let manifest = example();
    let mut facts = facts(&manifest);
    assert_eq!(
        plan::deploy(&manifest, &env("dev"), &facts)
            .unwrap()
            .usual_ms(),
        None,
        "nothing is known yet"
    );
    facts.usual = [
        ("checkout", 1_000),
        ("lint", 100),
        ("migrate:backend", 4_000),
        ("build:backend", 30_000),
        ("push:backend:docr", 2_000),
        ("push:backend:ghcr", 5_000),
        ("build:frontend", 10_000),
        ("deploy:backend", 7_000),
        ("deploy:frontend", 3_000),
        ("notify", 500),
    ]
    .into_iter()
    .map(|(key, ms)| (key.to_owned(), ms))
    .collect();
    let plan = plan::deploy(&manifest, &env("dev"), &facts).unwrap();
    assert_eq!(
        plan.usual_ms(),
        Some(1_000 + 100 + 30_000 + 5_000 + 4_000 + 7_000 + 3_000 + 500)
    );
    assert_eq!(plan.steps[2].usual_ms, Some(30_000));
    assert_eq!(plan.steps[6].usual_ms, None);
}

#[test]
fn everything_that_stands_in_the_way_is_said_at_once() {
    let mut manifest = example();
    let dev = manifest.environments.get_mut(&env("dev")).unwrap();
    for host in dev.hosts.values_mut() {
        host.host_key = None;
    }
    // A host that no component runs on need not be pinned.
    let spare = dev.hosts[0].clone();
    dev.hosts.insert("spare".parse().unwrap(), spare);
    let mut facts = facts(&manifest);
    facts.keys.remove(&component("frontend"));
    facts.missing_secrets = BTreeMap::from([
        (
            secret("SSH_PASSWORD"),
            vec!["DEV_SSH_PASSWORD".into(), "SSH_PASSWORD".into()],
        ),
        (
            secret("GHCR_TOKEN"),
            vec!["DEV_GHCR_TOKEN".into(), "GHCR_TOKEN".into()],
        ),
    ]);
    let blockers = plan::deploy(&manifest, &env("dev"), &facts).unwrap_err();
    let told: Vec<String> = blockers.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "secret `GHCR_TOKEN` resolves to nothing (looked for DEV_GHCR_TOKEN, GHCR_TOKEN); whoever runs the portal can add it to a secret source",
            "secret `SSH_PASSWORD` resolves to nothing (looked for DEV_SSH_PASSWORD, SSH_PASSWORD); whoever runs the portal can add it to a secret source",
            "host `backend` of `dev` has no pinned key; run `fairlead host enrol` and put the fingerprint into `host_key`",
            "host `frontend` of `dev` has no pinned key; run `fairlead host enrol` and put the fingerprint into `host_key`",
            &format!(
                "commit {} has no `frontend/dockerfile`, which component `frontend` is built from; commit it, or correct `build` of the component in the manifest",
                sha('a')
            ),
        ]
    );
}

#[test]
fn an_unknown_environment_stands_in_the_way_of_everything() {
    let manifest = example();
    let blockers = plan::deploy(&manifest, &env("qa"), &facts(&manifest)).unwrap_err();
    assert_eq!(
        blockers,
        [Blocker::NoSuchEnvironment {
            environment: env("qa")
        }]
    );
}

#[test]
fn a_blocker_survives_its_way_through_json() {
    let blocker = Blocker::MissingSecret {
        name: secret("A"),
        tried: vec!["DEV_A".into()],
    };
    let json = serde_json::to_string(&blocker).unwrap();
    assert_eq!(
        json,
        r#"{"blocker":"missing-secret","name":"A","tried":["DEV_A"]}"#
    );
    assert_eq!(serde_json::from_str::<Blocker>(&json).unwrap(), blocker);
}

#[test]
fn the_reader_is_told_what_a_deploy_will_not_change() {
    let manifest = example();
    let mut facts = facts(&manifest);
    let notices =
        |facts: &plan::DeployFacts| plan::deploy(&manifest, &env("dev"), facts).unwrap().notices;
    facts.running = BTreeMap::from([
        (component("backend"), sha('a')),
        (component("frontend"), sha('b')),
    ]);
    assert!(notices(&facts).is_empty(), "one of two is another commit's");

    facts.running.insert(component("frontend"), sha('a'));
    assert_eq!(
        notices(&facts),
        ["commit aaaaaaa already runs here; its containers will be replaced by fresh ones"]
    );
}

#[test]
fn tests_that_passed_on_the_same_source_are_named_and_not_run_again() {
    let manifest = example();
    let mut facts = facts(&manifest);
    let backend = facts.tests.get_mut(&component("backend")).unwrap();
    backend.passed = Some(domain::RunId(7));
    let usual = ["test:backend", "test:frontend"].map(|key| (key.to_owned(), 60_000));
    facts.usual = usual.into();
    let plan = plan::deploy(&manifest, &env("dev"), &facts).unwrap();
    assert_eq!(
        plan.steps[8].step.sentence(),
        "the tests of backend passed on the same source in run #7"
    );
    assert_eq!(plan.steps[9].step.sentence(), "run the tests of frontend");
    let usual = [8, 9].map(|step| plan.steps[step].usual_ms);
    assert_eq!(usual, [None, Some(60_000)], "what is not run takes no time");
}

#[test]
fn failing_tests_hold_up_the_run_unless_that_was_overridden() {
    let manifest = example();
    let mut facts = facts(&manifest);
    let optional = |facts: &plan::DeployFacts| {
        let plan = plan::deploy(&manifest, &env("dev"), facts).unwrap();
        let optional: Vec<String> = plan
            .steps
            .iter()
            .filter(|planned| planned.optional)
            .map(|planned| planned.step.title())
            .collect();
        (optional, plan.notices)
    };
    assert_eq!(optional(&facts), (vec![], vec![]));
    facts.tests_overridden = true;
    assert_eq!(
        optional(&facts),
        (
            vec!["Test backend".into(), "Test frontend".into()],
            vec!["tests that fail do not hold up this run: that was asked for".to_owned()]
        )
    );
}

#[test]
fn where_one_registry_is_enough_a_push_that_fails_holds_up_nothing() {
    let mut manifest = example();
    manifest.registries_required = domain::manifest::Required::Any;
    let plan = plan::deploy(&manifest, &env("dev"), &facts(&manifest)).unwrap();
    for planned in plan.steps {
        let push = matches!(planned.step, StepKind::Push { .. });
        assert_eq!(planned.optional, push, "{}", planned.step.title());
    }
}

#[test]
fn tests_whose_folder_is_not_in_the_commit_stand_in_the_way() {
    let manifest = example();
    let mut facts = facts(&manifest);
    facts.tests.remove(&component("frontend"));
    let blockers = plan::deploy(&manifest, &env("dev"), &facts).unwrap_err();
    let told: Vec<String> = blockers.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [format!(
            "commit {} has no `frontend`, where the tests of component `frontend` run",
            sha('a')
        )]
    );
}

/// Manifests of up to six components, each after some of those before it in a shuffled order.
fn manifest() -> impl Strategy<Value = Manifest> {
    let names: Vec<usize> = (0..6).collect();
    let after = prop::collection::vec(prop::collection::vec(any::<bool>(), 6), 6);
    (
        1_usize..=6,
        Just(names).prop_shuffle(),
        after,
        1_usize..=3,
        any::<bool>(),
    )
        .prop_map(|(count, order, after, registries, notify)| {
            let mut manifest = example();
            let pattern = manifest.components[0].clone();
            manifest.components.clear();
            for place in order.iter().filter(|place| **place < count) {
                let mut described = pattern.clone();
                let before = (0..*place).filter(|earlier| after[*place][*earlier]);
                described.after = before
                    .map(|earlier| component(&format!("c{earlier}")))
                    .collect();
                manifest
                    .components
                    .insert(component(&format!("c{place}")), described);
            }
            let registry = manifest.registries[0].clone();
            manifest.registries = (0..registries)
                .map(|n| domain::manifest::Registry {
                    name: format!("r{n}"),
                    ..registry.clone()
                })
                .collect();
            manifest.notify = manifest.notify.filter(|_| notify);
            manifest
        })
}

proptest! {
    #[test]
    fn every_step_comes_after_what_it_needs(manifest in manifest(), reused in prop::collection::vec(any::<bool>(), 6)) {
        let mut facts = facts(&manifest);
        let kept = manifest.components.keys().zip(&reused).filter(|(_, reused)| **reused);
        facts.built = kept.map(|(name, _)| (name.clone(), digest('1'))).collect();
        let plan = plan::deploy(&manifest, &env("dev"), &facts).unwrap();
        let mut images = Vec::new();
        let mut deployed = BTreeMap::new();
        for (place, planned) in plan.steps.iter().enumerate() {
            prop_assert_eq!(planned.id.index(), place);
            prop_assert!(planned.needs.iter().all(|need| *need < planned.id), "{:?}", planned);
            match &planned.step {
                StepKind::Push { .. } | StepKind::Tag { .. } => images.push(planned.id),
                StepKind::Deploy { component, .. } => {
                    prop_assert!(images.iter().all(|image| planned.needs.contains(image)), "an image is not waited for");
                    for before in &manifest.components[component].after {
                        let before: &StepId = deployed.get(before).expect("deployed earlier");
                        prop_assert!(planned.needs.contains(before));
                    }
                    deployed.insert(component.clone(), planned.id);
                }
                StepKind::Notify => prop_assert_eq!(planned.needs.len(), place),
                StepKind::Checkout
                | StepKind::Lint { .. }
                | StepKind::Build { .. }
                | StepKind::Test { .. }
                | StepKind::Migrate { .. } => {}
            }
        }
        prop_assert_eq!(images.len(), manifest.components.len() * manifest.registries.len());
        prop_assert_eq!(deployed.len(), manifest.components.len());
        // The plan is stored as JSON.
        let json = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    }
}
