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
            "1 Build backend <- 0",
            "2 Push backend to docr <- 1",
            "3 Push backend to ghcr <- 1",
            "4 Build frontend <- 0",
            "5 Push frontend to docr <- 4",
            "6 Push frontend to ghcr <- 4",
            "7 Deploy backend <- 2 3 5 6",
            "8 Deploy frontend <- 2 3 5 6 7",
            "9 Notify <- 0 1 2 3 4 5 6 7 8",
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
            "1 Tag backend on docr <- 0",
            "2 Tag backend on ghcr <- 0",
            "3 Tag frontend on docr <- 0",
            "4 Tag frontend on ghcr <- 0",
            "5 Deploy backend <- 1 2 3 4",
            "6 Deploy frontend <- 1 2 3 4 5",
            "7 Notify <- 0 1 2 3 4 5 6",
        ]
    );
    let StepKind::Tag { digest: reused, .. } = &plan.steps[3].step else {
        panic!("step 3 is no tag")
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
        drawn(&plan)[1..6],
        [
            "1 Tag backend on docr <- 0",
            "2 Tag backend on ghcr <- 0",
            "3 Build frontend <- 0",
            "4 Push frontend to docr <- 3",
            "5 Push frontend to ghcr <- 3",
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
        drawn(&plan)[7..9],
        [
            "7 Deploy frontend <- 2 3 5 6",
            "8 Deploy backend <- 2 3 5 6"
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
    let StepKind::Build { key, .. } = &plan.steps[1].step else {
        panic!("step 1 is no build")
    };
    assert_eq!(key.0, "tree-of-backend");
    let StepKind::Deploy { host, .. } = &plan.steps[8].step else {
        panic!("step 8 is no deploy")
    };
    assert_eq!(host.as_str(), "frontend");
}

#[test]
fn only_what_may_be_repeated_is_tried_again_and_every_step_has_an_end() {
    for planned in example_plan().steps {
        let tries = planned.retry.attempts;
        match planned.step {
            StepKind::Build { .. } => assert_eq!(planned.retry, Retry::NONE),
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
        Some(1_000 + 30_000 + 5_000 + 7_000 + 3_000 + 500)
    );
    assert_eq!(plan.steps[1].usual_ms, Some(30_000));
    assert_eq!(plan.steps[5].usual_ms, None);
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
                "commit {} has no `frontend/dockerfile`, which component `frontend` is built from",
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
fn the_reader_is_told_what_a_deploy_will_not_change_and_will_not_run() {
    let mut manifest = example();
    let mut facts = facts(&manifest);
    let undone = "the manifest also describes lint, test, migrate, proxy, which this version of Fairlead does not heed yet";
    assert_eq!(
        plan::deploy(&manifest, &env("dev"), &facts)
            .unwrap()
            .notices,
        [undone]
    );

    let to_prod = plan::deploy(&manifest, &env("prod"), &facts).unwrap();
    assert!(
        to_prod.notices[0].contains("proxy, approvals, which"),
        "{:?}",
        to_prod.notices
    );

    facts.running = BTreeMap::from([
        (component("backend"), sha('a')),
        (component("frontend"), sha('b')),
    ]);
    assert_eq!(
        plan::deploy(&manifest, &env("dev"), &facts)
            .unwrap()
            .notices,
        [undone],
        "one of two is another commit's"
    );

    facts.running.insert(component("frontend"), sha('a'));
    manifest.lint = None;
    for described in manifest.components.values_mut() {
        (described.test, described.migrate, described.proxy) = (None, None, None);
    }
    assert_eq!(
        plan::deploy(&manifest, &env("dev"), &facts)
            .unwrap()
            .notices,
        ["commit aaaaaaa already runs here; its containers will be replaced by fresh ones"]
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
                StepKind::Checkout | StepKind::Build { .. } => {}
            }
        }
        prop_assert_eq!(images.len(), manifest.components.len() * manifest.registries.len());
        prop_assert_eq!(deployed.len(), manifest.components.len());
        // The plan is stored as JSON.
        let json = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    }
}
