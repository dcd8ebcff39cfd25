//! Whatever chance does: an event fits or is refused, and a run that is driven ends.
use domain::plan::Plan;
use domain::run::{Run, RunEvent, RunState, StepState, StoredEvent};
use domain::step::Outcome;
use domain::{Ms, RunId, StepId};
use proptest::prelude::*;

use crate::common::{NOW, digest, plain_plan};
use crate::driven::{Driven, failure};

/// Events of every kind, about steps that the plan has and some that it has not.
fn event() -> impl Strategy<Value = RunEvent> {
    let step = || (0_u16..12).prop_map(StepId);
    let outcome = prop::sample::select(vec![
        Outcome::Done,
        Outcome::Nothing {
            why: "it is there".into(),
        },
        Outcome::Pushed {
            digest: digest('2'),
            bytes: None,
        },
    ]);
    prop_oneof![
        (step(), outcome.clone()).prop_map(|(step, outcome)| RunEvent::StepReused {
            step,
            from: RunId(1),
            outcome
        }),
        Just(RunEvent::Started),
        Just(RunEvent::Resumed),
        (step(), 0_u16..4).prop_map(|(step, attempt)| RunEvent::StepStarted { step, attempt }),
        (step(), outcome).prop_map(|(step, outcome)| RunEvent::StepSucceeded { step, outcome }),
        (step(), 0_i64..5).prop_map(|(step, ms)| RunEvent::StepRetrying {
            step,
            failure: failure("x"),
            until: Ms(NOW.0 + ms)
        }),
        step().prop_map(|step| RunEvent::StepFailed {
            step,
            failure: failure("y")
        }),
        step().prop_map(|step| RunEvent::StepCancelled { step }),
        step().prop_map(|step| RunEvent::StepSkipped {
            step,
            because: "z".into()
        }),
        Just(RunEvent::CancelRequested { by: "lena".into() }),
        Just(RunEvent::Superseded { by: RunId(9) }),
        Just(RunEvent::Finished),
    ]
}

/// What chance does in one round of a driven run.
#[derive(Debug, Clone)]
struct Round {
    /// For each step that runs: what becomes of it.
    fates: Vec<u8>,
    cancel: bool,
    restart: bool,
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let round = (
        prop::collection::vec(0_u8..10, 10),
        prop::bool::weighted(0.05),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(fates, cancel, restart)| Round {
            fates,
            cancel,
            restart,
        });
    prop::collection::vec(round, 0..40)
}

impl Driven {
    /// Lets chance decide about one step that runs.
    fn decide(&mut self, step: u16, fate: u8) {
        let planned = &self.run.plan.steps[usize::from(step)];
        let tries_left = self.run.steps[usize::from(step)].attempt < planned.retry.attempts;
        let pause = planned
            .retry
            .pause_after(self.run.steps[usize::from(step)].attempt);
        let until = Ms(self.now.0 + i64::try_from(pause.0).unwrap());
        let step_id = StepId(step);
        match fate {
            0 if tries_left => self.take(RunEvent::StepRetrying {
                step: step_id,
                failure: failure("for now"),
                until,
            }),
            0 | 1 => self.take(RunEvent::StepFailed {
                step: step_id,
                failure: failure("for good"),
            }),
            2 if self.run.state == RunState::Cancelling => {
                self.take(RunEvent::StepCancelled { step: step_id })
            }
            2 | 3 => {} // still at work
            _ => self.succeed(step),
        }
    }
}

