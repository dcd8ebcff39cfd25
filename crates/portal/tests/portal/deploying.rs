//! Deploys and cancels, and several of them at once.
use std::collections::{BTreeSet, HashSet};

use domain::audit::Change;
use domain::run::{RunEvent, RunState};
use domain::view::RunFilter;
use domain::{RunId, StepId};
use portal::Error;

use crate::support::{TestPortal, admin, lead, now, origin, project, to};

#[tokio::test]
async fn a_deploy_waits_in_the_queue_with_its_plan_and_who_asked_for_it() {
    let world = TestPortal::new().await;
    let head = world.commit("Second", &[("a", "1")]);
    let run = world.deploy().await;
    let view = world.portal.run(&lead(), run).await.unwrap();
    assert_eq!(view.row.state, RunState::Queued);
    assert_eq!(view.row.commit.sha, head);
    assert_eq!(view.row.by, lead().name);
    assert_eq!(view.plan.branch.as_str(), "development");
    assert!(
        view.commit_url
            .ends_with(&format!("acme/shop/commit/{head}"))
    );
    assert_eq!(view.waiting_for.as_deref(), Some("Starts in a moment"));
}

#[tokio::test]
async fn a_newer_deploy_takes_the_place_of_the_one_that_waits() {
    let world = TestPortal::new().await;
    let older = world.deploy().await;
    let newer = world.deploy().await;
    assert_eq!(world.state(older).await, RunState::Superseded);
    assert_eq!(world.state(newer).await, RunState::Queued);
    let view = world.portal.run(&lead(), older).await.unwrap();
    assert_eq!(
        view.events.last().unwrap().event,
        RunEvent::Superseded { by: newer }
    );
    let trail = world.trail_of("shop").await;
    assert!(
        matches!(&trail[0].what, Change::RunRequested { run, supersedes, .. }
        if *run == newer && *supersedes == [older])
    );
    assert_eq!(world.claim().await.unwrap().run, newer);
    assert!(world.claim().await.is_none());
}

#[tokio::test]
async fn a_deploy_elsewhere_does_not_touch_the_one_that_waits() {
    let world = TestPortal::new().await;
    let dev = world.deploy().await;
    let prod = world.portal.deploy(&lead(), origin(), to("prod")).await;
    assert_eq!(world.state(dev).await, RunState::Queued);
    assert_eq!(world.state(prod.unwrap()).await, RunState::Queued);
}

