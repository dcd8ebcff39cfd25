//! What a run tells of its steps: what they left, who did them, and why they failed.
use super::{Failure, Run, RunEvent, StepState, StoredEvent};
use crate::step::Outcome;
use crate::{RunId, StepId};

/// The run that really did a step, where its success was taken over.
pub fn taken_over(events: &[StoredEvent], step: StepId) -> Option<RunId> {
    events.iter().find_map(|stored| match &stored.event {
        RunEvent::StepReused { step: of, from, .. } if *of == step => Some(*from),
        _ => None,
    })
}

impl Run {
    /// The first step that failed, with why.
    pub fn failure(&self) -> Option<(StepId, &Failure)> {
        self.plan
            .steps
            .iter()
            .zip(&self.steps)
            .filter(|(planned, _)| !planned.always && !planned.optional)
            .find_map(|(planned, step)| match &step.state {
                StepState::Failed { failure } => Some((planned.id, failure)),
                _ => None,
            })
    }

    /// What the step left, where it succeeded.
    pub fn outcome(&self, id: StepId) -> Option<&Outcome> {
        match &self.steps.get(id.index())?.state {
            StepState::Succeeded { outcome } => Some(outcome),
            _ => None,
        }
    }
}
