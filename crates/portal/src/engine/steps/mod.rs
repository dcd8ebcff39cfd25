//! The steps: one file each. A step looks first, adopts what is already there, and only then acts, so that it can be
//! started again after a crash at any point.
mod build;
mod checkout;
mod deploy;
mod notify;
mod push;
mod tag;

use std::sync::Arc;
use std::time::Duration;

use adapters::docker::DockerError;
use adapters::git::GitError;
use adapters::registry::RegistryError;
use adapters::ssh::SshError;
use domain::run::{Failure, Run};
use domain::step::{Outcome, PlannedStep, StepKind};
use domain::when::duration;
use domain::{ComponentName, Digest};
use store::{Claim, StoreError};
use tokio::sync::watch;

use super::log::Log;
use super::scene::Scene;
use crate::Error;

/// Why a step should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    /// It should not.
    No,
    /// Somebody cancelled the run.
    Cancel,
    /// It took too long.
    Timeout,
}

/// A step at work.
pub(super) struct Work {
    pub(super) scene: Arc<Scene>,
    pub(super) claim: Claim,
    /// The run as it stood when the step started.
    pub(super) run: Run,
    pub(super) planned: PlannedStep,
    pub(super) halted: watch::Receiver<Halt>,
    pub(super) log: Log,
}

/// Why a step did not succeed.
#[derive(Debug)]
pub(super) enum StepError {
    /// It was told to stop and has undone what was half done.
    Halted {
        /// What that was.
        undone: Option<String>,
    },
    /// It failed.
    Failed {
        /// For people.
        failure: Failure,
        /// Whether the same may work a moment later.
        transient: bool,
    },
}

impl StepError {
    pub(super) fn fault(what: impl Into<String>) -> Failure {
        Failure {
            what: what.into(),
            advice: String::new(),
            undone: None,
        }
    }

    pub(super) fn fatal(what: impl Into<String>) -> Self {
        StepError::Failed {
            failure: Self::fault(what),
            transient: false,
        }
    }

    pub(super) fn advised(what: impl Into<String>, advice: impl Into<String>) -> Self {
        let failure = Failure {
            what: what.into(),
            advice: advice.into(),
            undone: None,
        };
        StepError::Failed {
            failure,
            transient: false,
        }
    }

    fn from_outside(error: impl std::fmt::Display, transient: bool) -> Self {
        StepError::Failed {
            failure: Self::fault(error.to_string()),
            transient,
        }
    }

    pub(super) fn too_slow(limit: Duration, undone: Option<String>) -> Self {
        let limit = duration(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
        let failure = Failure {
            what: format!("the step took longer than {limit} and was stopped"),
            advice: "look at its log for what it waited for; the limit is in the manifest where it can be set".into(),
            undone,
        };
        StepError::Failed {
            failure,
            transient: false,
        }
    }

    /// Adds what was done about the failure.
    pub(super) fn after_undo(self, done: String) -> Self {
        match self {
            StepError::Halted { .. } => StepError::Halted { undone: Some(done) },
            StepError::Failed { mut failure, .. } => {
                failure.undone = Some(done);
                // What was undone would be undone again: a person should look first.
                StepError::Failed {
                    failure,
                    transient: false,
                }
            }
        }
    }
}

macro_rules! outside {
    ($($error:ty),*) => {$(
        impl From<$error> for StepError {
            fn from(error: $error) -> Self {
                let transient = error.is_transient();
                Self::from_outside(error, transient)
            }
        }
    )*};
}
outside!(DockerError, SshError, GitError, RegistryError);

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::from_outside(error, false)
    }
}

impl From<Error> for StepError {
    fn from(error: Error) -> Self {
        Self::from_outside(error, false)
    }
}

impl Work {
    /// Waits for `doing`, or for the word to stop; then `doing` is dropped where it stands.
    async fn unless_halted<T, E: Into<StepError>>(
        &self,
        doing: impl Future<Output = Result<T, E>>,
    ) -> Result<T, StepError> {
        tokio::select! {
            done = doing => done.map_err(Into::into),
            () = self.halt() => Err(StepError::Halted { undone: None }),
        }
    }

    /// Returns once the step should stop.
    async fn halt(&self) {
        let mut halted = self.halted.clone();
        if halted.wait_for(|halt| *halt != Halt::No).await.is_err() {
            // Nobody is left who could say so.
            std::future::pending::<()>().await;
        }
    }

    /// A point at which the step can stop without having to undo anything.
    fn check(&self) -> Result<(), StepError> {
        match *self.halted.borrow() {
            Halt::No => Ok(()),
            Halt::Cancel | Halt::Timeout => Err(StepError::Halted { undone: None }),
        }
    }

    /// The image to deploy, as the steps before left it: the registries that have it, the first to pull from first.
    fn pushed(&self, component: &ComponentName) -> Result<(Digest, Vec<&str>), StepError> {
        let mut found: Option<Digest> = None;
        let mut places = Vec::new();
        for registry in &self.scene.manifest.registries {
            for planned in &self.run.plan.steps {
                let here = match &planned.step {
                    StepKind::Push {
                        component: c,
                        registry: r,
                    }
                    | StepKind::Tag {
                        component: c,
                        registry: r,
                        ..
                    } => c == component && *r == registry.name,
                    _ => false,
                };
                let Some(Outcome::Pushed { digest }) =
                    self.run.outcome(planned.id).filter(|_| here)
                else {
                    continue;
                };
                match &found {
                    None => found = Some(digest.clone()),
                    Some(other) if other == digest => {}
                    Some(other) => {
                        return Err(StepError::advised(
                            format!(
                                "the registries hold different images of {component}: {} and {}",
                                other.short(),
                                digest.short()
                            ),
                            "nothing was deployed; find out which registry is wrong, delete the tag there and retry the run",
                        ));
                    }
                }
                places.push(registry.name.as_str());
            }
        }
        let digest = found.ok_or_else(|| {
            StepError::fatal(format!("no step of this run left an image of {component}"))
        })?;
        Ok((digest, places))
    }
}

/// Does the step.
pub(super) async fn perform(work: &Work) -> Result<Outcome, StepError> {
    match &work.planned.step {
        StepKind::Checkout => work.unless_halted(checkout::checkout(work)).await,
        StepKind::Build { component, key } => {
            work.unless_halted(build::build(work, component, key)).await
        }
        StepKind::Push {
            component,
            registry,
        } => {
            work.unless_halted(push::push(work, component, registry))
                .await
        }
        StepKind::Tag {
            component,
            registry,
            digest,
        } => {
            work.unless_halted(tag::tag(work, component, registry, digest))
                .await
        }
        StepKind::Deploy { component, host } => deploy::deploy(work, component, host).await,
        StepKind::Notify => work.unless_halted(notify::notify(work)).await,
    }
}
