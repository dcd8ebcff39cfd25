//! `on`: what starts a workflow.
use github_actions_models::workflow::event::{
    BareEvent, WorkflowCallInputType, WorkflowDispatchInputType,
};

use super::super::found::{near, shown};
use super::super::yaml::{Content, Entry, Node};
use super::Check;
use super::keys::name;
use super::model::words;
use super::places::{CALL_DEFAULT, CALL_OUTPUT, NOWHERE};

/// An event with a time instead of a cause.
const SCHEDULE: &str = "schedule";

const BRANCHES: [&str; 2] = ["branches", "branches-ignore"];
const TAGS: [&str; 2] = ["tags", "tags-ignore"];
const PATHS: [&str; 2] = ["paths", "paths-ignore"];

/// The filters that an event knows, for those that know more than `types`.
fn filters(event: &str) -> &'static [&'static str] {
    match event {
        "push" => &[
            "branches",
            "branches-ignore",
            "tags",
            "tags-ignore",
            "paths",
            "paths-ignore",
        ],
        "pull_request" | "pull_request_target" => &[
            "types",
            "branches",
            "branches-ignore",
            "paths",
            "paths-ignore",
        ],
        "merge_group" => &["types", "branches", "branches-ignore"],
        "workflow_run" => &["types", "workflows", "branches", "branches-ignore"],
        "image_version" => &["names", "versions"],
        _ => &["types"],
    }
}

/// All that can stand in some event.
const KEYS: &[&str] = &[
    "types",
    "branches",
    "branches-ignore",
    "tags",
    "tags-ignore",
    "paths",
    "paths-ignore",
    "workflows",
    "names",
    "versions",
    "inputs",
    "outputs",
    "secrets",
];

/// Events without types.
const PLAIN: &[&str] = &[
    "create",
    "delete",
    "deployment",
    "deployment_status",
    "fork",
    "gollum",
    "page_build",
    "public",
    "status",
];

impl Check<'_, '_> {
    pub(super) fn events(&mut self, node: &Node) {
        match &node.seen().content {
            Content::Map { entries, .. } => {
                if entries.is_empty() {
                    self.error(node, "event", "`on` names no event");
                }
                for entry in entries {
                    if self.event(&entry.key, true) {
                        self.body(entry);
                    }
                }
            }
            _ if node.is_null() => self.error(node, "event", "`on` names no event"),
            _ => {
                for event in self.texts(node, "on") {
                    self.event(event, false);
                }
            }
        }
    }

    /// Whether there is such an event.
    fn event(&mut self, node: &Node, has_body: bool) -> bool {
        let Some(event) = self.text(node, "an event") else {
            return false;
        };
        if event == SCHEDULE {
            if !has_body {
                let message = "`schedule` needs its times; expected `schedule: [{cron: …}]`";
                self.error(node, "event", message);
            }
            return has_body;
        }
        let known = words::<BareEvent>();
        if known.contains(&event) {
            return true;
        }
        let all: Vec<&str> = known.iter().copied().chain([SCHEDULE]).collect();
        let instead = match near(event, &all) {
            Some(near) => format!("did you mean `{near}`?"),
            // There are too many to tell them all.
            None => "expected `push`, `pull_request`, `workflow_dispatch` or another".to_owned(),
        };
        let message = format!("there is no event {}; {instead}", shown(event));
        self.error(node, "event", message);
        false
    }

    fn body(&mut self, event: &Entry) {
        let (event, node) = (name(event), &*event.value);
        match event {
            SCHEDULE => self.schedule(node),
            _ if node.is_null() => {}
            "workflow_dispatch" => self.dispatch(node),
            "workflow_call" => self.call(node),
            _ => self.filtered(event, node),
        }
    }

    fn filtered(&mut self, event: &str, node: &Node) {
        let what = format!("event `{event}`");
        let Some(entries) = self.map(node, &what) else {
            return;
        };
        let known = match PLAIN.contains(&event) {
            true => &[],
            false => filters(event),
        };
        for pair in [BRANCHES, TAGS, PATHS] {
            self.either(entries, pair);
        }
        if event == "workflow_run" {
            self.required(node, &what, &["workflows"]);
        }
        for entry in entries {
            let key = name(entry);
            if known.contains(&key) {
                self.texts(&entry.value, key);
                self.expressions(&entry.value, &NOWHERE);
            } else {
                self.unknown_filter(entry, event, known);
            }
        }
    }

    /// A key that other events know is ignored by GitHub; one that none knows is a slip.
    fn unknown_filter(&mut self, entry: &Entry, event: &str, known: &[&str]) {
        let key = name(entry);
        let elsewhere = KEYS.contains(&key) && near(key, known).is_none();
        if elsewhere {
            let message = format!("`{key}` does nothing in event `{event}`");
            self.warning(&entry.key, "unknown-key", message);
        } else {
            self.unknown(entry, &format!("event `{event}`"), known);
        }
    }

