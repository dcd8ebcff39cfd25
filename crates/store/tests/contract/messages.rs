//! Messages whose runs have ended: tried again, given up, asked for again, each try noted.
use domain::audit::Change;
use domain::message::{Channel, MessageState, MessageTry};
use domain::policy::{Action, allow};
use domain::{Ms, RunId};
use store::{DueMessage, StoreError};

use crate::world::*;

stories!(
    a_message_that_its_run_left_behind_is_due_a_moment_after,
    a_message_that_fails_comes_back_later_until_it_is_given_up,
    a_message_is_sent_again_when_somebody_asks_but_not_while_its_run_is_at_work,
    a_message_on_its_way_is_not_sent_beside_itself,
    one_whose_sender_died_is_due_again_where_doubles_are_known,
    each_try_is_noted,
);

const KEY: &str = "slack:1";

/// A run at work with its message.
async fn with_message(world: &World) -> (RunId, store::Claim) {
    let run = world.run_at("dev", 100).await;
    let claim = world.claim_at(200).await;
    assert_eq!(Channel::Slack.key(run), KEY);
    world
        .store
        .outbox_put(&claim, KEY, "hello", Ms(300))
        .await
        .unwrap();
    (run, claim)
}

/// When the run that [`with_message`] made has ended.
async fn ended(world: &World, claim: &store::Claim) -> i64 {
    let events = whole_run();
    world.append_all(claim, 1_000, &events).await;
    i64::try_from(events.len()).unwrap() * 1_000
}

async fn due(world: &World, at: i64) -> Vec<DueMessage> {
    world.store.messages_due(Ms(at)).await.unwrap()
}

async fn repeat(world: &World, run: RunId, at: i64) -> Result<(), StoreError> {
    let grant = allow(&lena(), Some(&shop()), Action::Redeliver).unwrap();
    let mut tx = world.store.audited(&grant, note(at)).await.unwrap();
    tx.repeat_message(run, Channel::Slack).await?;
    let channel = Channel::Slack;
    tx.commit(Change::MessageRepeated { run, channel })
        .await
        .map(drop)
}

async fn a_message_that_its_run_left_behind_is_due_a_moment_after(world: World) {
    let (run, claim) = with_message(&world).await;
    assert_eq!(
        due(&world, 10_000_000).await,
        [],
        "its step may be sending it"
    );
    let end = ended(&world, &claim).await;
    assert_eq!(due(&world, end + 29_999).await, []);
    let (key, tries) = (KEY.to_owned(), 0);
    assert_eq!(
        due(&world, end + 30_000).await,
        [DueMessage { key, run, tries }]
    );
    world
        .store
        .outbox_take(KEY, Ms(end))
        .await
        .unwrap()
        .unwrap();
    world.store.outbox_done(KEY).await.unwrap();
    assert_eq!(due(&world, 10_000_000).await, []);
}

async fn a_message_that_fails_comes_back_later_until_it_is_given_up(world: World) {
    let (run, claim) = with_message(&world).await;
    let end = ended(&world, &claim).await;
    let store = &world.store;
    let next = async || store.messages(run).await.unwrap()[0].next;
    assert_eq!(next().await, Some(Ms(end + 30_000)));
    assert!(matches!(
        store.message_failed(KEY, None).await,
        Err(StoreError::NotFound(_))
    ));
    store.outbox_take(KEY, Ms(end)).await.unwrap().unwrap();
    store
        .message_failed(KEY, Some(Ms(end + 90_000)))
        .await
        .unwrap();
    assert_eq!(next().await, Some(Ms(end + 90_000)));
    assert_eq!(due(&world, end + 89_999).await, []);
    assert_eq!(due(&world, end + 90_000).await[0].tries, 1);
    store.outbox_take(KEY, Ms(end)).await.unwrap().unwrap();
    store.message_failed(KEY, None).await.unwrap();
    assert_eq!(next().await, None);
    assert_eq!(due(&world, 10_000_000).await, []);
    assert_eq!(
        store.outbox_state(KEY).await.unwrap(),
        Some(MessageState::Failed)
    );
    assert_eq!(store.outbox_take(KEY, Ms(end)).await.unwrap(), None);
}

