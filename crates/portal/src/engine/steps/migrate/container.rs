//! A migration in a container of the new image, on the component's host.
use std::time::Duration;

use adapters::docker::{Container, ContainerSpec, Engine, LogCursor, LogLine, Logs, State};
use adapters::ssh::{Host, Source};
use domain::log::Stream;
use domain::manifest::{Component, Container as Described, Migrate, Restart};
use domain::{ComponentName, Digest, HostName, Ms};
use secrecy::SecretString;
use store::NewLine;

use super::super::deploy::env_file;
use super::super::{StepError, Work, label, pull, readable_log};
use super::place::{Ending, News, Seen};
use super::record::Record;
use super::script::Told;
use super::variables;

/// How long it may take to end once it was asked to.
const GRACE: Duration = Duration::from_secs(20);
/// Between two looks at a container whose log ended before it did.
const PAUSE: Duration = Duration::from_millis(300);

/// Not every image has bash. The script's text is `$1`.
const SHELL: &str =
    r#"if command -v bash >/dev/null 2>&1; then exec bash -c "$1"; else exec sh -c "$1"; fi"#;

pub(super) struct InContainer<'w> {
    work: &'w Work,
    component: &'w Component,
    component_name: &'w ComponentName,
    host: Host,
    engine: Engine,
    digest: Digest,
    registries: Vec<&'w str>,
    env: Vec<(String, SecretString)>,
    name: String,
    cursor: LogCursor,
    logs: Option<Logs>,
}

impl<'w> InContainer<'w> {
    pub(super) async fn open(
        work: &'w Work,
        component_name: &'w ComponentName,
        component: &'w Component,
        wanted: &Migrate,
        host: &HostName,
        record: &Record,
    ) -> Result<Self, StepError> {
        let (digest, registries) = work.pushed(component_name)?;
        let host = work.scene.host(host).await?;
        let engine = host.docker().await?;
        let mut env = env_file::read(work, &host, component.container.env_file.as_deref()).await?;
        for (name, value) in &component.container.env {
            env.retain(|(other, _)| other != name); // `--env` wins over `--env-file`
            env.push((name.clone(), work.scene.value(value)?));
        }
        for (name, value) in variables(work, wanted) {
            env.push((name.to_owned(), value.into()));
        }
        Ok(Self {
            work,
            component,
            component_name,
            host,
            engine,
            digest,
            registries,
            env,
            name: format!("{}.migrate-{}", component.container.name, work.scene.key),
            cursor: record.in_container,
            logs: None,
        })
    }

    pub(super) fn described(&self) -> String {
        format!(
            "in the container {} on host {}",
            self.name,
            self.host.name()
        )
    }

    pub(super) fn traces(&self) -> String {
        format!("what it left is the container {} on the host", self.name)
    }

    /// The container of this step, if it is there as a whole.
    async fn ours(&self) -> Result<Option<Container>, StepError> {
        self.ours_called(&self.name).await
    }

    /// One of this name that is not of this step is somebody else's.
    async fn ours_called(&self, name: &str) -> Result<Option<Container>, StepError> {
        let found = self.engine.inspect(name).await?;
        match found {
            Some(found)
                if found.labels.get(label::RUN) != Some(&self.work.scene.key)
                    || found.labels.get(label::STEP) != Some(&self.work.planned.id.to_string()) =>
            {
                Err(StepError::advised(
                    format!("{name} is there and was not made by this step"),
                    "remove or rename it on the host and start a new run",
                ))
            }
            found => Ok(found),
        }
    }

    /// One that was made and never started has not run.
    pub(super) async fn look(&self) -> Result<Seen, StepError> {
        Ok(match self.ours().await?.map(|found| found.state) {
            None | Some(State::Created) => Seen::Absent,
            Some(_) => Seen::There,
        })
    }

    /// Brings the image; before anything is asked for that could not be repeated.
    pub(super) async fn prepare(&self) -> Result<String, StepError> {
        self.is_alone().await?;
        pull::pull(
            self.work,
            &self.engine,
            self.component_name,
            &self.digest,
            &self.registries,
        )
        .await
    }

    /// A migration that an earlier run had to leave at work gets no second one beside it.
    async fn is_alone(&self) -> Result<(), StepError> {
        let plan = &self.work.scene.plan;
        let labels = [
            format!("{}={}", label::PROJECT, plan.project),
            format!("{}={}", label::ENVIRONMENT, plan.environment),
            format!("{}={}", label::COMPONENT, self.component_name),
            label::STEP.to_owned(),
        ];
        let labels = labels.each_ref().map(String::as_str);
        let found = self.engine.list(&labels).await?;
        let at_work = |other: &Container| {
            let runs = matches!(other.state, State::Running | State::Paused);
            runs && other.name != self.name
        };
        match found.into_iter().find(at_work) {
            None => Ok(()),
            Some(other) => Err(StepError::advised(
                format!(
                    "a migration of an earlier run is still at work in {}",
                    other.name
                ),
                "let it come to its end, or stop it on the host and look at the database; then start a new run",
            )),
        }
    }

