//! Makes sure that the mirror holds the run's commit. No work tree: builds stream from the mirror.
use domain::step::Outcome;

use super::{StepError, Work};

pub(super) async fn checkout(work: &Work) -> Result<Outcome, StepError> {
    let plan = &work.scene.plan;
    let mirror = work.scene.mirror().await?;
    let commit = match mirror.commit(&plan.commit.sha).await {
        Ok(commit) => commit,
        Err(_) => {
            work.log
                .say(format!("fetching {}", work.scene.manifest.repository));
            mirror.fetch().await?;
            mirror.commit(&plan.commit.sha).await?
        }
    };
    work.log.say(format!(
        "commit {} by {}: {}",
        commit.sha, commit.author, commit.title
    ));
    Ok(Outcome::Done)
}
