//! A run with its steps, its events and its log.
use domain::Ms;
use domain::log::{LogLine, Stream};
use domain::run::{StepState, StoredEvent};
use domain::view::{RunRow, RunView};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Commit, refused};

/// Where a run stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(
    dead_code,
    reason = "only describes the words of `domain::run::RunState`; a test compares them"
)]
pub(in crate::rest) enum State {
    Queued,
    Running,
    Cancelling,
    Succeeded,
    Failed,
    Cancelled,
    Superseded,
}

/// A run.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct Run {
    /// Its number.
    id: i64,
    /// The project.
    project: String,
    /// Where to.
    environment: String,
    /// What kind.
    kind: &'static str,
    /// What.
    commit: Commit,
    /// Where it stands.
    #[schema(value_type = State)]
    state: &'static str,
    /// Who asked for it, in words.
    by: String,
    /// When it was asked for.
    requested: String,
    /// When it started to work.
    started: Option<String>,
    /// When it ended.
    ended: Option<String>,
    /// The run that it repeats from its failed step on.
    retry_of: Option<i64>,
}

impl From<RunRow> for Run {
    fn from(row: RunRow) -> Self {
        let RunRow {
            id,
            project,
            environment,
            kind,
            commit,
            state,
            by,
            requested,
            started,
            ended,
            retry_of,
        } = row;
        Self {
            id: id.0,
            project: project.into(),
            environment: environment.into(),
            kind: kind.as_str(),
            commit: commit.into(),
            state: state.as_str(),
            by: by.to_string(),
            requested: requested.rfc3339(),
            started: started.map(Ms::rfc3339),
            ended: ended.map(Ms::rfc3339),
            retry_of: retry_of.map(|run| run.0),
        }
    }
}

/// A page of runs, newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct RunPage {
    /// The runs.
    runs: Vec<Run>,
    /// Give this as `before` to get the page after; null on the last.
    next: Option<i64>,
}

impl From<domain::view::RunPage> for RunPage {
    fn from(page: domain::view::RunPage) -> Self {
        let runs = page.runs.into_iter().map(Run::from).collect();
        Self {
            runs,
            next: page.next.map(|run| run.0),
        }
    }
}

/// A run that was asked for.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct RunCreated {
    /// Its number.
    pub(in crate::rest) id: i64,
    /// Its page for people.
    pub(in crate::rest) page: String,
}

/// A run with its steps.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct RunDetail {
    #[serde(flatten)]
    run: Run,
    /// What whoever asked for it gave as the reason.
    reason: Option<String>,
    /// Whether its images are built anew.
    rebuild: bool,
    /// Its steps, in the plan's order.
    steps: Vec<Step>,
    /// Why it waits, while it is queued.
    waiting_for: Option<String>,
    /// Why it failed, where it did.
    failure: Option<Failure>,
    /// The number of its last event.
    last_event: i64,
    /// The commit's page.
    commit_url: String,
    /// How long such a run usually takes.
    usual_ms: Option<i64>,
    /// Why the caller cannot stop it; null where they can.
    cancel_refused: Option<String>,
    /// Why the caller cannot start it again; null where they can.
    retry_refused: Option<String>,
    /// Whether the project has another manifest now than the one that the run, and its retry, goes by.
    manifest_changed: bool,
}

/// A step of a run.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct Step {
    /// Its place, from 0.
    id: u16,
    /// What it does, in few words.
    title: String,
    /// The steps that come before it.
    needs: Vec<u16>,
    /// Whether it runs whatever became of the steps before it.
    always: bool,
    /// Whether the run goes on where it fails.
    optional: bool,
    /// Where it stands: waiting, running, retrying, succeeded, failed, cancelled or skipped.
    state: &'static str,
    /// How often it was tried.
    attempt: u16,
    /// When its first try started.
    started: Option<String>,
    /// When it ended.
    ended: Option<String>,
    /// How long it usually takes.
    usual_ms: Option<i64>,
    /// Why it never started, where that is so.
    skipped_because: Option<String>,
}

/// Why a run failed.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct Failure {
    /// The step that failed.
    step: u16,
    /// What failed, where, and what it said.
    what: String,
    /// What to do next.
    advice: String,
    /// What Fairlead did about it.
    undone: Option<String>,
}

impl From<RunView> for RunDetail {
    fn from(view: RunView) -> Self {
        let steps = view
            .plan
            .steps
            .iter()
            .zip(view.steps)
            .map(|(planned, step)| Step {
                id: planned.id.0,
                title: planned.step.title(),
                needs: planned.needs.iter().map(|need| need.0).collect(),
                always: planned.always,
                optional: planned.optional,
                state: step.state.as_str(),
                attempt: step.attempt,
                started: step.started.map(Ms::rfc3339),
                ended: step.ended.map(Ms::rfc3339),
                usual_ms: planned.usual_ms,
                skipped_because: match step.state {
                    StepState::Skipped { because } => Some(because),
                    _ => None,
                },
            });
        Self {
            steps: steps.collect(),
            run: view.row.into(),
            reason: view.reason,
            rebuild: view.plan.rebuild,
            waiting_for: view.waiting_for,
            failure: view.failure.map(|(step, failure)| Failure {
                step: step.0,
                what: failure.what,
                advice: failure.advice,
                undone: failure.undone,
            }),
            last_event: view.events.last().map_or(0, |event| event.seq),
            commit_url: view.commit_url,
            usual_ms: view.usual_ms,
            cancel_refused: refused(view.cancel),
            retry_refused: refused(view.retry),
            manifest_changed: view.manifest_changed,
        }
    }
}

/// Something that happened to a run.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct Event {
    /// Its place, from 1.
    seq: i64,
    /// When it was stored.
    at: String,
    /// `event` tells the kind, such as `step-started`; the other fields depend on it.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    event: Map<String, Value>,
}

impl From<StoredEvent> for Event {
    fn from(stored: StoredEvent) -> Self {
        let StoredEvent { seq, at, event } = stored;
        let event = match serde_json::to_value(event) {
            Ok(Value::Object(fields)) => fields,
            // An event is an object by its type.
            Ok(_) | Err(_) => Map::new(),
        };
        Self {
            seq,
            at: at.rfc3339(),
            event,
        }
    }
}

/// A line of a log.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct Line<'l> {
    /// Its number, from 1.
    n: i64,
    /// When it was written, by the clock of the machine that wrote it.
    at: String,
    /// Where it came from: out, err or portal.
    stream: &'static str,
    /// The text; may hold ANSI colours and `\r`.
    text: &'l str,
}

impl<'l> Line<'l> {
    pub(in crate::rest) fn of(line: &'l LogLine) -> Self {
        let stream = match line.stream {
            Stream::Out => "out",
            Stream::Err => "err",
            Stream::Portal => "portal",
        };
        Self {
            n: line.n,
            at: line.at.rfc3339(),
            stream,
            text: &line.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::run::RunState;
    use utoipa::PartialSchema as _;

    use super::State;

    #[test]
    fn the_described_states_are_the_runs_states() {
        let schema = serde_json::to_value(State::schema()).unwrap();
        let described: Vec<&str> = schema["enum"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_str().unwrap())
            .collect();
        let all: Vec<&str> = RunState::ALL.iter().map(|state| state.as_str()).collect();
        assert_eq!(described, all);
    }
}
