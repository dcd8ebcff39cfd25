//! A run that a test drives, event by event.
use domain::Ms;
use domain::StepId;
use domain::plan::Plan;
use domain::run::{Failure, Next, Run, RunEvent, StepState, StoredEvent};
use domain::step::{Outcome, StepKind};

use crate::common::{NOW, digest, plain_plan};

pub fn failure(what: &str) -> Failure {
    Failure {
        what: what.into(),
        advice: "look at its log".into(),
        undone: None,
        counts_always: false,
    }
}

/// A run with its history, as the engine and the store keep it together.
pub struct Driven {
    pub run: Run,
    pub events: Vec<StoredEvent>,
    pub now: Ms,
}

impl Driven {
    pub fn new(plan: Plan) -> Self {
        Self {
            run: Run::new(plan),
            events: Vec::new(),
            now: NOW,
        }
    }

    /// Takes an event that must fit, a second after the last one.
    pub fn take(&mut self, event: RunEvent) {
        self.now.0 += 1000;
        self.run.apply(&event, self.now).unwrap();
        self.events.push(StoredEvent {
            seq: self.run.seq,
            at: self.now,
            event,
        });
    }

    /// Takes an event that must be refused, and tells why.
    pub fn refused(&mut self, event: &RunEvent) -> String {
        let before = self.run.clone();
        let error = self.run.apply(event, self.now).expect_err("it was taken");
        assert_eq!(self.run, before, "a refused event changed the run");
        error.to_string()
    }

    pub fn next(&self) -> Vec<Next> {
        self.run.next(self.now)
    }

    /// Does what is to be done now, once; gives the steps that started.
    pub fn advance(&mut self) -> Vec<StepId> {
        let mut started = Vec::new();
        for next in self.next() {
            self.take(match next {
                Next::Start(step, attempt) => {
                    started.push(step);
                    RunEvent::StepStarted { step, attempt }
                }
                Next::Skip(step, because) => RunEvent::StepSkipped { step, because },
                Next::Cancel(step) => RunEvent::StepCancelled { step },
                Next::Finish => RunEvent::Finished,
            });
        }
        started
    }

    pub fn succeed(&mut self, step: u16) {
        let step = StepId(step);
        let outcome = match &self.run.plan.step(step).unwrap().step {
            StepKind::Checkout | StepKind::Notify => Outcome::Done,
            StepKind::Lint { .. } => Outcome::Linted { warnings: 0 },
            StepKind::Test { .. } => Outcome::Tested {
                passed: Some(3),
                skipped: None,
            },
            StepKind::Migrate { .. } => Outcome::Migrated {
                before: None,
                after: Some("0002".into()),
            },
            StepKind::Build { component, .. } => Outcome::Built {
                image: format!("sha256:{component}"),
            },
            StepKind::Push { .. } | StepKind::Tag { .. } => Outcome::Pushed {
                digest: digest('1'),
                bytes: None,
            },
            StepKind::Deploy { component, .. } => Outcome::Deployed {
                container: format!("new-{component}"),
                digest: digest('1'),
                replaced: None,
            },
        };
        self.take(RunEvent::StepSucceeded { step, outcome });
    }

    /// Succeeds with everything that can be done, until the given step runs.
    pub fn until_running(&mut self, step: u16) {
        while self.run.steps[usize::from(step)].state != StepState::Running {
            let started = self.advance();
            assert!(!started.is_empty(), "step {step} never starts");
            for other in started.into_iter().filter(|other| other.0 != step) {
                self.succeed(other.0);
            }
        }
    }

    pub fn states(&self) -> Vec<&'static str> {
        self.run
            .steps
            .iter()
            .map(|step| step.state.as_str())
            .collect()
    }
}

/// A run of the example that has started.
pub fn started() -> Driven {
    let mut driven = Driven::new(plain_plan());
    driven.take(RunEvent::Started);
    driven
}
