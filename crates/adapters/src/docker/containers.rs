//! Containers: create, start, stop, look at.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use bollard::{
    errors::Error as BollardError,
    models::{
        ContainerInspectResponse, ContainerStateStatusEnum, ContainerUpdateBody, HealthStatusEnum,
        NetworkConnectRequest,
    },
    query_parameters::{
        KillContainerOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
        RenameContainerOptionsBuilder, StopContainerOptionsBuilder, WaitContainerOptions,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use hyper::Method;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    engine::{Engine, QUICK, SLOW},
    error::DockerError,
    failure::{About, Failure},
    restart::RestartPolicy,
    spec::ContainerSpec,
};

/// A container as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The full id.
    pub id: String,
    /// The name, without the engine's leading slash.
    pub name: String,
    /// The image as it was asked for.
    pub image: String,
    /// The image's id, `sha256:…`.
    pub image_id: String,
    /// Its labels, the image's among them.
    pub labels: BTreeMap<String, String>,
    /// The TCP ports that it says it serves: those of its image and those that are published.
    pub ports: Vec<u16>,
    /// The folder that its program starts in; empty for the root.
    pub workdir: String,
    /// What it does.
    pub state: State,
    /// What its health check says.
    pub health: Health,
    /// Whether it was killed for using too much memory.
    pub out_of_memory: bool,
    /// When the engine starts it again.
    pub restart: RestartPolicy,
    /// How often the engine started it again.
    pub restarts: i64,
    /// Milliseconds since 1970 by the engine's clock.
    pub created_ms: i64,
    /// The last start, if there was one; milliseconds since 1970 by the engine's clock.
    pub started_ms: Option<i64>,
    /// Its output is a terminal's: one stream, without frames.
    pub(super) tty: bool,
}

/// What a container does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Never started.
    Created,
    /// Its program runs.
    Running,
    /// Its program is frozen.
    Paused,
    /// Its program ended and will be started again.
    Restarting,
    /// Its program ended.
    Exited {
        /// With this status; 128 + n after signal n.
        code: i64,
    },
    /// It is being removed.
    Removing,
    /// It could not be removed.
    Dead,
}

/// What a container's health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// There is none.
    Unchecked,
    /// Not known yet.
    Starting,
    /// It passes.
    Healthy,
    /// It fails.
    Unhealthy,
}

