//! Removes the images of earlier releases from servers and from the builder, beside the steps after a deploy. It fails
//! nothing, and holds up the end of the run for [`LIMIT`] at most: what does not go now goes after a later one.
//!
//! Only what Fairlead has built is looked at, which its label tells, and of that only what has no other names than
//! Fairlead gives: one that somebody has tagged is theirs. An image stays that a container stands on, running or not, of
//! whichever component or environment, and one that a run may need that has not ended. On the builder the newest stay too:
//! the next build takes most of its layers from them.
use std::collections::BTreeSet;
use std::time::Duration;

use adapters::docker::{Engine, Image, repository_of};
use domain::step::{Outcome, StepKind};
use domain::{ComponentName, HostName};
use tokio::time::timeout;

use super::build::{BUILDING, local_name, local_repository};
use super::deploy::KEPT;
use super::{StepError, Work, label};

/// How long that may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Removes from the component's host and from the builder what nobody needs any more, and says what became of that.
pub(super) async fn tidy(work: &Work, component: &ComponentName, host: &HostName) {
    let tidying = async { tokio::join!(on_host(work, component, host), on_builder(work)) };
    let Ok((host, builder)) = timeout(LIMIT, tidying).await else {
        let limit = LIMIT.as_secs();
        work.log.say(format!(
            "removing the images of earlier releases takes more than {limit} s; the next deploy goes on with it"
        ));
        return;
    };
    for (place, removed) in [("host", host), ("builder", builder)] {
        match removed {
            Ok(0) => {}
            Ok(count) => work.log.say(format!(
                "removed {count} image(s) of earlier releases from the {place}"
            )),
            Err(error) => work.log.say(format!(
                "not all images of earlier releases could be removed from the {place}: {error}"
            )),
        }
    }
}

async fn on_host(
    work: &Work,
    component: &ComponentName,
    host: &HostName,
) -> Result<usize, StepError> {
    let engine = work.scene.host(host).await?.docker().await?;
    let mut found = of_component(work, component, &engine).await?;
    // They are pulled by digest. Those with a tag are the builder's, where that is this machine.
    found.retain(|image| image.tags.is_empty());
    remove(work, component, &engine, &found).await
}

/// Of all components, so that one whose deploy ended while somebody built has its turn with the next.
async fn on_builder(work: &Work) -> Result<usize, StepError> {
    let scene = &work.scene;
    let mut steps = scene.plan.steps.iter();
    if !steps.any(|planned| matches!(planned.step, StepKind::Build { .. })) {
        return Ok(0); // nothing has been added
    }
    let Ok(_nobody_builds) = BUILDING.try_write() else {
        return Ok(0);
    };
    let engine = scene.builder().await?;
    // As many as servers have of it, if each environment had come to its images by builds of its own.
    let kept = scene.manifest.environments.len() * (KEPT + 1);
    let mut count = 0;
    for component in scene.manifest.components.keys() {
        let found = of_component(work, component, &engine).await?;
        let older = found.get(kept..).unwrap_or_default();
        count += remove(work, component, &engine, older).await?;
    }
    Ok(count)
}

/// What an engine has of a component's images, the newest first.
async fn of_component(
    work: &Work,
    component: &ComponentName,
    engine: &Engine,
) -> Result<Vec<Image>, StepError> {
    let scene = &work.scene;
    let registries = scene.manifest.registries.iter();
    let mut ours: Vec<String> = registries
        .map(|registry| scene.image(registry, component))
        .collect();
    ours.push(local_repository(&scene.plan.project, component));
    let of_project = format!("{}={}", label::PROJECT, scene.plan.project);
    let mut found = engine.images(&of_project).await?;
    found.retain(|image| has_no_names_but(&ours, image));
    Ok(found)
}

/// Removes those of these images that nobody needs, and tells how many that were.
async fn remove(
    work: &Work,
    component: &ComponentName,
    engine: &Engine,
    found: &[Image],
) -> Result<usize, StepError> {
    if found.is_empty() {
        return Ok(0);
    }
    // In this order: what a run has needed that ends in between stands in a container by then.
    let needed = needed(work, component).await?;
    let used = engine.images_in_use().await?;
    let (mut count, mut all) = (0, Ok(()));
    for image in found {
        if used.contains(&image.id) || is_one_of(&needed, image) {
            continue;
        }
        work.still_drives().await?;
        match forget(engine, image).await {
            Ok(()) => count += 1,
            // One that does not go keeps no other from going.
            Err(error) => all = Err(error),
        }
    }
    all.map(|()| count)
}

