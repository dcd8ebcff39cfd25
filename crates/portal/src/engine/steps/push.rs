//! Pushes a built image to one registry under this run's tag. A tag is never moved: one that already names another
//! image is an error.
use adapters::registry::Registry as Client;
use domain::log::Stream;
use domain::manifest::Registry;
use domain::step::Outcome;
use domain::{ComponentName, Digest};

use super::build::at_hand;
use super::{StepError, Work};

pub(super) async fn push(
    work: &Work,
    component: &ComponentName,
    registry: &str,
) -> Result<Outcome, StepError> {
    let scene = &work.scene;
    let described = scene.registry(registry)?;
    let image = scene.image(described, component);
    let tag = scene.plan.tag(component);
    let reference = format!("{image}:{tag}");
    let builder = scene.builder().await?;
    let (local, built) = at_hand(work, component).await?;
    let (client, repository) = client(work, described, component)?;
    if let Some(existing) = client.digest(&repository, &tag).await? {
        // The engine remembers the digest under which a registry took the image, unless it was interrupted right then.
        let name = format!("{image}@{existing}");
        let stored = client.image(&repository, &existing).await?;
        let has_id = stored.as_ref().is_some_and(|stored| stored.id == built.id);
        if has_id || built.digests.contains(&name) {
            work.log
                .say(format!("{registry} already has {reference} ({existing})"));
            return Ok(Outcome::Pushed {
                digest: existing,
                bytes: stored.map(|stored| stored.bytes),
            });
        }
        return Err(StepError::advised(
            format!("{registry} already has {reference}, and it is another image ({existing})"),
            "tags are never moved. If `build` in the manifest was changed after this commit was first deployed, or the \
             builder lost its image and built another one, deploy with the images built anew, which get a tag of their own, \
             or delete the tag in the registry and retry the run; otherwise find out who pushed it",
        )
        .counts_always());
    }
    builder.tag(&local, &reference).await?;
    work.log.say(format!("pushing {reference}"));
    let credentials = scene.credentials(described)?;
    let log = &work.log;
    let digest = builder
        .push(&reference, credentials.as_ref(), |line| {
            log.put(Stream::Out, line)
        })
        .await?;
    let found = client.digest(&repository, &tag).await?;
    still_there(registry, &reference, &digest, found.as_ref())?;
    work.log.say(format!("{registry} took it as {digest}"));
    let bytes = bytes(&client, &repository, &digest).await;
    Ok(Outcome::Pushed { digest, bytes })
}

/// Whether a tag names what was pushed under it. Between the look before the push and its end somebody else may have
/// pushed the same tag: no registry refuses that.
fn still_there(
    registry: &str,
    reference: &str,
    pushed: &Digest,
    found: Option<&Digest>,
) -> Result<(), StepError> {
    match found {
        Some(found) if found == pushed => Ok(()),
        Some(found) => Err(StepError::advised(
            format!(
                "{registry} took {reference} as {pushed}, but now it is another image ({found})"
            ),
            "somebody else pushed the same tag meanwhile: find out who, delete the tag in the registry and retry the run",
        )
        .counts_always()),
        None => Err(StepError::from_outside(
            format!("{registry} took {reference} as {pushed}, but does not find it; look at the registry's own log"),
            true,
        )),
    }
}

/// An image's size. A registry that has the image and does not tell that is none that fails a run.
pub(super) async fn bytes(client: &Client, repository: &str, digest: &Digest) -> Option<u64> {
    let stored = client.image(repository, digest).await.ok()?;
    stored.map(|stored| stored.bytes)
}

/// The client of a registry, and the component's image as the registry names it.
pub(super) fn client(
    work: &Work,
    registry: &Registry,
    component: &ComponentName,
) -> Result<(Client, String), StepError> {
    let http = work.scene.portal.parts().http.clone();
    let client = Client::new(http, &registry.prefix, work.scene.credentials(registry)?)?;
    let name = work
        .scene
        .manifest
        .components
        .get(component)
        .map_or("", |c| c.image.as_str());
    Ok((client, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_has_succeeded_only_where_the_tag_names_what_was_pushed() {
        let [ours, theirs] =
            ["1", "2"].map(|n| Digest::parse(format!("sha256:{}", n.repeat(64))).unwrap());
        let look = |found| still_there("docr", "docr.example/web:dev-1", &ours, found);
        assert!(look(Some(&ours)).is_ok());
        let Err(StepError::Failed { failure, transient }) = look(Some(&theirs)) else {
            panic!("another image is taken for ours");
        };
        assert!(failure.counts_always && !transient, "{failure:?}");
        assert!(failure.what.contains(theirs.as_str()), "{failure:?}");
        assert!(look(None).unwrap_err().is_transient());
    }
}
