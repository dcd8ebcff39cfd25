//! Images that are built anew although their source was built before: the plan, the keys and the tags.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]

mod common;

use std::collections::BTreeMap;

use common::{NOW, component, digest, env, example, facts, sha};
use domain::plan::{self, Plan};
use domain::release::TreeKey;

#[test]
fn images_that_are_to_be_built_anew_are_built_and_pushed_though_the_same_tree_was_built_before() {
    let manifest = example();
    let mut facts = facts(&manifest);
    let first = plan::deploy(&manifest, &env("dev"), &facts).unwrap();
    facts.built = BTreeMap::from([
        (component("backend"), digest('1')),
        (component("frontend"), digest('2')),
    ]);
    facts.rebuild = true;
    for key in facts.keys.values_mut() {
        *key = key.anew(NOW);
    }
    let plan = plan::deploy(&manifest, &env("dev"), &facts).unwrap();
    assert!(plan.rebuild && !first.rebuild);
    let drawn = |plan: &Plan| -> Vec<_> {
        let steps = plan.steps.iter();
        steps
            .map(|planned| (planned.step.title(), planned.needs.clone()))
            .collect()
    };
    assert_eq!(drawn(&plan), drawn(&first), "nothing is only tagged");
    assert_eq!(
        plan.notices,
        [
            "every image is built anew, without the cache and on base images as they are now: that was asked for"
        ]
    );
    let sentence = |plan: &Plan| plan.steps[2].step.sentence();
    assert_eq!(sentence(&first), "build the image of backend");
    assert_eq!(
        sentence(&plan),
        "build the image of backend anew, without the cache and on base images as they are now"
    );
    let usual = |plan: &Plan| plan.steps[2].step.history_key();
    assert_eq!(usual(&first), "build:backend");
    assert_eq!(usual(&plan), "rebuild:backend");
}

#[test]
fn an_image_that_was_built_anew_has_its_own_tag_wherever_it_goes() {
    let manifest = example();
    let mut facts = facts(&manifest);
    let anew = facts.keys[&component("backend")].anew(NOW);
    facts.keys.insert(component("backend"), anew);
    let backend = component("backend");
    let tags = |facts: &plan::DeployFacts, environment: &str| {
        let plan = plan::deploy(&manifest, &env(environment), facts).unwrap();
        ["backend", "frontend"].map(|name| plan.tag(&component(name)))
    };
    let sha = sha('a');
    let pushed = [format!("dev-{sha}-r20261123185320"), format!("dev-{sha}")];
    assert_eq!(tags(&facts, "dev"), pushed);
    facts.built = BTreeMap::from([(backend, digest('1'))]);
    let reused = [format!("uat-{sha}-r20261123185320"), format!("uat-{sha}")];
    assert_eq!(tags(&facts, "uat"), reused);
}

#[test]
fn a_plan_of_an_earlier_version_reads_back_and_gives_the_tags_that_it_gave() {
    let manifest = example();
    let mut facts = facts(&manifest);
    facts.built = BTreeMap::from([(component("backend"), digest('1'))]);
    let plan = plan::deploy(&manifest, &env("dev"), &facts).unwrap();
    let mut stored = serde_json::to_value(&plan).unwrap();
    assert!(
        stored.get("rebuild").is_none(),
        "what is not asked for is not stored"
    );
    let steps = stored["steps"].as_array_mut().unwrap();
    let removed = steps
        .iter_mut()
        .filter(|planned| planned["step"]["kind"] == "tag")
        .filter_map(|planned| planned["step"].as_object_mut()?.remove("key"));
    assert_eq!(removed.count(), manifest.registries.len());
    let old: Plan = serde_json::from_value(stored).unwrap();
    assert!(!old.rebuild);
    for name in ["backend", "frontend"] {
        let tag = old.tag(&component(name));
        assert_eq!(tag, format!("dev-{}", sha('a')), "{name}");
    }
    assert_eq!(old.key(&component("backend")), None);
    let frontend = TreeKey("tree-of-frontend".into());
    assert_eq!(old.key(&component("frontend")), Some(&frontend));
}
