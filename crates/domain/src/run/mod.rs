//! A run and its steps: their states, and the one total function through which they change.
//!
//! The truth about a run is its plan and its events. [`Run::apply`] takes one event or refuses it; a page, the
//! engine and a restart all fold the same events through it. [`Run::next`] says what to do now.
mod event;
mod state;
mod told;

use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::step::StepKind;
use crate::{Ms, StepId};

pub use self::event::{Failure, RunEvent, StoredEvent};
pub use self::state::{RunState, StepState};
pub use self::told::taken_over;

/// An event that does not fit the state. The store refuses it too, so it never becomes part of the truth.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {run} cannot take {event}: {why}")]
pub struct IllegalTransition {
    run: &'static str,
    event: String,
    why: &'static str,
}

/// One step as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRun {
    /// Its state.
    #[serde(flatten)]
    pub state: StepState,
    /// How often it was tried.
    pub attempt: u16,
    /// When its first try started.
    pub started: Option<Ms>,
    /// When it ended.
    pub ended: Option<Ms>,
}

/// A run as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What it is to do.
    pub plan: Plan,
    /// Where it stands.
    pub state: RunState,
    /// Its steps, in the plan's order.
    pub steps: Vec<StepRun>,
    /// The number of its last event; 0 before the first.
    pub seq: i64,
    /// When it started to work.
    pub started: Option<Ms>,
    /// When it ended.
    pub ended: Option<Ms>,
    /// Who wanted it to stop.
    pub cancelled_by: Option<String>,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Try a step.
    Start(StepId, u16),
    /// Note that a step will not run.
    Skip(StepId, String),
    /// Note that a step between two tries is not tried again. One that changes a host is: to undo what is half-done.
    Cancel(StepId),
    /// Close the run.
    Finish,
}

impl Run {
    /// A run of which nothing has happened yet.
    pub fn new(plan: Plan) -> Self {
        let waiting = StepRun {
            state: StepState::Waiting,
            attempt: 0,
            started: None,
            ended: None,
        };
        let steps = vec![waiting; plan.steps.len()];
        Self {
            plan,
            state: RunState::Queued,
            steps,
            seq: 0,
            started: None,
            ended: None,
            cancelled_by: None,
        }
    }