    pub(super) async fn start(&self, image: &str, script: &str) -> Result<(), StepError> {
        let state = match self.ours().await? {
            None => {
                self.create(image, script).await?;
                State::Created
            }
            Some(found) => found.state,
        };
        if state == State::Created {
            let started = self.engine.start(&self.name).await.map_err(StepError::from);
            if let Err(error) = started {
                let transient = matches!(
                    error,
                    StepError::Failed {
                        transient: true,
                        ..
                    }
                );
                if !transient && self.look().await? == Seen::Absent {
                    self.work.still_drives().await?;
                    self.engine.remove(&self.name).await?;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// It gets its name only once it is whole, with all its networks; what a portal left that was killed before is never
    /// started. That is removed by its name, which one that is at work does not have any more.
    async fn create(&self, image: &str, script: &str) -> Result<(), StepError> {
        let new = format!("{}.new", self.name);
        if self.ours_called(&new).await?.is_some() {
            self.engine.remove(&new).await?;
        }
        let spec = self.spec(image, script)?;
        let id = self.engine.create(&new, &spec).await?;
        self.engine.rename(&id, &self.name).await?;
        Ok(())
    }

    /// As the component's own container, but for what only a server needs.
    fn spec(&self, image: &str, script: &str) -> Result<ContainerSpec, StepError> {
        let scene = &self.work.scene;
        let Described {
            volumes,
            networks,
            hosts,
            user,
            memory,
            cpus,
            cap_add,
            cap_drop,
            ulimits,
            read_only,
            tmpfs,
            ..
        } = &self.component.container;
        let mut spec = ContainerSpec::new(image);
        spec.entrypoint = ["sh", "-c", SHELL, "sh", script].map(str::to_owned).into();
        spec.env = self.env.clone();
        spec.volumes = volumes.clone();
        spec.networks = networks.clone();
        for (name, value) in hosts {
            spec.hosts.push((name.clone(), scene.value(value)?));
        }
        spec.restart = Restart::No;
        spec.log = Some(readable_log());
        spec.user = user.clone();
        (spec.memory, spec.cpus) = (*memory, *cpus);
        (spec.cap_add, spec.cap_drop) = (cap_add.clone(), cap_drop.clone());
        spec.ulimits = ulimits
            .iter()
            .map(|(name, limit)| (name.clone(), *limit))
            .collect();
        spec.read_only = *read_only;
        spec.tmpfs = tmpfs
            .iter()
            .map(|(path, options)| (path.clone(), options.clone()))
            .collect();
        spec.labels.extend([
            (label::PROJECT.to_owned(), scene.plan.project.to_string()),
            (
                label::ENVIRONMENT.to_owned(),
                scene.plan.environment.to_string(),
            ),
            (label::COMPONENT.to_owned(), self.component_name.to_string()),
            (label::COMMIT.to_owned(), scene.plan.commit.sha.to_string()),
            (label::DIGEST.to_owned(), self.digest.to_string()),
            (label::RUN.to_owned(), scene.key.clone()),
            (label::STEP.to_owned(), self.work.planned.id.to_string()),
        ]);
        Ok(spec)
    }

    pub(super) async fn next(&mut self) -> Result<News, StepError> {
        let logs = match &mut self.logs {
            Some(logs) => logs,
            empty => {
                let secrets = self.work.log.redactor();
                let logs = self.engine.logs(&self.name, self.cursor, true, secrets);
                empty.insert(logs.await?)
            }
        };
        match logs.next().await {
            Ok(Some(batch)) => {
                self.cursor = logs.cursor();
                Ok(News {
                    lines: batch.into_iter().map(line).collect(),
                    end: None,
                })
            }
            Ok(None) => {
                self.logs = None;
                let end = self.end().await?;
                if end.is_none() {
                    tokio::time::sleep(PAUSE).await;
                }
                Ok(News {
                    lines: Vec::new(),
                    end,
                })
            }
            Err(error) => {
                self.logs = None;
                Err(error.into())
            }
        }
    }

    async fn end(&self) -> Result<Option<Ending>, StepError> {
        let Some(found) = self.ours().await? else {
            return Ok(Some(Ending::Unknown(
                "its container is gone: somebody removed it on the host".into(),
            )));
        };
        let memory = if found.out_of_memory {
            " because it ran out of memory"
        } else {
            ""
        };
        Ok(match found.state {
            State::Exited { code } => Some(Ending::Exit {
                success: code == 0,
                status: format!("exit status {code}{memory}"),
            }),
            State::Dead | State::Removing => Some(Ending::Unknown(
                "its container is being removed on the host".into(),
            )),
            State::Created | State::Running | State::Paused | State::Restarting => None,
        })
    }

    pub(super) fn note(&self, record: &mut Record) {
        record.in_container = self.cursor;
    }

    pub(super) async fn terminate(&self) -> Result<bool, StepError> {
        self.engine.stop(&self.name, GRACE).await?;
        Ok(true)
    }

    /// From the first one on, the lines that tell something besides the log, of one that has ended.
    pub(super) async fn all(&self) -> Result<Vec<NewLine>, StepError> {
        let secrets = self.work.log.redactor();
        let logs = (self.engine).logs(&self.name, LogCursor::default(), false, secrets);
        let mut logs = logs.await?;
        let mut lines = Vec::new();
        while let Some(batch) = logs.next().await? {
            let told = batch.into_iter().map(line);
            lines.extend(told.filter(|line| Told::may_take(&line.text)));
        }
        Ok(lines)
    }

    pub(super) async fn remove(&self) -> Result<(), StepError> {
        Ok(self.engine.remove(&self.name).await?)
    }
}

fn line(line: LogLine) -> NewLine {
    NewLine {
        at: Ms(line.at_ns / 1_000_000),
        stream: match line.source {
            Source::Stdout => Stream::Out,
            Source::Stderr => Stream::Err,
        },
        text: String::from_utf8_lossy(&line.text).into_owned(),
    }
}
