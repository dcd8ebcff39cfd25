//! What the REST interface shows. Apart from the views of the pages, so that those can change without breaking
//! programs; times are texts that people can read too.
use domain::log::{LogLine, Stream};
use domain::run::{StepState, StoredEvent};
use domain::step::PlannedStep;
use domain::view::{Lane, Offer, RunRow, RunView};
use domain::{Ms, ProjectName, RunId};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A project.
#[derive(Serialize, ToSchema)]
pub(super) struct Project {
    /// Its name.
    name: String,
}

impl Project {
    pub(super) fn of(name: ProjectName) -> Self {
        Self { name: name.into() }
    }
}

/// A commit as git tells it.
#[derive(Serialize, ToSchema)]
pub(super) struct Commit {
    /// Its full id.
    sha: String,
    /// The first line of its message.
    title: String,
    /// Who wrote it.
    author: String,
    /// When it was committed.
    at: String,
}

impl From<domain::plan::Commit> for Commit {
    fn from(commit: domain::plan::Commit) -> Self {
        let domain::plan::Commit {
            sha,
            title,
            author,
            at,
        } = commit;
        Self {
            sha: sha.into(),
            title,
            author,
            at: at.rfc3339(),
        }
    }
}

/// What runs where.
#[derive(Serialize, ToSchema)]
pub(super) struct Board {
    /// The project.
    project: String,
    /// Its name as people say it.
    title: String,
    /// The repository's page.
    repository_url: String,
    /// When this was read.
    now: String,
    /// In promotion order.
    environments: Vec<Environment>,
    /// What is wrong with the manifest as it is on disk; the last good one is in force.
    manifest_problems: Vec<String>,
}

/// An environment.
#[derive(Serialize, ToSchema)]
pub(super) struct Environment {
    /// Its name.
    name: String,
    /// Its branch.
    branch: String,
    /// The environment that releases come from.
    follows: Option<String>,
    /// The branch's newest commit that the portal knows of.
    head: Option<Commit>,
    /// Why that is not known, or may not be the newest any more.
    head_trouble: Option<String>,
    /// How many commits of the branch do not run here yet, where that is known.
    behind: Option<u32>,
    /// What runs.
    components: Vec<Component>,
    /// The run at work here.
    active: Option<Run>,
    /// Runs that wait, the next one first.
    queued: Vec<Run>,
    /// The last run that ended here.
    last: Option<Run>,
    /// Why the caller may not deploy here; null where they may.
    deploy_refused: Option<String>,
}

/// A component in an environment.
#[derive(Serialize, ToSchema)]
pub(super) struct Component {
    /// Its name.
    name: String,
    /// What was deployed last; null before the first deploy.
    running: Option<Running>,
}

/// What was deployed last.
#[derive(Serialize, ToSchema)]
pub(super) struct Running {
    /// The commit.
    commit: Commit,
    /// The image.
    digest: String,
    /// The run that did it.
    run: i64,
    /// When its container was healthy.
    since: String,
}

