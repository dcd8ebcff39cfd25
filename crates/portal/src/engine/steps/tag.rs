//! Puts this run's tag on an image that a registry already has. A few requests; no layer moves.
use adapters::registry::RegistryError;
use domain::step::Outcome;
use domain::{ComponentName, Digest};

use super::push::{bytes, client};
use super::{StepError, Work};
use crate::now;

pub(super) async fn tag(
    work: &Work,
    component: &ComponentName,
    registry: &str,
    digest: &Digest,
) -> Result<Outcome, StepError> {
    let described = work.scene.registry(registry)?;
    let (client, repository) = client(work, described, component)?;
    let tag = work.scene.plan.tag(component);
    match client.tag(&repository, digest, &tag).await {
        Ok(()) => {}
        Err(error @ RegistryError::NotFound { .. }) => {
            // What the plan rests on is not so any more; the next plan must not rest on it.
            let store = &work.scene.portal.parts().store;
            store
                .forget_built(&work.claim, component, registry, digest, now())
                .await?;
            return Err(StepError::advised(
                error.to_string(),
                "Fairlead has forgotten that it was there; start a new run, which builds and pushes it again",
            ));
        }
        Err(error @ RegistryError::TagTaken { .. }) => {
            return Err(StepError::from(error).counts_always());
        }
        Err(error) => return Err(error.into()),
    }
    work.log.say(format!(
        "{}:{tag} is {digest}, which was built from the same source",
        work.scene.image(described, component)
    ));
    Ok(Outcome::Pushed {
        digest: digest.clone(),
        bytes: bytes(&client, &repository, digest).await,
    })
}
