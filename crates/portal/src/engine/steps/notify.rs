//! Tells Slack how the run ended. The message goes through the outbox, so that a crash between sending and noting
//! that it was sent does not send it twice.
use adapters::slack::{SlackError, Webhook};
use domain::step::Outcome;
use domain::text::{Notice, slack};
use store::Delivery;

use super::{StepError, Work};
use crate::now;

/// How many of the failing step's last lines go into the message.
const TAIL: i64 = 20;

pub(super) async fn notify(work: &Work) -> Result<Outcome, StepError> {
    let scene = &work.scene;
    let store = &scene.portal.parts().store;
    let Some(target) = &scene.manifest.notify else {
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
    let message = slack(&notice);
    let webhook = Webhook::new(
        scene.portal.parts().http.clone(),
        scene.value(&target.slack)?,
    )
    .map_err(|error| StepError::fatal(error.to_string()))?;
    let key = format!("slack:{}", scene.run);
    store
        .outbox_put(&work.claim, &key, &message.to_string(), now())
        .await?;
    if store.outbox_take(&key).await?.is_none() {
        if store.outbox_state(&key).await? == Some(Delivery::Done) {
            work.log.say("Slack was told before Fairlead was stopped");
            return Ok(Outcome::Done);
        }
        let why = "Fairlead was stopped while it told Slack; whether the message arrived is not known, and it is not sent twice";
        work.log.say(why);
        return Ok(Outcome::Nothing { why: why.into() });
    }
    work.log.say("telling Slack how it went");
    match webhook.post(&message).await {
        Ok(()) => {
            store.outbox_done(&key).await?;
            Ok(Outcome::Done)
        }
        Err(error @ SlackError::Unanswered { .. }) => {
            let why = error.to_string();
            work.log.say(why.as_str());
            Ok(Outcome::Nothing { why })
        }
        Err(error) => {
            // Slack said no, or was not there: nothing was told, so the next try may.
            store.outbox_return(&key).await?;
            Err(StepError::from_outside(&error, error.is_transient()))
        }
    }
}
