//! What a run says of itself, and of an event that it refuses.
use domain::run::{Failure, Run, RunEvent, RunState, StoredEvent};
use domain::step::Outcome;
use domain::{Ms, RunId, StepId};

use crate::common::plain_plan;
use crate::driven::{Driven, failure, started};

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
    assert_eq!(told, include_str!("../golden/failing_run.jsonl"));
    let read: Vec<StoredEvent> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(Run::replay(plain_plan(), &read).unwrap(), driven.run);
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
