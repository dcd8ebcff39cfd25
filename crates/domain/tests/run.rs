//! A run as it is driven: what may happen when, how it ends, and that its events alone tell all of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]

mod common;

use common::{NOW, digest, plain_plan};
use domain::plan::Plan;
use domain::run::{Failure, Next, Run, RunEvent, RunState, StepState, StoredEvent, taken_over};
use domain::step::{Outcome, StepKind};
use domain::{Ms, RunId, StepId};
use proptest::prelude::*;

fn failure(what: &str) -> Failure {
    Failure {
        what: what.into(),
        advice: "look at its log".into(),
        undone: None,
        counts_always: false,
    }
}

/// A run with its history, as the engine and the store keep it together.
struct Driven {
    run: Run,
    events: Vec<StoredEvent>,
    now: Ms,
}

impl Driven {
    fn new(plan: Plan) -> Self {
        Self {
            run: Run::new(plan),
            events: Vec::new(),
            now: NOW,
        }
    }

    /// Takes an event that must fit, a second after the last one.
    fn take(&mut self, event: RunEvent) {
        self.now.0 += 1000;
        self.run.apply(&event, self.now).unwrap();
        self.events.push(StoredEvent {
            seq: self.run.seq,
            at: self.now,
            event,
        });
    }

    /// Takes an event that must be refused, and tells why.
    fn refused(&mut self, event: &RunEvent) -> String {
        let before = self.run.clone();
        let error = self.run.apply(event, self.now).expect_err("it was taken");
        assert_eq!(self.run, before, "a refused event changed the run");
        error.to_string()
    }

    fn next(&self) -> Vec<Next> {
        self.run.next(self.now)
    }

