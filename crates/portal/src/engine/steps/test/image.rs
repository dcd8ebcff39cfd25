//! Images on the builder: the component's own, and those that tests and services ask for by name.
use std::time::Duration;

use adapters::docker::registry_of;
use adapters::registry::Credentials;
use domain::log::Stream;
use domain::step::StepKind;

use super::super::StepError;
use super::super::build::at_hand;
use super::bench::Bench;

/// How often a registry that does not answer is asked.
const TRIES: u32 = 3;

/// The image in which the tests run.
pub(super) async fn of_tests(bench: &Bench<'_>) -> Result<String, StepError> {
    if bench.test.is_in_built_image() {
        built(bench).await
    } else {
        named(bench, &bench.test.within).await?;
        Ok(bench.test.within.clone())
    }
}

/// Sees to it that the builder has an image. One that is there is not asked for again.
pub(super) async fn named(bench: &Bench<'_>, reference: &str) -> Result<(), StepError> {
    if bench.engine.image(reference).await?.is_some() {
        return Ok(());
    }
    let accounts = bench.work.scene.accounts()?;
    pull(bench, reference, accounts.get(registry_of(reference))).await
}

/// The image that this run built, or the one that it reuses.
async fn built(bench: &Bench<'_>) -> Result<String, StepError> {
    let (work, scene) = (bench.work, &bench.work.scene);
    let mut reused = Vec::new();
    for planned in &work.run.plan.steps {
        match &planned.step {
            StepKind::Build { component, .. } if component == bench.name => {
                bench.doing(format!(
                    "the image of {component} was still being looked for"
                ));
                let (name, _) = work.unless_halted(at_hand(work, component)).await?;
                return Ok(name);
            }
            StepKind::Tag {
                component,
                registry,
                digest,
                ..
            } if component == bench.name => {
                let registry = scene.registry(registry)?;
                let reference = format!("{}@{digest}", scene.image(registry, component));
                if bench.engine.image(&reference).await?.is_some() {
                    return Ok(reference);
                }
                reused.push((registry, reference));
            }
            _ => {}
        }
    }
    let mut last = None;
    for (registry, reference) in reused {
        let credentials = scene.credentials(registry)?;
        match pull(bench, &reference, credentials.as_ref()).await {
            Ok(()) => return Ok(reference),
            Err(StepError::Failed { failure, transient }) => {
                bench.say(&failure.what);
                last = Some(StepError::Failed { failure, transient });
            }
            Err(other) => return Err(other),
        }
    }
    Err(last.unwrap_or_else(|| {
        StepError::fatal(format!("this run's plan has no image of {}", bench.name))
    }))
}

async fn pull(
    bench: &Bench<'_>,
    reference: &str,
    credentials: Option<&Credentials>,
) -> Result<(), StepError> {
    bench.doing(format!("the image {reference} was still being pulled"));
    let log = &bench.work.log;
    let mut tried = 1;
    loop {
        bench.say(format!("pulling {reference}"));
        let pulling = bench
            .engine
            .pull(reference, credentials, |line| log.put(Stream::Out, line));
        match bench.work.unless_halted(pulling).await {
            Ok(_) => return Ok(()),
            Err(StepError::Failed {
                failure,
                transient: true,
            }) if tried < TRIES => {
                bench.say(format!("{}; trying again", failure.what));
                let pause = tokio::time::sleep(Duration::from_secs(2 << tried));
                bench
                    .work
                    .unless_halted(async {
                        pause.await;
                        Ok::<(), StepError>(())
                    })
                    .await?;
                tried += 1;
            }
            Err(error) => return Err(error),
        }
    }
}
