//! The example manifest and short makers of the words that the tests speak of.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::collections::BTreeMap;

use domain::manifest::{Manifest, SecretName};
use domain::plan::{self, Commit, DeployFacts, Plan, TestFacts};
use domain::release::TreeKey;
use domain::{ComponentName, Digest, EnvName, Ms, Sha};

/// The documented example.
pub const EXAMPLE: &str = include_str!("../../../../docs/example/projectmeats.toml");

/// 2026-11-23 18:53:20 UTC.
pub const NOW: Ms = Ms(1_795_460_000_000);

pub fn example() -> Manifest {
    Manifest::parse(EXAMPLE).unwrap()
}

pub fn component(name: &str) -> ComponentName {
    ComponentName::parse(name).unwrap()
}

pub fn env(name: &str) -> EnvName {
    EnvName::parse(name).unwrap()
}

pub fn secret(name: &str) -> SecretName {
    name.parse().unwrap()
}

pub fn sha(digit: char) -> Sha {
    Sha::parse(digit.to_string().repeat(40)).unwrap()
}

pub fn digest(digit: char) -> Digest {
    Digest::parse(format!("sha256:{}", digit.to_string().repeat(64))).unwrap()
}

/// Facts in which nothing was built yet and nothing stands in the way.
pub fn facts(manifest: &Manifest) -> DeployFacts {
    DeployFacts {
        commit: Commit {
            sha: sha('a'),
            title: "Show the cuts by weight".into(),
            author: "Dev".into(),
            at: NOW,
        },
        manifest: "f".repeat(64),
        keys: manifest
            .components
            .keys()
            .map(|name| (name.clone(), TreeKey(format!("tree-of-{name}"))))
            .collect(),
        built: BTreeMap::new(),
        tests: manifest
            .components
            .iter()
            .filter(|(_, described)| described.test.is_some())
            .map(|(name, _)| {
                let key = TreeKey(format!("tests-of-{name}"));
                (name.clone(), TestFacts { key, passed: None })
            })
            .collect(),
        tests_overridden: false,
        rebuild: false,
        missing_secrets: BTreeMap::new(),
        usual: BTreeMap::new(),
        running: BTreeMap::new(),
    }
}

/// A deploy of the example to dev as [`example_plan`] gives it, without lint, tests and migrations.
pub fn plain_plan() -> Plan {
    let mut manifest = example();
    manifest.lint = None;
    for described in manifest.components.values_mut() {
        (described.test, described.migrate) = (None, None);
    }
    plan::deploy(&manifest, &env("dev"), &facts(&manifest)).unwrap()
}

/// A deploy of the example to dev in which everything is built.
pub fn example_plan() -> Plan {
    let manifest = example();
    plan::deploy(&manifest, &env("dev"), &facts(&manifest)).unwrap()
}