async fn a_message_is_sent_again_when_somebody_asks_but_not_while_its_run_is_at_work(world: World) {
    let (run, claim) = with_message(&world).await;
    assert!(matches!(
        repeat(&world, run, 500).await,
        Err(StoreError::Conflict(_))
    ));
    let store = &world.store;
    store.outbox_take(KEY, Ms(600)).await.unwrap().unwrap();
    store.outbox_done(KEY).await.unwrap();
    let end = ended(&world, &claim).await;
    repeat(&world, run, end + 1).await.unwrap();
    assert_eq!(due(&world, end + 1).await.len(), 1, "at once");
    assert_eq!(
        store.outbox_take(KEY, Ms(end)).await.unwrap().as_deref(),
        Some("hello")
    );
    assert!(matches!(
        repeat(&world, RunId(99), end).await,
        Err(StoreError::NotFound(_))
    ));
}

async fn a_message_on_its_way_is_not_sent_beside_itself(world: World) {
    let (run, claim) = with_message(&world).await;
    let end = ended(&world, &claim).await;
    let taken = world.store.outbox_take(KEY, Ms(end)).await.unwrap();
    assert_eq!(taken.as_deref(), Some("hello"));
    assert!(matches!(
        repeat(&world, run, end + 59_999).await,
        Err(StoreError::Conflict(_))
    ));
    repeat(&world, run, end + 60_000).await.unwrap();
    assert_eq!(due(&world, end + 60_000).await.len(), 1);
}

async fn one_whose_sender_died_is_due_again_where_doubles_are_known(world: World) {
    let (run, claim) = with_message(&world).await;
    let store = &world.store;
    let key = Channel::Webhook.key(run);
    store
        .outbox_put(&claim, &key, "hello", Ms(300))
        .await
        .unwrap();
    let end = ended(&world, &claim).await;
    for key in [KEY, &key] {
        store.outbox_take(key, Ms(end)).await.unwrap().unwrap();
    }
    assert_eq!(due(&world, end + 59_999).await, []);
    assert_eq!(store.outbox_take(&key, Ms(end)).await.unwrap(), None);
    let later = Ms(end + 60_000);
    let found = due(&world, later.0).await;
    assert_eq!(found.iter().map(|due| &due.key).collect::<Vec<_>>(), [&key]);
    assert_eq!(store.outbox_take(KEY, later).await.unwrap(), None);
    let next: Vec<_> = store.messages(run).await.unwrap();
    let next: Vec<_> = next.iter().map(|row| row.next).collect();
    assert_eq!(next, [None, Some(later)]);
    let body = store.outbox_take(&key, later).await.unwrap();
    assert_eq!(body.as_deref(), Some("hello"));
    assert_eq!(due(&world, later.0).await, []);
}

async fn each_try_is_noted(world: World) {
    let (run, _) = with_message(&world).await;
    let tried = |at, arrived, answer: &str| MessageTry {
        at: Ms(at),
        took_ms: 40,
        arrived,
        answer: answer.into(),
    };
    let tries = [
        tried(400, false, "Slack answers with status 500"),
        tried(900, true, "it was taken"),
    ];
    for tried in &tries {
        world.store.note_try(KEY, tried).await.unwrap();
    }
    let [message] = &world.store.messages(run).await.unwrap()[..] else {
        panic!("one message");
    };
    assert_eq!(
        (message.channel, message.state),
        (Channel::Slack, MessageState::Pending)
    );
    assert_eq!(message.tries, tries);
    assert_eq!(message.next, None, "its run is at work");
    assert_eq!(world.store.messages(RunId(99)).await.unwrap(), []);
}
