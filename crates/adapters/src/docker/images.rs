//! Images: look up, list, pull, tag, push, remove.

use std::{cmp::Reverse, collections::HashMap};

use bollard::{
    auth::DockerCredentials,
    query_parameters::{
        CreateImageOptionsBuilder, ListImagesOptionsBuilder, PushImageOptionsBuilder,
        RemoveImageOptions, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
    },
};
use domain::Digest;
use futures::{Stream, TryStreamExt};
use secrecy::ExposeSecret;

use super::{
    engine::{Engine, QUICK, SLOW},
    error::DockerError,
    failure::{About, Failure},
};
use crate::registry::Credentials;

/// An image on an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its id: the digest of its configuration, `sha256:…`.
    pub id: String,
    /// The references by digest that it is known under, `registry/name@sha256:…`: one for each registry that it was
    /// pulled from or pushed to.
    pub digests: Vec<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Bytes of its layers.
    pub size: i64,
}

impl Engine {
    /// The image of this tag, digest reference or id, or `None` when it is not on the engine.
    pub async fn image(&self, reference: &str) -> Result<Option<Image>, DockerError> {
        let found = self
            .call(QUICK, About::Image(reference), async {
                Ok(self.control.docker.inspect_image(reference).await?)
            })
            .await;
        match found {
            Ok(found) => Ok(Some(Image {
                id: found.id.unwrap_or_default(),
                digests: found.repo_digests.unwrap_or_default(),
                tags: found.repo_tags.unwrap_or_default(),
                size: found.size.unwrap_or_default(),
            })),
            Err(DockerError::ImageMissing { .. } | DockerError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The images that carry this label (`name=value`), the one that was built last first. Those that have no name and only
    /// bear others are left out.
    pub async fn images(&self, label: &str) -> Result<Vec<Image>, DockerError> {
        let options = ListImagesOptionsBuilder::new()
            .filters(&HashMap::from([("label", vec![label])]))
            .build();
        let mut found = self
            .call(QUICK, About::Engine, async {
                Ok(self.control.docker.list_images(Some(options)).await?)
            })
            .await?;
        found.sort_by_key(|summary| Reverse(summary.created));
        // Older engines write the absence of a name as a name.
        let named = |names: Vec<String>| -> Vec<String> {
            let names = names.into_iter();
            names.filter(|name| !name.contains("<none>")).collect()
        };
        let images = found.into_iter().map(|summary| Image {
            id: summary.id,
            digests: named(summary.repo_digests),
            tags: named(summary.repo_tags),
            size: summary.size,
        });
        Ok(images.collect())
    }

    /// Pulls an image and gives its digest in that registry. A reference without tag or digest means `latest`.
    ///
    /// `on_line` gets what `docker pull` would print, without the moving bars. Dropping the future cancels the pull.
    /// Errors: [`DockerError::Unauthorized`], [`DockerError::RegistryUnreachable`], [`DockerError::ImageMissing`],
    /// [`DockerError::RegistryBusy`], [`DockerError::DiskFull`].
    pub async fn pull(
        &self,
        reference: &str,
        credentials: Option<&Credentials>,
        mut on_line: impl FnMut(&str),
    ) -> Result<Digest, DockerError> {
        let (name, version) = split(reference);
        let options = CreateImageOptionsBuilder::new()
            .from_image(name)
            .tag(version)
            .build();
        let account = credentials.map(|credentials| account(credentials, registry_of(reference)));
        let mut answers = self.bulk.docker.create_image(Some(options), None, account);
        let mut progress = Progress::default();
        let mut digest = None;
        loop {
            let Some(answer) = self.word(reference, &mut answers).await? else {
                break;
            };
            let status = answer.status.unwrap_or_default();
            if let Some(found) = status.strip_prefix("Digest: ") {
                digest = found.parse::<Digest>().ok();
            }
            progress.report(answer.id.as_deref(), &status, &mut on_line);
        }
        digest.ok_or_else(|| {
            self.error(
                About::Registry(reference),
                Failure::Odd("the engine did not tell the digest of what it pulled".into()),
            )
        })
    }

    /// What the engine tells next of a pull or push; `None` at its end.
    async fn word<T>(
        &self,
        reference: &str,
        answers: &mut (impl Stream<Item = Result<T, bollard::errors::Error>> + Unpin),
    ) -> Result<Option<T>, DockerError> {
        let about = About::Registry(reference);
        match tokio::time::timeout(self.silence, answers.try_next()).await {
            Ok(word) => word.map_err(|error| self.error(about, error.into())),
            Err(_) => Err(self.error(about, Failure::Timeout(self.silence))),
        }
    }

    /// Gives an image another name: `registry/name:tag`.
    pub async fn tag(&self, image: &str, reference: &str) -> Result<(), DockerError> {
        let (name, tag) = split(reference);
        let options = TagImageOptionsBuilder::new().repo(name).tag(tag).build();
        self.call(QUICK, About::Image(image), async {
            Ok(self.control.docker.tag_image(image, Some(options)).await?)
        })
        .await
    }

    /// Pushes `registry/name:tag` and gives its digest there. Otherwise as [`Engine::pull`].
    pub async fn push(
        &self,
        reference: &str,
        credentials: Option<&Credentials>,
        mut on_line: impl FnMut(&str),
    ) -> Result<Digest, DockerError> {
        let (name, tag) = split(reference);
        let options = PushImageOptionsBuilder::new().tag(tag).build();
        let account = credentials.map(|credentials| account(credentials, registry_of(reference)));
        let mut answers = self.bulk.docker.push_image(name, Some(options), account);
        let mut progress = Progress::default();
        let mut digest = None;
        loop {
            let Some(answer) = self.word(reference, &mut answers).await? else {
                break;
            };
            let status = answer.status.unwrap_or_default();
            // The last line: `dev-1a2b: digest: sha256:… size: 1234`.
            if let Some((_, rest)) = status.split_once("digest: ") {
                digest = rest
                    .split(' ')
                    .next()
                    .and_then(|found| found.parse::<Digest>().ok());
            }
            progress.report(None, &status, &mut on_line);
        }
        digest.ok_or_else(|| {
            self.error(
                About::Registry(reference),
                Failure::Odd("the engine did not tell the digest of what it pushed".into()),
            )
        })
    }

    /// Removes a name of an image, and the image with its last one; nothing happens when there is none.
    /// Errors: [`DockerError::Conflict`] when a container uses it.
    pub async fn remove_image(&self, reference: &str) -> Result<(), DockerError> {
        let removed = self
            .call(SLOW, About::Image(reference), async {
                let options: RemoveImageOptions = RemoveImageOptionsBuilder::new().build();
                Ok(self
                    .control
                    .docker
                    .remove_image(reference, Some(options), None)
                    .await
                    .map(drop)?)
            })
            .await;
        match removed {
            Err(DockerError::ImageMissing { .. } | DockerError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }
}

/// Layers report each of their steps dozens of times; a log wants each once.
#[derive(Default)]
struct Progress(HashMap<String, String>);

impl Progress {
    fn report(&mut self, layer: Option<&str>, status: &str, on_line: &mut impl FnMut(&str)) {
        let status = status.trim();
        if status.is_empty() {
            return;
        }
        let key = layer.unwrap_or_default();
        if self.0.get(key).is_some_and(|last| last == status) {
            return;
        }
        self.0.insert(key.to_owned(), status.to_owned());
        match layer {
            Some(layer) => on_line(&format!("{layer}: {status}")),
            None => on_line(status),
        }
    }
}

pub(super) fn account(credentials: &Credentials, registry: &str) -> DockerCredentials {
    DockerCredentials {
        username: Some(credentials.username.expose_secret().to_owned()),
        password: Some(credentials.password.expose_secret().to_owned()),
        serveraddress: Some(registry.to_owned()),
        ..DockerCredentials::default()
    }
}

/// The registry of a reference, by Docker's rule: a first part with a dot or a colon, or `localhost`; else Docker Hub.
pub fn registry_of(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => "docker.io",
    }
}

/// The name without tag or digest: `registry/name`.
pub fn repository_of(reference: &str) -> &str {
    split(reference).0
}

/// Name, and tag or digest; `latest` where there is neither, because the engine would pull every tag.
fn split(reference: &str) -> (&str, &str) {
    if let Some((name, digest)) = reference.split_once('@') {
        return (name, digest);
    }
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc, time::Duration};

    use futures::{FutureExt, future::BoxFuture};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::docker::{Dial, Io, Lane};

    #[test]
    fn references_are_taken_apart_as_docker_does() {
        for (reference, name, version, registry) in [
            ("nginx", "nginx", "latest", "docker.io"),
            ("team/app:1.2", "team/app", "1.2", "docker.io"),
            (
                "10.77.0.2:5000/app",
                "10.77.0.2:5000/app",
                "latest",
                "10.77.0.2:5000",
            ),
            (
                "ghcr.io/team/app:dev-1",
                "ghcr.io/team/app",
                "dev-1",
                "ghcr.io",
            ),
            (
                "localhost/app@sha256:ab",
                "localhost/app",
                "sha256:ab",
                "localhost",
            ),
        ] {
            assert_eq!(
                (split(reference), registry_of(reference)),
                ((name, version), registry),
                "{reference}"
            );
            assert_eq!(repository_of(reference), name);
        }
    }

    #[test]
    fn progress_is_told_once_per_step_of_a_layer() {
        let (mut progress, mut lines) = (Progress::default(), Vec::new());
        for (layer, status) in [
            (None, "Pulling from app"),
            (Some("a1"), "Downloading"),
            (Some("b2"), "Downloading"),
            (Some("a1"), "Downloading"),
            (Some("a1"), "Pull complete"),
            (None, ""),
        ] {
            progress.report(layer, status, &mut |line| lines.push(line.to_owned()));
        }
        assert_eq!(
            lines,
            [
                "Pulling from app",
                "a1: Downloading",
                "b2: Downloading",
                "a1: Pull complete"
            ]
        );
    }

    /// An engine that tells one thing about whatever it is asked and then nothing more.
    struct Silent;

    impl Dial for Silent {
        fn place(&self) -> &str {
            "host dev/web"
        }

        fn dial(&self, _: Lane) -> BoxFuture<'_, io::Result<Box<dyn Io>>> {
            let (here, mut there) = tokio::io::duplex(4096);
            tokio::spawn(async move {
                let told = "{\"status\":\"Waiting\"}\r\n";
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
                let answer = format!("{head}{:x}\r\n{told}\r\n", told.len());
                // No client likes to be answered before it has asked.
                let _ = there.read(&mut [0; 4096]).await.unwrap();
                there.write_all(answer.as_bytes()).await.unwrap();
                // The rest of the request is read and not answered any further.
                let _ = tokio::io::copy(&mut there, &mut tokio::io::sink()).await;
            });
            async move { Ok(Box::new(here) as Box<dyn Io>) }.boxed()
        }
    }

    #[tokio::test]
    async fn a_registry_of_which_nothing_is_heard_any_more_counts_as_one_that_does_not_answer() {
        let mut engine = Engine::over(Arc::new(Silent)).unwrap();
        engine.silence = Duration::from_secs(1);
        let mut lines = Vec::new();
        let on_line = |line: &str| lines.push(line.to_owned());
        let pulled = engine
            .pull("docr.example/web@sha256:00", None, on_line)
            .await;
        assert_eq!(lines, ["Waiting"]);
        let pushed = engine.push("docr.example/web:dev-1", None, |_| {}).await;
        for error in [pulled.unwrap_err(), pushed.unwrap_err()] {
            assert!(
                matches!(&error, DockerError::RegistryUnreachable { registry, why, .. }
                    if registry == "docr.example" && why.contains("for 1 s")),
                "{error:?}"
            );
            assert!(error.is_transient());
        }
    }
}
