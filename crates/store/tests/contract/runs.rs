//! What happens to runs, and what they leave.
use std::collections::HashSet;

use domain::plan::RunKind;
use domain::run::{RunEvent, RunState, StepState};
use domain::step::Outcome;
use domain::view::RunFilter;
use domain::{Ms, ProjectName, RunId};
use store::{NewRun, Reused, StoreError};

use crate::world::*;

stories!(
    a_run_is_stored_as_it_was_planned,
    a_run_that_went_well_leaves_what_it_did,
    a_newer_run_takes_the_place_of_a_queued_one,
    a_queued_run_that_is_cancelled_has_ended,
    a_cancel_makes_the_engines_next_event_a_conflict,
    an_event_that_does_not_fit_is_refused_and_not_stored,
    a_retry_takes_over_what_succeeded,
    a_run_is_overtaken_by_a_newer_one_at_work_or_done_in_the_same_environment,
    runs_are_listed_newest_first_by_page_and_filter,
    the_usual_time_is_the_median_of_the_last_ten_successes,
);

async fn a_run_is_stored_as_it_was_planned(world: World) {
    let id = world.run_at("dev", 100).await;
    let stored = world.store.load_run(id).await.unwrap();
    assert_eq!(stored.plan, plan("dev"));
    assert_eq!(
        (stored.row.state, stored.row.requested, stored.row.started),
        (RunState::Queued, Ms(100), None)
    );
    assert_eq!(stored.row.by, lena().name);
    assert_eq!(stored.row.commit, plan("dev").commit);
    assert_eq!(
        (stored.origin, stored.reason),
        (note(100).origin, note(100).reason)
    );
    assert_eq!(stored.events, vec![]);
    assert_eq!(world.store.run_row(id).await.unwrap(), stored.row);
    assert!(matches!(
        world.store.load_run(RunId(999)).await,
        Err(StoreError::NotFound("run"))
    ));
}

async fn a_run_that_went_well_leaves_what_it_did(world: World) {
    let store = &world.store;
    let id = world.run_at("dev", 100).await;
    let claim = world.claim_at(1000).await;
    assert_eq!(store.leases(&shop()).await.unwrap()[0].run, id);
    world.append_all(&claim, 1000, &whole_run()).await;

    let stored = store.load_run(id).await.unwrap();
    assert_eq!(stored.run().unwrap().state, RunState::Succeeded);
    assert_eq!(
        store.run_row(id).await.unwrap(),
        stored.row,
        "the cached columns are those of the events"
    );
    assert_eq!(
        (stored.row.started, stored.row.ended),
        (Some(Ms(1000)), Some(Ms(12_000)))
    );
    assert_eq!(
        stored
            .events
            .iter()
            .map(|event| event.seq)
            .collect::<Vec<_>>(),
        (1..=12).collect::<Vec<_>>()
    );
    assert_eq!(
        store.events_after(id, 10, 1).await.unwrap(),
        stored.events[10..11]
    );

    let running = &store.running(&shop()).await.unwrap()[&env("dev")][&backend()];
    assert_eq!(
        (running.run, &running.digest, running.since),
        (id, &digest('d'), Ms(9000))
    );
    assert_eq!(running.commit, plan("dev").commit);

    let key = domain::release::TreeKey("tree-1".into());
    let built = async |registries: &[&str]| {
        store
            .built(&shop(), &backend(), &key, registries)
            .await
            .unwrap()
    };
    assert_eq!(built(&["docr"]).await, Some(digest('d')));
    assert_eq!(built(&["docr", "ghcr"]).await, None, "ghcr never got it");
    assert_eq!(built(&[]).await, None);
    let (component, image) = (backend(), digest('d'));
    let forgotten = store.forget_built(&claim, &component, "docr", &image, Ms(13_000));
    assert!(
        matches!(forgotten.await, Err(StoreError::LostLease { .. })),
        "the run has ended"
    );
    assert_eq!(built(&["docr"]).await, Some(digest('d')));
    let usual = store.usual(&shop(), &env("dev")).await.unwrap();
    assert_eq!(usual.get("deploy:backend"), Some(&1000));
    assert_eq!(
        usual.get("notify"),
        None,
        "a step that found nothing to do has no usual time"
    );

    assert_eq!(
        store.leases(&shop()).await.unwrap(),
        vec![],
        "the lease was given back"
    );
    let lanes = store.lanes(&shop()).await.unwrap();
    assert_eq!(lanes[&env("dev")].last.as_ref().map(|row| row.id), Some(id));
    assert_eq!(
        (
            lanes[&env("dev")].active.as_ref(),
            lanes[&env("dev")].queued.len()
        ),
        (None, 0)
    );

    // The next run may find that a registry has lost the image, and forgets that one only.
    world.run_at("dev", 20_000).await;
    let claim = world.claim_at(20_000).await;
    for (other, left) in [('e', Some(digest('d'))), ('d', None)] {
        store
            .forget_built(&claim, &backend(), "docr", &digest(other), Ms(20_000))
            .await
            .unwrap();
        assert_eq!(built(&["docr"]).await, left);
    }
}

