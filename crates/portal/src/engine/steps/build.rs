//! Builds a component's image from the commit, streamed from the mirror into the builder. An image that was built
//! from the same input before is taken as it is.
use std::collections::BTreeMap;

use adapters::docker::{BuildOptions, Ignore};
use domain::ComponentName;
use domain::log::Stream;
use domain::release::TreeKey;
use domain::step::Outcome;

use super::{StepError, Work};

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
    let builder = scene.builder()?;
    let name = local_name(work, component, key);
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
        labels: BTreeMap::from([
            ("fairlead.project".to_owned(), plan.project.to_string()),
            ("fairlead.component".to_owned(), component.to_string()),
            ("fairlead.commit".to_owned(), plan.commit.sha.to_string()),
        ]),
        tags: vec![name],
        target: build.target.clone(),
        no_cache: false,
        ignore,
        registries: Vec::new(),
    };
    let archive = mirror.archive(&plan.commit.sha, context).await?;
    work.log.say(format!(
        "building {component} from {} with {}",
        plan.commit.sha.short(),
        build.dockerfile
    ));
    let log = &work.log;
    let image = builder
        .build(archive, &options, |line| log.put(Stream::Out, line))
        .await?;
    work.log.say(format!("built {image}"));
    Ok(Outcome::Built { image })
}

/// What the image is called on the builder. The key is in the name, so that the same source is found again.
pub(super) fn local_name(work: &Work, component: &ComponentName, key: &TreeKey) -> String {
    let short = key.0.get(..32).unwrap_or(&key.0);
    format!("fairlead/{}-{component}:{short}", work.scene.plan.project)
}
