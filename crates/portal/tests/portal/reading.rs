//! Runs, their events and their logs.
use domain::log::Stream;
use domain::run::{RunEvent, RunState};
use domain::view::LogPage;
use domain::{RunId, StepId};
use portal::LogRange;
use store::{Claim, NewLine};

use crate::support::{TestPortal, failure, lead, now};

const STEP: StepId = StepId(0);
const NONE: [i64; 0] = [];

/// A run at work whose first step has written ten lines, the seventh of which tells of an error.
async fn with_log(world: &TestPortal) -> (RunId, Claim) {
    let run = world.deploy().await;
    let claim = world.start().await;
    let lines: Vec<NewLine> = (1..=10)
        .map(|n| NewLine {
            at: now(),
            stream: Stream::Out,
            text: if n == 7 {
                "ERROR: seven".into()
            } else {
                format!("line {n}")
            },
        })
        .collect();
    world
        .store
        .append_lines(&claim, STEP, &lines[..4], None, None)
        .await
        .unwrap();
    world
        .store
        .append_lines(&claim, STEP, &lines[4..], None, None)
        .await
        .unwrap();
    (run, claim)
}

fn numbers(page: &LogPage) -> Vec<i64> {
    page.lines.iter().map(|line| line.n).collect()
}

#[tokio::test]
async fn a_log_is_read_by_ranges() {
    let world = TestPortal::new().await;
    let (run, _) = with_log(&world).await;
    let page = async |range, limit| {
        let page = world
            .portal
            .log(&lead(), run, STEP, range, limit)
            .await
            .unwrap();
        assert_eq!(
            (page.step, page.total, page.first_error),
            (STEP, 10, Some(7))
        );
        numbers(&page)
    };
    assert_eq!(page(LogRange::After(0), 3).await, [1, 2, 3]);
    assert_eq!(page(LogRange::After(3), 3).await, [4, 5, 6]);
    assert_eq!(page(LogRange::After(8), 100).await, [9, 10]);
    assert_eq!(page(LogRange::After(10), 100).await, NONE);
    assert_eq!(page(LogRange::Before(4), 2).await, [2, 3]);
    assert_eq!(page(LogRange::Before(2), 100).await, [1]);
    assert_eq!(page(LogRange::Before(1), 100).await, NONE);
    assert_eq!(page(LogRange::Tail, 2).await, [9, 10]);
    assert_eq!(page(LogRange::Tail, -5).await, [10]);
    assert_eq!(page(LogRange::After(i64::MIN), i64::MAX).await.len(), 10);
    assert_eq!(page(LogRange::After(i64::MAX), i64::MAX).await, NONE);
    assert_eq!(page(LogRange::Before(i64::MIN), i64::MAX).await, NONE);
}

#[tokio::test]
async fn a_log_that_nobody_has_written_is_empty() {
    let world = TestPortal::new().await;
    let (run, _) = with_log(&world).await;
    let page = world
        .portal
        .log(&lead(), run, StepId(1), LogRange::Tail, 10)
        .await;
    let page = page.unwrap();
    assert_eq!(
        (page.lines, page.total, page.first_error),
        (vec![], 0, None)
    );
}

#[tokio::test]
async fn a_text_is_found_in_either_case() {
    let world = TestPortal::new().await;
    let (run, _) = with_log(&world).await;
    let found = async |text| {
        let found = world
            .portal
            .search_log(&lead(), run, STEP, text)
            .await
            .unwrap();
        assert!(!found.more);
        found.lines
    };
    assert_eq!(found("error").await, [7]);
    assert_eq!(found("LINE 1").await, [1, 10]);
    assert_eq!(found("nothing").await, NONE);
    assert_eq!(found("").await, NONE);
}

#[tokio::test]
async fn events_are_read_by_cursor() {
    let world = TestPortal::new().await;
    let run = world.deploy().await;
    world.drive(|_| true).await;
    let all = world.portal.run(&lead(), run).await.unwrap().events;
    let mut read = Vec::new();
    loop {
        let after = read.len() as i64;
        let page = world
            .portal
            .events_after(&lead(), run, after, 3)
            .await
            .unwrap();
        assert!(page.len() <= 3);
        if page.is_empty() {
            break;
        }
        read.extend(page);
    }
    assert_eq!(read, all);
    assert_eq!(read[0].event, RunEvent::Started);
    assert_eq!(read.last().unwrap().event, RunEvent::Finished);
}

#[tokio::test]
async fn a_run_that_failed_tells_where_and_why() {
    let world = TestPortal::new().await;
    let run = world.deploy().await;
    let state = world.drive(|step| step.title() != "Build web").await;
    assert_eq!(state, RunState::Failed);
    let view = world.portal.run(&lead(), run).await.unwrap();
    assert_eq!(view.failure, Some((StepId(1), failure())));
    assert_eq!(view.retry, domain::view::Offer::Ready);
    assert_eq!(view.waiting_for, None);
}
