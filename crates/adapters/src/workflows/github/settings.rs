//! What stands both at the top of a workflow and in a job.
use github_actions_models::common::{BasePermission, CacheMode, Permission};

use super::super::found::{instead, near, shown};
use super::super::yaml::{Content, Node, Value};
use super::Check;
use super::keys::{is_expression, name};
use super::model::words;
use super::places::{NOWHERE, Place};

/// What `permissions` can be about.
const SCOPES: &[&str] = &[
    "actions",
    "artifact-metadata",
    "attestations",
    "checks",
    "contents",
    "copilot-requests",
    "deployments",
    "discussions",
    "id-token",
    "issues",
    "models",
    "packages",
    "pages",
    "pull-requests",
    "repository-projects",
    "security-events",
    "statuses",
    "vulnerability-alerts",
];

/// What GitHub's runners can start; anything else is a command with `{0}` for the script.
const SHELLS: &[&str] = &["bash", "sh", "pwsh", "powershell", "cmd", "python"];

impl Check<'_, '_> {
    pub(super) fn permissions(&mut self, node: &Node) {
        let rule = "permissions";
        if is_expression(node) {
            return self.expressions(node, &NOWHERE);
        }
        if node.text().is_some() && !node.is_null() {
            // The model's word `default` stands for a file that says nothing.
            let known = words::<BasePermission>().iter().copied();
            let known: Vec<&str> = known.filter(|word| *word != "default").collect();
            return self.word(node, "permissions", rule, &known);
        }
        for entry in self.map(node, "permissions").unwrap_or_default() {
            let scope = name(entry);
            if !SCOPES.contains(&scope) {
                let message = format!(
                    "there is no permission {}; {}",
                    shown(scope),
                    instead(scope, SCOPES)
                );
                self.error(&entry.key, rule, message);
                continue;
            }
            let without = match scope {
                "id-token" | "copilot-requests" => Some("read"),
                "models" | "vulnerability-alerts" => Some("write"),
                _ => None,
            };
            let levels = words::<Permission>().iter().copied();
            let levels: Vec<&str> = levels.filter(|level| Some(*level) != without).collect();
            if is_expression(&entry.value) {
                self.expressions(&entry.value, &NOWHERE);
            } else {
                self.word(&entry.value, scope, rule, &levels);
            }
        }
    }

    /// A mapping from names to single values.
    pub(super) fn env(&mut self, node: &Node, place: &Place) {
        self.values(node, "env", place);
    }

    pub(super) fn values(&mut self, node: &Node, what: &str, place: &Place) {
        if is_expression(node) {
            return self.expressions(node, place);
        }
        for entry in self.map(node, what).unwrap_or_default() {
            self.expressions(&entry.value, place);
            if entry.value.text().is_none() {
                let what = format!("{} of {what}", shown(name(entry)));
                self.kind(&entry.value, &what, "a single value");
            }
        }
    }

    pub(super) fn defaults(&mut self, node: &Node, place: &Place) {
        for entry in self.map(node, "defaults").unwrap_or_default() {
            if name(entry) != "run" {
                self.unknown(entry, "defaults", &["run"]);
                continue;
            }
            let what = "defaults.run";
            for entry in self.map(&entry.value, what).unwrap_or_default() {
                match name(entry) {
                    "shell" => self.shell(&entry.value, place),
                    "working-directory" => self.string(&entry.value, "working-directory", place),
                    _ => self.unknown(entry, what, &["shell", "working-directory"]),
                }
            }
        }
    }

    pub(super) fn shell(&mut self, node: &Node, place: &Place) {
        self.expressions(node, place);
        let Some(shell) = self.text(node, "shell") else {
            return;
        };
        if !is_expression(node) && !shell.contains("{0}") && !SHELLS.contains(&shell) {
            let command = match near(shell, SHELLS) {
                Some(_) => "",
                None => ", or a command with `{0}` for the script",
            };
            let instead = instead(shell, SHELLS);
            let message = format!("there is no shell {}; {instead}{command}", shown(shell));
            self.error(node, "shell", message);
        }
    }

