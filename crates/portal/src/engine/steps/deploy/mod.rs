//! Replaces a component's container. The old one is stopped and kept until the new one is healthy, and comes back
//! when it is not.
//!
//! On the host, run 42 of `pm-backend` uses three names:
//!
//! | name | what |
//! |---|---|
//! | `pm-backend` | the one that serves |
//! | `pm-backend.run-42-…` | the new one, made but not yet in its place |
//! | `pm-backend.before-42-…` | the old one, stopped and kept |
//!
//! Which of them are there tells how far an interrupted step had come, so that each action can be taken up again. The
//! rest of the suffix tells runs apart that have one number because a portal began anew with an empty database.
mod env_file;
mod files;
mod health;
mod output;
mod spec;

use std::time::Duration;

use adapters::docker::{Container, Engine, State};
use adapters::ssh::Host;
use domain::log::Stream;
use domain::manifest::Component;
use domain::step::Outcome;
use domain::{ComponentName, Digest, HostName};
use secrecy::SecretString;

use self::files::Files;
use self::output::Output;
use super::{StepError, Work};

/// Labels by which a container says where it comes from.
mod label {
    pub(super) const PROJECT: &str = "fairlead.project";
    pub(super) const ENVIRONMENT: &str = "fairlead.environment";
    pub(super) const COMPONENT: &str = "fairlead.component";
    pub(super) const COMMIT: &str = "fairlead.commit";
    pub(super) const DIGEST: &str = "fairlead.digest";
    pub(super) const RUN: &str = "fairlead.run";
}

/// Stands between the serving name and the run in the name of a container that stepped aside.
const BEFORE: &str = ".before-";
/// How many stopped predecessors are kept beside the container that serves.
const KEPT: usize = 2;

pub(super) async fn deploy(
    work: &Work,
    component: &ComponentName,
    host: &HostName,
) -> Result<Outcome, StepError> {
    work.check()?;
    let site = work
        .unless_halted(Site::open(work, component, host))
        .await?;
    if site.undo_was_interrupted().await? {
        let done = site.undo().await?;
        let why = "the portal stopped while the old container was being returned; that is done now";
        return Err(
            StepError::advised(why, "look at the log above, and start a new run").after_undo(done),
        );
    }
    if !site.is_in_place().await? {
        let image = work.unless_halted(site.pull()).await?;
        if let Err(error) = site.put_in_place(&image).await {
            // What was lost with the connection is looked for by the next try.
            return Err(if is_lost(&error) {
                error
            } else {
                error.after_undo(site.undo().await?)
            });
        }
    }
    let mut output = Output::resume(&site).await?;
    match health::until_healthy(&site, &mut output).await {
        Ok(()) => {}
        Err(error) if is_lost(&error) => return Err(error),
        Err(error) => return Err(error.after_undo(site.undo().await?)),
    }
    let outcome = site.finish().await?;
    output.rest().await?;
    site.say(format!("{} is healthy", site.serving));
    Ok(outcome)
}

fn is_lost(error: &StepError) -> bool {
    matches!(
        error,
        StepError::Failed {
            transient: true,
            ..
        }
    )
}

/// A component on its host, seen from one run.
struct Site<'w> {
    work: &'w Work,
    name: &'w ComponentName,
    component: &'w Component,
    host: Host,
    engine: Engine,
    files: Files<'w>,
    env_file: Vec<(String, SecretString)>,
    digest: Digest,
    registries: Vec<&'w str>,
    /// The three names of the module's documentation.
    serving: String,
    next: String,
    before: String,
}

impl<'w> Site<'w> {
    async fn open(
        work: &'w Work,
        name: &'w ComponentName,
        host: &HostName,
    ) -> Result<Self, StepError> {
        let scene = &work.scene;
        let component = scene.manifest.components.get(name).ok_or_else(|| {
            StepError::fatal(format!("the manifest describes no component `{name}`"))
        })?;
        let (digest, registries) = work.pushed(name)?;
        let host = scene.host(host).await?;
        let engine = host.docker().await?;
        let serving = component.container.name.clone();
        let next = format!("{serving}.run-{}", scene.key);
        let before = format!("{serving}{BEFORE}{}", scene.key);
        let files = Files::of(work, component);
        // Read whether or not a container is to be made: what it holds must not be in the log of one that is there.
        let env_file = env_file::read(work, &host, component.container.env_file.as_deref()).await?;
        Ok(Self {
            work,
            name,
            component,
            host,
            engine,
            files,
            env_file,
            digest,
            registries,
            serving,
            next,
            before,
        })
    }

    fn say(&self, text: impl Into<String>) {
        self.work.log.say(text);
    }

    fn is_ours(&self, container: &Container) -> bool {
        container.labels.get(label::RUN) == Some(&self.work.scene.key)
    }

    /// The container under the serving name, when this run put it there.
    async fn ours(&self) -> Result<Option<Container>, StepError> {
        Ok(self
            .engine
            .inspect(&self.serving)
            .await?
            .filter(|container| self.is_ours(container)))
    }

    /// Whether the new container has taken the serving name; it may still have to be started.
    async fn is_in_place(&self) -> Result<bool, StepError> {
        let Some(container) = self.ours().await? else {
            return Ok(false);
        };
        if container.state == State::Created {
            self.say(format!("starting {}", self.serving));
            self.engine.start(&self.serving).await?;
        }
        Ok(true)
    }

