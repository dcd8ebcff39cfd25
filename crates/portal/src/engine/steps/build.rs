//! Builds a component's image from the commit, streamed from the mirror into the builder. An image that was built
//! from the same input before is taken as it is; one that is to be built anew has a key of its own.
use std::collections::BTreeMap;

use adapters::docker::{BuildOptions, DockerError, Ignore, Image};
use domain::log::Stream;
use domain::release::TreeKey;
use domain::step::Outcome;
use domain::{ComponentName, ProjectName};
use tokio::sync::{Mutex, RwLock};

use super::{StepError, Work, label, pull};

/// Read by every build, and written by who removes images: a build fails when a layer goes away that it has found in the
/// cache and is about to build on.
pub(super) static BUILDING: RwLock<()> = RwLock::const_new(());

/// One image is brought back at a time. Two pushes that both miss the same one would else build two.
static BRINGING_BACK: Mutex<()> = Mutex::const_new(());

pub(super) async fn build(
    work: &Work,
    component: &ComponentName,
    key: &TreeKey,
) -> Result<Outcome, StepError> {
    let scene = &work.scene;
    let plan = &scene.plan;
    let described = scene.manifest.components.get(component).ok_or_else(|| {
        StepError::fatal(format!("the manifest describes no component `{component}`"))
    })?;
    let builder = scene.builder().await?;
    let name = local_name(&plan.project, component, key);
    let _building = BUILDING.read().await;
    if let Some(image) = builder.image(&name).await? {
        work.log.say(format!(
            "the builder already has the image of this source ({})",
            image.id
        ));
        return Ok(Outcome::Built { image: image.id });
    }
    let build = &described.build;
    let context = build.context.trim_start_matches("./").trim_matches('/');
    let context = if context == "." { "" } else { context };
    let dockerfile = build.dockerfile.trim_start_matches("./");
    let within = match context {
        "" => Some(dockerfile),
        folder => dockerfile
            .strip_prefix(folder)
            .and_then(|rest| rest.strip_prefix('/')),
    };
    let Some(dockerfile) = within else {
        return Err(StepError::advised(
            format!(
                "the dockerfile `{dockerfile}` of {component} is outside its build context `{context}`"
            ),
            "move it into the context, or widen `build.context` in the manifest",
        ));
    };
    let mirror = scene.mirror().await?;
    let rules = format!("{context}/.dockerignore");
    let rules = mirror
        .file_at(&plan.commit.sha, rules.trim_start_matches('/'))
        .await?;
    let ignore = rules.map(|rules| Ignore::parse(&String::from_utf8_lossy(&rules)));
    let ignore = ignore.unwrap_or_default();
    let options = BuildOptions {
        dockerfile: dockerfile.to_owned(),
        args: build
            .args
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        // No more than tell images of two projects apart: the builder makes a container and a layer for each.
        labels: BTreeMap::from([
            (label::PROJECT.to_owned(), plan.project.to_string()),
            (label::COMMIT.to_owned(), plan.commit.sha.to_string()),
        ]),
        tags: vec![name],
        target: build.target.clone(),
        no_cache: key.is_anew(),
        pull: key.is_anew(),
        ignore,
        registries: scene.accounts()?,
    };
    let archive = mirror.archive(&plan.commit.sha, context).await?;
    let anew = if key.is_anew() {
        ", without the cache and on base images as they are now"
    } else {
        ""
    };
    work.log.say(format!(
        "building {component} from {} with {}{anew}",
        plan.commit.sha.short(),
        build.dockerfile
    ));
    let mut no_room = false;
    let built = builder.build(archive, &options, |line| {
        no_room |= line.to_ascii_lowercase().contains(NO_ROOM);
        work.log.put(Stream::Out, line);
    });
    let image = match built.await {
        Ok(image) => image,
        Err(error) => {
            return Err(match explained(&error, no_room) {
                Some(advice) => StepError::advised(error.to_string(), advice),
                None => error.into(),
            });
        }
    };
    work.log.say(format!("built {image}"));
    Ok(Outcome::Built { image })
}

/// What a program says, in whatever case, when there is no room left.
const NO_ROOM: &str = "no space left on device";

/// What to do about a build whose command failed for want of something; `no_room` is whether a program said so.
fn explained(error: &DockerError, no_room: bool) -> Option<&'static str> {
    let DockerError::BuildFailed { message, .. } = error else {
        return None;
    };
    if no_room {
        return Some(
            "the builder's disk is full: free some space there, for example with `docker image prune --all --filter label=fairlead.project`, which removes what Fairlead has built there and no container uses, and retry the run; what it needs of that it pulls or builds again",
        );
    }
    // 128 and the number of SIGKILL, which nobody but the kernel sends to a command of a build.
    message.trim_end().ends_with("code: 137").then_some(
        "status 137 means that the command was killed, most often because the builder ran out of memory: give it more, or build with less at once, and retry the run",
    )
}

/// The image that this run has built, and what it is called on the builder. One that was removed there since is brought
/// back: from a registry that has taken it, else by building it again.
pub(super) async fn at_hand(
    work: &Work,
    component: &ComponentName,
) -> Result<(String, Image), StepError> {
    let plan = &work.scene.plan;
    let key = plan.key(component);
    let key =
        key.ok_or_else(|| StepError::fatal(format!("this run's plan does not build {component}")))?;
    let builder = work.scene.builder().await?;
    let name = local_name(&plan.project, component, key);
    if let Some(image) = builder.image(&name).await? {
        return Ok((name, image));
    }
    let _alone = BRINGING_BACK.lock().await;
    if let Some(image) = builder.image(&name).await? {
        return Ok((name, image));
    }
    work.log.say(format!(
        "the builder has lost the image that it built for {component} ({name}); bringing it back"
    ));
    match work.pushed(component) {
        Ok((digest, registries)) => {
            let pulled = pull::pull(work, &builder, component, &digest, &registries).await?;
            builder.tag(&pulled, &name).await?;
        }
        Err(_) => {
            build(work, component, key).await?;
        }
    }
    let image = builder.image(&name).await?.ok_or_else(|| {
        StepError::advised(
            format!("the builder has lost the image that it built for {component} ({name}) again"),
            "look at who removes images there, and retry the run",
        )
    })?;
    Ok((name, image))
}

/// What the image is called on the builder. The key is in the name, so that the same source is found again.
pub(super) fn local_name(
    project: &ProjectName,
    component: &ComponentName,
    key: &TreeKey,
) -> String {
    let (input, rebuild) = (key.input(), key.rebuild());
    let short = input.get(..32).unwrap_or(input);
    format!("{}:{short}{rebuild}", local_repository(project, component))
}

/// The same without the key.
pub(super) fn local_repository(project: &ProjectName, component: &ComponentName) -> String {
    format!("fairlead/{project}-{component}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_was_killed_or_found_no_room_is_told_from_one_that_failed() {
        let failed = |code: u8| DockerError::BuildFailed {
            step: Some("Step 2/3 : RUN make".into()),
            message: format!("The command '/bin/sh -c make' returned a non-zero code: {code}"),
        };
        for (error, no_room, advice) in [
            (failed(2), false, None),
            (failed(137), false, Some("memory")),
            (failed(2), true, Some("disk")),
        ] {
            let found = explained(&error, no_room);
            assert_eq!(found.is_some(), advice.is_some(), "{error}");
            assert!(
                found
                    .unwrap_or_default()
                    .contains(advice.unwrap_or_default())
            );
        }
    }
}
