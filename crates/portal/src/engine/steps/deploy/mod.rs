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
//!
//! A step that was ever started and does not succeed goes through [`Site::settle`](unwind), whatever stopped it: it
//! looks at the host and puts it back, or leaves that to its next try, or says how it had to leave the host.
pub(super) mod env_file;
mod files;
mod front;
mod health;
mod left;
mod output;
mod policy;
mod spec;
mod unwind;

use std::sync::atomic::{AtomicBool, Ordering};

use adapters::docker::{Container, Engine, RestartPolicy, State};
use adapters::ssh::Host;
use domain::manifest::Component;
use domain::step::Outcome;
use domain::{ComponentName, Digest, HostName};
use secrecy::SecretString;

use self::files::Files;
use self::front::Front;
use self::output::Output;
use super::{StepError, Work, label, pull};

/// Stands between the serving name and the run in the name of a container that is not yet in its place.
const NEXT: &str = ".run-";
/// Stands between the serving name and the run in the name of a container that stepped aside.
const BEFORE: &str = ".before-";
/// How many stopped predecessors are kept beside the container that serves.
pub(super) const KEPT: usize = 2;

pub(super) async fn deploy(
    work: &Work,
    component: &ComponentName,
    host: &HostName,
) -> Result<Outcome, StepError> {
    if work.first {
        work.check()?;
    }
    let site = match Site::open(work, component, host).await {
        Ok(site) => site,
        Err(error) if work.first => {
            work.check()?;
            return Err(error);
        }
        Err(error) if error.is_transient() && work.may_try_again() => return Err(error),
        Err(error) => {
            let unknown = work.left_unknown().unwrap_or_default();
            return Err(error.after_undo(unknown));
        }
    };
    match site.converge().await {
        Ok(outcome) => Ok(outcome),
        Err(error) => Err(site.settle(error).await),
    }
}

/// A component on its host, seen from one run.
struct Site<'w> {
    work: &'w Work,
    name: &'w ComponentName,
    component: &'w Component,
    host: Host,
    engine: Engine,
    files: Files<'w>,
    front: Option<Front<'w>>,
    /// The three names of the module's documentation.
    serving: String,
    next: String,
    before: String,
    /// Whether this try has begun to put the old container aside.
    begun: AtomicBool,
}

