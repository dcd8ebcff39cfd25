//! How steps follow one another, and what their ends make of the run.
use domain::run::{Failure, Next, RunEvent, RunState, StepState, taken_over};
use domain::step::Outcome;
use domain::{Ms, RunId, StepId};

use crate::common::{NOW, digest, plain_plan};
use crate::driven::{Driven, failure, started};

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
fn an_image_that_came_to_no_registry_fails_the_run_where_it_was_to_come_to_any() {
    let mut plan = plain_plan();
    let ships = plan
        .steps
        .iter_mut()
        .filter(|planned| planned.step.ships().is_some());
    ships.for_each(|planned| planned.optional = true);
    let mut driven = Driven::new(plan);
    driven.take(RunEvent::Started);
    driven.until_running(1);
    driven.succeed(1);
    driven.advance();
    let fails = |step| RunEvent::StepFailed {
        step: StepId(step),
        failure: failure("it is down"),
    };
    let fail = |driven: &mut Driven, step| driven.take(fails(step));
    fail(&mut driven, 2);
    assert_eq!(driven.run.failure(), None, "the other one may take it");
    driven.succeed(5);
    fail(&mut driven, 6);
    fail(&mut driven, 3);
    let failed = driven.run.failure().map(|(step, _)| step);
    assert_eq!(failed, Some(StepId(2)));
    driven.advance();
    driven.advance();
    let because = "“Push backend to docr” failed".to_owned();
    assert_eq!(driven.run.steps[7].state, StepState::Skipped { because });
    driven.succeed(9);
    driven.advance();
    assert_eq!(driven.run.state, RunState::Failed);
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
