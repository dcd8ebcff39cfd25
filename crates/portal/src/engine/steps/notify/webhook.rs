//! Tells somebody else's program how the run ended, through the outbox as Slack is told.
use std::time::Instant;

use adapters::webhook::{Message, Receiver};
use domain::manifest::Webhook;
use domain::message::Channel;
use domain::step::Outcome;
use domain::text::{Notice, webhook};

use super::super::Work;
use super::{Told, not_ours, not_taken};
use crate::engine::messages::{self, NotTaken};
use crate::engine::scene::Scene;
use crate::now;

/// What is told.
const EVENT: &str = "run-ended";

/// Sends a message of the scene's run. Its identity is the same each time, so that a receiver can tell.
pub(in crate::engine) async fn send(
    scene: &Scene,
    hook: &Webhook,
    body: &str,
) -> Result<(), NotTaken> {
    let client = scene.portal.parts().http.clone();
    let receiver = Receiver::new(client, scene.value(&hook.url)?, scene.value(&hook.secret)?)?;
    let message = Message {
        event: EVENT,
        delivery: &format!("{}-webhook", scene.key),
        body,
    };
    Ok(receiver.post(&message).await?)
}

pub(super) async fn tell(work: &Work, hook: &Webhook, notice: &Notice<'_>) -> Told {
    let scene = &work.scene;
    let store = &scene.portal.parts().store;
    let key = Channel::Webhook.key(scene.run);
    let body = webhook(notice).to_string();
    store.outbox_put(&work.claim, &key, &body, now()).await?;
    let Some(body) = store.outbox_take(&key).await? else {
        return not_ours(work, &key, "the webhook").await;
    };
    work.log.say("telling the webhook how it went");
    let started = Instant::now();
    let sent = send(scene, hook, &body).await;
    match &sent {
        Ok(()) => store.outbox_done(&key).await?,
        // A receiver knows one that comes twice.
        Err(_) => store.outbox_return(&key).await?,
    }
    messages::note(&scene.portal, &key, started, &sent).await?;
    match sent {
        Ok(()) => Ok(Outcome::Done),
        Err(error) => Err(not_taken(work, &key, error).await?),
    }
}
