//! What GitHub takes for a workflow: which keys and values stand where
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax>).
//!
//! The words that a value may be (events, permissions, types of inputs), the forms of `uses` and the grammar of
//! expressions are those of the crates behind zizmor; the keys are listed here, because the crates ignore what they do
//! not know.
mod events;
mod expressions;
mod jobs;
mod keys;
mod model;
mod needs;
mod places;
mod settings;
mod steps;

use super::found::Found;
use super::source::Source;
use super::yaml::{Entry, Node};
use keys::name;
use places::{CONCURRENCY, NOWHERE, RUN_NAME, WORKFLOW_ENV};

/// The check of one file.
struct Check<'s, 't> {
    source: &'s Source<'t>,
    /// The paths of all workflow files, for those that call one another.
    paths: &'s [&'s str],
    found: Vec<Found>,
    /// The job that is being looked at.
    job: Job,
    /// How many expressions there were.
    judged: usize,
}

/// What expressions in a job may refer to.
#[derive(Default)]
struct Job {
    needs: Vec<String>,
    steps: Vec<String>,
}

const WORKFLOW: &[&str] = &[
    "name",
    "description",
    "run-name",
    "on",
    "permissions",
    "env",
    "defaults",
    "concurrency",
    "cache-mode",
    "jobs",
];

/// All findings in a tree that was read without an error.
pub(super) fn check(source: &Source<'_>, root: &Node, paths: &[&str]) -> Vec<Found> {
    let mut check = Check {
        source,
        paths,
        found: Vec::new(),
        job: Job::default(),
        judged: 0,
    };
    check.workflow(root);
    check.found
}

/// What the model crate does not take in a tree in which nothing else is wrong.
pub(super) fn last_look(root: &Node) -> Option<Found> {
    model::check(root)
}

impl Check<'_, '_> {
    fn workflow(&mut self, root: &Node) {
        let what = "a workflow";
        let Some(entries) = self.map(root, what) else {
            return;
        };
        self.required(root, what, &["on", "jobs"]);
        for entry in entries {
            let value = &*entry.value;
            match name(entry) {
                "on" => self.events(value),
                "jobs" => self.jobs(value),
                "name" | "description" => self.string(value, name(entry), &NOWHERE),
                "run-name" => self.string(value, "run-name", &RUN_NAME),
                "permissions" => self.permissions(value),
                "env" => self.env(value, &WORKFLOW_ENV),
                "defaults" => self.defaults(value, &NOWHERE),
                "concurrency" => self.concurrency(value, &CONCURRENCY),
                "cache-mode" => self.cache_mode(value),
                "true" => self.on_as_boolean(entry),
                _ => self.unknown(entry, what, WORKFLOW),
            }
        }
    }

    fn on_as_boolean(&mut self, entry: &Entry) {
        let message = "unknown key `true` in a workflow: a tool that reads YAML 1.1 made it of `on`; did you mean `on`?";
        self.error(&entry.key, "unknown-key", message);
    }
}