    /// Does what is to be done now, once; gives the steps that started.
    fn advance(&mut self) -> Vec<StepId> {
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

    fn succeed(&mut self, step: u16) {
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
    fn until_running(&mut self, step: u16) {
        while self.run.steps[usize::from(step)].state != StepState::Running {
            let started = self.advance();
            assert!(!started.is_empty(), "step {step} never starts");
            for other in started.into_iter().filter(|other| other.0 != step) {
                self.succeed(other.0);
            }
        }
    }

    fn states(&self) -> Vec<&'static str> {
        self.run
            .steps
            .iter()
            .map(|step| step.state.as_str())
            .collect()
    }
}

/// A run of the example that has started.
fn started() -> Driven {
    let mut driven = Driven::new(plain_plan());
    driven.take(RunEvent::Started);
    driven
}

#[test]
fn a_run_whose_steps_succeed_succeeds() {
    let mut driven = started();
    driven.until_running(9);
    assert_eq!(
        driven.next(),
        [],
        "nothing is to be done while a step is at work"
    );
    driven.succeed(9);
    assert_eq!(driven.next(), [Next::Finish]);
    driven.advance();
    assert_eq!(driven.run.state, RunState::Succeeded);
    assert_eq!(
        (driven.run.started, driven.run.ended),
        (Some(Ms(NOW.0 + 1000)), Some(driven.now))
    );
    assert_eq!(
        driven.run.outcome(StepId(2)),
        Some(&Outcome::Pushed {
            digest: digest('1'),
            bytes: None,
        })
    );
    assert_eq!(driven.next(), []);
}

#[test]
fn independent_steps_start_side_by_side() {
    let mut driven = started();
    assert_eq!(driven.advance(), [StepId(0)]);
    driven.succeed(0);
    assert_eq!(driven.advance(), [StepId(1), StepId(4)], "both builds");
    driven.succeed(4);
    assert_eq!(
        driven.advance(),
        [StepId(5), StepId(6)],
        "the pushes of the one that is built"
    );
}

#[test]
fn a_failing_run_tells_its_story() {
    let mut driven = started();
    driven.until_running(2);
    let until = Ms(driven.now.0 + 3000);
    driven.take(RunEvent::StepRetrying {
        step: StepId(2),
        failure: failure("docr did not answer"),
        until,
    });
    assert_eq!(
        (driven.run.wakes_at(), driven.next()),
        (Some(until), vec![]),
        "its pause is not over"
    );
    driven.now = until;
    driven.until_running(7);
    driven.take(RunEvent::StepFailed {
        step: StepId(7),
        failure: Failure {
            undone: Some("the old container runs again".into()),
            ..failure("not healthy within 2 min")
        },
    });
    driven.advance();
    driven.advance();
    driven.succeed(9);
    driven.advance();
    assert_eq!(driven.run.state, RunState::Failed);
    assert_eq!(
        driven
            .run
            .failure()
            .map(|(step, failure)| (step.0, failure.what.as_str())),
        Some((7, "not healthy within 2 min"))
    );

    let told: String = driven
        .events
        .iter()
        .map(|event| serde_json::to_string(event).unwrap() + "\n")
        .collect();
    // What is stored must stay readable: change this file only together with a migration of stored events.
    assert_eq!(told, include_str!("golden/failing_run.jsonl"));
    let read: Vec<StoredEvent> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(Run::replay(plain_plan(), &read).unwrap(), driven.run);
}

#[test]
fn what_needs_a_failed_step_is_skipped_with_the_reason_and_notify_still_runs() {
    let mut driven = started();
    driven.until_running(1);
    driven.take(RunEvent::StepFailed {
        step: StepId(1),
        failure: failure("exit code 1"),
    });
    // The other build was started and has succeeded meanwhile.
    while !driven.next().contains(&Next::Start(StepId(9), 1)) {
        for step in driven.advance() {
            driven.succeed(step.0);
        }
    }
    assert_eq!(
        driven.states(),
        [
            "succeeded",
            "failed",
            "skipped",
            "skipped",
            "succeeded",
            "succeeded",
            "succeeded",
            "skipped",
            "skipped",
            "waiting"
        ]
    );
    assert_eq!(
        driven.run.steps[8].state,
        StepState::Skipped {
            because: "“Build backend” failed".into()
        }
    );
}

#[test]
fn each_step_says_in_a_few_words_why_it_stands_where_it_stands() {
    let mut driven = Driven::new(plain_plan());
    let note = |driven: &Driven, step| driven.run.note(StepId(step), driven.now);
    let is = |text: &str| Some(text.to_owned());
    assert_eq!(note(&driven, 0), is("waits for the run to start"));
    assert_eq!(note(&driven, 1), is("waits for “Check out”"));
    driven.take(RunEvent::Started);
    assert_eq!(note(&driven, 0), None, "it starts now");
    driven.until_running(1);
    assert_eq!(note(&driven, 1), None);
    assert_eq!(note(&driven, 2), is("waits for “Build backend”"));
    let pushes = "waits for “Push backend to docr” and 3 more";
    assert_eq!(note(&driven, 7), is(pushes));

    let refused = "the registry does not answer";
    driven.take(RunEvent::StepRetrying {
        step: StepId(1),
        failure: failure(&format!("{refused}\nand more")),
        until: Ms(driven.now.0 + 4_500),
    });
    let soon = format!("next try in 4 s: {refused}");
    assert_eq!(note(&driven, 1), Some(soon));
    driven.now.0 += 60_000;
    assert_eq!(note(&driven, 1), Some(format!("next try now: {refused}")));

    driven.until_running(1);
    driven.take(RunEvent::StepFailed {
        step: StepId(1),
        failure: failure("exit code 1\nand more"),
    });
    driven.advance();
    assert_eq!(note(&driven, 1), is("exit code 1"));
    assert_eq!(note(&driven, 2), is("“Build backend” failed"));
    assert_eq!(note(&driven, 0), None, "it is done");
    assert_eq!(note(&driven, 99), None);
}

#[test]
fn a_step_that_had_nothing_to_do_says_why() {
    let mut driven = started();
    driven.until_running(0);
    let why = "it was there".to_owned();
    driven.take(RunEvent::StepSucceeded {
        step: StepId(0),
        outcome: Outcome::Nothing { why: why.clone() },
    });
    assert_eq!(driven.run.note(StepId(0), driven.now), Some(why));
}

#[test]
fn a_step_that_may_fail_holds_up_nothing_except_by_a_failure_that_always_counts() {
    let failing = |counts_always| {
        let mut plan = plain_plan();
        plan.steps[2].optional = true;
        let mut driven = Driven::new(plan);
        driven.take(RunEvent::Started);
        driven.until_running(2);
        driven.take(RunEvent::StepFailed {
            step: StepId(2),
            failure: Failure {
                counts_always,
                ..failure("docr holds another image")
            },
        });
        while !driven.next().contains(&Next::Start(StepId(9), 1)) {
            for step in driven.advance() {
                driven.succeed(step.0);
            }
        }
        driven.advance();
        driven.succeed(9);
        driven.advance();
        driven.run
    };
    let overlooked = failing(false);
    assert_eq!(overlooked.state, RunState::Succeeded);
    assert_eq!(overlooked.failure(), None);
    let counted = failing(true);
    assert_eq!(counted.state, RunState::Failed);
    assert_eq!(counted.failure().unwrap().0, StepId(2));
    assert_eq!(
        counted.steps[7].state,
        StepState::Skipped {
            because: format!("“{}” failed", counted.plan.steps[2].step.title())
        }
    );
}

#[test]
fn a_notification_that_fails_does_not_fail_the_run() {
    let mut driven = started();
    driven.until_running(9);
    driven.take(RunEvent::StepFailed {
        step: StepId(9),
        failure: failure("Slack answers 503"),
    });
    driven.advance();
    assert_eq!(driven.run.state, RunState::Succeeded);
    assert_eq!(driven.run.failure(), None);
}

#[test]
fn tries_are_counted_one_by_one() {
    let mut driven = started();
    let start = |attempt| RunEvent::StepStarted {
        step: StepId(0),
        attempt,
    };
    for wrong in [0, 2, u16::MAX] {
        assert!(
            driven
                .refused(&start(wrong))
                .ends_with("tries are counted one by one")
        );
    }
    for attempt in 1..=3 {
        assert_eq!(driven.next(), [Next::Start(StepId(0), attempt)]);
        driven.take(start(attempt));
        assert_eq!(driven.run.steps[0].attempt, attempt);
        assert!(
            driven
                .refused(&start(attempt + 1))
                .ends_with("the step runs or has ended")
        );
        driven.take(RunEvent::StepRetrying {
            step: StepId(0),
            failure: failure("refused"),
            until: driven.now,
        });
    }
    assert_eq!(
        driven.run.steps[0].started,
        Some(Ms(NOW.0 + 2000)),
        "the first try's start"
    );
}

#[test]
fn a_run_that_waits_can_be_cancelled_or_superseded_and_then_nothing_more() {
    for (event, state) in [
        (
            RunEvent::CancelRequested { by: "lena".into() },
            RunState::Cancelled,
        ),
        (RunEvent::Superseded { by: RunId(2) }, RunState::Superseded),
    ] {
        let mut driven = Driven::new(plain_plan());
        assert_eq!(driven.next(), [], "its turn has not come");
        driven.take(event);
        assert_eq!(
            (driven.run.state, driven.run.ended),
            (state, Some(driven.now))
        );
        for late in [RunEvent::Started, RunEvent::Finished, RunEvent::Resumed] {
            assert!(driven.refused(&late).ends_with("it has ended"));
        }
    }
}

#[test]
fn cancelling_between_two_tries_of_a_deploy_starts_it_once_more_to_undo_what_is_half_done() {
    a_look_at_the_host_comes_first(plain_plan());
}

#[test]
fn cancelling_between_two_tries_of_a_migration_looks_once_more_what_became_of_it() {
    let mut plan = plain_plan();
    if let StepKind::Deploy { component, host } = plan.steps[7].step.clone() {
        plan.steps[7].step = StepKind::Migrate { component, host };
    }
    a_look_at_the_host_comes_first(plan);
}

fn a_look_at_the_host_comes_first(plan: Plan) {
    let mut driven = Driven::new(plan);
    driven.take(RunEvent::Started);
    driven.until_running(7);
    driven.take(RunEvent::StepRetrying {
        step: StepId(7),
        failure: failure("lost the host"),
        until: Ms(driven.now.0 + 60_000),
    });
    assert_eq!(driven.next(), [], "its time has not come");
    driven.take(RunEvent::CancelRequested { by: "lena".into() });
    driven.take(RunEvent::StepSkipped {
        step: StepId(8),
        because: "the run was cancelled".into(),
    });
    assert_eq!(
        driven.next(),
        [Next::Start(StepId(7), 2)],
        "only a look at the host can tell what the first try left, and it is not put off"
    );
    driven.advance();
    driven.take(RunEvent::StepCancelled { step: StepId(7) });
    driven.advance();
    driven.succeed(9);
    driven.advance();
    assert_eq!(driven.run.state, RunState::Cancelled);
}

#[test]
fn cancelling_stops_what_runs_skips_what_waits_and_still_notifies() {
    let mut driven = started();
    driven.advance();
    driven.succeed(0);
    assert_eq!(driven.advance(), [StepId(1), StepId(4)]);
    driven.take(RunEvent::StepRetrying {
        step: StepId(4),
        failure: failure("lost the builder"),
        until: Ms(i64::MAX),
    });
    driven.take(RunEvent::CancelRequested { by: "lena".into() });
    assert!(
        driven
            .refused(&RunEvent::CancelRequested { by: "dev".into() })
            .ends_with("it is being cancelled already")
    );
    assert!(
        driven.next().contains(&Next::Cancel(StepId(4))),
        "a step between two tries is not tried again"
    );
    driven.advance();
    driven.take(RunEvent::StepCancelled { step: StepId(1) });
    assert_eq!(driven.advance(), [StepId(9)]);
    driven.succeed(9);
    driven.advance();
    assert_eq!(driven.run.state, RunState::Cancelled);
    assert_eq!(driven.run.cancelled_by.as_deref(), Some("lena"));
    assert_eq!(
        driven.run.steps[7].state,
        StepState::Skipped {
            because: "the run was cancelled".into()
        }
    );
}

#[test]
fn a_run_that_was_cancelled_too_late_has_succeeded() {
    let mut driven = started();
    driven.until_running(8);
    driven.take(RunEvent::CancelRequested { by: "lena".into() });
    driven.succeed(8);
    driven.advance();
    driven.succeed(9);
    driven.advance();
    assert_eq!(driven.run.state, RunState::Succeeded);
}

#[test]
fn a_repeated_run_goes_on_where_the_first_one_failed() {
    let mut driven = Driven::new(plain_plan());
    for step in 0..=6 {
        let outcome = Outcome::Pushed {
            digest: digest('1'),
            bytes: None,
        };
        driven.take(RunEvent::StepReused {
            step: StepId(step),
            from: RunId(1),
            outcome,
        });
    }
    let again = RunEvent::StepReused {
        step: StepId(0),
        from: RunId(1),
        outcome: Outcome::Done,
    };
    assert!(
        driven
            .refused(&again)
            .ends_with("the step was reused before")
    );
    assert_eq!(taken_over(&driven.events, StepId(6)), Some(RunId(1)));
    assert_eq!(taken_over(&driven.events, StepId(7)), None);
    driven.take(RunEvent::Started);
    assert_eq!(driven.next(), [Next::Start(StepId(7), 1)]);
    assert!(
        driven
            .refused(&RunEvent::StepReused {
                step: StepId(7),
                from: RunId(1),
                outcome: Outcome::Done
            })
            .ends_with("steps are reused before the run starts")
    );
}

#[test]
fn a_refusal_says_what_was_refused_and_why() {
    let mut driven = started();
    assert_eq!(
        driven.refused(&RunEvent::StepStarted {
            step: StepId(7),
            attempt: 1
        }),
        "a run that is running cannot take StepStarted { step: StepId(7), attempt: 1 }: a step before it has not done its part"
    );
    assert!(
        driven
            .refused(&RunEvent::StepStarted {
                step: StepId(99),
                attempt: 1
            })
            .ends_with("the plan has no such step")
    );
    assert!(
        driven
            .refused(&RunEvent::Finished)
            .ends_with("a step has not ended")
    );
    assert!(
        driven
            .refused(&RunEvent::StepCancelled { step: StepId(0) })
            .ends_with("nobody asked to cancel it")
    );
    assert!(
        driven
            .refused(&RunEvent::Superseded { by: RunId(2) })
            .ends_with("it has started")
    );
    assert!(
        Driven::new(plain_plan())
            .refused(&RunEvent::Resumed)
            .ends_with("it has not started")
    );
}

#[test]
fn states_print_as_they_are_read() {
    for state in RunState::ALL {
        assert_eq!(state.to_string().parse::<RunState>().unwrap(), state);
        assert_eq!(
            serde_json::to_string(&state).unwrap(),
            format!("\"{state}\"")
        );
    }
    assert!("done".parse::<RunState>().is_err());
}

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
