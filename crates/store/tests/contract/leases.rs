//! Door 2: who drives which run, and what happens to one who was replaced.
use std::collections::HashSet;

use domain::log::Stream;
use domain::run::RunEvent;
use domain::{Ms, RunId};
use store::{NewLine, StoreError};

use crate::world::*;

stories!(
    the_oldest_queued_run_of_each_free_environment_is_claimed,
    a_run_waits_until_the_one_before_it_has_ended,
    an_earlier_life_of_the_same_portal_is_taken_over_at_once,
    a_portal_that_was_silent_too_long_is_replaced_and_cannot_write_any_more,
    a_portal_that_lives_keeps_its_lease,
    a_lease_that_was_given_back_is_free,
    eight_portals_that_claim_at_once_get_one_run_once,
    of_two_writers_with_the_same_number_one_is_told_of_the_conflict,
);

fn none() -> HashSet<RunId> {
    HashSet::new()
}

async fn the_oldest_queued_run_of_each_free_environment_is_claimed(world: World) {
    let store = &world.store;
    assert_eq!(
        store.claim("one", Ms(1), LEASE_MS, &none()).await.unwrap(),
        None
    );
    let first = world.run_at("dev", 100).await;
    world.run_at("dev", 101).await;
    let uat = world.run_at("uat", 102).await;
    let claim = world.claim_at(200).await;
    assert_eq!(
        (claim.run, &claim.environment, claim.fence),
        (first, &env("dev"), 1)
    );
    let held = HashSet::from([first]);
    let second = store
        .claim("one", Ms(200), LEASE_MS, &held)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(second.run, uat);
    let held = HashSet::from([first, uat]);
    assert_eq!(
        store.claim("one", Ms(200), LEASE_MS, &held).await.unwrap(),
        None
    );
}

async fn a_run_waits_until_the_one_before_it_has_ended(world: World) {
    world.run_at("dev", 100).await;
    let next = world.run_at("dev", 101).await;
    let claim = world.claim_at(200).await;
    world.append_all(&claim, 200, &whole_run()).await;
    let after = world.claim_at(20_000).await;
    assert_eq!((after.run, after.fence), (next, 2));
}

async fn an_earlier_life_of_the_same_portal_is_taken_over_at_once(world: World) {
    let run = world.run_at("dev", 100).await;
    world.run_at("dev", 101).await;
    let before = world.claim_at(200).await;
    world.append_all(&before, 200, &[RunEvent::Started]).await;
    let after = world.claim_at(201).await;
    assert_eq!(
        (after.run, after.fence),
        (run, before.fence + 1),
        "the unfinished run comes before the queued one"
    );
    world
        .store
        .append(&after, 1, &RunEvent::Resumed, Ms(202))
        .await
        .unwrap();
}

async fn a_portal_that_was_silent_too_long_is_replaced_and_cannot_write_any_more(world: World) {
    let run = world.run_at("dev", 100).await;
    let old = world.claim_at(1000).await;
    world.append_all(&old, 1000, &[RunEvent::Started]).await;
    let second = world.second().await;
    let too_early = second
        .claim("two", Ms(1000 + LEASE_MS), LEASE_MS, &none())
        .await
        .unwrap();
    assert_eq!(too_early, None);
    let new = second
        .claim("two", Ms(1001 + LEASE_MS), LEASE_MS, &none())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((new.run, new.fence), (run, old.fence + 1));

    let store = &world.store;
    let line = NewLine {
        at: Ms(1),
        stream: Stream::Out,
        text: "late".into(),
    };
    let lost = |result: Result<(), StoreError>| {
        assert!(
            matches!(result, Err(StoreError::LostLease { run: r }) if r == run),
            "{result:?}"
        )
    };
    lost(
        store
            .append(&old, 1, &RunEvent::Resumed, Ms(40_000))
            .await
            .map(|_| ()),
    );
    lost(
        store
            .append_lines(&old, CHECKOUT, &[line], None, None)
            .await
            .map(|_| ()),
    );
    lost(store.heartbeat(&old, Ms(40_000)).await);
    lost(store.outbox_put(&old, "k", "late", Ms(40_000)).await);
    store.release(&old).await.unwrap();
    assert_eq!(store.load_run(run).await.unwrap().events.len(), 1);
    assert_eq!(store.line_count(run, CHECKOUT).await.unwrap(), 0);
    assert_eq!(
        store.leases(&shop()).await.unwrap()[0].owner,
        "two",
        "giving back a lost lease changes nothing"
    );
    second
        .append(&new, 1, &RunEvent::Resumed, Ms(40_000))
        .await
        .unwrap();
}

async fn a_portal_that_lives_keeps_its_lease(world: World) {
    world.run_at("dev", 100).await;
    let claim = world.claim_at(1000).await;
    world.store.heartbeat(&claim, Ms(20_000)).await.unwrap();
    world.store.heartbeat(&claim, Ms(5_000)).await.unwrap();
    let lease = &world.store.leases(&shop()).await.unwrap()[0];
    assert_eq!(
        (lease.heartbeat, lease.since),
        (Ms(20_000), Ms(1000)),
        "a heartbeat never goes back"
    );
    let other = world
        .store
        .claim("two", Ms(20_000 + LEASE_MS), LEASE_MS, &none())
        .await
        .unwrap();
    assert_eq!(other, None);
}

async fn a_lease_that_was_given_back_is_free(world: World) {
    let run = world.run_at("dev", 100).await;
    let claim = world.claim_at(1000).await;
    world.append_all(&claim, 1000, &[RunEvent::Started]).await;
    world.store.release(&claim).await.unwrap();
    assert_eq!(world.store.leases(&shop()).await.unwrap(), vec![]);
    let next = world
        .store
        .claim("two", Ms(1001), LEASE_MS, &none())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((next.run, next.fence), (run, 2));
}

async fn eight_portals_that_claim_at_once_get_one_run_once(world: World) {
    for round in 0..5 {
        let environment = format!("env-{round}");
        let run = world.run_at(&environment, 100).await;
        let tasks: Vec<_> = (0..8)
            .map(|portal| {
                let store = world.store.clone();
                tokio::spawn(async move {
                    store
                        .claim(
                            &format!("portal-{round}-{portal}"),
                            Ms(1000),
                            LEASE_MS,
                            &none(),
                        )
                        .await
                        .unwrap()
                })
            })
            .collect();
        let mut claims = Vec::new();
        for task in tasks {
            claims.extend(task.await.unwrap());
        }
        assert_eq!(
            claims.iter().map(|claim| claim.run).collect::<Vec<_>>(),
            vec![run]
        );
    }
}

async fn of_two_writers_with_the_same_number_one_is_told_of_the_conflict(world: World) {
    world.run_at("dev", 100).await;
    let claim = world.claim_at(200).await;
    let (one, two) = tokio::join!(
        world.store.append(&claim, 0, &RunEvent::Started, Ms(300)),
        world.store.append(&claim, 0, &RunEvent::Started, Ms(300)),
    );
    let (won, lost): (Vec<_>, Vec<_>) = [one, two].into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(matches!(lost[0], Err(StoreError::Conflict(_))), "{lost:?}");
}
