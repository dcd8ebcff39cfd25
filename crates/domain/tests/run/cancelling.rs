//! How a run is given up: before it starts, between two tries, and too late.
use domain::plan::Plan;
use domain::run::{Next, RunEvent, RunState, StepState};
use domain::step::StepKind;
use domain::{Ms, RunId, StepId};

use crate::common::plain_plan;
use crate::driven::{Driven, failure, started};

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
