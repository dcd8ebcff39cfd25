//! What Slack is told, to the letter, and never more than it takes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]

mod common;

use common::{NOW, digest, plain_plan};
use domain::run::{Failure, Next, Run, RunEvent};
use domain::step::Outcome;
use domain::text::{Notice, slack, webhook};
use domain::{Ms, RunId, StepId};
use proptest::prelude::*;
use serde_json::Value;

/// A run of the example at its last step; `fails` is the step that failed, and why.
fn at_notify(fails: Option<(StepId, Failure)>) -> Run {
    let mut run = Run::new(plain_plan());
    run.plan.commit.title = "Weigh cuts < 5 kg & round".into();
    run.apply(&RunEvent::Started, NOW).unwrap();
    loop {
        for next in run.next(NOW) {
            let events = match next {
                Next::Start(StepId(9), _) => return run,
                Next::Start(step, attempt) => {
                    let ended = match &fails {
                        Some((failing, failure)) if *failing == step => RunEvent::StepFailed {
                            step,
                            failure: failure.clone(),
                        },
                        _ => RunEvent::StepSucceeded {
                            step,
                            outcome: Outcome::Pushed {
                                digest: digest('1'),
                                bytes: None,
                            },
                        },
                    };
                    vec![RunEvent::StepStarted { step, attempt }, ended]
                }
                Next::Skip(step, because) => vec![RunEvent::StepSkipped { step, because }],
                Next::Cancel(step) => vec![RunEvent::StepCancelled { step }],
                Next::Finish => panic!("notify never started"),
            };
            for event in events {
                run.apply(&event, NOW).unwrap();
            }
        }
    }
}

fn told(run: &Run, tail: &[String]) -> Value {
    slack(&notice(run, tail))
}

fn notice<'n>(run: &'n Run, tail: &'n [String]) -> Notice<'n> {
    Notice {
        id: RunId(42),
        run,
        title: "Meats & Co",
        by: "lena",
        url: "https://fairlead.example/runs/42",
        commit_url: "https://github.com/team/shop/commit/aaaaaaa",
        tail,
        now: Ms(NOW.0 + 185_000),
    }
}

#[test]
fn a_program_is_told_in_fields_what_slack_is_told_in_words() {
    let run = at_notify(unhealthy("answered 500 <oops>"));
    let told = webhook(&notice(&run, &["Traceback".into()]));
    assert_eq!(
        told,
        serde_json::json!({
            "project": "projectmeats", "title": "Meats & Co", "environment": "dev",
            "run": 42, "kind": "deploy", "state": "failed", "by": "lena",
            "url": "https://fairlead.example/runs/42",
            "commit": {
                "sha": "a".repeat(40), "title": "Weigh cuts < 5 kg & round", "author": "Dev",
                "url": "https://github.com/team/shop/commit/aaaaaaa",
            },
            "components": ["backend", "frontend"],
            "started": NOW.rfc3339(), "duration_ms": 185_000,
            "failing_step": {
                "title": run.plan.steps[7].step.title(), "what": "answered 500 <oops>",
                "advice": "look at its log, mend it and deploy again",
                "undone": "the old container <abc> runs again", "log": ["Traceback"],
            },
            "overlooked": [],
        })
    );
    let told = webhook(&notice(&at_notify(None), &[]));
    assert_eq!(
        (&told["state"], &told["failing_step"]),
        (&"succeeded".into(), &Value::Null)
    );
}

#[test]
fn what_failed_and_did_not_hold_up_the_run_is_told() {
    let mut run = at_notify(unhealthy("it exits"));
    run.plan.steps[7].optional = true;
    let title = run.plan.steps[7].step.title();
    assert_eq!(
        webhook(&notice(&run, &[]))["overlooked"],
        serde_json::json!([title])
    );
    let told = told(&run, &[]).to_string();
    let words = format!("Failed and did not hold it up: {title}");
    assert!(told.contains(&words), "{told}");

    let always = unhealthy("it exits").map(|(step, failure)| {
        let counts_always = true;
        (
            step,
            Failure {
                counts_always,
                ..failure
            },
        )
    });
    let mut run = at_notify(always);
    run.plan.steps[7].optional = true;
    let told = webhook(&notice(&run, &[]));
    assert_eq!(
        (&told["overlooked"], &told["failing_step"]["title"]),
        (&serde_json::json!([]), &title.into())
    );
}

