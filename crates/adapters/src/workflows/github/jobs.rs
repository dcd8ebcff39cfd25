//! `jobs`: each with steps of its own, or a call of another workflow.
use github_actions_models::common::Uses;

use super::super::found::{instead, near, shown};
use super::super::yaml::{Entry, Node};
use super::keys::{is_expression, name};
use super::places::{
    CREDENTIALS, ENVIRONMENT_URL, JOB, JOB_DEFAULTS, JOB_ENV, JOB_IF, NOWHERE, RUNNER, STRATEGY,
};
use super::{Check, Job, needs};

const WITH_STEPS: &[&str] = &[
    "name",
    "needs",
    "if",
    "permissions",
    "runs-on",
    "environment",
    "concurrency",
    "outputs",
    "env",
    "defaults",
    "steps",
    "timeout-minutes",
    "cancel-timeout-minutes",
    "strategy",
    "continue-on-error",
    "container",
    "services",
    "snapshot",
    "cache-mode",
];

const CALL: &[&str] = &[
    "name",
    "needs",
    "if",
    "permissions",
    "concurrency",
    "strategy",
    "uses",
    "with",
    "secrets",
    "cache-mode",
];

const CONTAINER: &[&str] = &["image", "credentials", "env", "ports", "volumes", "options"];

const SERVICE: &[&str] = &[
    "image",
    "credentials",
    "env",
    "ports",
    "volumes",
    "options",
    "entrypoint",
    "command",
];

/// Most jobs of a circle that are told.
const MOST_TOLD: usize = 30;

impl Check<'_, '_> {
    pub(super) fn jobs(&mut self, node: &Node) {
        let Some(entries) = self.map(node, "jobs") else {
            return;
        };
        if entries.is_empty() {
            self.error(node, "missing-key", "jobs needs a job");
        }
        let ids: Vec<&str> = entries.iter().map(name).collect();
        let mut graph = Vec::new();
        for entry in entries {
            self.id(&entry.key, "job's id");
            let needed = self.needs(&entry.value, name(entry), &ids);
            self.job = Job {
                needs: needed
                    .iter()
                    .filter_map(|n| n.text())
                    .map(str::to_owned)
                    .collect(),
                steps: Vec::new(),
            };
            graph.push((name(entry), needed));
            self.job(entry);
        }
        self.job = Job::default();
        for (node, way) in needs::cycles(&graph) {
            let mut told: Vec<String> = way.iter().take(MOST_TOLD).map(|id| shown(id)).collect();
            if way.len() > MOST_TOLD {
                told.push("…".to_owned());
            }
            let message = format!("these jobs need one another: {}", told.join(" → "));
            self.error(node, "needs", message);
        }
    }

