//! Where runs and their steps can stand.
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Failure;
use crate::Ms;
use crate::step::Outcome;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Waits for its environment.
    Queued,
    /// At work.
    Running,
    /// Stops at the next safe point.
    Cancelling,
    /// Did everything that it planned.
    Succeeded,
    /// A step failed.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// A newer run took its place in the queue.
    Superseded,
}

impl RunState {
    /// Whether it will not change any more.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            RunState::Succeeded | RunState::Failed | RunState::Cancelled | RunState::Superseded
        )
    }

    /// The state in one word, as stored and as people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Queued => "queued",
            RunState::Running => "running",
            RunState::Cancelling => "cancelling",
            RunState::Succeeded => "succeeded",
            RunState::Failed => "failed",
            RunState::Cancelled => "cancelled",
            RunState::Superseded => "superseded",
        }
    }

    /// Every state, in the order in which a run may come to them.
    pub const ALL: [RunState; 7] = [
        RunState::Queued,
        RunState::Running,
        RunState::Cancelling,
        RunState::Succeeded,
        RunState::Failed,
        RunState::Cancelled,
        RunState::Superseded,
    ];
}

impl std::str::FromStr for RunState {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a state of a run"))
    }
}

/// Where a step stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum StepState {
    /// Its turn has not come.
    Waiting,
    /// At work.
    Running,
    /// A try failed; the next one comes by itself.
    Retrying {
        /// What went wrong.
        failure: Failure,
        /// When the next try starts.
        until: Ms,
    },
    /// Done.
    Succeeded {
        /// What it left.
        outcome: Outcome,
    },
    /// Failed for good.
    Failed {
        /// What went wrong.
        failure: Failure,
    },
    /// Stopped by somebody, with what was half-done undone.
    Cancelled,
    /// Never started.
    Skipped {
        /// Why.
        because: String,
    },
}

impl StepState {
    /// Whether it will not change any more.
    pub fn is_final(&self) -> bool {
        !matches!(
            self,
            StepState::Waiting | StepState::Running | StepState::Retrying { .. }
        )
    }

    /// The state in one word.
    pub fn as_str(&self) -> &'static str {
        match self {
            StepState::Waiting => "waiting",
            StepState::Running => "running",
            StepState::Retrying { .. } => "retrying",
            StepState::Succeeded { .. } => "succeeded",
            StepState::Failed { .. } => "failed",
            StepState::Cancelled => "cancelled",
            StepState::Skipped { .. } => "skipped",
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