async fn a_newer_run_takes_the_place_of_a_queued_one(world: World) {
    let active = world.run_at("dev", 100).await;
    let claim = world.claim_at(150).await;
    world.append_all(&claim, 150, &[RunEvent::Started]).await;
    let old = world.run_at("dev", 200).await;
    let elsewhere = world.run_at("uat", 210).await;

    let plan = plan("dev");
    let mut tx = world
        .store
        .audited(&deploy_grant("dev"), note(300))
        .await
        .unwrap();
    let queued = tx
        .queued_runs(&shop(), &env("dev"), RunKind::Deploy)
        .await
        .unwrap();
    assert_eq!(queued, vec![old]);
    let new = tx
        .insert_run(NewRun {
            plan: &plan,
            retry_of: None,
            reused: &[],
        })
        .await
        .unwrap();
    tx.supersede(old, new).await.unwrap();
    assert!(
        matches!(tx.supersede(active, new).await, Err(StoreError::Illegal(_))),
        "it has started"
    );
    tx.commit(requested(new, "dev")).await.unwrap();

    let row = world.store.run_row(old).await.unwrap();
    assert_eq!(
        (row.state, row.ended),
        (RunState::Superseded, Some(Ms(300)))
    );
    let lane = &world.store.lanes(&shop()).await.unwrap()[&env("dev")];
    assert_eq!(lane.active.as_ref().map(|row| row.id), Some(active));
    assert_eq!(
        lane.queued.iter().map(|row| row.id).collect::<Vec<_>>(),
        vec![new]
    );
    assert_eq!(
        lane.last, None,
        "a run that never worked is not the last one"
    );
    assert_eq!(
        world.store.run_row(elsewhere).await.unwrap().state,
        RunState::Queued
    );
}

async fn cancel(world: &World, run: RunId, at: i64) {
    let mut tx = world
        .store
        .audited(&deploy_grant("dev"), note(at))
        .await
        .unwrap();
    tx.request_cancel(run).await.unwrap();
    tx.commit(domain::audit::Change::CancelRequested {
        run,
        environment: env("dev"),
    })
    .await
    .unwrap();
}

async fn a_queued_run_that_is_cancelled_has_ended(world: World) {
    let id = world.run_at("dev", 100).await;
    cancel(&world, id, 200).await;
    let stored = world.store.load_run(id).await.unwrap();
    assert_eq!(
        (stored.row.state, stored.row.ended),
        (RunState::Cancelled, Some(Ms(200)))
    );
    assert_eq!(stored.run().unwrap().cancelled_by.as_deref(), Some("lena"));
    assert_eq!(
        world
            .store
            .claim("one", Ms(300), LEASE_MS, &HashSet::new())
            .await
            .unwrap(),
        None
    );
}

