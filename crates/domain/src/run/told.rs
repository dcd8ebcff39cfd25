//! What a run tells of its steps: what they left, why they failed, and why they stand where they stand.
use super::{Failure, Run, RunEvent, RunState, StepState, StoredEvent};
use crate::step::Outcome;
use crate::when::duration;
use crate::{Ms, RunId, StepId};

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
            .filter(|(planned, _)| !planned.always && !self.overlooks(planned.id))
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

    /// The steps that have to end before this one can start, in words; `None` where there is none.
    pub fn waits_for(&self, id: StepId) -> Option<String> {
        let open = self.plan.step(id)?.needs.iter().filter(|need| {
            let step = self.steps.get(need.index());
            step.is_some_and(|step| !step.state.is_final())
        });
        let mut open = open.filter_map(|need| self.plan.step(*need));
        let first = format!("“{}”", open.next()?.step.title());
        Some(match open.count() {
            0 => first,
            more => format!("{first} and {more} more"),
        })
    }

    /// Why the step stands where it stands, in a few words for its place in a picture; `None` where its state says all.
    pub fn note(&self, id: StepId, now: Ms) -> Option<String> {
        match &self.steps.get(id.index())?.state {
            StepState::Waiting => match self.waits_for(id) {
                Some(steps) => Some(format!("waits for {steps}")),
                None => {
                    (self.state == RunState::Queued).then(|| "waits for the run to start".into())
                }
            },
            StepState::Retrying { failure, until } => {
                let when = match (until.since(now) + 999) / 1000 {
                    0 => "next try now".to_owned(),
                    // Tenths of a second would only flicker.
                    s => format!("next try in {}", duration(s * 1000).replace(".0 s", " s")),
                };
                Some(format!("{when}: {}", in_a_line(failure)))
            }
            StepState::Failed { failure } => Some(in_a_line(failure).to_owned()),
            StepState::Skipped { because } => Some(because.clone()),
            StepState::Succeeded {
                outcome: Outcome::Nothing { why },
            } => Some(why.clone()),
            StepState::Running | StepState::Succeeded { .. } | StepState::Cancelled => None,
        }
    }
}

fn in_a_line(failure: &Failure) -> &str {
    failure.what.lines().next().unwrap_or_default()
}
