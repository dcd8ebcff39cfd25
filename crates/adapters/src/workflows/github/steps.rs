//! The steps of a job.
use std::collections::HashMap;

use github_actions_models::common::Uses;

use super::super::found::shown;
use super::super::yaml::{Content, Entry, Node, Value};
use super::Check;
use super::keys::{is_expression, name};
use super::places::{NOWHERE, STEP, STEP_IF};

/// What a step does, with the keys that may stand beside it.
const KINDS: &[(&str, &[&str])] = &[
    (
        "run",
        &[
            "id",
            "if",
            "name",
            "run",
            "working-directory",
            "shell",
            "env",
            "continue-on-error",
            "timeout-minutes",
            "background",
        ],
    ),
    (
        "uses",
        &[
            "id",
            "if",
            "name",
            "uses",
            "with",
            "env",
            "continue-on-error",
            "timeout-minutes",
            "background",
        ],
    ),
    ("wait", &["id", "name", "wait", "continue-on-error"]),
    ("wait-all", &["id", "name", "wait-all", "continue-on-error"]),
    ("cancel", &["id", "name", "cancel", "continue-on-error"]),
    ("parallel", &["parallel"]),
];

/// The items of a job's `steps`, those of `parallel` too.
fn all(job: &Node) -> Vec<&Node> {
    let mut steps: Vec<&Node> = Vec::new();
    let mut lists: Vec<&Node> = job.get("steps").into_iter().collect();
    while let Some(list) = lists.pop() {
        if let Content::List { items, .. } = &list.seen().content {
            for item in items {
                steps.push(item);
                lists.extend(item.get("parallel"));
            }
        }
    }
    steps
}

impl Check<'_, '_> {
    /// The ids that a job's steps have. An id that two of them have is a finding.
    pub(super) fn step_ids(&mut self, job: &Node) -> Vec<String> {
        let mut seen: HashMap<String, u32> = HashMap::new();
        for step in all(job) {
            let Some(id) = step.get("id") else { continue };
            let Some(text) = id.text() else { continue };
            match seen.get(&text.to_lowercase()) {
                Some(line) => {
                    let message = format!(
                        "the id {} stands here a second time; the first is on line {line}",
                        shown(text)
                    );
                    self.error(id, "id", message);
                }
                None => {
                    seen.insert(text.to_lowercase(), id.start.line);
                }
            }
        }
        seen.into_keys().collect()
    }

    pub(super) fn steps(&mut self, node: &Node) {
        for step in self.list(node, "steps").unwrap_or_default() {
            self.step(step, true);
        }
    }

    /// `outer` is not so inside of `parallel`, where only two kinds of step may stand.
    fn step(&mut self, node: &Node, outer: bool) {
        let Some(entries) = self.map(node, "a step") else {
            return;
        };
        let kinds = if outer { KINDS } else { &KINDS[..2] };
        let mut present: Vec<&Entry> = entries
            .iter()
            .filter(|entry| kinds.iter().any(|(kind, _)| *kind == name(entry)))
            .collect();
        present.dedup_by_key(|entry| name(entry));
        let known = match &present[..] {
            [one] => {
                let found = kinds.iter().find(|(kind, _)| *kind == name(one));
                found.map(|(_, keys)| keys.to_vec()).unwrap_or_default()
            }
            others => {
                match others {
                    [first, second, ..] => {
                        let (first, key) = (shown(name(first)), shown(name(second)));
                        let message =
                            format!("a step has both {first} and {key}; only one may stand here");
                        self.error(&second.key, "step", message);
                    }
                    _ => self.error(node, "step", "a step needs `run` or `uses`"),
                }
                // Which of its keys do not belong here cannot be said.
                let mut keys: Vec<&str> =
                    KINDS.iter().flat_map(|(_, keys)| *keys).copied().collect();
                keys.sort_unstable();
                keys.dedup();
                keys
            }
        };
        for entry in entries {
            if known.contains(&name(entry)) {
                self.step_key(entry);
            } else {
                let what = match &present[..] {
                    [one] => format!("a step with `{}`", name(one)),
                    _ => "a step".to_owned(),
                };
                self.unknown(entry, &what, &known);
            }
        }
    }

    fn step_key(&mut self, entry: &Entry) {
        let value = &*entry.value;
        match name(entry) {
            "id" => self.id(value, "step's id"),
            "if" => self.condition(value, &STEP_IF),
            "run" => {
                self.text(value, "run");
                self.expressions(value, &STEP);
            }
            "uses" => self.action(value),
            "shell" => self.shell(value, &STEP),
            "with" => self.values(value, "with", &STEP),
            "env" => self.env(value, &STEP),
            "continue-on-error" => self.boolean(value, "continue-on-error", &STEP),
            "timeout-minutes" => self.minutes(value, "timeout-minutes", &STEP),
            "background" => self.boolean(value, "background", &NOWHERE),
            "wait" => {
                self.texts(value, "wait");
            }
            "wait-all" => {
                if !matches!(value.value(), Some(Value::Bool(_) | Value::Null)) {
                    self.kind(value, "wait-all", "nothing, `true` or `false`");
                }
            }
            "cancel" => {
                self.text(value, "cancel");
            }
            "parallel" => {
                for step in self.list(value, "parallel").unwrap_or_default() {
                    self.step(step, false);
                }
            }
            key => self.string(value, key, &STEP),
        }
    }

    /// The action that a step uses.
    fn action(&mut self, node: &Node) {
        let Some(text) = self.text(node, "uses") else {
            return;
        };
        if is_expression(node) {
            return self.expressions(node, &NOWHERE);
        }
        let why = match Uses::parse(text) {
            Ok(Uses::Repository(uses)) if uses.owner().is_empty() || uses.repo().is_empty() => {
                "owner or name is missing".to_owned()
            }
            Ok(Uses::Repository(uses)) if uses.git_ref().is_empty() => {
                "nothing stands behind `@`".to_owned()
            }
            Ok(Uses::Docker(uses)) if uses.image().is_empty() => "no image is named".to_owned(),
            Ok(_) => return,
            Err(error) => error.to_string(),
        };
        let message = format!(
            "{} is no action: {why}; expected `owner/name@ref`, `./path` or `docker://image`",
            shown(text)
        );
        self.error(node, "uses", message);
    }
}
