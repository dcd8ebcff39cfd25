//! Image builds with the classic builder, which is enough for a Dockerfile and needs nothing but the HTTP API.

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use bollard::{body_try_stream, query_parameters::BuildImageOptionsBuilder};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};

use super::{
    context::filtered,
    engine::Engine,
    error::DockerError,
    failure::{About, Failure},
    ignore::Ignore,
    images::account,
};
use crate::registry::Credentials;

/// How to build.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// The Dockerfile's path within the context.
    pub dockerfile: String,
    /// `--build-arg`. They end up in the image's history: never a secret.
    pub args: BTreeMap<String, String>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `-t`.
    pub tags: Vec<String>,
    /// `--target`.
    pub target: Option<String>,
    /// `--no-cache`.
    pub no_cache: bool,
    /// `--pull`: base images are asked for again, though they are there.
    pub pull: bool,
    /// What of the context is left out.
    pub ignore: Ignore,
    /// Accounts for the base images, by registry: host and port, as `ghcr.io`.
    pub registries: BTreeMap<String, Credentials>,
}

impl Engine {
    /// Builds an image from a tar stream and gives its id, `sha256:…`.
    ///
    /// `on_line` gets the builder's output, line by line, ANSI colours included. Dropping the future cancels the build.
    /// Errors: [`DockerError::BuildFailed`] with the failing step, [`DockerError::Context`] when the stream fails,
    /// [`DockerError::DiskFull`].
    pub async fn build(
        &self,
        context: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        options: &BuildOptions,
        mut on_line: impl FnMut(&str),
    ) -> Result<String, DockerError> {
        let hashed = |map: &BTreeMap<String, String>| -> HashMap<String, String> {
            map.clone().into_iter().collect()
        };
        let mut query = BuildImageOptionsBuilder::new()
            .dockerfile(&options.dockerfile)
            .buildargs(&hashed(&options.args))
            .labels(&hashed(&options.labels))
            .nocache(options.no_cache)
            .rm(true)
            .forcerm(true);
        if options.pull {
            query = query.pull("true");
        }
        if let Some(target) = &options.target {
            query = query.target(target);
        }
        let accounts: HashMap<_, _> = options
            .registries
            .iter()
            .map(|(registry, credentials)| {
                let key = match registry.as_str() {
                    // Under this name, for historical reasons, and no other.
                    "docker.io" => "https://index.docker.io/v1/",
                    registry => registry,
                };
                (key.to_owned(), account(credentials, registry))
            })
            .collect();
        let accounts = (!accounts.is_empty()).then_some(accounts);
        let context = if options.ignore.is_empty() {
            context.left_stream()
        } else {
            filtered(context, options.ignore.clone(), &options.dockerfile).right_stream()
        };
        let mut answers =
            self.bulk
                .docker
                .build_image(query.build(), accounts, Some(body_try_stream(context)));
        let mut lines = Lines::default();
        let mut id = None;
        let failure = loop {
            match answers.try_next().await {
                Ok(Some(answer)) => {
                    lines.feed(&answer.stream.unwrap_or_default(), &mut on_line);
                    // Base images report their pull here.
                    if let Some(status) = answer.status.filter(|_| answer.progress_detail.is_none())
                    {
                        lines.feed(&format!("{status}\n"), &mut on_line);
                    }
                    id = answer.aux.and_then(|aux| aux.id).or(id);
                }
                Ok(None) => break None,
                Err(error) => break Some(Failure::from(error)),
            }
        };
        lines.flush(&mut on_line);
        match failure {
            // In the stream, or before it began, as for a Dockerfile that is missing or cannot be read.
            Some(
                Failure::Stream(message)
                | Failure::Status {
                    message,
                    status: 400..=599,
                },
            ) => match self.error(About::Engine, Failure::Stream(message)) {
                full @ DockerError::DiskFull { .. } => return Err(full),
                DockerError::Other { why: message, .. }
                | DockerError::PortTaken { why: message, .. } => {
                    return Err(DockerError::BuildFailed {
                        step: lines.step,
                        message,
                    });
                }
                other => return Err(other),
            },
            Some(failure) => return Err(self.error(About::Engine, failure)),
            None => {}
        }
        let id = id.ok_or_else(|| {
            self.error(
                About::Engine,
                Failure::Broken("the build ended without an image and without an error".into()),
            )
        })?;
        for tag in &options.tags {
            self.tag(&id, tag).await?;
        }
        Ok(id)
    }
}

/// Cuts the builder's output, which comes in arbitrary pieces, into lines, and remembers the step.
#[derive(Default)]
struct Lines {
    open: String,
    step: Option<String>,
}

impl Lines {
    fn feed(&mut self, text: &str, on_line: &mut impl FnMut(&str)) {
        self.open.push_str(text);
        while let Some(end) = self.open.find('\n') {
            let rest = self.open.split_off(end + 1);
            let line = std::mem::replace(&mut self.open, rest);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.starts_with("Step ") {
                self.step = Some(line.to_owned());
            }
            on_line(line);
        }
    }

    fn flush(&mut self, on_line: &mut impl FnMut(&str)) {
        if !self.open.is_empty() {
            on_line(&std::mem::take(&mut self.open));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut_into_lines_and_the_step_is_remembered() {
        let (mut lines, mut seen) = (Lines::default(), Vec::new());
        for piece in [
            "Step 1/2 : FROM a\n",
            " ---> 12",
            "ab\nStep 2/2 : RUN",
            " false\n\n",
            "last",
        ] {
            lines.feed(piece, &mut |line| seen.push(line.to_owned()));
        }
        lines.flush(&mut |line| seen.push(line.to_owned()));
        assert_eq!(
            seen,
            [
                "Step 1/2 : FROM a",
                " ---> 12ab",
                "Step 2/2 : RUN false",
                "",
                "last"
            ]
        );
        assert_eq!(lines.step.as_deref(), Some("Step 2/2 : RUN false"));
    }
}
