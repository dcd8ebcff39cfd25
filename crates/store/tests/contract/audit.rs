//! The trail: whole after whatever order of commits, and no longer whole after any change behind the store's back.
use domain::audit::{Chain, Change};
use domain::policy::{Action, allow};
use store::StoreError;

use crate::world::*;

stories!(
    the_trail_is_whole_after_commits_from_eight_tasks_and_two_portals,
    each_project_and_the_portal_have_their_own_trail,
    the_database_refuses_to_change_the_trail,
    a_changed_event_is_found,
    a_cut_off_end_is_found,
    a_chain_without_its_head_is_found,
    a_head_that_was_put_back_is_found,
    a_head_without_its_chain_is_found,
);

async fn verify(world: &World) -> Result<(), StoreError> {
    let heads = world.store.audit_heads().await.unwrap();
    let head = heads
        .iter()
        .find(|head| head.chain == Chain::Project(shop()))
        .unwrap();
    world.store.verify_audit(head).await
}

async fn the_trail_is_whole_after_commits_from_eight_tasks_and_two_portals(world: World) {
    let second = world.second().await;
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = if task % 2 == 0 {
                world.store.clone()
            } else {
                second.clone()
            };
            tokio::spawn(async move {
                for n in 0..5 {
                    make_run(&store, "dev", task * 100 + n).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    verify(&world).await.unwrap();
    let head = world.store.audit_heads().await.unwrap().remove(0);
    assert_eq!(head.seq, 41, "the import and forty runs");
    let links = world.store.audit_links(&head.chain, 40, 100).await.unwrap();
    assert_eq!(
        links.iter().map(|link| link.seq).collect::<Vec<_>>(),
        vec![40, 41]
    );
    assert_eq!(links[1].hash, head.hash.to_string());
    let page = world
        .store
        .audit_page(&head.chain, Some(41), 2)
        .await
        .unwrap();
    assert_eq!(
        page.iter().map(|event| event.seq).collect::<Vec<_>>(),
        vec![40, 39]
    );
}

async fn each_project_and_the_portal_have_their_own_trail(world: World) {
    let grant = allow(&lena(), None, Action::SignIn).unwrap();
    let mut tx = world.store.audited(&grant, note(100)).await.unwrap();
    tx.upsert_person(&login("lena"), "Lena").await.unwrap();
    let event = tx
        .commit(Change::SignedIn {
            login: login("lena"),
        })
        .await
        .unwrap();
    assert_eq!((&event.chain, event.seq), (&Chain::Portal, 1));
    let heads = world.store.audit_heads().await.unwrap();
    let chains: Vec<_> = heads
        .iter()
        .map(|head| (head.chain.clone(), head.seq))
        .collect();
    assert_eq!(
        chains,
        vec![(Chain::Portal, 1), (Chain::Project(shop()), 1)]
    );
    assert_eq!(
        world
            .store
            .audit_page(&Chain::Portal, None, 10)
            .await
            .unwrap(),
        vec![event]
    );
    for head in &heads {
        world.store.verify_audit(head).await.unwrap();
    }
}

async fn the_database_refuses_to_change_the_trail(world: World) {
    for sql in ["UPDATE audit SET canonical = ''", "DELETE FROM audit"] {
        let refused = world.sql(sql).await.unwrap_err().to_string();
        assert!(
            refused.contains("the audit trail is not changed"),
            "{refused}"
        );
    }
    verify(&world).await.unwrap();
}

/// What somebody with full rights on the database would do first.
async fn drop_triggers(world: &World) {
    match &world.dir {
        Some(_) => world
            .sql("DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_deleted")
            .await
            .unwrap(),
        None => world
            .sql("DROP TRIGGER audit_is_not_changed ON audit")
            .await
            .unwrap(),
    };
}

async fn broken(world: &World) -> (i64, &'static str) {
    match verify(world).await {
        Err(StoreError::Broken(broken)) => (broken.seq, broken.why),
        other => panic!("it was not found: {other:?}"),
    }
}

async fn a_changed_event_is_found(world: World) {
    world.run_at("dev", 100).await;
    world.run_at("dev", 101).await;
    drop_triggers(&world).await;
    world
        .sql("UPDATE audit SET canonical = replace(canonical, 'lena', 'vera') WHERE seq = 2")
        .await
        .unwrap();
    let Err(StoreError::Broken(broken)) = verify(&world).await else {
        panic!("the change was not found")
    };
    assert_eq!(broken.seq, 2);
}

async fn a_cut_off_end_is_found(world: World) {
    world.run_at("dev", 100).await;
    drop_triggers(&world).await;
    world.sql("DELETE FROM audit WHERE seq = 2").await.unwrap();
    let Err(StoreError::Broken(broken)) = verify(&world).await else {
        panic!("the cut was not found")
    };
    assert_eq!((broken.seq, broken.why), (2, "it is missing"));
}

async fn a_chain_without_its_head_is_found(world: World) {
    world.sql("DELETE FROM audit_head").await.unwrap();
    let why = "the head of the chain does not reach to it";
    assert_eq!(broken(&world).await, (1, why));
}

async fn a_head_that_was_put_back_is_found(world: World) {
    let first = world.store.audit_heads().await.unwrap().remove(0);
    world.run_at("dev", 100).await;
    let back = format!("UPDATE audit_head SET seq = 1, hash = '{}'", first.hash);
    world.sql(&back).await.unwrap();
    let why = "the head of the chain does not reach to it";
    assert_eq!(broken(&world).await, (2, why));
}

async fn a_head_without_its_chain_is_found(world: World) {
    drop_triggers(&world).await;
    world.sql("DELETE FROM audit").await.unwrap();
    assert_eq!(broken(&world).await, (1, "it is missing"));
    world.sql("UPDATE audit_head SET seq = 0").await.unwrap();
    assert_eq!(broken(&world).await, (1, "it is missing"));
}