fn unhealthy(what: &str) -> Option<(StepId, Failure)> {
    let advice = "look at its log, mend it and deploy again".into();
    Some((
        StepId(7),
        Failure {
            what: what.into(),
            advice,
            undone: Some("the old container <abc> runs again".into()),
            counts_always: false,
        },
    ))
}

/// The text of the block about the failure.
fn failure_text(message: &Value) -> &str {
    message["blocks"][2]["text"]["text"].as_str().unwrap()
}

fn golden(name: &str, message: &Value) {
    let expected = match name {
        "succeeded" => include_str!("golden/slack_succeeded.json"),
        "failed" => include_str!("golden/slack_failed.json"),
        _ => include_str!("golden/slack_cancelled.json"),
    };
    assert_eq!(
        serde_json::from_str::<Value>(expected).unwrap(),
        *message,
        "{message:#}"
    );
}

#[test]
fn a_success_is_told() {
    golden("succeeded", &told(&at_notify(None), &["not told".into()]));
}

#[test]
fn a_failure_is_told_with_its_step_its_advice_what_was_undone_and_the_log_s_end() {
    let tail = [
        "> gunicorn".to_owned(),
        "Error: no module `shop` & ```more```".to_owned(),
    ];
    golden(
        "failed",
        &told(
            &at_notify(unhealthy("pm-backend answered <nothing> within 2 min")),
            &tail,
        ),
    );
}

#[test]
fn a_cancelled_run_is_told() {
    let mut run = Run::new(plain_plan());
    for event in [
        RunEvent::Started,
        RunEvent::CancelRequested { by: "lena".into() },
    ] {
        run.apply(&event, NOW).unwrap();
    }
    golden("cancelled", &told(&run, &[]));
}

#[test]
fn a_run_that_was_cancelled_too_late_is_told_as_the_success_that_it_is() {
    let mut run = at_notify(None);
    run.apply(&RunEvent::CancelRequested { by: "lena".into() }, NOW)
        .unwrap();
    assert_eq!(
        told(&run, &[])["text"],
        "✅ Meats &amp; Co: deploy to dev succeeded"
    );
}

#[test]
fn of_a_long_log_the_last_whole_lines_are_told() {
    let tail: Vec<String> = (0..500).map(|n| format!("line {n} of <stdout>")).collect();
    let message = told(&at_notify(unhealthy("it exits")), &tail);
    let text = failure_text(&message);
    assert!(
        (2_900..=3_000).contains(&text.chars().count()),
        "{} characters",
        text.chars().count()
    );
    assert!(text.ends_with("\nline 499 of &lt;stdout&gt;```"), "{text}");
    assert!(text.contains("runs again\n```line "), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn slack_takes_whatever_is_told(
        what in "[a&<>é`]{0,5000}",
        tail in prop::collection::vec("[b&<>ü`]{0,4000}", 0..4),
        title in "[c&<]{0,4000}",
    ) {
        let mut run = at_notify(unhealthy(&what));
        run.plan.commit.title = title;
        let message = told(&run, &tail);
        let text = failure_text(&message);
        prop_assert!(text.chars().count() <= 3_000);
        // No block of code stays open, and nothing is left of an escape that was cut.
        if tail.iter().any(|line| !line.is_empty()) {
            prop_assert!(text.ends_with("```"));
        }
        let commit = message["blocks"][1]["fields"][1]["text"].as_str().unwrap();
        prop_assert!(commit.chars().count() <= 2_000);
        for text in [text, commit.rsplit("> ").next().unwrap()] {
            let entities = ["&amp;", "&lt;", "&gt;"].iter().map(|entity| text.matches(entity).count()).sum::<usize>();
            prop_assert_eq!(text.matches('&').count(), entities);
            prop_assert!(!text.contains(['<', '>']));
        }
    }
}
