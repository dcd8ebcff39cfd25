//! Tells Slack and other programs how the run ended. Each message goes through the outbox, so that a crash between
//! sending and noting that it was sent does not tell Slack twice (a program knows one that comes twice, and is told
//! again); one that cannot be told does not keep the others from being told. What this step cannot get rid of is tried on after the run (`engine/messages.rs`).
use std::time::{Duration, Instant};

use domain::log::{LogLine, plain};
use domain::manifest::Manifest;
use domain::message::{Channel, MessageState};
use domain::run::{Failure, Run};
use domain::step::Outcome;
use domain::text::{Notice, slack, webhook};
use store::{Claim, StoreError};

use super::{StepError, Work};
use crate::engine::messages::{self, NotTaken};
use crate::{Portal, now};

/// How many of the failing step's last lines go into the message.
const TAIL: i64 = 20;
/// The longest pause that the step itself makes when the other side asks for one.
const PATIENCE: Duration = Duration::from_secs(20);

/// How it went with one of those who are told.
type Told = Result<Outcome, StepError>;

pub(super) async fn notify(work: &Work) -> Told {
    let scene = &work.scene;
    let (manifest, by) = (&scene.manifest, scene.by.as_str());
    let channels = put(&scene.portal, &work.claim, manifest, by, &work.run).await?;
    if channels.is_empty() {
        return Ok(Outcome::Nothing {
            why: "the manifest names nobody to tell".into(),
        });
    }
    let told = async |channel| match channels.contains(&channel) {
        true => Some(tell(work, channel).await),
        false => None,
    };
    let (in_slack, elsewhere) = tokio::join!(told(Channel::Slack), told(Channel::Webhook));
    together([in_slack, elsewhere].into_iter().flatten())
}

/// Puts what is to be told into the outbox, and says to whom. No secret is needed for that, so a message is there to be
/// sent also where none can be had now.
pub(in crate::engine) async fn put(
    portal: &Portal,
    claim: &Claim,
    manifest: &Manifest,
    by: &str,
    run: &Run,
) -> Result<Vec<Channel>, StoreError> {
    let Some(target) = manifest.notify_of(&run.plan.environment) else {
        return Ok(Vec::new());
    };
    let store = &portal.parts().store;
    let tail = match run.failure() {
        None => Vec::new(),
        Some((step, _)) => {
            let total = store.line_count(claim.run, step).await?;
            let lines = store
                .lines_after(claim.run, step, total - TAIL, TAIL)
                .await?;
            let plain = |line: LogLine| plain(&line.text).into_owned();
            lines.into_iter().map(plain).collect()
        }
    };
    let public = portal.parts().config.public_url.as_str();
    let notice = Notice {
        id: claim.run,
        run,
        title: &manifest.title,
        by,
        url: &format!("{}/runs/{}", public.trim_end_matches('/'), claim.run),
        commit_url: &portal.commit_url(manifest, &run.plan.commit.sha),
        tail: &tail,
        now: now(),
    };
    let in_slack = target
        .slack
        .as_ref()
        .map(|_| (Channel::Slack, slack(&notice)));
    let elsewhere = target
        .webhook
        .as_ref()
        .map(|_| (Channel::Webhook, webhook(&notice)));
    let mut channels = Vec::new();
    for (channel, body) in in_slack.into_iter().chain(elsewhere) {
        let key = channel.key(claim.run);
        store
            .outbox_put(claim, &key, &body.to_string(), now())
            .await?;
        channels.push(channel);
    }
    Ok(channels)
}

/// What the step says of all who were to be told.
fn together(told: impl IntoIterator<Item = Told>) -> Told {
    let mut all = Ok(Outcome::Done);
    for told in told {
        all = match (all, told) {
            (
                Err(StepError::Failed {
                    mut failure,
                    transient,
                }),
                Err(StepError::Failed {
                    failure: other,
                    transient: also,
                }),
            ) => {
                failure.what = format!("{}; {}", failure.what, other.what);
                let transient = transient || also;
                Err(StepError::Failed { failure, transient })
            }
            (Err(error), _) | (Ok(_), Err(error)) => Err(error),
            (Ok(Outcome::Done), Ok(outcome)) => Ok(outcome),
            (Ok(outcome), Ok(_)) => Ok(outcome),
        };
    }
    all
}

