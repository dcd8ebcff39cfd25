//! Runs: waiting for what they come to, and what is known of one that has ended.
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use domain::log::{LogLine, Stream};
use domain::run::{Failure, RunState, StepState};
use domain::step::StepKind;
use domain::view::RunView;
use domain::{RunId, StepId};
use portal::{LogRange, Portal};

use super::lead;

/// A run that has ended.
pub struct Ended {
    /// All about it.
    pub view: RunView,
    /// The log of each step.
    pub logs: Vec<Vec<LogLine>>,
}

/// Long enough for any run of the small app, also where four of them share two cores.
const PATIENCE: Duration = Duration::from_secs(300);

/// Waits until `run` is as `wanted`, and fails with what it was instead.
pub async fn until(portal: &Portal, run: RunId, wanted: impl Fn(&RunView) -> bool) -> RunView {
    until_within(portal, run, PATIENCE, wanted).await
}

async fn until_within(
    portal: &Portal,
    run: RunId,
    patience: Duration,
    wanted: impl Fn(&RunView) -> bool,
) -> RunView {
    let limit = Instant::now() + patience;
    let mut bell = portal.bell_of_run(&lead(), run).await.unwrap();
    loop {
        bell.borrow_and_update();
        let view = portal.run(&lead(), run).await.unwrap();
        if wanted(&view) {
            return view;
        }
        assert!(
            !view.row.state.is_final() && Instant::now() < limit,
            "{view:#?}"
        );
        // The bell is rung for lines as well as for events; the timer covers what is not of this run.
        let _ = tokio::time::timeout(Duration::from_millis(200), bell.changed()).await;
    }
}

/// Waits until the log of a step holds the text.
pub async fn until_said(portal: &Portal, run: RunId, step: StepId, text: &str) {
    let limit = Instant::now() + PATIENCE;
    let mut bell = portal.bell_of_run(&lead(), run).await.unwrap();
    loop {
        bell.borrow_and_update();
        let found = portal.search_log(&lead(), run, step, text).await.unwrap();
        if !found.lines.is_empty() {
            return;
        }
        assert!(Instant::now() < limit, "nobody said {text:?}");
        let _ = tokio::time::timeout(Duration::from_millis(200), bell.changed()).await;
    }
}

/// Waits for the end of a run and takes all that is known of it.
pub async fn ended(portal: &Portal, run: RunId) -> Ended {
    ended_within(portal, run, PATIENCE).await
}

/// The same for a run that may take longer than those of the small app.
pub async fn ended_within(portal: &Portal, run: RunId, patience: Duration) -> Ended {
    let view = until_within(portal, run, patience, |view| view.row.state.is_final()).await;
    let mut logs = Vec::new();
    for planned in &view.plan.steps {
        let all = LogRange::After(0);
        let page = portal
            .log(&lead(), run, planned.id, all, 100_000)
            .await
            .unwrap();
        logs.push(page.lines);
    }
    Ended { view, logs }
}

impl Ended {
    /// How it ended.
    pub fn state(&self) -> RunState {
        self.view.row.state
    }

    /// All of it, for a message of a failing test.
    pub fn story(&self) -> String {
        let mut story = format!("{:?}\n", self.state());
        for ((planned, step), log) in self
            .view
            .plan
            .steps
            .iter()
            .zip(&self.view.steps)
            .zip(&self.logs)
        {
            let _ = writeln!(story, "{}: {:?}", planned.step.title(), step.state);
            for line in log {
                let _ = writeln!(story, "    {:?} {}", line.stream, line.text);
            }
        }
        story
    }

    /// Checks that it succeeded.
    pub fn succeeded(&self) {
        assert_eq!(self.state(), RunState::Succeeded, "{}", self.story());
    }

    /// The step of this kind: its place in the plan.
    pub fn step(&self, kind: fn(&StepKind) -> bool) -> StepId {
        step(&self.view, kind)
    }

    /// Checks that the run failed in that step, and that what it says holds all of these; gives the failure.
    pub fn failed(&self, kind: fn(&StepKind) -> bool, says: &[&str]) -> &Failure {
        assert_eq!(self.state(), RunState::Failed, "{}", self.story());
        let id = self.step(kind);
        let StepState::Failed { failure } = &self.view.steps[id.index()].state else {
            panic!("{}", self.story());
        };
        let whole = format!("{}; {}", failure.what, failure.advice);
        for said in says {
            assert!(
                whole.contains(said),
                "{said:?} is not in {whole:?}\n{}",
                self.story()
            );
        }
        let told = |text: &str| text.contains(": ") || text.contains("; ");
        assert!(
            !failure.advice.is_empty() || told(&failure.what),
            "no word on what to do: {whole:?}"
        );
        // The same is in the log, where people look first.
        let log = &self.logs[id.index()];
        let advice = Some(&failure.advice).filter(|advice| !advice.is_empty());
        for part in [Some(&failure.what), advice, failure.undone.as_ref()]
            .into_iter()
            .flatten()
        {
            assert!(
                log.iter().any(|line| line.text.contains(part)),
                "{part:?} is not in the log\n{}",
                self.story()
            );
        }
        failure
    }

    /// The lines that a program wrote in a step to a stream.
    pub fn lines(&self, step: StepId, stream: Stream) -> Vec<&str> {
        let lines = self.logs[step.index()].iter();
        lines
            .filter(|line| line.stream == stream)
            .map(|line| line.text.as_str())
            .collect()
    }
}

/// The first step of this kind.
pub fn step(view: &RunView, kind: fn(&StepKind) -> bool) -> StepId {
    let found = view.plan.steps.iter().find(|planned| kind(&planned.step));
    found.expect("the plan has such a step").id
}

/// Kinds of step, for [`Ended::failed`] and its like.
pub mod kind {
    use domain::step::StepKind;

    /// The checkout.
    pub fn checkout(kind: &StepKind) -> bool {
        matches!(kind, StepKind::Checkout)
    }

    /// The check of the workflow files.
    pub fn lint(kind: &StepKind) -> bool {
        matches!(kind, StepKind::Lint { .. })
    }

    /// A build.
    pub fn build(kind: &StepKind) -> bool {
        matches!(kind, StepKind::Build { .. })
    }

    /// A push.
    pub fn push(kind: &StepKind) -> bool {
        matches!(kind, StepKind::Push { .. })
    }

    /// A migration.
    pub fn migrate(kind: &StepKind) -> bool {
        matches!(kind, StepKind::Migrate { .. })
    }

    /// A deploy.
    pub fn deploy(kind: &StepKind) -> bool {
        matches!(kind, StepKind::Deploy { .. })
    }

    /// Tests.
    pub fn test(kind: &StepKind) -> bool {
        matches!(kind, StepKind::Test { .. })
    }

    /// The notification.
    pub fn notify(kind: &StepKind) -> bool {
        matches!(kind, StepKind::Notify)
    }
}
