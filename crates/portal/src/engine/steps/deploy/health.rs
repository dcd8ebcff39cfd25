//! Waits until the new container is healthy while its output goes into the step's log.
use std::time::Duration;

use adapters::docker::{LogCursor, State};
use adapters::ssh::{ProbeError, Source};
use domain::Ms;
use domain::log::Stream;
use domain::when::duration;
use store::NewLine;
use tokio::time::Instant;

use super::super::{Halt, StepError};
use super::Site;

/// The first pause between two probes. It grows with the time that the app has had, up to the manifest's `every`: an
/// app is noticed at most this much late, or by a tenth of what it took to start.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A container without a health URL is healthy when it has kept running for this long.
const KEPT_RUNNING: Duration = Duration::from_secs(5);
/// A program that ended this often will not come up.
const TOO_MANY_STARTS: i64 = 3;

pub(super) async fn until_healthy(site: &Site<'_>) -> Result<(), StepError> {
    let following = follow(site);
    tokio::pin!(following);
    let verdict = tokio::select! {
        verdict = watch(site) => verdict,
        error = &mut following => return Err(error),
    };
    if verdict.is_err() {
        // The last words of a program that ended say why: give them a moment to arrive.
        let _ = tokio::time::timeout(Duration::from_millis(500), following).await;
    }
    verdict
}

/// Moves the container's output into the log; ends only with an error.
async fn follow(site: &Site<'_>) -> StepError {
    let store = &site.work.scene.portal.parts().store;
    let stored = store
        .log_cursor(site.work.scene.run, site.work.planned.id)
        .await;
    let mut cursor = match stored {
        // A cursor of another version is of no use; what it covered is told again.
        Ok(text) => text
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default(),
        Err(error) => return error.into(),
    };
    loop {
        let mut logs = match site.engine.logs(&site.serving, cursor, true).await {
            Ok(logs) => logs,
            Err(error) => return error.into(),
        };
        loop {
            match logs.next().await {
                Ok(Some(batch)) => {
                    let lines = batch.into_iter().map(line).collect();
                    let behind = cursor_text(logs.cursor());
                    if let Err(error) = site.work.log.lines(lines, behind).await {
                        return error.into();
                    }
                }
                // The program has ended; it may be started again.
                Ok(None) => break,
                Err(error) => return error.into(),
            }
        }
        cursor = logs.cursor();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

fn cursor_text(cursor: LogCursor) -> String {
    // Four numbers always have a JSON form.
    serde_json::to_string(&cursor).unwrap_or_default()
}

fn line(line: adapters::docker::LogLine) -> NewLine {
    let stream = match line.source {
        Source::Stdout => Stream::Out,
        Source::Stderr => Stream::Err,
    };
    let text = String::from_utf8_lossy(&line.text).into_owned();
    NewLine {
        at: Ms(line.at_ns / 1_000_000),
        stream,
        text,
    }
}

/// Probes until the answer is right, the time is up, the program gives up or somebody wants it to stop.
async fn watch(site: &Site<'_>) -> Result<(), StepError> {
    let health = site.component.health.as_ref();
    let limit = health.map_or(Duration::from_secs(60), |health| {
        health.deadline().duration()
    });
    let longest = health.map_or(Duration::from_secs(1), |health| health.every.duration());
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut tries = 0_u32;
    loop {
        if *site.work.halted.borrow() != Halt::No {
            return Err(StepError::Halted { undone: None });
        }
        still_there(site).await?;
        let answer = match health {
            Some(health) => {
                tries += 1;
                match site
                    .host
                    .probe(&health.url, health.timeout.duration())
                    .await
                {
                    Ok(status) if (200..400).contains(&status) => {
                        let took = duration(
                            i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX),
                        );
                        site.say(format!("{} answers {status} after {took}", health.url));
                        return Ok(());
                    }
                    Ok(status) => format!("{} answers {status}", health.url),
                    Err(ProbeError::Ssh(error)) => return Err(error.into()),
                    Err(error @ ProbeError::BadUrl { .. }) => {
                        return Err(StepError::fatal(error.to_string()));
                    }
                    Err(error) => error.to_string(),
                }
            }
            None if started.elapsed() >= KEPT_RUNNING => return Ok(()),
            None => "it has not run for long enough yet".into(),
        };
        if started.elapsed() + pause > limit {
            let limit = duration(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
            return Err(StepError::advised(
                format!(
                    "{} was not healthy within {limit} ({tries} tries, the last: {answer})",
                    site.serving
                ),
                "the container's own lines in the step's log usually say why; check also `health.url` and what it needs to start",
            ));
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = site.work.halt() => {}
        }
        pause = (started.elapsed() / 10).max(FIRST_PAUSE).min(longest);
    }
}

/// Fails when the program has ended for good.
async fn still_there(site: &Site<'_>) -> Result<(), StepError> {
    let container = site.engine.inspect(&site.serving).await?;
    let gone = |what: String| {
        StepError::advised(
            what,
            "the container's own lines in the step's log usually say why; `docker run` the image by hand to see more",
        )
    };
    let Some(container) = container else {
        return Err(gone(format!(
            "{} is gone: somebody removed it on the host",
            site.serving
        )));
    };
    let memory = if container.out_of_memory {
        "; it ran out of memory"
    } else {
        ""
    };
    match container.state {
        State::Exited { code } => Err(gone(format!(
            "{} exited at once with status {code}{memory}",
            site.serving
        ))),
        State::Dead | State::Removing => Err(gone(format!(
            "{} is being removed on the host",
            site.serving
        ))),
        State::Restarting | State::Running if container.restarts >= TOO_MANY_STARTS => {
            Err(gone(format!(
                "{} keeps exiting: the engine started it {} times{memory}",
                site.serving,
                container.restarts + 1
            )))
        }
        State::Restarting | State::Running | State::Created | State::Paused => Ok(()),
    }
}