    /// The run after `events`, which are all of its events from the first.
    pub fn replay<'e>(
        plan: Plan,
        events: impl IntoIterator<Item = &'e StoredEvent>,
    ) -> Result<Self, IllegalTransition> {
        let mut run = Self::new(plan);
        for event in events {
            run.apply(&event.event, event.at)?;
        }
        Ok(run)
    }

    /// Takes an event, or refuses it and stays as it was.
    pub fn apply(&mut self, event: &RunEvent, at: Ms) -> Result<(), IllegalTransition> {
        self.check(event).map_err(|why| IllegalTransition {
            run: self.state.as_str(),
            event: format!("{event:?}").chars().take(200).collect(),
            why,
        })?;
        match event {
            RunEvent::StepReused { step, outcome, .. } => {
                self.end(
                    *step,
                    StepState::Succeeded {
                        outcome: outcome.clone(),
                    },
                    at,
                );
            }
            RunEvent::Started => {
                self.state = RunState::Running;
                self.started = Some(at);
            }
            RunEvent::Resumed => {}
            RunEvent::StepStarted { step, attempt } => {
                let step = &mut self.steps[step.index()];
                step.state = StepState::Running;
                step.attempt = *attempt;
                step.started.get_or_insert(at);
            }
            RunEvent::StepSucceeded { step, outcome } => {
                self.end(
                    *step,
                    StepState::Succeeded {
                        outcome: outcome.clone(),
                    },
                    at,
                );
            }
            RunEvent::StepRetrying {
                step,
                failure,
                until,
            } => {
                self.steps[step.index()].state = StepState::Retrying {
                    failure: failure.clone(),
                    until: *until,
                };
            }
            RunEvent::StepFailed { step, failure } => {
                self.end(
                    *step,
                    StepState::Failed {
                        failure: failure.clone(),
                    },
                    at,
                );
            }
            RunEvent::StepCancelled { step } => self.end(*step, StepState::Cancelled, at),
            RunEvent::StepSkipped { step, because } => {
                self.end(
                    *step,
                    StepState::Skipped {
                        because: because.clone(),
                    },
                    at,
                );
            }
            RunEvent::CancelRequested { by } => {
                self.cancelled_by = Some(by.clone());
                // One that never started has nothing to stop.
                if self.state == RunState::Queued {
                    self.state = RunState::Cancelled;
                    self.ended = Some(at);
                } else {
                    self.state = RunState::Cancelling;
                    // What a broken-off try left on a host is undone now, not when the next try was due.
                    for (planned, step) in self.plan.steps.iter().zip(&mut self.steps) {
                        if let StepState::Retrying { until, .. } = &mut step.state
                            && planned.step.changes_a_host()
                        {
                            *until = at.min(*until);
                        }
                    }
                }
            }
            RunEvent::Superseded { .. } => {
                self.state = RunState::Superseded;
                self.ended = Some(at);
            }
            RunEvent::Finished => {
                self.state = self.verdict();
                self.ended = Some(at);
            }
        }
        self.seq += 1;
        Ok(())
    }

    fn end(&mut self, step: StepId, state: StepState, at: Ms) {
        let step = &mut self.steps[step.index()];
        step.state = state;
        step.ended = Some(at);
    }

    fn check(&self, event: &RunEvent) -> Result<(), &'static str> {
        if self.state.is_final() {
            return Err("it has ended");
        }
        let at_work = matches!(self.state, RunState::Running | RunState::Cancelling);
        match event {
            RunEvent::StepReused { step, .. } => match (self.state, self.step(*step)?) {
                (RunState::Queued, StepState::Waiting) => Ok(()),
                (RunState::Queued, _) => Err("the step was reused before"),
                _ => Err("steps are reused before the run starts"),
            },
            RunEvent::Started if self.state == RunState::Queued => Ok(()),
            RunEvent::Started => Err("it has started before"),
            RunEvent::Resumed if at_work => Ok(()),
            RunEvent::StepStarted { step, attempt } if at_work => {
                let retried = match self.step(*step)? {
                    StepState::Waiting => false,
                    StepState::Retrying { .. } => true,
                    _ => return Err("the step runs or has ended"),
                };
                if *attempt != self.steps[step.index()].attempt + 1 {
                    return Err("tries are counted one by one");
                }
                let planned = &self.plan.steps[step.index()];
                let undoes = retried && planned.step.changes_a_host();
                if self.state == RunState::Cancelling && !planned.always && !undoes {
                    return Err("it is being cancelled");
                }
                if self.ready(*step) {
                    Ok(())
                } else {
                    Err("a step before it has not done its part")
                }
            }
            RunEvent::StepSucceeded { step, .. }
            | RunEvent::StepRetrying { step, .. }
            | RunEvent::StepFailed { step, .. }
                if at_work =>
            {
                if *self.step(*step)? == StepState::Running {
                    Ok(())
                } else {
                    Err("the step is not running")
                }
            }
            RunEvent::StepCancelled { step } => {
                let stoppable = matches!(
                    self.step(*step)?,
                    StepState::Running | StepState::Retrying { .. }
                );
                match self.state {
                    RunState::Cancelling if stoppable => Ok(()),
                    RunState::Cancelling => Err("the step is not running"),
                    _ => Err("nobody asked to cancel it"),
                }
            }
            RunEvent::StepSkipped { step, .. } if at_work => {
                if *self.step(*step)? == StepState::Waiting {
                    Ok(())
                } else {
                    Err("the step has started")
                }
            }
            RunEvent::CancelRequested { .. } if self.state == RunState::Cancelling => {
                Err("it is being cancelled already")
            }
            RunEvent::CancelRequested { .. } => Ok(()),
            RunEvent::Superseded { .. } if self.state == RunState::Queued => Ok(()),
            RunEvent::Superseded { .. } => Err("it has started"),
            RunEvent::Finished if at_work => {
                if self.steps.iter().all(|step| step.state.is_final()) {
                    Ok(())
                } else {
                    Err("a step has not ended")
                }
            }
            RunEvent::Resumed
            | RunEvent::StepStarted { .. }
            | RunEvent::StepSucceeded { .. }
            | RunEvent::StepRetrying { .. }
            | RunEvent::StepFailed { .. }
            | RunEvent::StepSkipped { .. }
            | RunEvent::Finished => Err("it has not started"),
        }
    }

    fn step(&self, id: StepId) -> Result<&StepState, &'static str> {
        self.steps
            .get(id.index())
            .map(|step| &step.state)
            .ok_or("the plan has no such step")
    }

    /// Whether what the step needs has done its part.
    fn ready(&self, id: StepId) -> bool {
        let planned = &self.plan.steps[id.index()];
        planned
            .needs
            .iter()
            .all(|need| match self.steps.get(need.index()) {
                Some(step) if planned.always => step.state.is_final(),
                Some(step) => match step.state {
                    StepState::Succeeded { .. } => true,
                    StepState::Failed { .. } => self.overlooks(*need),
                    _ => false,
                },
                None => false,
            })
    }

    /// Whether the step has failed and that neither fails the run nor holds up what needs it.
    pub(crate) fn overlooks(&self, id: StepId) -> bool {
        let Some((planned, step)) = self.plan.step(id).zip(self.steps.get(id.index())) else {
            return false;
        };
        match &step.state {
            StepState::Failed { failure } => {
                planned.optional && !failure.counts_always && !self.is_nowhere(&planned.step)
            }
            _ => false,
        }
    }

    /// Whether a step was to bring a component's image to a registry, and neither it nor any other one has.
    fn is_nowhere(&self, step: &StepKind) -> bool {
        let Some(component) = step.ships() else {
            return false;
        };
        let steps = self.plan.steps.iter().zip(&self.steps);
        let mut shipping = steps.filter(|(planned, _)| planned.step.ships() == Some(component));
        shipping.all(|(_, step)| {
            step.state.is_final() && !matches!(step.state, StepState::Succeeded { .. })
        })
    }

    /// Everything that is to be done at `now`, in the plan's order. Empty while steps are at work.
    pub fn next(&self, now: Ms) -> Vec<Next> {
        if !matches!(self.state, RunState::Running | RunState::Cancelling) {
            return Vec::new();
        }
        if self.steps.iter().all(|step| step.state.is_final()) {
            return vec![Next::Finish];
        }
        let mut next = Vec::new();
        for (planned, step) in self.plan.steps.iter().zip(&self.steps) {
            match &step.state {
                StepState::Waiting => {
                    if self.state == RunState::Cancelling && !planned.always {
                        next.push(Next::Skip(planned.id, "the run was cancelled".into()));
                    } else if self.ready(planned.id) {
                        next.push(Next::Start(planned.id, step.attempt + 1));
                    } else if let Some(blocking) = self.blocking(planned.id) {
                        next.push(Next::Skip(planned.id, blocking));
                    }
                }
                StepState::Retrying { .. }
                    if self.state == RunState::Cancelling
                        && !planned.always
                        && !planned.step.changes_a_host() =>
                {
                    next.push(Next::Cancel(planned.id));
                }
                StepState::Retrying { until, .. } if *until <= now => {
                    next.push(Next::Start(planned.id, step.attempt + 1));
                }
                _ => {}
            }
        }
        next
    }

    /// Why a step can never become ready: what it needs ended otherwise than well.
    fn blocking(&self, id: StepId) -> Option<String> {
        let planned = &self.plan.steps[id.index()];
        if planned.always {
            return None;
        }
        planned.needs.iter().find_map(|need| {
            let state = &self.steps.get(need.index())?.state;
            let title = self.plan.step(*need)?.step.title();
            match state {
                StepState::Failed { .. } if self.overlooks(*need) => None,
                StepState::Failed { .. } => Some(format!("“{title}” failed")),
                StepState::Cancelled => Some(format!("“{title}” was cancelled")),
                StepState::Skipped { because } => Some(because.clone()),
                _ => None,
            }
        })
    }

    /// The earliest time at which a step is tried again by itself.
    pub fn wakes_at(&self) -> Option<Ms> {
        let until = |step: &StepRun| match step.state {
            StepState::Retrying { until, .. } => Some(until),
            _ => None,
        };
        self.steps.iter().filter_map(until).min()
    }

    /// How the run ends, once every step but those that always run has ended.
    pub(crate) fn verdict(&self) -> RunState {
        let counted = || {
            self.plan
                .steps
                .iter()
                .zip(&self.steps)
                .filter(|(planned, _)| !planned.always)
        };
        let failed = |step: &StepRun| matches!(step.state, StepState::Failed { .. });
        let succeeded = |step: &StepRun| matches!(step.state, StepState::Succeeded { .. });
        if counted().any(|(planned, step)| failed(step) && !self.overlooks(planned.id)) {
            RunState::Failed
        } else if counted().all(|(_, step)| succeeded(step) || failed(step)) {
            RunState::Succeeded
        } else {
            RunState::Cancelled
        }
    }
}