/// No step may have started before every step that it needs had succeeded, or had ended where it always runs.
fn started_in_order(plan: &Plan, events: &[StoredEvent]) {
    let mut succeeded = vec![false; plan.steps.len()];
    let mut ended = vec![false; plan.steps.len()];
    let mut tries = vec![0_u16; plan.steps.len()];
    for stored in events {
        match &stored.event {
            RunEvent::StepStarted { step, attempt } => {
                let planned = plan.step(*step).unwrap();
                let done = if planned.always { &ended } else { &succeeded };
                assert!(
                    planned.needs.iter().all(|need| done[need.index()]),
                    "{stored:?} came too early"
                );
                tries[step.index()] += 1;
                assert_eq!(*attempt, tries[step.index()]);
                assert!(
                    *attempt <= planned.retry.attempts,
                    "{stored:?} is one try too many"
                );
            }
            RunEvent::StepReused { step, .. } | RunEvent::StepSucceeded { step, .. } => {
                succeeded[step.index()] = true;
                ended[step.index()] = true;
            }
            RunEvent::StepFailed { step, .. }
            | RunEvent::StepCancelled { step }
            | RunEvent::StepSkipped { step, .. } => {
                ended[step.index()] = true;
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_event_fits_or_is_refused_and_a_refused_one_changes_nothing(events in prop::collection::vec(event(), 0..120)) {
        let mut run = Run::new(plain_plan());
        let mut taken = Vec::new();
        for (second, event) in (0..).zip(events) {
            let at = Ms(NOW.0 + second);
            let before = run.clone();
            match run.apply(&event, at) {
                Ok(()) => {
                    prop_assert!(!before.state.is_final(), "a run that has ended changed");
                    prop_assert_eq!(run.seq, before.seq + 1);
                    prop_assert_eq!(run.ended.is_some(), run.state.is_final());
                    taken.push(StoredEvent { seq: run.seq, at, event });
                }
                Err(_) => prop_assert_eq!(&run, &before),
            }
            for (now, was) in run.steps.iter().zip(&before.steps) {
                prop_assert!(!was.state.is_final() || now == was, "a step that had ended changed");
            }
            run.next(at);
        }
        prop_assert_eq!(Run::replay(plain_plan(), &taken).unwrap(), run);
    }

    #[test]
    fn a_driven_run_always_ends_and_its_events_alone_tell_all_of_it(rounds in rounds(), reused in 0_u16..8) {
        let mut driven = Driven::new(plain_plan());
        for step in 0..reused {
            driven.take(RunEvent::StepReused { step: StepId(step), from: RunId(1), outcome: Outcome::Done });
        }
        driven.take(RunEvent::Started);
        // After the last round chance has nothing more to say: every step that runs succeeds.
        let calm = Round { fates: vec![9; 10], cancel: false, restart: false };
        let mut cancelled = false;
        for round in rounds.into_iter().chain(std::iter::repeat_n(calm, 40)) {
            if driven.run.state.is_final() {
                break;
            }
            if round.restart {
                // Whoever takes over has nothing but the events.
                driven.run = Run::replay(plain_plan(), &driven.events).unwrap();
                driven.take(RunEvent::Resumed);
            }
            if round.cancel && driven.run.state == RunState::Running {
                cancelled = true;
                driven.take(RunEvent::CancelRequested { by: "lena".into() });
            }
            driven.advance();
            for (step, fate) in (0..).zip(round.fates) {
                if driven.run.steps[usize::from(step)].state == StepState::Running {
                    driven.decide(step, fate);
                }
            }
            if let Some(until) = driven.run.wakes_at() {
                driven.now = driven.now.max(until);
            }
        }
        let Driven { run, events, .. } = &driven;
        prop_assert!(run.state.is_final(), "{:?} after {:#?}", run.state, events);
        started_in_order(&run.plan, events);
        prop_assert_eq!(&Run::replay(plain_plan(), events).unwrap(), run);

        let work: Vec<&StepState> = run.steps.iter().map(|step| &step.state).take(9).collect();
        let failed = work.iter().any(|state| matches!(state, StepState::Failed { .. }));
        let done = work.iter().all(|state| matches!(state, StepState::Succeeded { .. }));
        let expected = match (failed, done) {
            (true, _) => RunState::Failed,
            (false, true) => RunState::Succeeded,
            (false, false) => RunState::Cancelled,
        };
        prop_assert_eq!(run.state, expected);
        prop_assert!(expected != RunState::Cancelled || cancelled, "cancelled by nobody");
        prop_assert!(run.steps[9].attempt > 0, "nobody was told");
    }
}
