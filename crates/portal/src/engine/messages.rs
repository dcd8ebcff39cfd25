//! Sends messages of runs that have ended: those that a run could not get rid of because the other side was down, and
//! those that somebody wants sent again. Each try is noted.
use std::time::{Duration, Instant};

use adapters::slack::{SlackError, Webhook};
use adapters::webhook::{Message, Receiver, WebhookError};
use domain::Ms;
use domain::message::{Channel, MessageTry};
use store::{DueMessage, StoreError};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::scene::Scene;
use super::steps::StepError;
use crate::{Portal, now};

/// What other programs are told.
const EVENT: &str = "run-ended";
/// The longest pause between two looks at the store.
const PASS: Duration = Duration::from_secs(5);
/// How many messages are sent at a time.
const AT_ONCE: usize = 16;
/// How often a message is tried before it is given up: for an hour.
const TRIES: i64 = 8;
/// The pause after the first try in vain; it doubles from try to try.
const PAUSE: Duration = Duration::from_secs(30);
/// The longest pause that the other side may ask for.
const LONGEST: Duration = Duration::from_secs(3600);

/// Why a message was not taken.
pub(super) struct NotTaken {
    /// For people.
    pub(super) why: String,
    /// What they can do; may be empty.
    pub(super) advice: String,
    /// Whether it may be taken later.
    pub(super) transient: bool,
    /// Whether it may have arrived, at one who would not know it for the same if it came again.
    pub(super) unknown: bool,
    /// When the other side wants to be asked again.
    pub(super) after: Option<Duration>,
}

impl From<SlackError> for NotTaken {
    fn from(error: SlackError) -> Self {
        let after = match &error {
            SlackError::RateLimited { retry_after } => Some(*retry_after),
            _ => None,
        };
        Self {
            transient: error.is_transient(),
            unknown: matches!(error, SlackError::Unanswered { .. }),
            after,
            ..Self::for_good(error.to_string())
        }
    }
}

impl From<WebhookError> for NotTaken {
    fn from(error: WebhookError) -> Self {
        Self {
            transient: error.is_transient(),
            after: error.retry_after(),
            ..Self::for_good(error.to_string())
        }
    }
}

impl From<StepError> for NotTaken {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Failed { failure, transient } => Self {
                advice: failure.advice,
                transient,
                ..Self::for_good(failure.what)
            },
            StepError::Halted { .. } => Self::for_good("it was stopped".into()),
            StepError::Lost => Self::for_good("another portal drives the run now".into()),
        }
    }
}

impl NotTaken {
    fn for_good(why: String) -> Self {
        Self {
            why,
            advice: String::new(),
            transient: false,
            unknown: false,
            after: None,
        }
    }
}

/// Works until it is told to stop.
pub(super) async fn run(portal: Portal, stop: CancellationToken) {
    let mut at_work = JoinSet::new();
    while !stop.is_cancelled() {
        let mut waiting = false;
        match portal.parts().store.messages_due(now()).await {
            Ok(due) => {
                let room = AT_ONCE.saturating_sub(at_work.len());
                waiting = due.len() > room;
                for message in due.into_iter().take(room) {
                    at_work.spawn(deliver(portal.clone(), message));
                }
            }
            Err(error) => tracing::error!(%error, "nobody can look for messages to send"),
        }
        tokio::select! {
            () = portal.parts().live.message() => {}
            () = tokio::time::sleep(PASS) => {}
            () = stop.cancelled() => {}
            Some(ended) = at_work.join_next(), if waiting => log(ended),
        }
        while let Some(ended) = at_work.try_join_next() {
            log(ended);
        }
    }
    // A message at work would be left as one of which nobody knows whether it arrived, so it gets its answer.
    while at_work.join_next().await.is_some() {}
}

/// Tells the operator of a try that ended in a panic.
fn log(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a message could not be sent");
    }
}

async fn deliver(portal: Portal, due: DueMessage) {
    if let Err(error) = try_once(&portal, &due).await {
        tracing::error!(%error, key = due.key, "a message is left as it is");
    }
}

async fn try_once(portal: &Portal, due: &DueMessage) -> Result<(), StoreError> {
    let store = &portal.parts().store;
    let Some(body) = store.outbox_take(&due.key, now()).await? else {
        return Ok(()); // somebody else was quicker
    };
    let started = Instant::now();
    let sent = send_later(portal, due, &body).await;
    match &sent {
        Ok(()) => store.outbox_done(&due.key).await?,
        Err(error) => {
            let again = error.transient && due.tries + 1 < TRIES;
            let doubled = PAUSE * (1 << due.tries.clamp(0, 10));
            let pause = error.after.unwrap_or_default().max(doubled).min(LONGEST);
            let next = again.then(|| later(pause));
            tracing::warn!(
                key = due.key,
                why = error.why,
                again,
                "a message was not taken"
            );
            store.message_failed(&due.key, next).await?;
        }
    }
    note(portal, &due.key, started, &sent).await
}

/// Notes how a try went.
pub(super) async fn note(
    portal: &Portal,
    key: &str,
    started: Instant,
    sent: &Result<(), NotTaken>,
) -> Result<(), StoreError> {
    let took_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
    let tried = MessageTry {
        at: Ms(now().0 - took_ms),
        took_ms,
        arrived: sent.is_ok(),
        answer: match sent {
            Ok(()) => "it was taken".into(),
            Err(error) => error.why.clone(),
        },
    };
    portal.parts().store.note_try(key, &tried).await
}

/// The time after a pause.
pub(super) fn later(pause: Duration) -> Ms {
    let pause = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
    Ms(now().0.saturating_add(pause))
}

/// Sends a message of a run that has ended.
async fn send_later(portal: &Portal, due: &DueMessage, body: &str) -> Result<(), NotTaken> {
    let stored = portal.parts().store.load_run(due.run).await;
    let stored = stored.map_err(|error| NotTaken {
        transient: error.is_transient(),
        ..NotTaken::for_good(error.to_string())
    })?;
    // A source of secrets may be away for a moment.
    let scene = Scene::open(portal, &stored)
        .await
        .map_err(|failure| NotTaken {
            transient: true,
            ..NotTaken::for_good(failure.what)
        })?;
    let channel = due.key.split(':').next().unwrap_or_default();
    let channel = channel.parse().map_err(NotTaken::for_good)?;
    send(&scene, channel, body).await
}

/// Sends a message to where the manifest that its run was planned from says.
pub(super) async fn send(scene: &Scene, channel: Channel, body: &str) -> Result<(), NotTaken> {
    let nobody =
        || NotTaken::for_good("the manifest of this run names nobody to tell there".into());
    let target = scene.manifest.notify_of(&scene.plan.environment);
    let target = target.ok_or_else(nobody)?;
    let client = scene.portal.parts().http.clone();
    match channel {
        Channel::Slack => {
            let url = scene.value(target.slack.as_ref().ok_or_else(nobody)?)?;
            let message: serde_json::Value = serde_json::from_str(body).map_err(|error| {
                NotTaken::for_good(format!("the stored message is damaged: {error}"))
            })?;
            Ok(Webhook::new(client, url)?.post(&message).await?)
        }
        Channel::Webhook => {
            let hook = target.webhook.as_ref().ok_or_else(nobody)?;
            let (url, secret) = (scene.value(&hook.url)?, scene.value(&hook.secret)?);
            let message = Message {
                event: EVENT,
                // The same each time, so that a receiver can tell.
                delivery: &format!("{}-webhook", scene.key),
                body,
            };
            Ok(Receiver::new(client, url, secret)?.post(&message).await?)
        }
    }
}