/// What is to run there.
struct Wanted<'w> {
    digest: Digest,
    registries: Vec<&'w str>,
    env_file: Vec<(String, SecretString)>,
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
        let host = scene.host(host).await?;
        let engine = host.docker().await?;
        let serving = component.container.name.clone();
        Ok(Self {
            work,
            name,
            component,
            host,
            engine,
            files: Files::of(work, component),
            front: Front::of(work, component),
            next: format!("{serving}{NEXT}{}", scene.key),
            before: format!("{serving}{BEFORE}{}", scene.key),
            serving,
            begun: AtomicBool::new(false),
        })
    }

    fn say(&self, text: impl Into<String>) {
        self.work.log.say(text);
    }

    /// Looks how far an earlier try has come and goes on from there, until the new container is healthy.
    async fn converge(&self) -> Result<Outcome, StepError> {
        self.work.check()?;
        if self.undo_was_interrupted().await? {
            let why = "an earlier try failed and broke off while it returned the old container; that is done now";
            return Err(StepError::advised(
                why,
                "look at the log above, and start a new run",
            ));
        }
        let (digest, registries) = self.work.pushed(self.name)?;
        // Read whether or not a container is to be made: what it holds must not be in the log of one that is there.
        let path = self.component.container.env_file.as_deref();
        let env_file = env_file::read(self.work, &self.host, path).await?;
        let wanted = Wanted {
            digest,
            registries,
            env_file,
        };
        if !self.is_in_place().await? {
            self.put_right().await?;
            if let Some(front) = &self.front {
                // Nothing is stopped for a configuration that cannot be put in its place.
                front.host(self).await?;
            }
            let image = self.work.unless_halted(self.pull(&wanted)).await?;
            self.put_in_place(&wanted, &image).await?;
        }
        let mut output = Output::resume(self).await?;
        let verdict = health::until_healthy(self, &mut output).await;
        if !matches!(verdict, Err(StepError::Lost)) {
            output.rest().await;
        }
        let new = verdict?;
        if let Some(front) = &self.front {
            front.put_in_place(self).await?;
        }
        self.say(format!("{} is healthy", self.serving));
        let replaced = self.tidy().await.unwrap_or_else(|error| {
            // It serves, and nothing that is left over disturbs it.
            self.say(format!("not everything could be tidied up: {error}"));
            None
        });
        Ok(Outcome::Deployed {
            container: new.id,
            digest: wanted.digest,
            replaced,
        })
    }

    /// The container under the serving name. Two projects or environments may share a host, but not a container.
    async fn standing(&self) -> Result<Option<Container>, StepError> {
        let standing = self.engine.inspect(&self.serving).await?;
        if let Some(other) = standing.as_ref().filter(|found| self.is_foreign(found)) {
            let label = |name| other.labels.get(name).map_or("?", String::as_str);
            return Err(StepError::advised(
                format!(
                    "{} on host {} belongs to project `{}`, environment `{}`",
                    self.serving,
                    self.host.name(),
                    label(label::PROJECT),
                    label(label::ENVIRONMENT),
                ),
                "give one of the two another `container.name` in its manifest, or remove that container on the host",
            ));
        }
        Ok(standing)
    }

    /// Whether a container says that it is of another project or environment. One that was made by hand says nothing.
    fn is_foreign(&self, container: &Container) -> bool {
        let plan = &self.work.scene.plan;
        let differs = |name, ours: &str| {
            let found = container.labels.get(name);
            found.is_some_and(|found| found != ours)
        };
        differs(label::PROJECT, plan.project.as_str())
            || differs(label::ENVIRONMENT, plan.environment.as_str())
    }

    /// Whether a container was made by Fairlead for this component, in any run.
    fn is_related(&self, container: &Container) -> bool {
        let environment = container.labels.contains_key(label::ENVIRONMENT);
        let component = container.labels.get(label::COMPONENT).map(String::as_str);
        environment && component == Some(self.name.as_str()) && !self.is_foreign(container)
    }

    /// Whether the new container has taken the serving name; it may still have to be started.
    async fn is_in_place(&self) -> Result<bool, StepError> {
        let standing = self.engine.inspect(&self.serving).await?;
        let Some(ours) = standing.filter(|found| is_of(found, &self.work.scene.key)) else {
            return Ok(false);
        };
        if ours.state == State::Created {
            self.say(format!("starting {}", self.serving));
            self.engine.start(&self.serving).await?;
        }
        Ok(true)
    }

    async fn pull(&self, wanted: &Wanted<'_>) -> Result<String, StepError> {
        pull::pull(
            self.work,
            &self.engine,
            self.name,
            &wanted.digest,
            &wanted.registries,
        )
        .await
    }

    /// Makes the new container and gives it the serving name; the old one steps aside. The time without a container
    /// is that of stopping the old one and starting the new one, nothing else.
    async fn put_in_place(&self, wanted: &Wanted<'_>, image: &str) -> Result<(), StepError> {
        self.work.check()?;
        self.files.write(&self.host).await?;
        let grace = self.component.container.stop_timeout.duration();
        let spec = spec::resolve(self, wanted, image)?;
        if spec.networks.len() > 1 {
            // Networks are joined after it was made: one of an earlier try may lack some.
            self.work.still_drives().await?;
            self.engine.remove(&self.next).await?;
        }
        if self.engine.inspect(&self.next).await?.is_none() {
            self.engine.create(&self.next, &spec).await?;
        }
        self.work.check()?;
        if let Some(old) = self.standing().await? {
            self.work.still_drives().await?;
            self.begun.store(true, Ordering::Relaxed);
            self.say(format!("stopping {} ({})", self.serving, described(&old)));
            if old.restart != RestartPolicy::NO {
                self.keep_policy(&old).await?;
                // Dockerd would start it again at its own next start, and it would fight for the port.
                self.engine
                    .set_restart(&self.serving, RestartPolicy::NO)
                    .await?;
            }
            self.engine.stop(&self.serving, grace).await?;
            self.work.still_drives().await?;
            self.engine.rename(&self.serving, &self.before).await?;
        }
        self.engine.rename(&self.next, &self.serving).await?;
        self.say(format!("starting {} from {image}", self.serving));
        self.engine.start(&self.serving).await?;
        Ok(())
    }

    /// Keeps the last predecessors for a rollback and removes the ones before them. Gives the one of this run.
    async fn tidy(&self) -> Result<Option<String>, StepError> {
        let replaced = self.engine.inspect(&self.before).await?.map(|old| old.id);
        self.files.keep(&self.host).await?;
        if let Some(front) = &self.front {
            front.keep(self).await?;
        }
        let mut kept = self
            .engine
            .named(&format!("{}{BEFORE}", self.serving))
            .await?;
        kept.retain(|container| self.is_related(container));
        kept.sort_by_key(|container| std::cmp::Reverse(container.created_ms));
        for old in kept.into_iter().skip(KEPT) {
            self.work.still_drives().await?;
            self.engine.remove(&old.id).await?;
            self.say(format!("removed {}, an older predecessor", old.name));
        }
        Ok(replaced)
    }
}

/// Whether a container is the new one of the run with this key.
fn is_of(container: &Container, key: &str) -> bool {
    container
        .labels
        .get(label::RUN)
        .is_some_and(|run| run == key)
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
