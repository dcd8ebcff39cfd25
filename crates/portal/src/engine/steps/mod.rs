//! The steps: one file each. A step looks first, adopts what is already there, and only then acts, so that it can be
//! started again after a crash at any point.
mod build;
mod checkout;
mod deploy;
mod images;
mod label;
mod lint;
mod migrate;
mod notify;
mod pull;
mod push;
mod tag;
mod test;

use std::sync::Arc;
use std::time::Duration;

use adapters::docker::DockerError;
use adapters::git::GitError;
use adapters::nginx::NginxError;
use adapters::registry::RegistryError;
use adapters::ssh::SshError;
use domain::manifest::LogDriver;
use domain::plan::Plan;
use domain::report::{Artifact, Content};
use domain::run::{Failure, Run};
use domain::step::{Outcome, PlannedStep, StepKind};
use domain::when::duration;
use domain::{ComponentName, Digest};
use indexmap::IndexMap;
use store::{Claim, StoreError};
use tokio::sync::watch;

pub(super) use notify::put as put_messages;

use super::log::{Log, LogError};
use super::scene::Scene;
use crate::{Error, now};
pub(super) use test::sweep;

/// How long a step that was told to stop may take to undo what it has half done.
pub(super) const UNDO: Duration = Duration::from_secs(180);
/// The pause between two questions to a store that does not answer.
const PAUSE: Duration = Duration::from_millis(500);

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
    /// Whether nothing of this step can have been done before.
    pub(super) first: bool,
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
    /// Another portal drives the run now: this one must not touch anything any more.
    Lost,
}

impl StepError {
    pub(super) fn fault(what: impl Into<String>) -> Failure {
        Failure {
            what: what.into(),
            advice: String::new(),
            undone: None,
            counts_always: false,
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
            counts_always: false,
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
            counts_always: false,
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
            StepError::Lost => StepError::Lost,
        }
    }

    /// The same, for what counts even where the plan lets the step fail.
    pub(super) fn counts_always(mut self) -> Self {
        if let StepError::Failed { failure, .. } = &mut self {
            failure.counts_always = true;
        }
        self
    }

    /// Whether the same may work a moment later.
    pub(super) fn is_transient(&self) -> bool {
        matches!(
            self,
            StepError::Failed {
                transient: true,
                ..
            }
        )
    }
}

impl std::fmt::Display for StepError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StepError::Halted { .. } => f.write_str("it was told to stop"),
            StepError::Failed { failure, .. } => f.write_str(&failure.what),
            StepError::Lost => f.write_str("another portal drives the run now"),
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
outside!(DockerError, SshError, GitError, RegistryError, NginxError);

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::LostLease { .. } => StepError::Lost,
            error => {
                let transient = error.is_transient();
                Self::from_outside(error, transient)
            }
        }
    }
}

impl From<LogError> for StepError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::LostLease => StepError::Lost,
            LogError::Unstored(why) => StepError::fatal(why),
        }
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

    /// Leaves something to look at besides the log. It may hold what secrets hold; that is taken out here.
    async fn leave(&self, name: &str, mut content: Content) -> Result<(), StepError> {
        match &mut content {
            Content::Text(text) => self.log.clean(text),
            Content::Findings(findings) => {
                for finding in findings {
                    self.log.clean(&mut finding.message);
                }
            }
            Content::Tests(report) => {
                for failure in &mut report.failures {
                    self.log.clean(&mut failure.name);
                    self.log.clean(&mut failure.message);
                }
            }
        }
        let artifact = Artifact {
            step: self.planned.id,
            name: name.to_owned(),
            content,
        };
        let store = &self.scene.portal.parts().store;
        self.patiently(|| store.put_artifact(&self.claim, &artifact, now()))
            .await
    }

    /// See [`left_unknown`].
    pub(super) fn left_unknown(&self) -> Option<String> {
        left_unknown(&self.planned.step, &self.scene.plan, &self.scene.key)
    }

    /// Whether another try follows when this one fails for a reason that may pass.
    fn may_try_again(&self) -> bool {
        let tried = self.run.steps[self.planned.id.index()].attempt;
        tried < self.planned.retry.attempts && *self.halted.borrow() != Halt::Timeout
    }

    /// Asks the store until it answers: that a database is away for a moment is no reason to undo what works.
    async fn patiently<T, A>(&self, ask: impl Fn() -> A) -> Result<T, StepError>
    where
        A: Future<Output = Result<T, StoreError>>,
    {
        loop {
            match ask().await {
                Err(error) if error.is_transient() => tokio::time::sleep(PAUSE).await,
                answer => return Ok(answer?),
            }
        }
    }

    /// Returns while this portal drives the run; to be asked right before something is taken away from a host. One
    /// that was away for too long would else take away what its successor has put there.
    async fn still_drives(&self) -> Result<(), StepError> {
        let store = &self.scene.portal.parts().store;
        self.patiently(|| store.heartbeat(&self.claim, now())).await
    }

    /// The image to deploy, as the steps before left it: the registries that have it, the first to pull from first.
    fn pushed(&self, component: &ComponentName) -> Result<(Digest, Vec<&str>), StepError> {
        let registries = self.scene.manifest.registries.iter();
        let taken = registries.flat_map(|registry| {
            let name = registry.name.as_str();
            let steps = self.run.plan.steps.iter().filter(move |planned| {
                matches!(
                    &planned.step,
                    StepKind::Push { component: c, registry: r }
                    | StepKind::Tag { component: c, registry: r, .. } if c == component && r == name
                )
            });
            steps.filter_map(move |planned| match self.run.outcome(planned.id) {
                Some(Outcome::Pushed { digest, .. }) => Some((name, digest)),
                _ => None,
            })
        });
        agreed(component, taken)
    }

    /// Returns where every component has its image: nothing is done to servers and databases for images that then
    /// cannot be deployed.
    fn all_pushed(&self) -> Result<(), StepError> {
        let mut names = self.scene.manifest.components.keys();
        names.try_for_each(|name| self.pushed(name).map(drop))
    }
}

