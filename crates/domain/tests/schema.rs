//! The JSON Schema for editors says what the parser says: the parser itself is asked for the keys, types, words and
//! ranges of every table.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]

mod common;

use std::collections::BTreeSet;

use common::EXAMPLE;
use domain::manifest::{Manifest, Problem};
use serde_json::Value;

/// Every table of a manifest: the header that opens one, and its path in messages.
const TABLES: [(&str, &str, &str); 21] = [
    ("", "", ""),
    ("registry", "[[registries]]", "registries[0]."),
    ("lint", "[lint]", "lint."),
    ("component", "[components.a]", "components.a."),
    ("build", "[components.a.build]", "components.a.build."),
    ("test", "[components.a.test]", "components.a.test."),
    (
        "service",
        "[components.a.test.services.b]",
        "components.a.test.services.b.",
    ),
    ("migrate", "[components.a.migrate]", "components.a.migrate."),
    (
        "container",
        "[components.a.container]",
        "components.a.container.",
    ),
    (
        "log",
        "[components.a.container.log]",
        "components.a.container.log.",
    ),
    (
        "healthcheck",
        "[components.a.container.healthcheck]",
        "components.a.container.healthcheck.",
    ),
    ("file", "[[components.a.files]]", "components.a.files[0]."),
    ("proxy", "[components.a.proxy]", "components.a.proxy."),
    ("health", "[components.a.health]", "components.a.health."),
    ("environment", "[environments.a]", "environments.a."),
    (
        "approvals",
        "[environments.a.approvals]",
        "environments.a.approvals.",
    ),
    (
        "host",
        "[environments.a.hosts.b]",
        "environments.a.hosts.b.",
    ),
    ("notify", "[notify]", "notify."),
    ("webhook", "[notify.webhook]", "notify.webhook."),
    ("on_push", "[on_push]", "on_push."),
    ("secret", "[secrets.A]", "secrets.A."),
];

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../docs/manifest.schema.json")).unwrap()
}

/// What `node` stands for, where it is a reference.
fn resolve<'s>(schema: &'s Value, node: &'s Value) -> &'s Value {
    match node["$ref"].as_str() {
        Some(reference) => schema
            .pointer(reference.trim_start_matches('#'))
            .expect(reference),
        None => node,
    }
}

fn words(list: &Value) -> BTreeSet<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect()
}

/// What the parser says of `line` in the table that `header` opens.
fn told(header: &str, line: &str) -> Vec<Problem> {
    Manifest::parse(&format!("{header}\n{line}\n")).unwrap_err()
}

#[test]
fn every_table_has_the_parsers_keys_and_asks_for_those_that_it_asks_for() {
    let schema = schema();
    for (name, header, path) in TABLES {
        let table = if name.is_empty() {
            &schema
        } else {
            &schema["$defs"][name]
        };
        let problems = told(header, "unknown_to_everybody = 1");
        let stray = problems
            .iter()
            .find(|p| p.key == format!("{path}unknown_to_everybody"))
            .expect(name);
        let known: BTreeSet<&str> = stray
            .advice
            .strip_prefix("known keys here: ")
            .expect(name)
            .split(", ")
            .collect();
        let described: BTreeSet<&str> = table["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(described, known, "keys of {name}");
        let missing: BTreeSet<&str> = problems
            .iter()
            .filter(|p| p.message == "is missing")
            .filter_map(|p| p.key.strip_prefix(path).filter(|key| !key.contains('.')))
            .collect();
        assert_eq!(words(&table["required"]), missing, "what {name} must have");
        assert_eq!(table["additionalProperties"], false, "{name}");
    }
    let plain = ["value", "time"];
    assert_eq!(
        schema["$defs"].as_object().unwrap().len(),
        TABLES.len() - 1 + plain.len(),
        "a definition is not tested"
    );
}

#[test]
fn every_key_has_the_parsers_type_words_and_range() {
    let schema = schema();
    for (name, header, path) in TABLES {
        let table = if name.is_empty() {
            &schema
        } else {
            &schema["$defs"][name]
        };
        for (key, described) in table["properties"].as_object().unwrap() {
            let described = resolve(&schema, described);
            let about = |value: &str| {
                let all = told(header, &format!("{key} = {value}"));
                all.into_iter().find(|p| p.key == format!("{path}{key}"))
            };
            // No value of a manifest is a date.
            let message = about("2026-11-23")
                .unwrap_or_else(|| panic!("{path}{key} takes a date"))
                .message;
            let kind = match message
                .strip_prefix("expected ")
                .unwrap()
                .strip_suffix(", found a date")
                .unwrap()
            {
                "a text in quotes" => "string",
                "a whole number" => "integer",
                "a number" => "number",
                "true or false" => "boolean",
                "a list" => "array",
                "a table" => "object",
                other => panic!("{path}{key}: {other}"),
            };
            assert_eq!(described["type"], kind, "{path}{key}");
            if kind == "string" {
                let advice = about("\"no such word\"")
                    .map(|p| p.advice)
                    .unwrap_or_default();
                let known = advice
                    .strip_prefix("use one of ")
                    .map(|list| list.split(", ").map(|w| w.trim_matches('`')).collect());
                assert_eq!(described.get("enum").map(words), known, "{path}{key}");
            }
            if kind == "integer" {
                let range = format!(
                    "give a whole number from {} to {}",
                    described["minimum"], described["maximum"]
                );
                assert_eq!(about("-1").unwrap().advice, range, "{path}{key}");
            }
        }
    }
}

/// Whether `value` fits `node`, by the words of JSON Schema that ours uses.
fn fits(schema: &Value, node: &Value, value: &Value, path: &str) {
    let node = resolve(schema, node);
    let right = match node["type"].as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    assert!(right, "{path} is {value}");
    assert!(
        node.get("enum")
            .is_none_or(|words| words.as_array().unwrap().contains(value)),
        "{path} is {value}"
    );
    for item in value.as_array().into_iter().flatten() {
        fits(schema, &node["items"], item, path);
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        let described = node["properties"]
            .get(key)
            .unwrap_or(&node["additionalProperties"]);
        assert!(described.is_object(), "{path}.{key} is not described");
        fits(schema, described, inner, &format!("{path}.{key}"));
    }
}

#[test]
fn the_example_fits_the_schema() {
    let example: Value = toml::from_str(EXAMPLE).unwrap();
    let schema = schema();
    fits(&schema, &schema, &example, "");
}