    /// The old container is put aside, and nothing is left of the new one: only an undo leaves things so.
    async fn undo_was_interrupted(&self) -> Result<bool, StepError> {
        let aside = self.engine.inspect(&self.before).await?.is_some();
        let next = self.engine.inspect(&self.next).await?.is_some();
        let serving = self.engine.inspect(&self.serving).await?.is_some();
        Ok(aside && !next && !serving)
    }

    /// Brings the image to the host, by digest, from the first registry that gives it.
    async fn pull(&self) -> Result<String, StepError> {
        let scene = &self.work.scene;
        let mut last = None;
        for (tried, name) in self.registries.iter().enumerate() {
            let registry = scene.registry(name)?;
            let reference = format!("{}@{}", scene.image(registry, self.name), self.digest);
            if self.engine.image(&reference).await?.is_some() {
                self.say(format!("the host already has {reference}"));
                return Ok(reference);
            }
            self.say(format!("pulling {reference}"));
            let credentials = scene.credentials(registry)?;
            let log = &self.work.log;
            match self
                .engine
                .pull(&reference, credentials.as_ref(), |line| {
                    log.put(Stream::Out, line)
                })
                .await
            {
                Ok(_) => return Ok(reference),
                Err(error) => {
                    let error = StepError::from(error);
                    if tried + 1 < self.registries.len() {
                        let StepError::Failed { failure, .. } = &error else {
                            return Err(error);
                        };
                        let what = scene.redactor.redact_line(&failure.what).into_owned();
                        self.say(format!("{what}; trying the next registry"));
                    }
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or_else(|| StepError::fatal("the manifest names no registry to pull from")))
    }

    /// Makes the new container and gives it the serving name; the old one steps aside. The time without a container
    /// is that of stopping the old one and starting the new one, nothing else.
    async fn put_in_place(&self, image: &str) -> Result<(), StepError> {
        self.work.check()?;
        self.files.write(&self.host).await?;
        let grace = self.component.container.stop_timeout.duration();
        if self.engine.inspect(&self.next).await?.is_none() {
            let spec = spec::resolve(self, image)?;
            self.engine.create(&self.next, &spec).await?;
        }
        self.work.check()?;
        if let Some(old) = self.engine.inspect(&self.serving).await? {
            self.say(format!("stopping {} ({})", self.serving, described(&old)));
            self.engine.stop(&self.serving, grace).await?;
            self.engine.rename(&self.serving, &self.before).await?;
        }
        self.engine.rename(&self.next, &self.serving).await?;
        self.say(format!("starting {} from {image}", self.serving));
        self.engine.start(&self.serving).await?;
        Ok(())
    }

    /// Takes the new container away and returns the old one with its files. Can be repeated at any point.
    async fn undo(&self) -> Result<String, StepError> {
        let grace = self
            .component
            .container
            .stop_timeout
            .duration()
            .min(Duration::from_secs(10));
        if self.ours().await?.is_some() {
            self.engine.stop(&self.serving, grace).await?;
            self.engine.remove(&self.serving).await?;
        }
        self.engine.remove(&self.next).await?;
        self.files.restore(&self.host).await?;
        let serving = self.engine.inspect(&self.serving).await?;
        let old = match self.engine.inspect(&self.before).await? {
            Some(old) => {
                self.engine.rename(&self.before, &self.serving).await?;
                Some(old)
            }
            None => serving,
        };
        let done = match old {
            Some(old) => {
                self.engine.start(&self.serving).await?;
                format!(
                    "the container that ran before is back ({})",
                    described(&old)
                )
            }
            None => "the new container was removed; none ran before".to_owned(),
        };
        self.say(&done);
        Ok(done)
    }

    /// Keeps the last predecessors for a rollback and removes the ones before them.
    async fn finish(&self) -> Result<Outcome, StepError> {
        let replaced = self.engine.inspect(&self.before).await?.map(|old| old.id);
        self.files.keep(&self.host).await?;
        let aside = format!("{}{BEFORE}", self.serving);
        let component = format!("{}={}", label::COMPONENT, self.name);
        let mut kept = self.engine.list(&[&component]).await?;
        kept.retain(|container| container.name.starts_with(&aside));
        kept.sort_by_key(|container| std::cmp::Reverse(container.created_ms));
        for old in kept.into_iter().skip(KEPT) {
            self.engine.remove(&old.id).await?;
            self.say(format!("removed {}, an older predecessor", old.name));
        }
        let container = self.ours().await?.ok_or_else(|| {
            StepError::advised(
                format!("{} was healthy and is gone now", self.serving),
                "somebody removed it on the host; start a new run",
            )
        })?;
        Ok(Outcome::Deployed {
            container: container.id,
            digest: self.digest.clone(),
            replaced,
        })
    }
}

/// A container in a few words: its commit where Fairlead made it, else its image.
fn described(container: &Container) -> String {
    match container
        .labels
        .get(label::COMMIT)
        .and_then(|commit| commit.get(..7))
    {
        Some(commit) => format!("commit {commit}"),
        None => container.image.clone(),
    }
}
