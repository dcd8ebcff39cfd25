//! What can happen to a run, as it is stored and sent.
use serde::{Deserialize, Serialize};

use crate::step::Outcome;
use crate::{Ms, RunId, StepId};

/// What went wrong, for people; already redacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What failed, where, and what it said.
    pub what: String,
    /// What to do next.
    pub advice: String,
    /// What Fairlead did about it, such as returning the old container.
    pub undone: Option<String>,
    /// Whether it counts even where the plan lets the step fail: as when a registry holds another image under the
    /// release's tag, which is no registry that was away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counts_always: bool,
}

/// Something that happened to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum RunEvent {
    /// A step's success is taken over from the run that this one repeats.
    StepReused {
        /// The step.
        step: StepId,
        /// The run that did it.
        from: RunId,
        /// What it left.
        outcome: Outcome,
    },
    /// The environment is this run's; its first steps may start.
    Started,
    /// A portal took over what another one, or an earlier life of the same one, left.
    Resumed,
    /// The intent to try a step, stored before the try.
    StepStarted {
        /// The step.
        step: StepId,
        /// Which try, from 1.
        attempt: u16,
    },
    /// A try did it.
    StepSucceeded {
        /// The step.
        step: StepId,
        /// What it left.
        outcome: Outcome,
    },
    /// A try failed, and another one follows.
    StepRetrying {
        /// The step.
        step: StepId,
        /// What went wrong.
        failure: Failure,
        /// When the next try starts.
        until: Ms,
    },
    /// The last try failed.
    StepFailed {
        /// The step.
        step: StepId,
        /// What went wrong.
        failure: Failure,
    },
    /// A step stopped because the run is being cancelled; what was half-done is undone.
    StepCancelled {
        /// The step.
        step: StepId,
    },
    /// A step will not run.
    StepSkipped {
        /// The step.
        step: StepId,
        /// Why.
        because: String,
    },
    /// Somebody wants the run to stop.
    CancelRequested {
        /// Who, in words.
        by: String,
    },
    /// A newer run took this one's place in the queue.
    Superseded {
        /// The newer run.
        by: RunId,
    },
    /// Every step has ended; how the run ended follows from them.
    Finished,
}

/// An event with its place and time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// Its place among the run's events, from 1.
    pub seq: i64,
    /// When it was stored.
    pub at: Ms,
    /// What happened.
    #[serde(flatten)]
    pub event: RunEvent,
}
