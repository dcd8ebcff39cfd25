//! The place on the builder where one step's tests run: its names, its labels, and how it is cleared.
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use adapters::docker::{ContainerSpec, DockerError, Engine};
use domain::ComponentName;
use domain::manifest::{Test, Value};
use domain::when::duration;
use indexmap::IndexMap;
use secrecy::SecretString;
use tokio::time::{Instant, sleep};

use super::super::{Halt, StepError, Work, label, readable_log};

/// How long clearing is tried while the engine does not answer or is still busy with what is to go.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);

/// How the names of networks and containers begin; the run's key and the step's number follow.
const NAMED: &str = "fairlead-test-";

/// The key of the run in whose tests something of this name was used.
pub(super) fn key_in(name: &str) -> Option<&str> {
    let rest = name.strip_prefix(NAMED)?;
    // The key holds one `-` itself.
    let (at, _) = rest.match_indices('-').nth(1)?;
    Some(&rest[..at])
}

/// See the module.
pub(super) struct Bench<'w> {
    pub(super) work: &'w Work,
    pub(super) name: &'w ComponentName,
    pub(super) test: &'w Test,
    pub(super) engine: Engine,
    /// What is being done, for the one who asks why it took so long.
    doing: Mutex<String>,
}

impl<'w> Bench<'w> {
    pub(super) async fn open(work: &'w Work, name: &'w ComponentName) -> Result<Self, StepError> {
        let component = work.scene.manifest.components.get(name);
        let test = component.and_then(|component| component.test.as_ref());
        let test = test.ok_or_else(|| {
            StepError::fatal(format!("the manifest describes no tests of `{name}`"))
        })?;
        Ok(Self {
            work,
            name,
            test,
            engine: work.scene.builder().await?,
            doing: Mutex::default(),
        })
    }

    pub(super) fn say(&self, text: impl Into<String>) {
        self.work.log.say(text);
    }

    /// Notes what begins now, as the end of a sentence: `` `npm test` was at work ``.
    pub(super) fn doing(&self, what: impl Into<String>) {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = what.into();
    }

    /// The network, and the start of the containers' names. No other step of any run has it.
    pub(super) fn network(&self) -> String {
        format!("{NAMED}{}-{}", self.work.scene.key, self.work.planned.id)
    }

    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        let plan = &self.work.scene.plan;
        [
            (label::PROJECT, plan.project.to_string()),
            (label::COMPONENT, self.name.to_string()),
            (label::COMMIT, plan.commit.sha.to_string()),
            (label::RUN, self.work.scene.key.clone()),
            (label::STEP, self.work.planned.id.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// A container on the network of these tests.
    pub(super) fn container(
        &self,
        image: &str,
        env: &IndexMap<String, Value>,
    ) -> Result<ContainerSpec, StepError> {
        let resolved = |(name, value): (&String, &Value)| {
            Ok::<(String, SecretString), StepError>((name.clone(), self.work.scene.value(value)?))
        };
        Ok(ContainerSpec {
            env: env.iter().map(resolved).collect::<Result<_, _>>()?,
            networks: vec![self.network()],
            labels: self.labels(),
            log: Some(readable_log()),
            ..ContainerSpec::new(image)
        })
    }

    /// The same for one who clears up: a builder that does not answer is asked again for a while.
    pub(super) async fn open_patiently(
        work: &'w Work,
        name: &'w ComponentName,
    ) -> Result<Self, StepError> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            match Self::open(work, name).await {
                Err(error) if error.is_transient() && Instant::now() < give_up => {
                    sleep(PAUSE).await;
                }
                opened => return opened,
            }
        }
    }

    /// Removes all that is labelled with this step: containers with their volumes, then the network. True when there
    /// was something.
    pub(super) async fn clear(&self) -> Result<bool, StepError> {
        let give_up = Instant::now() + PATIENCE;
        let mut some = false;
        loop {
            // Another portal gives its own tests these names and labels, and it may have taken over since the last look.
            self.work.still_drives().await?;
            match self.clear_once(&mut some).await {
                Ok(()) => return Ok(some),
                Err(error) if Instant::now() > give_up => return Err(error.into()),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    async fn clear_once(&self, some: &mut bool) -> Result<(), DockerError> {
        let (run, step) = (
            of_run(self.work),
            format!("{}={}", label::STEP, self.work.planned.id),
        );
        let labels = [run.as_str(), step.as_str()];
        for container in self.engine.list(&labels).await? {
            self.engine.remove(&container.id).await?;
            *some = true;
        }
        for network in self.engine.networks(&labels).await? {
            self.engine.remove_network(&network.id).await?;
            *some = true;
        }
        Ok(())
    }

    /// Says of tests that took too long what they were at.
    pub(super) fn in_time<T>(&self, result: Result<T, StepError>) -> Result<T, StepError> {
        match result {
            Err(StepError::Halted { .. }) if *self.work.halted.borrow() == Halt::Timeout => {
                let limit = i64::try_from(self.test.timeout.0).unwrap_or(i64::MAX);
                let doing = self.doing.lock().unwrap_or_else(PoisonError::into_inner);
                Err(StepError::advised(
                    format!(
                        "the tests took longer than {} and were stopped: {doing}",
                        duration(limit)
                    ),
                    "the end of the log shows how far they came; where they need more time, raise `test.timeout` in the manifest",
                ))
            }
            other => other,
        }
    }
}

/// Says of what is still on the builder how to get rid of it.
pub(super) fn say_what_is_left(work: &Work, error: &StepError) {
    work.log.say(format!(
        "what the tests left on the builder cannot be removed: {error}; it is tried again every hour, or remove by hand what `docker ps -a --filter label={}` lists",
        of_run(work),
    ));
}

/// The label that everything of this run has.
fn of_run(work: &Work) -> String {
    format!("{}={}", label::RUN, work.scene.key)
}

#[cfg(test)]
mod tests {
    use super::key_in;

    #[test]
    fn a_name_tells_the_run() {
        for (name, key) in [
            ("fairlead-test-12-19a3f-7", Some("12-19a3f")),
            ("fairlead-test-12-19a3f-7-db", Some("12-19a3f")),
            ("fairlead-test-12-19a3f", None),
            ("pm-backend.migrate-12-19a3f", None),
        ] {
            assert_eq!(key_in(name), key, "{name}");
        }
    }
}