impl From<domain::view::Board> for Board {
    fn from(board: domain::view::Board) -> Self {
        let domain::view::Board {
            project,
            title,
            repository_url,
            now,
            lanes,
            manifest_problems,
        } = board;
        Self {
            project: project.into(),
            title,
            repository_url,
            now: now.rfc3339(),
            environments: lanes.into_iter().map(Environment::from).collect(),
            manifest_problems: manifest_problems.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<Lane> for Environment {
    fn from(lane: Lane) -> Self {
        let Lane {
            environment,
            branch,
            follows,
            head,
            head_trouble,
            behind,
            idle_push: _, // the deliveries tell of it
            components,
            active,
            progress: _,
            queued,
            last,
            deploy,
        } = lane;
        let components = components.into_iter().map(|row| Component {
            name: row.component.into(),
            running: row.running.map(|running| Running {
                commit: running.commit.into(),
                digest: running.digest.into(),
                run: running.run.0,
                since: running.since.rfc3339(),
            }),
        });
        Self {
            name: environment.into(),
            branch,
            follows: follows.map(String::from),
            head: head.map(Commit::from),
            head_trouble,
            behind,
            components: components.collect(),
            active: active.map(Run::from),
            queued: queued.into_iter().map(Run::from).collect(),
            last: last.map(Run::from),
            deploy_refused: refused(deploy),
        }
    }
}

/// Where a run stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(
    dead_code,
    reason = "only describes the words of `domain::run::RunState`; a test compares them"
)]
pub(super) enum State {
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
pub(super) struct Run {
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
pub(super) struct RunPage {
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
pub(super) struct RunCreated {
    /// Its number.
    pub(super) id: i64,
    /// Its page for people.
    pub(super) page: String,
}

/// A run with its steps.
#[derive(Serialize, ToSchema)]
pub(super) struct RunDetail {
    #[serde(flatten)]
    run: Run,
    /// What whoever asked for it gave as the reason.
    reason: Option<String>,
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
}

/// A step of a run.
#[derive(Serialize, ToSchema)]
pub(super) struct Step {
    /// Its place, from 0.
    id: u16,
    /// What it does, in few words.
    title: String,
    /// The steps that come before it.
    needs: Vec<u16>,
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
pub(super) struct Failure {
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
        }
    }
}

/// What a deploy would do.
#[derive(Serialize, ToSchema)]
pub(super) struct Plan {
    /// The project.
    project: String,
    /// Where to.
    environment: String,
    /// The branch.
    branch: String,
    /// The commit.
    commit: Commit,
    /// SHA-256 of the manifest that it is planned from.
    manifest: String,
    /// What will be done; each step comes after what it needs.
    steps: Vec<PlanStep>,
    /// What to know although it does not stand in the way.
    notices: Vec<String>,
    /// How long it will take, where that is known.
    usual_ms: Option<i64>,
    /// The run that it would wait for.
    behind_run: Option<i64>,
    /// The queued runs whose place it would take: they never start.
    supersedes: Vec<i64>,
}

/// A step of a plan.
#[derive(Serialize, ToSchema)]
pub(super) struct PlanStep {
    /// Its place, from 0.
    id: u16,
    /// What it does, in few words.
    title: String,
    /// What it does, in a sentence.
    sentence: String,
    /// The steps that come before it.
    needs: Vec<u16>,
    /// Whether it runs whatever became of the steps before it.
    always: bool,
    /// How long it usually takes.
    usual_ms: Option<i64>,
}

impl Plan {
    pub(super) fn of(
        plan: domain::plan::Plan,
        usual_ms: Option<i64>,
        behind_run: Option<RunId>,
        supersedes: &[RunId],
    ) -> Self {
        let step = |planned: PlannedStep| PlanStep {
            id: planned.id.0,
            title: planned.step.title(),
            sentence: planned.step.sentence(),
            needs: planned.needs.iter().map(|need| need.0).collect(),
            always: planned.always,
            usual_ms: planned.usual_ms,
        };
        Self {
            project: plan.project.into(),
            environment: plan.environment.into(),
            branch: plan.branch.to_string(),
            commit: plan.commit.into(),
            manifest: plan.manifest,
            steps: plan.steps.into_iter().map(step).collect(),
            notices: plan.notices,
            usual_ms,
            behind_run: behind_run.map(|run| run.0),
            supersedes: supersedes.iter().map(|run| run.0).collect(),
        }
    }
}

/// Something that happened to a run.
#[derive(Serialize, ToSchema)]
pub(super) struct Event {
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
pub(super) struct Line<'l> {
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
    pub(super) fn of(line: &'l LogLine) -> Self {
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

fn refused(offer: Offer) -> Option<String> {
    match offer {
        Offer::Ready => None,
        Offer::Refused { why } => Some(why),
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
