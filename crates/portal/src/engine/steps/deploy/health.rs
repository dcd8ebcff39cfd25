//! Waits until the new container is healthy while its output goes into the step's log.
use std::time::Duration;

use adapters::docker::State;
use adapters::ssh::ProbeError;
use domain::when::duration;
use tokio::time::Instant;

use super::super::{Halt, StepError};
use super::Site;
use super::output::Output;

/// The first pause between two probes. It grows with the time that the app has had, up to the manifest's `every`: an
/// app is noticed at most this much late, or by a tenth of what it took to start.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A container without a health URL is healthy when it has kept running for this long.
const KEPT_RUNNING: Duration = Duration::from_secs(5);
/// A program that ended this often will not come up.
const TOO_MANY_STARTS: i64 = 3;

pub(super) async fn until_healthy(
    site: &Site<'_>,
    output: &mut Output<'_>,
) -> Result<(), StepError> {
    let following = output.follow();
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
