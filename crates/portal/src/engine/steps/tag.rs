//! Puts this run's tag on an image that a registry already has. A few requests; no layer moves.
use domain::release::tag as tag_of;
use domain::step::Outcome;
use domain::{ComponentName, Digest};

use super::push::client;
use super::{StepError, Work};

pub(super) async fn tag(
    work: &Work,
    component: &ComponentName,
    registry: &str,
    digest: &Digest,
) -> Result<Outcome, StepError> {
    let described = work.scene.registry(registry)?;
    let (client, repository) = client(work, described, component)?;
    let tag = tag_of(&work.scene.plan.environment, &work.scene.plan.commit.sha);
    client.tag(&repository, digest, &tag).await?;
    work.log.say(format!(
        "{}:{tag} is {digest}, which was built from the same source",
        work.scene.image(described, component)
    ));
    Ok(Outcome::Pushed {
        digest: digest.clone(),
    })
}
