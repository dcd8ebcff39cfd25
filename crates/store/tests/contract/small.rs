//! Manifests and messages.
use domain::audit::Change;
use domain::message::MessageState;
use domain::policy::{Action, allow};
use domain::{Ms, ProjectName};
use store::StoreError;

use crate::world::*;

stories!(
    the_manifest_in_force_is_the_one_imported_last,
    a_message_is_taken_by_one_caller_once,
    a_message_that_certainly_did_not_arrive_can_be_taken_again,
);

async fn import(world: &World, hash: &str, at: i64) -> Option<String> {
    let grant = allow(&lena(), Some(&shop()), Action::ImportManifest).unwrap();
    let mut tx = world.store.audited(&grant, note(at)).await.unwrap();
    let previous = tx
        .import_manifest(&shop(), hash, &format!("# {hash}"))
        .await
        .unwrap();
    tx.commit(Change::ManifestImported {
        manifest: hash.into(),
        previous: previous.clone(),
    })
    .await
    .unwrap();
    previous
}

async fn the_manifest_in_force_is_the_one_imported_last(world: World) {
    let store = &world.store;
    let current = async || store.current_manifest(&shop()).await.unwrap().unwrap();
    assert_eq!(import(&world, "m2", 20).await.as_deref(), Some("m1"));
    assert_eq!(import(&world, "m2", 25).await.as_deref(), Some("m2"));
    assert_eq!(
        (
            current().await.hash,
            current().await.source,
            current().await.since
        ),
        ("m2".into(), "# m2".into(), Ms(20))
    );
    import(&world, "m1", 30).await;
    assert_eq!(
        (current().await.hash, current().await.since),
        ("m1".into(), Ms(30)),
        "back to an earlier one"
    );
    assert_eq!(
        store.manifest(&shop(), "m2").await.unwrap(),
        "# m2",
        "runs of it can still read it"
    );
    assert!(matches!(
        store.manifest(&shop(), "m9").await,
        Err(StoreError::NotFound("manifest"))
    ));
    assert_eq!(
        store.current_manifests().await.unwrap(),
        vec![current().await]
    );
    assert_eq!(
        store
            .current_manifest(&ProjectName::parse("other").unwrap())
            .await
            .unwrap(),
        None
    );
}

async fn a_message_is_taken_by_one_caller_once(world: World) {
    world.run_at("dev", 100).await;
    let claim = world.claim_at(200).await;
    let store = &world.store;
    assert_eq!(store.outbox_state("k").await.unwrap(), None);
    store
        .outbox_put(&claim, "k", "hello", Ms(300))
        .await
        .unwrap();
    store
        .outbox_put(&claim, "k", "another text", Ms(301))
        .await
        .unwrap();
    assert_eq!(
        store.outbox_state("k").await.unwrap(),
        Some(MessageState::Pending)
    );
    let taken = tokio::join!(
        store.outbox_take("k", Ms(400)),
        store.outbox_take("k", Ms(400)),
        store.outbox_take("k", Ms(400))
    );
    let taken: Vec<_> = [taken.0, taken.1, taken.2]
        .into_iter()
        .filter_map(Result::unwrap)
        .collect();
    assert_eq!(taken, vec!["hello"]);
    assert_eq!(
        store.outbox_state("k").await.unwrap(),
        Some(MessageState::Sending)
    );
    store.outbox_done("k").await.unwrap();
    assert_eq!(
        store.outbox_state("k").await.unwrap(),
        Some(MessageState::Done)
    );
    assert_eq!(store.outbox_take("k", Ms(400)).await.unwrap(), None);
    assert!(matches!(
        store.outbox_return("k").await,
        Err(StoreError::NotFound(_))
    ));
}

async fn a_message_that_certainly_did_not_arrive_can_be_taken_again(world: World) {
    world.run_at("dev", 100).await;
    let claim = world.claim_at(200).await;
    let store = &world.store;
    store
        .outbox_put(&claim, "k", "hello", Ms(300))
        .await
        .unwrap();
    store.outbox_take("k", Ms(400)).await.unwrap();
    store.outbox_return("k").await.unwrap();
    assert_eq!(
        store.outbox_take("k", Ms(400)).await.unwrap().as_deref(),
        Some("hello")
    );
}