impl Engine {
    /// Creates a container, without starting it, and gives its id.
    ///
    /// Errors: [`DockerError::Conflict`] when the name is in use, [`DockerError::ImageMissing`].
    pub async fn create(&self, name: &str, spec: &ContainerSpec) -> Result<String, DockerError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Created {
            id: String,
        }
        let created: Created = self
            .call(SLOW, About::Container(name), async {
                let body = serde_json::to_vec(&spec.to_body())
                    .map_err(|error| Failure::Odd(error.to_string()))?;
                let path = format!("/containers/create?name={}", encode(name));
                self.control.json(Method::POST, &path, Some(body)).await
            })
            .await?;
        for network in spec.networks.iter().skip(1) {
            let joined = self
                .call(SLOW, About::Network(network), async {
                    let request = NetworkConnectRequest {
                        container: created.id.clone(),
                        endpoint_config: None,
                    };
                    Ok(self
                        .control
                        .docker
                        .connect_network(network, request)
                        .await?)
                })
                .await;
            if let Err(error) = joined {
                // Half a container under the wanted name would be adopted as a whole one.
                self.remove(&created.id).await?;
                return Err(error);
            }
        }
        Ok(created.id)
    }

    /// Starts a container; nothing happens when it runs already.
    ///
    /// Errors: [`DockerError::PortTaken`] among others.
    pub async fn start(&self, container: &str) -> Result<(), DockerError> {
        self.call(SLOW, About::Container(container), async {
            Ok(self.control.docker.start_container(container, None).await?)
        })
        .await
    }

    /// Asks the program to end, and kills it after `grace`; nothing happens when it does not run.
    pub async fn stop(&self, container: &str, grace: Duration) -> Result<(), DockerError> {
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        self.call(grace + SLOW, About::Container(container), async {
            let options = StopContainerOptionsBuilder::new().t(seconds).build();
            Ok(self
                .control
                .docker
                .stop_container(container, Some(options))
                .await?)
        })
        .await
    }

    /// Sends a signal (`SIGKILL`, `SIGHUP`, …). Errors: [`DockerError::Conflict`] when it does not run.
    pub async fn kill(&self, container: &str, signal: &str) -> Result<(), DockerError> {
        self.call(SLOW, About::Container(container), async {
            let options = KillContainerOptionsBuilder::new().signal(signal).build();
            Ok(self
                .control
                .docker
                .kill_container(container, Some(options))
                .await?)
        })
        .await
    }

    /// Sets when the engine starts a container again; whether it runs now does not change.
    pub async fn set_restart(
        &self,
        container: &str,
        policy: RestartPolicy,
    ) -> Result<(), DockerError> {
        self.call(QUICK, About::Container(container), async {
            let body = ContainerUpdateBody {
                restart_policy: Some(policy.into()),
                ..ContainerUpdateBody::default()
            };
            Ok(self
                .control
                .docker
                .update_container(container, body)
                .await?)
        })
        .await
    }

    /// Gives a container another name. Errors: [`DockerError::Conflict`] when that name is in use.
    pub async fn rename(&self, container: &str, name: &str) -> Result<(), DockerError> {
        self.call(QUICK, About::Container(container), async {
            let options = RenameContainerOptionsBuilder::new().name(name).build();
            Ok(self
                .control
                .docker
                .rename_container(container, options)
                .await?)
        })
        .await
    }

    /// Removes a container and its anonymous volumes, killing it if it runs; nothing happens when there is none.
    pub async fn remove(&self, container: &str) -> Result<(), DockerError> {
        let removed = self
            .call(SLOW, About::Container(container), async {
                let options = RemoveContainerOptionsBuilder::new()
                    .force(true)
                    .v(true)
                    .build();
                Ok(self
                    .control
                    .docker
                    .remove_container(container, Some(options))
                    .await?)
            })
            .await;
        match removed {
            Err(DockerError::NotFound { .. }) => Ok(()),
            // Somebody else removes it at this moment; it is gone as soon as they are done.
            Err(DockerError::Conflict { why, .. }) if why.contains("already in progress") => Ok(()),
            other => other,
        }
    }

    /// The container of this name or id, or `None`.
    pub async fn inspect(&self, container: &str) -> Result<Option<Container>, DockerError> {
        let found = self
            .call(QUICK, About::Container(container), async {
                let path = format!("/containers/{}/json", encode(container));
                self.control
                    .json::<ContainerInspectResponse>(Method::GET, &path, None)
                    .await
            })
            .await;
        match found {
            Ok(answer) => Ok(Some(answer.into())),
            Err(DockerError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All containers, running or not, that carry every one of these labels (`name` or `name=value`).
    pub async fn list(&self, labels: &[&str]) -> Result<Vec<Container>, DockerError> {
        self.filtered("label", labels).await
    }

    /// All containers, running or not, whose names start so.
    pub async fn named(&self, start: &str) -> Result<Vec<Container>, DockerError> {
        // The engine takes a pattern; it only has to narrow the search.
        let mut found = self.filtered("name", &[start]).await?;
        found.retain(|container| container.name.starts_with(start));
        Ok(found)
    }

    /// The ids of the images that containers stand on, running or not.
    pub async fn images_in_use(&self) -> Result<BTreeSet<String>, DockerError> {
        let options = ListContainersOptionsBuilder::new().all(true).build();
        let found = self
            .call(QUICK, About::Engine, async {
                Ok(self.control.docker.list_containers(Some(options)).await?)
            })
            .await?;
        let ids = found.into_iter().filter_map(|summary| summary.image_id);
        Ok(ids.collect())
    }

    async fn filtered(&self, filter: &str, wanted: &[&str]) -> Result<Vec<Container>, DockerError> {
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&HashMap::from([(filter, wanted.to_vec())]))
            .build();
        let found = self
            .call(QUICK, About::Engine, async {
                Ok(self.control.docker.list_containers(Some(options)).await?)
            })
            .await?;
        // The list lacks exit status and start time. One that vanishes in between is left out.
        stream::iter(found.into_iter().filter_map(|summary| summary.id))
            .map(|id| async move { self.inspect(&id).await })
            .buffered(4)
            .try_filter_map(|container| async { Ok(container) })
            .try_collect()
            .await
    }

    /// Waits until the container does not run, and gives its exit status. There is no time limit.
    pub async fn wait(&self, container: &str) -> Result<i64, DockerError> {
        let mut answers = self
            .bulk
            .docker
            .wait_container(container, None::<WaitContainerOptions>);
        let failure = match answers.next().await {
            Some(Ok(answer)) => return Ok(answer.status_code),
            // Bollard makes an error of every status but 0.
            Some(Err(BollardError::DockerContainerWaitError { error, code }))
                if error.is_empty() =>
            {
                return Ok(code);
            }
            Some(Err(BollardError::DockerContainerWaitError { error, .. })) => {
                Failure::Stream(error)
            }
            Some(Err(error)) => error.into(),
            None => Failure::Broken("the wait ended without an answer".into()),
        };
        Err(self.error(About::Container(container), failure))
    }
}

/// A name in a URL's path or query. The engine refuses names with other characters, but after the URL was read.
pub(super) fn encode(name: &str) -> String {
    url::form_urlencoded::byte_serialize(name.as_bytes()).collect()
}

impl From<ContainerInspectResponse> for Container {
    fn from(found: ContainerInspectResponse) -> Self {
        let state = found.state.unwrap_or_default();
        let config = found.config.unwrap_or_default();
        let policy = found.host_config.and_then(|host| host.restart_policy);
        let started = state.started_at.as_deref().and_then(ms);
        Self {
            id: found.id.unwrap_or_default(),
            name: found
                .name
                .unwrap_or_default()
                .trim_start_matches('/')
                .to_owned(),
            image: config.image.unwrap_or_default(),
            image_id: found.image.unwrap_or_default(),
            labels: config.labels.unwrap_or_default().into_iter().collect(),
            ports: tcp(&config.exposed_ports.unwrap_or_default()),
            workdir: config.working_dir.unwrap_or_default(),
            out_of_memory: state.oom_killed.unwrap_or_default(),
            restart: policy.map_or(RestartPolicy::NO, RestartPolicy::from),
            restarts: found.restart_count.unwrap_or_default(),
            created_ms: found.created.as_deref().and_then(ms).unwrap_or_default(),
            // The engine writes "never" as the year 1.
            started_ms: started.filter(|ms| *ms > 0),
            tty: config.tty.unwrap_or_default(),
            health: match state.health.and_then(|health| health.status) {
                Some(HealthStatusEnum::STARTING) => Health::Starting,
                Some(HealthStatusEnum::HEALTHY) => Health::Healthy,
                Some(HealthStatusEnum::UNHEALTHY) => Health::Unhealthy,
                Some(HealthStatusEnum::EMPTY | HealthStatusEnum::NONE) | None => Health::Unchecked,
            },
            state: match state.status {
                Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::STOPPING) => {
                    State::Running
                }
                Some(ContainerStateStatusEnum::PAUSED) => State::Paused,
                Some(ContainerStateStatusEnum::RESTARTING) => State::Restarting,
                Some(ContainerStateStatusEnum::EXITED) => State::Exited {
                    code: state.exit_code.unwrap_or_default(),
                },
                Some(ContainerStateStatusEnum::REMOVING) => State::Removing,
                Some(ContainerStateStatusEnum::DEAD) => State::Dead,
                Some(ContainerStateStatusEnum::CREATED | ContainerStateStatusEnum::EMPTY)
                | None => State::Created,
            },
        }
    }
}

/// The numbers of ports such as `5432/tcp`.
fn tcp(ports: &[String]) -> Vec<u16> {
    let number = |port: &String| match port.split_once('/') {
        Some((number, "tcp")) => number.parse().ok(),
        Some(_) => None,
        None => port.parse().ok(),
    };
    ports.iter().filter_map(number).collect()
}

fn ms(text: &str) -> Option<i64> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}
