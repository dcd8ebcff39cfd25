//! The handle to an engine, and the one place where a call gets its time limit and its error.

use std::{future::Future, sync::Arc, time::Duration};

use super::{
    error::DockerError,
    failure::{About, Failure},
    transport::{Dial, Lane, Local, Wire},
};

/// For calls that only look something up.
pub(super) const QUICK: Duration = Duration::from_secs(20);
/// For calls that make the engine work: create, start, remove.
pub(super) const SLOW: Duration = Duration::from_secs(120);

/// How long an engine may say nothing about a pull or push until its registry counts as one that does not answer. The
/// engine limits only its first question. While bytes move it tells so every moment; but it is also silent while other
/// pulls or pushes take all its transfers, and while a registry puts a large layer away.
const SILENCE: Duration = Duration::from_secs(300);

/// A Docker engine. Cheap to clone; clones share the connections, which come back by themselves after a loss.
#[derive(Clone)]
pub struct Engine {
    place: Arc<str>,
    pub(super) control: Wire,
    pub(super) bulk: Wire,
    /// [`SILENCE`].
    pub(super) silence: Duration,
}

/// What an engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The engine's version, for example `20.10.24`.
    pub engine: String,
    /// The newest API version that it speaks, for example `1.41`.
    pub api: String,
    /// Operating system and processor, for example `linux/amd64`.
    pub platform: String,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// The engine at `unix:///path/to.sock` or `tcp://host:port`. Nothing is dialled yet.
    pub fn local(address: &str) -> Result<Self, DockerError> {
        let local = if let Some(path) = address.strip_prefix("unix://") {
            Local::Unix(path.to_owned())
        } else if let Some(host) = address.strip_prefix("tcp://") {
            Local::Tcp(host.trim_end_matches('/').to_owned())
        } else {
            return Err(DockerError::BadAddress {
                address: address.to_owned(),
            });
        };
        Self::over(Arc::new(local))
    }

    /// The engine that `dial` leads to.
    pub fn over(dial: Arc<dyn Dial>) -> Result<Self, DockerError> {
        let place: Arc<str> = dial.place().into();
        let wire = |lane| {
            Wire::new(dial.clone(), lane)
                .map_err(|failure| DockerError::of(&place, About::Engine, failure))
        };
        Ok(Self {
            control: wire(Lane::Control)?,
            bulk: wire(Lane::Bulk)?,
            silence: SILENCE,
            place: place.clone(),
        })
    }

    /// What people call this engine, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Whether the engine answers.
    pub async fn ping(&self) -> Result<(), DockerError> {
        self.call(QUICK, About::Engine, async {
            Ok(self.control.docker.ping().await.map(drop)?)
        })
        .await
    }

    /// The engine's version.
    pub async fn version(&self) -> Result<Version, DockerError> {
        let found = self
            .call(QUICK, About::Engine, async {
                Ok(self.control.docker.version().await?)
            })
            .await?;
        Ok(Version {
            engine: found.version.unwrap_or_default(),
            api: found.api_version.unwrap_or_default(),
            platform: format!(
                "{}/{}",
                found.os.unwrap_or_default(),
                found.arch.unwrap_or_default()
            ),
        })
    }

    /// Runs one call within `limit` and puts its failure into words about `about`.
    pub(super) async fn call<T>(
        &self,
        limit: Duration,
        about: About<'_>,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, DockerError> {
        tokio::time::timeout(limit, work)
            .await
            .unwrap_or(Err(Failure::Timeout(limit)))
            .map_err(|failure| self.error(about, failure))
    }

    pub(super) fn error(&self, about: About<'_>, failure: Failure) -> DockerError {
        DockerError::of(&self.place, about, failure)
    }
}