    pub(super) fn concurrency(&mut self, node: &Node, place: &Place) {
        const KNOWN: &[&str] = &["group", "cancel-in-progress", "queue"];
        if node.text().is_some() {
            self.text(node, "concurrency");
            return self.expressions(node, place);
        }
        let Some(entries) = self.map(node, "concurrency") else {
            return;
        };
        self.required(node, "concurrency", &["group"]);
        for entry in entries {
            match name(entry) {
                "group" => self.string(&entry.value, "group", place),
                "cancel-in-progress" => self.boolean(&entry.value, "cancel-in-progress", place),
                "queue" => self.word(&entry.value, "queue", "value", &["single", "max"]),
                _ => self.unknown(entry, "concurrency", KNOWN),
            }
        }
    }

    pub(super) fn cache_mode(&mut self, node: &Node) {
        self.word(node, "cache-mode", "value", words::<CacheMode>());
    }

    pub(super) fn strategy(&mut self, node: &Node, place: &Place) {
        for entry in self.map(node, "strategy").unwrap_or_default() {
            match name(entry) {
                "matrix" => self.matrix(&entry.value, place),
                "fail-fast" => self.boolean(&entry.value, "fail-fast", place),
                "max-parallel" => self.number(&entry.value, "max-parallel", place),
                _ => self.unknown(entry, "strategy", &["matrix", "fail-fast", "max-parallel"]),
            }
        }
    }

    fn matrix(&mut self, node: &Node, place: &Place) {
        self.expressions(node, place);
        if is_expression(node) {
            return;
        }
        for entry in self.map(node, "matrix").unwrap_or_default() {
            let (key, value) = (name(entry), &*entry.value);
            if is_expression(value) || is_expression(&entry.key) {
                continue;
            }
            let Some(items) = self.list(value, &format!("`{key}` of the matrix")) else {
                continue;
            };
            if matches!(key, "include" | "exclude") {
                for item in items.iter().filter(|item| !is_expression(item)) {
                    self.map(item, &format!("an entry of `{key}`"));
                }
            }
        }
    }

    pub(super) fn environment(&mut self, node: &Node, name_place: &Place, url_place: &Place) {
        if node.text().is_some() {
            return self.string(node, "environment", name_place);
        }
        let Some(entries) = self.map(node, "environment") else {
            return;
        };
        self.required(node, "environment", &["name"]);
        for entry in entries {
            match name(entry) {
                "name" => self.string(&entry.value, "name", name_place),
                "url" => self.string(&entry.value, "url", url_place),
                "deployment" => self.boolean(&entry.value, "deployment", name_place),
                _ => self.unknown(entry, "environment", &["name", "url", "deployment"]),
            }
        }
    }

    /// A list of single values.
    pub(super) fn scalars(&mut self, node: &Node, what: &str, place: &Place) {
        self.expressions(node, place);
        if is_expression(node) {
            return;
        }
        for item in self.list(node, what).unwrap_or_default() {
            self.text(item, what);
        }
    }

    /// Whether a value says a whole positive number where it is a number at all.
    pub(super) fn minutes(&mut self, node: &Node, what: &str, place: &Place) {
        self.number(node, what, place);
        if let Some(Value::Number(minutes)) = node.value()
            && minutes <= 0.0
        {
            let message = format!("{what} is {minutes}; expected a number above 0");
            self.error(node, "value", message);
        }
    }

    /// What a job runs on: labels, or a group of runners.
    pub(super) fn runs_on(&mut self, node: &Node, place: &Place) {
        self.expressions(node, place);
        if !matches!(node.seen().content, Content::Map { .. }) {
            self.texts(node, "runs-on");
            return;
        }
        for entry in self.map(node, "runs-on").unwrap_or_default() {
            match name(entry) {
                key @ ("group" | "labels") => {
                    self.texts(&entry.value, key);
                }
                _ => self.unknown(entry, "runs-on", &["group", "labels"]),
            }
        }
        if node.get("group").is_none() && node.get("labels").is_none() {
            self.error(node, "missing-key", "runs-on needs `group` or `labels`");
        }
    }
}
