//! Brings a component's image to an engine, by digest, from the first registry that gives it.
use adapters::docker::Engine;
use domain::log::Stream;
use domain::{ComponentName, Digest};

use super::{StepError, Work};

/// Gives what the image is called on the engine. `registries` are those that have it, in the order to try them.
pub(super) async fn pull(
    work: &Work,
    engine: &Engine,
    component: &ComponentName,
    digest: &Digest,
    registries: &[&str],
) -> Result<String, StepError> {
    let (scene, log) = (&work.scene, &work.log);
    let mut last: Option<StepError> = None;
    for (tried, name) in registries.iter().enumerate() {
        let registry = scene.registry(name)?;
        let reference = format!("{}@{digest}", scene.image(registry, component));
        if engine.image(&reference).await?.is_some() {
            log.say(format!("the host already has {reference}"));
            return Ok(reference);
        }
        log.say(format!("pulling {reference}"));
        let credentials = scene.credentials(registry)?;
        match engine
            .pull(&reference, credentials.as_ref(), |line| {
                log.put(Stream::Out, line)
            })
            .await
        {
            Ok(_) => return Ok(reference),
            Err(error) => {
                let error = StepError::from(error);
                if tried + 1 < registries.len() {
                    log.say(format!("{error}; trying the next registry"));
                }
                // A registry that is down for a moment is worth another try, whatever the others say.
                if last.as_ref().is_none_or(|last| !last.is_transient()) {
                    last = Some(error);
                }
            }
        }
    }
    Err(last.unwrap_or_else(|| StepError::fatal("the manifest names no registry to pull from")))
}