    /// The nodes of `needs` that name a job.
    fn needs<'n>(&mut self, job: &'n Node, id: &str, ids: &[&str]) -> Vec<&'n Node> {
        let Some(node) = job.get("needs") else {
            return Vec::new();
        };
        let mut needed = Vec::new();
        for node in self.texts(node, "needs") {
            let given = node.text().unwrap_or_default();
            if is_expression(node) {
                self.expressions(node, &NOWHERE);
            } else if ids.iter().any(|id| id.eq_ignore_ascii_case(given)) {
                needed.push(node);
            } else {
                let others: Vec<&str> = ids.iter().copied().filter(|other| *other != id).collect();
                let message = format!(
                    "there is no job {}; {}",
                    shown(given),
                    instead(given, &others)
                );
                self.error(node, "needs", message);
            }
        }
        needed
    }

    fn job(&mut self, entry: &Entry) {
        let (what, node) = (format!("job {}", shown(name(entry))), &*entry.value);
        let Some(entries) = self.map(node, &what) else {
            return;
        };
        let call = node.get("uses");
        if call.is_some() {
            if let Some(steps) = entries.iter().find(|entry| name(entry) == "steps") {
                let message =
                    format!("{what} has both `uses` and `steps`; only one may stand here");
                self.error(&steps.key, "conflict", message);
            }
        } else {
            for key in ["runs-on", "steps"] {
                if node.get(key).is_none() {
                    // At the job's name: that is what people look for.
                    self.error(&entry.key, "missing-key", format!("{what} needs `{key}`"));
                }
            }
            self.job.steps = self.step_ids(node);
        }
        for entry in entries {
            let value = &*entry.value;
            match (name(entry), call.is_some()) {
                ("name", _) => self.string(value, "name", &JOB),
                // Looked at above, where all jobs are known.
                ("needs", _) => {}
                ("if", _) => self.condition(value, &JOB_IF),
                ("permissions", _) => self.permissions(value),
                ("concurrency", _) => self.concurrency(value, &JOB),
                ("strategy", _) => self.strategy(value, &STRATEGY),
                ("cache-mode", _) => self.cache_mode(value),
                ("uses", _) => self.called(value),
                ("with", true) => self.values(value, "with", &JOB),
                ("secrets", true) => {
                    if value.text().is_some() {
                        self.word(value, "secrets", "value", &["inherit"]);
                    } else {
                        self.values(value, "secrets", &JOB_ENV);
                    }
                }
                // Said above.
                ("steps", true) => {}
                ("runs-on", false) => self.runs_on(value, &JOB),
                ("environment", false) => self.environment(value, &JOB, &ENVIRONMENT_URL),
                ("outputs", false) => self.values(value, "outputs", &RUNNER),
                ("env", false) => self.env(value, &JOB_ENV),
                ("defaults", false) => self.defaults(value, &JOB_DEFAULTS),
                ("steps", false) => self.steps(value),
                (key @ ("timeout-minutes" | "cancel-timeout-minutes"), false) => {
                    self.minutes(value, key, &JOB);
                }
                ("continue-on-error", false) => self.boolean(value, "continue-on-error", &JOB),
                ("container", false) => self.container(value, "container", CONTAINER),
                ("services", false) => self.services(value),
                ("snapshot", false) => self.snapshot(value),
                (_, true) => self.unknown(entry, &format!("{what}, which calls a workflow"), CALL),
                (_, false) => self.unknown(entry, &what, WITH_STEPS),
            }
        }
    }

    /// The workflow that a job calls.
    fn called(&mut self, node: &Node) {
        let Some(text) = self.text(node, "uses") else {
            return;
        };
        if is_expression(node) {
            return self.expressions(node, &NOWHERE);
        }
        let expected = "expected `./.github/workflows/name.yml` or `owner/name/.github/workflows/name.yml@ref`";
        let refused = match Uses::parse(text) {
            Ok(Uses::Local(local)) => self.missing(local.raw(), expected),
            Ok(Uses::Repository(repository)) => {
                let path = repository.subpath().unwrap_or_default();
                (!is_workflow(path)).then(|| expected.to_owned())
            }
            Ok(Uses::Docker(_)) => Some(expected.to_owned()),
            Err(error) => Some(format!("{error}; {expected}")),
        };
        if let Some(refused) = refused {
            let message = format!(
                "{} is no workflow that can be called; {refused}",
                shown(text)
            );
            self.error(node, "uses", message);
        }
    }

    /// Why a path in this repository cannot be called.
    fn missing(&self, path: &str, expected: &str) -> Option<String> {
        let path = path.get(2..).unwrap_or_default();
        if !is_workflow(path) {
            return Some(expected.to_owned());
        }
        let folder = path.rsplit_once('/').map(|(folder, _)| folder);
        let beside = |other: &&&str| other.rsplit_once('/').map(|(folder, _)| folder) == folder;
        // Without the files beside it, nothing is known.
        let known: Vec<&str> = self.paths.iter().filter(beside).copied().collect();
        if known.is_empty() || known.contains(&path) {
            return None;
        }
        let meant = near(path, &known).map(|near| format!("; did you mean `./{near}`?"));
        let meant = meant.unwrap_or_default();
        Some(format!("this commit holds no such file{meant}"))
    }

    fn container(&mut self, node: &Node, what: &str, known: &[&str]) {
        if node.text().is_some() {
            self.text(node, what);
            return self.expressions(node, &JOB);
        }
        let Some(entries) = self.map(node, what) else {
            return;
        };
        self.required(node, what, &["image"]);
        for entry in entries {
            let value = &*entry.value;
            match name(entry) {
                key if !known.contains(&key) => self.unknown(entry, what, known),
                "env" => self.env(value, &RUNNER),
                key @ ("ports" | "volumes") => self.scalars(value, key, &JOB),
                "credentials" => self.credentials(value),
                key => self.string(value, key, &JOB),
            }
        }
    }

    fn credentials(&mut self, node: &Node) {
        if is_expression(node) {
            return self.expressions(node, &CREDENTIALS);
        }
        for entry in self.map(node, "credentials").unwrap_or_default() {
            match name(entry) {
                key @ ("username" | "password") => self.string(&entry.value, key, &CREDENTIALS),
                _ => self.unknown(entry, "credentials", &["username", "password"]),
            }
        }
    }

    fn services(&mut self, node: &Node) {
        if is_expression(node) {
            return self.expressions(node, &JOB);
        }
        for entry in self.map(node, "services").unwrap_or_default() {
            let what = format!("service {}", shown(name(entry)));
            self.container(&entry.value, &what, SERVICE);
        }
    }

    fn snapshot(&mut self, node: &Node) {
        if node.text().is_some() {
            return self.string(node, "snapshot", &JOB);
        }
        let Some(entries) = self.map(node, "snapshot") else {
            return;
        };
        self.required(node, "snapshot", &["image-name"]);
        for entry in entries {
            match name(entry) {
                key @ ("image-name" | "version") => self.string(&entry.value, key, &JOB),
                "if" => self.condition(&entry.value, &JOB),
                _ => self.unknown(entry, "snapshot", &["image-name", "if", "version"]),
            }
        }
    }
}

/// Whether a path is that of a workflow file: GitHub does not look into folders below this one.
fn is_workflow(path: &str) -> bool {
    let yaml = path.ends_with(".yml") || path.ends_with(".yaml");
    let name = path.strip_prefix(".github/workflows/");
    yaml && name.is_some_and(|name| !name.contains('/'))
}