/// The one image that all of these registries took, and which they are.
fn agreed<'r>(
    component: &ComponentName,
    taken: impl Iterator<Item = (&'r str, &'r Digest)>,
) -> Result<(Digest, Vec<&'r str>), StepError> {
    let mut found: Option<&Digest> = None;
    let mut places = Vec::new();
    for (registry, digest) in taken {
        match found {
            Some(other) if other != digest => {
                return Err(StepError::advised(
                    format!(
                        "the registries hold different images of {component}: {} and {}",
                        other.short(),
                        digest.short()
                    ),
                    "nothing was deployed; find out which registry is wrong, delete the tag there and retry the run",
                ));
            }
            _ => found = Some(digest),
        }
        places.push(registry);
    }
    let digest = found.cloned().ok_or_else(|| {
        StepError::advised(
            format!("no step of this run left an image of {component} in a registry"),
            "look at the steps that push and tag it, and deploy again",
        )
    })?;
    Ok((digest, places))
}

/// What is known of a step that could not look again, after a try that broke off, at what it may have left. `key` is
/// that of the run.
pub(super) fn left_unknown(step: &StepKind, plan: &Plan, key: &str) -> Option<String> {
    Some(match step {
        StepKind::Deploy { component, host } => format!(
            "nothing: host {host} could not be looked at. If the log says that the old container of {component} was stopped, \
             it is there under a name with `.before-` in it; a new run starts with returning it, once the host can be reached"
        ),
        StepKind::Migrate { component, host } => format!(
            "nothing: host {host} could not be looked at. If the log says that the migration of {component} was started, it \
             may be at work there still, or have come to its end: look into ~/.fairlead/{}, or at what `docker ps -a --filter \
             label={}={key}` lists, and at the database before you start a new run",
            migrate::called(plan, component, key),
            label::RUN,
        ),
        StepKind::Test { passed: None, .. } => format!(
            "nothing: the builder could not be looked at. What the tests have left there, `docker ps -a --filter \
             label={}={key}` lists; it is removed by itself once the run has ended",
            label::RUN,
        ),
        _ => return None,
    })
}

/// The log driver that can be read back for certain, whatever the engine's own is: for a container of which the step must
/// hear everything.
fn readable_log() -> LogDriver {
    LogDriver {
        driver: "json-file".into(),
        options: IndexMap::new(),
    }
}

/// Whether something is to be cleared away once the step has succeeded.
pub(super) fn leaves_something(step: &StepKind) -> bool {
    matches!(
        step,
        StepKind::Test { passed: None, .. } | StepKind::Deploy { .. }
    )
}

/// Clears away what a step has left that succeeded. It can be done again after a crash at any point.
pub(super) async fn clear_up(work: &Work) {
    match &work.planned.step {
        StepKind::Test { component, .. } => test::clear_up(work, component).await,
        StepKind::Deploy { component, host } => images::tidy(work, component, host).await,
        _ => {}
    }
}

/// Does the step.
pub(super) async fn perform(work: &Work) -> Result<Outcome, StepError> {
    if let Some(warning) = work.scene.warning() {
        work.log.say(warning);
    }
    match &work.planned.step {
        StepKind::Checkout => work.unless_halted(checkout::checkout(work)).await,
        StepKind::Lint { workflows } => work.unless_halted(lint::lint(work, workflows)).await,
        StepKind::Test {
            passed: Some(run), ..
        } => Ok(Outcome::Nothing {
            why: format!("these tests passed on the same source in run #{run}"),
        }),
        StepKind::Test { component, .. } => test::test(work, component).await,
        StepKind::Migrate { component, host } => migrate::migrate(work, component, host).await,
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
            ..
        } => {
            work.unless_halted(tag::tag(work, component, registry, digest))
                .await
        }
        StepKind::Deploy { component, host } => {
            work.all_pushed()?;
            deploy::deploy(work, component, host).await
        }
        StepKind::Notify => work.unless_halted(notify::notify(work)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_deployed_only_where_all_registries_that_took_it_agree() {
        let component = ComponentName::parse("web").unwrap();
        let [one, other] =
            ["1", "2"].map(|n| Digest::parse(format!("sha256:{}", n.repeat(64))).unwrap());
        let taken = |taken: &[(&'static str, &Digest)]| {
            agreed(&component, taken.iter().copied())
                .map(|(digest, places)| (digest, places.join(" ")))
                .map_err(|error| error.to_string())
        };
        assert_eq!(
            taken(&[("docr", &one), ("ghcr", &one)]),
            Ok((one.clone(), "docr ghcr".into()))
        );
        let refused = taken(&[("docr", &one), ("ghcr", &other)]).unwrap_err();
        for said in ["different images of web", one.short(), other.short()] {
            assert!(refused.contains(said), "{refused}");
        }
        assert!(taken(&[]).unwrap_err().contains("no step of this run"));
    }
}