/// Takes all its names from an image; it goes with the last.
async fn forget(engine: &Engine, image: &Image) -> Result<(), StepError> {
    for name in names(image) {
        engine.remove_image(name).await?;
    }
    Ok(())
}

/// What runs that have not ended, this one among them, may need of a component's images: ends of names.
async fn needed(work: &Work, component: &ComponentName) -> Result<BTreeSet<String>, StepError> {
    let store = &work.scene.portal.parts().store;
    let project = &work.scene.plan.project;
    let lanes = store.lanes(project).await?;
    let mut needed = BTreeSet::new();
    for lane in lanes.values() {
        for row in lane.active.iter().chain(&lane.queued) {
            let run = store.load_run(row.id).await?.run()?;
            if let Some(key) = run.plan.key(component) {
                needed.insert(local_name(project, component, key));
            }
            for planned in &run.plan.steps {
                let (of, digest) = match (&planned.step, run.outcome(planned.id)) {
                    (StepKind::Push { component, .. }, Some(Outcome::Pushed { digest, .. })) => {
                        (component, digest)
                    }
                    (
                        StepKind::Tag {
                            component, digest, ..
                        },
                        _,
                    ) => (component, digest),
                    _ => continue,
                };
                if of == component {
                    needed.insert(format!("@{digest}"));
                }
            }
        }
    }
    Ok(needed)
}

fn names(image: &Image) -> impl Iterator<Item = &str> {
    let names = image.tags.iter().chain(&image.digests);
    names.map(String::as_str)
}

/// Whether an image is in these repositories and nowhere else.
fn has_no_names_but(repositories: &[String], image: &Image) -> bool {
    let ours = |name: &str| {
        let found = repository_of(name);
        repositories.iter().any(|ours| {
            // The engine leaves out where every image comes from that says nothing else.
            found == ours.strip_prefix("docker.io/").unwrap_or(ours)
        })
    };
    names(image).next().is_some() && names(image).all(ours)
}

fn is_one_of(ends: &BTreeSet<String>, image: &Image) -> bool {
    names(image).any(|name| ends.iter().any(|end| name.ends_with(end.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(tags: &[&str], digests: &[&str]) -> Image {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Image {
            id: "sha256:00".into(),
            tags: owned(tags),
            digests: owned(digests),
            size: 1,
        }
    }

    #[test]
    fn an_image_is_fairleads_while_nobody_else_has_named_it() {
        let ours = [
            "docr.example/team/web",
            "docker.io/team/web",
            "fairlead/shop-web",
        ];
        let ours = ours.map(str::to_owned);
        for (tags, digests, expected) in [
            (&[][..], &["docr.example/team/web@sha256:1"][..], true),
            (
                &["fairlead/shop-web:k1", "docr.example/team/web:dev-1"],
                &["docr.example/team/web@sha256:1"],
                true,
            ),
            (&["team/web:dev-1"], &[], true),
            (&["fairlead/shop-web:k1", "backup/web:1"], &[], false),
            (&["docr.example/team/web2:dev-1"], &[], false),
            (&["fairlead/shop-web-admin:k1"], &[], false),
            (&[], &[], false),
        ] {
            let image = image(tags, digests);
            assert_eq!(has_no_names_but(&ours, &image), expected, "{image:?}");
        }
    }

    #[test]
    fn what_a_run_needs_is_found_by_its_key_and_by_its_digest() {
        let needed = ["fairlead/shop-web:k1", "@sha256:1"].map(str::to_owned);
        let needed = BTreeSet::from(needed);
        for (tag, digest, expected) in [
            ("fairlead/shop-web:k1", "docr.example/web@sha256:9", true),
            ("fairlead/shop-web:k9", "docr.example/web@sha256:1", true),
            (
                "fairlead/shop-web:k1-r2",
                "docr.example/web@sha256:11",
                false,
            ),
        ] {
            let image = image(&[tag], &[digest]);
            assert_eq!(is_one_of(&needed, &image), expected, "{image:?}");
        }
    }
}