#[tokio::test]
async fn a_run_at_work_is_left_alone_and_the_next_one_waits_for_it() {
    let world = TestPortal::new().await;
    let first = world.deploy().await;
    let claim = world.start().await;
    let second = world.deploy().await;
    assert_eq!(world.state(first).await, RunState::Running);
    assert!(world.claim().await.is_none(), "two runs would be at work");
    let view = world.portal.run(&lead(), second).await.unwrap();
    let waits = format!("Waits for run #{first} by lena, which is running in dev");
    assert_eq!(view.waiting_for, Some(waits));
    world.portal.cancel(&lead(), origin(), first).await.unwrap();
    let view = world.portal.run(&lead(), second).await.unwrap();
    assert!(view.waiting_for.unwrap().contains("which is cancelling"));
    assert_eq!(
        world.portal.run(&lead(), first).await.unwrap().waiting_for,
        None
    );
    world.store.release(&claim).await.unwrap();
    // Still unfinished, so it comes first.
    assert_eq!(world.claim().await.unwrap().run, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn people_who_press_deploy_at_once_all_get_a_run_and_one_is_started() {
    let world = TestPortal::new().await;
    // The mirror is there, so that they really meet.
    world.portal.propose(&lead(), &to("dev")).await.unwrap();
    let pressing = (0..8).map(|_| {
        let portal = world.portal.clone();
        tokio::spawn(async move { portal.deploy(&lead(), origin(), to("dev")).await })
    });
    let mut runs = BTreeSet::new();
    for pressed in pressing.collect::<Vec<_>>() {
        runs.insert(pressed.await.unwrap().unwrap());
    }
    assert_eq!(runs.len(), 8);
    let newest = *runs.last().unwrap();
    for run in &runs {
        let expected = if *run == newest {
            RunState::Queued
        } else {
            RunState::Superseded
        };
        assert_eq!(world.state(*run).await, expected, "run #{run}");
    }
    world.trail().await;

    // Two portals look for work at once: one of them gets it.
    let held = HashSet::new();
    let (first, second) = tokio::join!(
        world.store.claim("one", now(), 60_000, &held),
        world.store.claim("two", now(), 60_000, &held),
    );
    let claims: Vec<_> = [first.unwrap(), second.unwrap()]
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(claims.len(), 1, "{claims:?}");
    assert_eq!(claims[0].run, newest);
}

#[tokio::test]
async fn a_deploy_that_comes_while_the_waiting_one_starts_lets_it_work() {
    let world = TestPortal::new().await;
    let first = world.deploy().await;
    let claim = world.claim().await.unwrap();
    let second = world.deploy().await;
    // The first was claimed and not yet started, so it still gave way; its driver is refused.
    assert_eq!(world.state(first).await, RunState::Superseded);
    let late = world
        .store
        .append(&claim, 0, &RunEvent::Started, now())
        .await;
    assert!(late.is_err(), "{late:?}");
    world.store.release(&claim).await.unwrap();
    assert_eq!(world.claim().await.unwrap().run, second);
}

#[tokio::test]
async fn a_queued_run_that_is_cancelled_never_starts() {
    let world = TestPortal::new().await;
    let run = world.deploy().await;
    world.portal.cancel(&lead(), origin(), run).await.unwrap();
    assert_eq!(world.state(run).await, RunState::Cancelled);
    assert!(world.claim().await.is_none());
    let trail = world.trail_of("shop").await;
    assert!(matches!(trail[0].what, Change::CancelRequested { run: of, .. } if of == run));
}

#[tokio::test]
async fn a_run_at_work_that_is_cancelled_stops_and_says_who_wanted_it() {
    let world = TestPortal::new().await;
    let run = world.deploy().await;
    let claim = world.start().await;
    let step = StepId(0);
    world
        .tell(&claim, RunEvent::StepStarted { step, attempt: 1 })
        .await;
    world.portal.cancel(&lead(), origin(), run).await.unwrap();
    assert_eq!(world.state(run).await, RunState::Cancelling);
    let view = world.portal.run(&lead(), run).await.unwrap();
    assert!(matches!(&view.events.last().unwrap().event,
        RunEvent::CancelRequested { by } if by == "lena"));
}

#[tokio::test]
async fn a_run_that_cannot_be_cancelled_any_more_says_so_in_words_and_leaves_no_event() {
    let world = TestPortal::new().await;
    let cancelling = world.deploy().await;
    world.start().await;
    world
        .portal
        .cancel(&lead(), origin(), cancelling)
        .await
        .unwrap();
    let ended = world.portal.deploy(&lead(), origin(), to("prod")).await;
    let ended = ended.unwrap();
    world.portal.cancel(&lead(), origin(), ended).await.unwrap();
    let before = world.everything().await;
    for (run, why) in [
        (cancelling, "is being cancelled already"),
        (ended, "has ended"),
    ] {
        let again = world.portal.cancel(&lead(), origin(), run).await;
        match again {
            Err(Error::Conflict(told)) => assert_eq!(told, format!("run #{run} {why}")),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn a_bell_rings_for_the_board_and_for_each_run_that_a_request_touched() {
    let world = TestPortal::new().await;
    let older = world.deploy().await;
    let of_older = world.portal.bell_of_run(&lead(), older).await.unwrap();
    let of_board = world.portal.bell_of_board(&lead(), &project("shop")).await;
    let of_board = of_board.unwrap();
    world.deploy().await;
    assert!(of_older.has_changed().unwrap());
    assert!(of_board.has_changed().unwrap());
}

#[tokio::test]
async fn runs_come_in_pages_newest_first_and_by_state_and_place() {
    let world = TestPortal::new().await;
    for _ in 0..5 {
        world.deploy().await;
    }
    let prod = world.portal.deploy(&admin(), origin(), to("prod")).await;
    let prod = prod.unwrap();
    let page = async |filter: RunFilter, limit| {
        let page = world.portal.runs(&lead(), &filter, limit).await.unwrap();
        let ids: Vec<i64> = page.runs.iter().map(|row| row.id.0).collect();
        (ids, page.next)
    };
    let before = |id| RunFilter {
        before: id,
        ..Default::default()
    };
    assert_eq!(
        page(before(None), 4).await,
        (vec![6, 5, 4, 3], Some(RunId(3)))
    );
    assert_eq!(page(before(Some(RunId(3))), 4).await, (vec![2, 1], None));
    // A full last page does not promise another one.
    assert_eq!(page(before(Some(RunId(3))), 2).await, (vec![2, 1], None));
    // No limit is nobody's wish.
    assert_eq!(page(before(None), 0).await, (vec![6], Some(RunId(6))));
    let there = RunFilter {
        environment: Some(to("prod").environment),
        ..Default::default()
    };
    assert_eq!(page(there, 10).await, (vec![prod.0], None));
    let waiting = RunFilter {
        state: Some(RunState::Queued),
        project: Some(project("shop")),
        ..Default::default()
    };
    assert_eq!(page(waiting, 10).await, (vec![6, 5], None));
}