    fn schedule(&mut self, node: &Node) {
        for item in self.list(node, "schedule").unwrap_or_default() {
            let what = "an entry of `schedule`";
            let Some(entries) = self.map(item, what) else {
                continue;
            };
            self.required(item, what, &["cron"]);
            for entry in entries {
                match name(entry) {
                    "cron" => self.cron(&entry.value),
                    "timezone" => {
                        self.text(&entry.value, "timezone");
                    }
                    _ => self.unknown(entry, what, &["cron", "timezone"]),
                }
            }
        }
    }

    fn cron(&mut self, node: &Node) {
        let Some(text) = self.text(node, "cron") else {
            return;
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || "*,-/".contains(c);
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() != 5 || !fields.iter().all(|field| field.chars().all(allowed)) {
            let message = format!(
                "{} is no time; expected five fields: minute, hour, day, month, weekday",
                shown(text)
            );
            self.error(node, "event", message);
        }
    }

    fn dispatch(&mut self, node: &Node) {
        let what = "event `workflow_dispatch`";
        for entry in self.map(node, what).unwrap_or_default() {
            match name(entry) {
                "inputs" => self.named(&entry.value, "inputs", Self::dispatch_input),
                _ => self.unknown_filter(entry, "workflow_dispatch", &["inputs"]),
            }
        }
    }

    /// A mapping from ids to something.
    fn named(&mut self, node: &Node, what: &str, each: fn(&mut Self, &Node)) {
        if node.is_null() {
            return;
        }
        for entry in self.map(node, what).unwrap_or_default() {
            self.id(&entry.key, "name");
            each(self, &entry.value);
        }
    }

    fn dispatch_input(&mut self, node: &Node) {
        const KNOWN: &[&str] = &[
            "description",
            "deprecationMessage",
            "type",
            "required",
            "default",
            "options",
        ];
        if node.is_null() {
            return;
        }
        let what = "an input of `workflow_dispatch`";
        for entry in self.map(node, what).unwrap_or_default() {
            let value = &*entry.value;
            match name(entry) {
                "type" => {
                    let known = words::<WorkflowDispatchInputType>();
                    self.word(value, "type", "value", known);
                }
                "required" => self.boolean(value, "required", &NOWHERE),
                "options" => {
                    self.list(value, "options");
                }
                "description" | "deprecationMessage" | "default" => {
                    self.string(value, name(entry), &NOWHERE);
                }
                _ => self.unknown(entry, what, KNOWN),
            }
        }
        let choice = node.get("type").and_then(Node::text) == Some("choice");
        if choice {
            self.required(node, "an input of type `choice`", &["options"]);
        }
    }

    fn call(&mut self, node: &Node) {
        let what = "event `workflow_call`";
        for entry in self.map(node, what).unwrap_or_default() {
            match name(entry) {
                "inputs" => self.named(&entry.value, "inputs", Self::call_input),
                "outputs" => self.named(&entry.value, "outputs", Self::call_output),
                "secrets" => self.named(&entry.value, "secrets", Self::call_secret),
                _ => self.unknown(entry, what, &["inputs", "outputs", "secrets"]),
            }
        }
    }

    fn call_input(&mut self, node: &Node) {
        const KNOWN: &[&str] = &[
            "description",
            "deprecationMessage",
            "type",
            "required",
            "default",
        ];
        let what = "an input of `workflow_call`";
        for entry in self.map(node, what).unwrap_or_default() {
            let value = &*entry.value;
            match name(entry) {
                "type" => {
                    let known = words::<WorkflowCallInputType>();
                    self.word(value, "type", "value", known);
                }
                "required" => self.boolean(value, "required", &NOWHERE),
                "default" => self.string(value, "default", &CALL_DEFAULT),
                "description" | "deprecationMessage" => self.string(value, name(entry), &NOWHERE),
                _ => self.unknown(entry, what, KNOWN),
            }
        }
        self.required(node, what, &["type"]);
    }

    fn call_output(&mut self, node: &Node) {
        let what = "an output of `workflow_call`";
        for entry in self.map(node, what).unwrap_or_default() {
            match name(entry) {
                "value" => self.string(&entry.value, "value", &CALL_OUTPUT),
                "description" => self.string(&entry.value, "description", &NOWHERE),
                _ => self.unknown(entry, what, &["description", "value"]),
            }
        }
        self.required(node, what, &["value"]);
    }

    fn call_secret(&mut self, node: &Node) {
        if node.is_null() {
            return;
        }
        let what = "a secret of `workflow_call`";
        for entry in self.map(node, what).unwrap_or_default() {
            match name(entry) {
                "required" => self.boolean(&entry.value, "required", &NOWHERE),
                "description" => self.string(&entry.value, "description", &NOWHERE),
                _ => self.unknown(entry, what, &["description", "required"]),
            }
        }
    }
}
