//! A program in a container that runs already.

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use http_body_util::BodyStream;
use hyper::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    containers::encode,
    engine::{Engine, QUICK},
    error::DockerError,
    failure::{About, Failure},
    frames::Frames,
};

/// What is kept of a program's output.
const LONGEST_OUTPUT: usize = 1 << 20;
/// The engine closes the output a moment before it has noted the status.
const NOTED: Duration = Duration::from_millis(20);

/// A program that has run in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// The status that it ended with; 126 and 127 where it could not be started.
    pub code: i64,
    /// What it wrote, to both streams, line by line. Beyond a megabyte it is left out.
    pub lines: Vec<Bytes>,
}

impl Engine {
    /// Runs a program in a running container and waits for its end, at most for `limit`. One that is not done by then
    /// goes on until its container ends.
    ///
    /// Errors: [`DockerError::Conflict`] when the container does not run, [`DockerError::Timeout`].
    pub async fn exec(
        &self,
        container: &str,
        program: &[&str],
        limit: Duration,
    ) -> Result<Executed, DockerError> {
        let until = Instant::now() + limit;
        timeout_at(until, self.executed(container, program))
            .await
            .unwrap_or(Err(Failure::Timeout(limit)))
            .map_err(|failure| self.error(About::Container(container), failure))
    }

    async fn executed(&self, container: &str, program: &[&str]) -> Result<Executed, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Created {
            id: String,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Found {
            running: bool,
            exit_code: Option<i64>,
        }
        let body = |body: serde_json::Value| Some(body.to_string().into_bytes());
        let asked = json!({ "Cmd": program, "AttachStdout": true, "AttachStderr": true });
        let path = format!("/containers/{}/exec", encode(container));
        let Created { id } = self.control.json(Method::POST, &path, body(asked)).await?;
        let path = format!("/exec/{}/start", encode(&id));
        let started = body(json!({ "Detach": false, "Tty": false }));
        // The answer lasts as long as the program.
        let answer = self.bulk.request(Method::POST, &path, started).await?;
        let mut output = BodyStream::new(answer.into_body());
        let mut frames = Frames::new(false, None);
        let mut kept = 0;
        while let Some(frame) = output.try_next().await? {
            if let Ok(data) = frame.into_data()
                && kept < LONGEST_OUTPUT
            {
                kept += data.len();
                frames.feed(&data);
            }
        }
        // Here, unlike in a log, a frame holds whatever was written at once.
        let mut lines = Vec::new();
        while let Some(frame) = frames.next(true) {
            let of_frame = frame.text.split(|byte| *byte == b'\n');
            lines.extend(of_frame.map(|line| frame.text.slice_ref(line)));
        }
        let path = format!("/exec/{}/json", encode(&id));
        let until = Instant::now() + QUICK;
        loop {
            let found: Found = self.control.json(Method::GET, &path, None).await?;
            match found.exit_code {
                Some(code) if !found.running => return Ok(Executed { code, lines }),
                _ if Instant::now() > until => return Err(Failure::Timeout(QUICK)),
                _ => sleep(NOTED).await,
            }
        }
    }
}