async fn a_cancel_makes_the_engines_next_event_a_conflict(world: World) {
    let id = world.run_at("dev", 100).await;
    let claim = world.claim_at(200).await;
    world
        .append_all(&claim, 200, &[RunEvent::Started, started(CHECKOUT)])
        .await;
    cancel(&world, id, 300).await;
    let late = world
        .store
        .append(&claim, 2, &succeeded(CHECKOUT, Outcome::Done), Ms(400))
        .await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    world
        .store
        .append(&claim, 3, &succeeded(CHECKOUT, Outcome::Done), Ms(400))
        .await
        .unwrap();
    assert_eq!(
        world.store.run_row(id).await.unwrap().state,
        RunState::Cancelling
    );
}

async fn an_event_that_does_not_fit_is_refused_and_not_stored(world: World) {
    let id = world.run_at("dev", 100).await;
    let claim = world.claim_at(200).await;
    let early = world
        .store
        .append(&claim, 0, &succeeded(CHECKOUT, Outcome::Done), Ms(200))
        .await;
    assert!(matches!(early, Err(StoreError::Illegal(_))), "{early:?}");
    world.append_all(&claim, 200, &[RunEvent::Started]).await;
    let unknown = world
        .store
        .append(&claim, 1, &started(domain::StepId(77)), Ms(200))
        .await;
    assert!(
        matches!(unknown, Err(StoreError::Illegal(_))),
        "{unknown:?}"
    );
    assert_eq!(world.store.load_run(id).await.unwrap().events.len(), 1);
}

async fn a_retry_takes_over_what_succeeded(world: World) {
    let first = world.run_at("dev", 100).await;
    let claim = world.claim_at(200).await;
    world.append_all(&claim, 200, &whole_run()).await;

    let plan = plan("dev");
    let reused = [Reused {
        step: CHECKOUT,
        from: first,
        outcome: Outcome::Done,
    }];
    let mut tx = world
        .store
        .audited(&deploy_grant("dev"), note(20_000))
        .await
        .unwrap();
    let retry = tx
        .insert_run(NewRun {
            plan: &plan,
            retry_of: Some(first),
            reused: &reused,
        })
        .await
        .unwrap();
    tx.commit(requested(retry, "dev")).await.unwrap();

    let stored = world.store.load_run(retry).await.unwrap();
    assert_eq!(stored.row.retry_of, Some(first));
    let run = stored.run().unwrap();
    assert_eq!(run.state, RunState::Queued);
    assert!(matches!(run.steps[0].state, StepState::Succeeded { .. }));
    assert_eq!(run.steps[1].state, StepState::Waiting);
    let usual = world.store.usual(&shop(), &env("dev")).await.unwrap();
    assert_eq!(
        usual.get("checkout"),
        Some(&1000),
        "a step that was taken over took no time of its own"
    );
}

async fn a_run_is_overtaken_by_a_newer_one_at_work_or_done_in_the_same_environment(world: World) {
    let store = &world.store;
    let first = world.run_at("dev", 100).await;
    cancel(&world, first, 200).await;
    let row = store.run_row(first).await.unwrap();
    let newer = async || {
        let by = store.overtaken_by(&row).await.unwrap();
        let mut tx = store.audited(&deploy_grant("dev"), note(0)).await.unwrap();
        assert_eq!(tx.overtaken_by(&row).await.unwrap(), by);
        drop(tx);
        let started = store.started_after(&row).await.unwrap();
        (by.map(|row| row.id), started)
    };
    world.run_at("uat", 300).await;
    let claim = world.claim_at(400).await;
    world.append_all(&claim, 400, &whole_run()).await;
    let waiting = world.run_at("dev", 20_000).await;
    assert_eq!(newer().await, (None, vec![]), "it is elsewhere, or waits");

    let claim = world.claim_at(21_000).await;
    world.append_all(&claim, 21_000, &[RunEvent::Started]).await;
    assert_eq!(newer().await, (Some(waiting), vec![waiting]));
    cancel(&world, waiting, 22_000).await;
    assert_eq!(newer().await, (Some(waiting), vec![waiting]));
    let skipped = |n| RunEvent::StepSkipped {
        step: domain::StepId(n),
        because: "the run was cancelled".into(),
    };
    let mut rest: Vec<RunEvent> = (0..4).map(skipped).collect();
    rest.extend([
        started(NOTIFY),
        succeeded(NOTIFY, Outcome::Done),
        RunEvent::Finished,
    ]);
    world.append_all(&claim, 23_000, &rest).await;
    assert_eq!(newer().await, (None, vec![waiting]), "it did not succeed");

    let third = world.run_at("dev", 40_000).await;
    let claim = world.claim_at(41_000).await;
    world.append_all(&claim, 41_000, &whole_run()).await;
    assert_eq!(newer().await.0, Some(third));
    let row = store.run_row(third).await.unwrap();
    assert_eq!(store.overtaken_by(&row).await.unwrap(), None);
}