/// What the step says of a message that is to be sent yet. Where the other side names a moment, the step waits for it
/// if it is near, and leaves the message to be sent after the run if it is not.
async fn not_taken(work: &Work, key: &str, error: NotTaken) -> Result<StepError, StoreError> {
    let NotTaken {
        why,
        advice,
        mut transient,
        after,
        ..
    } = error;
    match after {
        Some(after) if after <= PATIENCE => tokio::time::sleep(after).await,
        Some(after) => {
            let store = &work.scene.portal.parts().store;
            store.message_due(key, messages::later(after)).await?;
            transient = false;
        }
        None => {}
    }
    let failure = Failure {
        what: why,
        advice,
        undone: None,
        counts_always: false,
    };
    Ok(StepError::Failed { failure, transient })
}

/// What the step says of a message that it may not take, because somebody took it before.
async fn not_ours(work: &Work, key: &str, whom: &str) -> Told {
    let state = work.scene.portal.parts().store.outbox_state(key).await?;
    let Some(why) = why_not(state, whom) else {
        return Ok(Outcome::Done);
    };
    work.log.say(why.as_str());
    Ok(Outcome::Nothing { why })
}

/// Why a message that stands like this is not sent now; `None` where it has arrived.
fn why_not(state: Option<MessageState>, whom: &str) -> Option<String> {
    Some(match state {
        Some(MessageState::Done) => return None,
        Some(MessageState::Failed) => format!(
            "the message to {whom} was given up before; it is sent again when somebody asks for it"
        ),
        Some(MessageState::Pending) => format!("the message to {whom} is sent after the run"),
        // Nobody but this step sends it while the run is at work.
        Some(MessageState::Sending) | None => format!(
            "Fairlead was stopped while it told {whom}; whether the message arrived is not known, and it is not sent twice"
        ),
    })
}

async fn tell(work: &Work, channel: Channel) -> Told {
    let scene = &work.scene;
    let store = &scene.portal.parts().store;
    let key = channel.key(scene.run);
    let state = store.outbox_state(&key).await?;
    // Only an earlier life of the portal can have left it so, in the middle of sending it.
    if channel.knows_doubles() && state == Some(MessageState::Sending) {
        store.outbox_return(&key).await?;
    }
    let whom = match channel {
        Channel::Slack => "Slack",
        Channel::Webhook => "the webhook",
    };
    let Some(body) = store.outbox_take(&key, now()).await? else {
        return not_ours(work, &key, whom).await;
    };
    work.log.say(format!("telling {whom} how it went"));
    let started = Instant::now();
    let sent = messages::send(scene, channel, &body).await;
    match &sent {
        Ok(()) => store.outbox_done(&key).await?,
        // It may have arrived, and is sent again only when somebody asks for that.
        Err(NotTaken { unknown: true, .. }) => store.message_failed(&key, None).await?,
        // The other side said no, or was not there: nothing was told, so the next try may.
        Err(_) => store.outbox_return(&key).await?,
    }
    messages::note(&scene.portal, &key, started, &sent).await?;
    match sent {
        Ok(()) => Ok(Outcome::Done),
        Err(NotTaken {
            why, unknown: true, ..
        }) => {
            work.log.say(why.as_str());
            Ok(Outcome::Nothing { why })
        }
        Err(error) => Err(not_taken(work, &key, error).await?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_somebody_took_before_is_told_as_it_stands() {
        let says = |state| why_not(Some(state), "Slack").unwrap_or_default();
        assert_eq!(says(MessageState::Done), "");
        assert!(says(MessageState::Failed).contains("was given up"));
        assert!(says(MessageState::Pending).contains("after the run"));
        assert!(says(MessageState::Sending).contains("is not known"));
    }
}
