//! Slack and other programs that are down when a run ends: each is told once, and neither waits for the other.
use std::time::{Duration, Instant};

use adapters::github::webhook::is_signed;
use domain::RunId;
use domain::message::{Channel, MessageRow, MessageState};
use faults::process::{Orders, Process};
use faults::receiver::{Answer, Receiver};
use faults::world::{HOOK_SECRET, ended, kind, lead, origin};
use faults::{App, Spec, World};
use portal::{Error, Portal};

const PORTAL: &str = "crash::the_portal_that_the_other_tests_kill";

async fn message(portal: &Portal, run: RunId, channel: Channel) -> MessageRow {
    let messages = portal.messages(&lead(), run).await.unwrap();
    let mut of_channel = messages.into_iter().filter(|row| row.channel == channel);
    of_channel.next().expect("there is a message")
}

/// Waits until a message was tried so often and has arrived, at the last try and at none before.
async fn arrived(portal: &Portal, run: RunId, channel: Channel, tries: usize) {
    let limit = Instant::now() + Duration::from_secs(120);
    loop {
        let row = message(portal, run, channel).await;
        if row.state == MessageState::Done && row.tries.len() >= tries {
            let answers: Vec<bool> = row.tries.iter().map(|tried| tried.arrived).collect();
            assert_eq!(answers.len(), tries, "{row:#?}");
            assert_eq!(answers.last(), Some(&true), "{row:#?}");
            return;
        }
        assert!(Instant::now() < limit, "{row:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slack_that_fails_or_limits_is_told_once_all_the_same() {
    let receiver = Receiver::start(&[]).await;
    let spec = Spec {
        receiver: Some(receiver.address),
        ..Spec::new("slack-down", 18257)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    // The last one is down for longer than its run lasts.
    for (order, tries) in [
        ("next=500&times=2", 3),
        ("next=429&retry_after=2", 2),
        ("next=500&times=4", 5),
    ] {
        world.slack_fails(order).await;
        let told_before = receiver.received().len();
        let run = world.deploy(&portal, &App::fine("v1")).await;
        run.succeeded();
        let id = run.view.row.id;
        assert_eq!(
            receiver.received().len(),
            told_before + 1,
            "{order}: {}",
            run.story()
        );
        arrived(&portal, id, Channel::Slack, tries).await;
        assert_eq!(world.told_of(id.0).await, 1, "{order}: {}", run.story());
        if order.contains("429") {
            let [limited, taken] = &message(&portal, id, Channel::Slack).await.tries[..] else {
                panic!("two tries");
            };
            assert!(
                taken.at.since(limited.at) >= 2_000,
                "it comes when Slack asked it to"
            );
        }
    }
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slack_that_does_not_answer_is_told_again_only_when_a_lead_asks() {
    let world = World::new(Spec::new("slack-hangs", 18260)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.slack_fails("next=hang").await;
    let run = world.deploy(&portal, &App::fine("v1")).await;
    run.succeeded();
    let id = run.view.row.id;
    let row = message(&portal, id, Channel::Slack).await;
    assert_eq!(row.state, MessageState::Failed, "{row:#?}");
    let [tried] = &row.tries[..] else {
        panic!("one try: {row:#?}");
    };
    assert!(tried.answer.contains("is not known"), "{row:#?}");
    portal
        .send_again(&lead(), origin(), id, Channel::Slack)
        .await
        .unwrap();
    arrived(&portal, id, Channel::Slack, 2).await;
    assert_eq!(world.told_of(id.0).await, 1, "{}", run.story());
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_whose_secret_cannot_be_had_is_kept_until_it_can() {
    let world = World::new(Spec::new("slack-secret", 18290)).await;
    let portal = world.portal().await;
    let again = async |run, tries| {
        world.write_secrets(&[]);
        portal
            .send_again(&lead(), origin(), run, Channel::Slack)
            .await
            .unwrap();
        arrived(&portal, run, Channel::Slack, tries).await;
        assert_eq!(world.told_of(run.0).await, 1);
    };
    let run = world.start(&portal, &App::fine("v1")).await;
    world.write_secrets(&[("SLACK_WEBHOOK_URL", "")]);
    let engine = portal.start_engine();
    ended(&portal, run).await.succeeded();
    let row = message(&portal, run, Channel::Slack).await;
    let answer = &row.tries[0].answer;
    assert!(answer.contains("`SLACK_WEBHOOK_URL`"), "{row:#?}");
    again(run, 2).await;
    engine.stop().await;

    // No step can begin, not even the one that tells it.
    let run = world.start(&portal, &App::fine("v2")).await;
    std::fs::remove_file(world.folder().join("secrets.env")).unwrap();
    let engine = portal.start_engine();
    ended(&portal, run).await.failed(kind::checkout, &[]);
    again(run, 1).await;
    engine.stop().await;
    world.close().await;
}

/// A program knows a message that comes twice by its name; Slack does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_killed_while_it_tells_tells_a_program_again_and_slack_when_a_lead_asks() {
    let receiver = Receiver::start(&[Answer::Hang]).await;
    let spec = Spec {
        receiver: Some(receiver.address),
        ..Spec::new("told-killed", 18291)
    };
    let world = World::new(spec).await;
    world.slack_fails("next=hang").await;
    world.repository.commit(&App::fine("v1"));
    let mut orders = Orders {
        folder: world.folder().to_path_buf(),
        deploy: Some(world.request()),
        die_said: Some("telling the webhook".into()),
        lives_on: 1_000,
        ..Orders::default()
    };
    let mut process = Process::start(PORTAL, &orders);
    orders.run = process.says("run").await;
    assert!(process.wait().await, "it was to be killed");
    assert_eq!(receiver.received().len(), 1);
    (orders.deploy, orders.die_said) = (None, None);
    assert!(!Process::start(PORTAL, &orders).wait().await);

    let portal = world.portal().await;
    let run = RunId(orders.run.unwrap());
    ended(&portal, run).await.succeeded();
    arrived(&portal, run, Channel::Webhook, 1).await;
    let [first, second] = &receiver.received()[..] else {
        panic!("it is told twice");
    };
    let delivery = "x-fairlead-delivery";
    assert_eq!(first.header(delivery), second.header(delivery));
    let row = message(&portal, run, Channel::Slack).await;
    assert_eq!((row.state, row.next), (MessageState::Sending, None));
    let asked = portal
        .send_again(&lead(), origin(), run, Channel::Slack)
        .await;
    assert!(matches!(asked, Err(Error::Conflict(_))), "{asked:?}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_fails_and_hangs_is_told_signed_and_again_when_a_lead_asks() {
    let answers = [Answer::Status(500), Answer::Hang];
    let receiver = Receiver::start(&answers).await;
    let spec = Spec {
        receiver: Some(receiver.address),
        ..Spec::new("hook-down", 18258)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let run = world.deploy(&portal, &App::fine("v1")).await;
    run.succeeded();
    let id = run.view.row.id;
    assert_eq!(
        world.told_of(id.0).await,
        1,
        "Slack is told once: {}",
        run.story()
    );
    arrived(&portal, id, Channel::Webhook, 3).await;
    portal
        .send_again(&lead(), origin(), id, Channel::Webhook)
        .await
        .unwrap();
    arrived(&portal, id, Channel::Webhook, 4).await;
    let received = receiver.received();
    assert_eq!(received.len(), 4);
    for one in &received {
        let signature = one.header("x-fairlead-signature-256");
        assert!(
            is_signed(
                &HOOK_SECRET.to_owned().into(),
                signature,
                one.body.as_bytes()
            ),
            "{one:?}"
        );
        assert_eq!(one.header("x-fairlead-event"), "run-ended");
        let delivery = "x-fairlead-delivery";
        assert_eq!(one.header(delivery), received[0].header(delivery));
        assert_eq!(one.body, received[0].body);
    }
    let body: serde_json::Value = serde_json::from_str(&received[0].body).unwrap();
    assert_eq!(
        (&body["run"], &body["state"]),
        (&id.0.into(), &"succeeded".into())
    );

    // A failure is told with the end of the failing step's log.
    let failed = world
        .deploy(&portal, &App::of("v2", faults::Mode::Exits))
        .await;
    failed.failed(kind::deploy, &[]);
    let body: serde_json::Value =
        serde_json::from_str(&receiver.received().last().unwrap().body).unwrap();
    assert_eq!(body["state"], "failed");
    let log = body["failing_step"]["log"].to_string();
    assert!(log.contains("cannot read the configuration"), "{body:#}");
    engine.stop().await;
    world.close().await;
}