async fn runs_are_listed_newest_first_by_page_and_filter(world: World) {
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(world.run_at("dev", 100 + n).await);
        ids.push(world.run_at("uat", 200 + n).await);
    }
    ids.reverse();
    let store = &world.store;
    let list = async |filter: RunFilter, visible: Option<&[ProjectName]>, limit| {
        let rows = store.runs(&filter, visible, limit).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(list(RunFilter::default(), None, 100).await, ids);
    assert_eq!(list(RunFilter::default(), None, 4).await, ids[..4]);
    let rest = RunFilter {
        before: Some(ids[3]),
        ..RunFilter::default()
    };
    assert_eq!(list(rest, None, 100).await, ids[4..]);
    let uat = RunFilter {
        project: Some(shop()),
        environment: Some(env("uat")),
        ..RunFilter::default()
    };
    assert_eq!(
        list(uat, Some(&[shop()]), 100).await,
        [ids[0], ids[2], ids[4]]
    );
    let running = RunFilter {
        state: Some(RunState::Running),
        ..RunFilter::default()
    };
    assert_eq!(list(running, None, 100).await, []);
    assert_eq!(
        list(RunFilter::default(), Some(&[]), 100).await,
        [],
        "whoever may see nothing sees nothing"
    );
    let other = ProjectName::parse("other").unwrap();
    assert_eq!(list(RunFilter::default(), Some(&[other]), 100).await, []);
}

async fn the_usual_time_is_the_median_of_the_last_ten_successes(world: World) {
    // Twelve check-outs that take 1, 2, … 12 seconds: the last ten are 3 to 12, whose middle is 7.5.
    for n in 1..=12 {
        world.run_at("dev", n).await;
        let claim = world.claim_at(1000).await;
        let store = &world.store;
        store
            .append(&claim, 0, &RunEvent::Started, Ms(1000))
            .await
            .unwrap();
        store
            .append(&claim, 1, &started(CHECKOUT), Ms(1000))
            .await
            .unwrap();
        store
            .append(
                &claim,
                2,
                &succeeded(CHECKOUT, Outcome::Done),
                Ms(1000 + n * 1000),
            )
            .await
            .unwrap();
        cancel(&world, claim.run, 2000).await;
        for (step, seq) in [BUILD, PUSH, DEPLOY].into_iter().zip(4..) {
            let skipped = RunEvent::StepSkipped {
                step,
                because: "cancelled".into(),
            };
            store.append(&claim, seq, &skipped, Ms(2000)).await.unwrap();
        }
        let skipped = RunEvent::StepSkipped {
            step: NOTIFY,
            because: "nobody to tell".into(),
        };
        store.append(&claim, 7, &skipped, Ms(2000)).await.unwrap();
        store
            .append(&claim, 8, &RunEvent::Finished, Ms(2000))
            .await
            .unwrap();
    }
    assert_eq!(
        world.store.usual(&shop(), &env("dev")).await.unwrap()["checkout"],
        7500
    );
    assert!(
        world
            .store
            .usual(&shop(), &env("uat"))
            .await
            .unwrap()
            .is_empty()
    );
}
