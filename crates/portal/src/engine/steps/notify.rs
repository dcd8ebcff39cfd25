//! Tells Slack and other programs how the run ended. Each message goes through the outbox, so that a crash between
//! sending and noting that it was sent does not send it twice; one that cannot be told does not keep the others from
//! being told. What this step cannot get rid of is tried on after the run (`engine/messages.rs`).
pub(in crate::engine) mod webhook;

use std::time::{Duration, Instant};

use adapters::slack::{SlackError, Webhook};
use domain::manifest::Value;
use domain::message::{Channel, MessageState};
use domain::step::Outcome;
use domain::text::{Notice, slack};
use store::StoreError;

use super::{StepError, Work};
use crate::engine::messages::{self, NotTaken};
use crate::now;

/// How many of the failing step's last lines go into the message.
const TAIL: i64 = 20;
/// The longest pause that the step itself makes when the other side asks for one.
const PATIENCE: Duration = Duration::from_secs(20);

/// How it went with one of those who are told.
type Told = Result<Outcome, StepError>;

pub(super) async fn notify(work: &Work) -> Result<Outcome, StepError> {
    let scene = &work.scene;
    let store = &scene.portal.parts().store;
    let Some(target) = scene.manifest.notify_of(&scene.plan.environment) else {
        return Ok(Outcome::Nothing {
            why: "the manifest names nobody to tell".into(),
        });
    };
    let tail = match work.run.failure() {
        None => Vec::new(),
        Some((step, _)) => {
            let total = store.line_count(scene.run, step).await?;
            let lines = store
                .lines_after(scene.run, step, total - TAIL, TAIL)
                .await?;
            lines.into_iter().map(|line| line.text).collect()
        }
    };
    let public = scene
        .portal
        .parts()
        .config
        .public_url
        .as_str()
        .trim_end_matches('/');
    let notice = Notice {
        id: scene.run,
        run: &work.run,
        title: &scene.manifest.title,
        by: &scene.by,
        url: &format!("{public}/runs/{}", scene.run),
        commit_url: &scene
            .portal
            .commit_url(&scene.manifest, &scene.plan.commit.sha),
        tail: &tail,
        now: now(),
    };
    let in_slack = async { Some(tell_slack(work, target.slack.as_ref()?, &notice).await) };
    let elsewhere = async { Some(webhook::tell(work, target.webhook.as_ref()?, &notice).await) };
    let (in_slack, elsewhere) = tokio::join!(in_slack, elsewhere);
    together([in_slack, elsewhere].into_iter().flatten())
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
        mut transient,
        after,
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
    Ok(StepError::from_outside(why, transient))
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

async fn tell_slack(work: &Work, url: &Value, notice: &Notice<'_>) -> Told {
    let scene = &work.scene;
    let store = &scene.portal.parts().store;
    let message = slack(notice);
    let webhook = Webhook::new(scene.portal.parts().http.clone(), scene.value(url)?)
        .map_err(|error| StepError::fatal(error.to_string()))?;
    let key = Channel::Slack.key(scene.run);
    store
        .outbox_put(&work.claim, &key, &message.to_string(), now())
        .await?;
    if store.outbox_take(&key).await?.is_none() {
        return not_ours(work, &key, "Slack").await;
    }
    work.log.say("telling Slack how it went");
    let started = Instant::now();
    let sent = webhook.post(&message).await;
    let unknown = matches!(&sent, Err(SlackError::Unanswered { .. }));
    match &sent {
        Ok(()) => store.outbox_done(&key).await?,
        // It may have arrived, and is sent again only when somebody asks for that.
        Err(_) if unknown => store.message_failed(&key, None).await?,
        // Slack said no, or was not there: nothing was told, so the next try may.
        Err(_) => store.outbox_return(&key).await?,
    }
    let sent = sent.map_err(NotTaken::from);
    messages::note(&scene.portal, &key, started, &sent).await?;
    match sent {
        Ok(()) => Ok(Outcome::Done),
        Err(NotTaken { why, .. }) if unknown => {
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
