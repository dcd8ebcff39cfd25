//! Waits until the new container is healthy while its output goes into the step's log.
use std::time::Duration;

use adapters::docker::{Container, Health, State};
use adapters::ssh::ProbeError;
use domain::when::duration;
use tokio::time::Instant;

use super::super::{Halt, StepError};
use super::Site;
use super::output::Output;

/// The first pause between two probes. It grows with the time that the app has had, up to the manifest's `every`: an
/// app is noticed at most this much late, or by a fortieth of what it took to start.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// A container without a health URL is healthy when it has kept running for this long.
const KEPT_RUNNING: Duration = Duration::from_secs(5);
/// A program that ended this often will not come up.
const TOO_MANY_STARTS: i64 = 3;

/// Gives the container that is healthy.
pub(super) async fn until_healthy(
    site: &Site<'_>,
    output: &mut Output<'_>,
) -> Result<Container, StepError> {
    tokio::select! {
        verdict = watch(site) => verdict,
        error = output.follow() => Err(error),
    }
}

/// Probes until the answer is right, the time is up, the program gives up or somebody wants it to stop.
async fn watch(site: &Site<'_>) -> Result<Container, StepError> {
    let health = site.component.health.as_ref();
    let limit = health.map_or_else(|| without_url(site), |health| health.deadline().duration());
    let longest = health.map_or(Duration::from_secs(1), |health| health.every.duration());
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut tries = 0_u32;
    let mut steady = Steady::default();
    loop {
        if *site.work.halted.borrow() != Halt::No {
            return Err(StepError::Halted { undone: None });
        }
        let container = still_there(site).await?;
        let answer = match health {
            Some(health) => {
                tries += 1;
                match ask(site, &health.url, health.timeout.duration()).await? {
                    Ok(status) => {
                        let took = duration(
                            i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX),
                        );
                        site.say(format!("{} answers {status} after {took}", health.url));
                        return Ok(container);
                    }
                    Err(answer) => answer,
                }
            }
            None => match wanting(
                container.state,
                container.health,
                steady.runs_for(&container),
            ) {
                None => return Ok(container),
                Some(why) => why.to_owned(),
            },
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
        pause = (started.elapsed() / 40).max(FIRST_PAUSE).min(longest);
    }
}

/// Asks once: the status where it is a good one, else what came instead, in words.
pub(super) async fn ask(
    site: &Site<'_>,
    url: &str,
    limit: Duration,
) -> Result<Result<u16, String>, StepError> {
    match site.host.probe(url, limit).await {
        Ok(status) if (200..400).contains(&status) => Ok(Ok(status)),
        Ok(status) => Ok(Err(format!("{url} answers {status}"))),
        Err(ProbeError::Ssh(error)) => Err(error.into()),
        Err(error @ ProbeError::BadUrl { .. }) => Err(StepError::fatal(error.to_string())),
        Err(error) => Ok(Err(error.to_string())),
    }
}

/// How long a container without a health URL gets: a minute, and what its own check takes.
fn without_url(site: &Site<'_>) -> Duration {
    let check = site.component.container.healthcheck.as_ref();
    let own = check.map_or(Duration::ZERO, |check| {
        let round = check.every.duration() + check.timeout.duration();
        check.start_period.duration() + round.saturating_mul(check.retries.saturating_add(1))
    });
    Duration::from_secs(60) + own
}

/// Since when a container has kept running.
#[derive(Default)]
struct Steady(Option<(Option<i64>, Instant)>);

impl Steady {
    fn runs_for(&mut self, container: &Container) -> Duration {
        if container.state != State::Running {
            self.0 = None;
            return Duration::ZERO;
        }
        match self.0 {
            Some((start, since)) if start == container.started_ms => since.elapsed(),
            _ => {
                self.0 = Some((container.started_ms, Instant::now()));
                Duration::ZERO
            }
        }
    }
}

/// What a container without a health URL still lacks to be healthy. Where the engine has a health check of its own
/// for it, from the manifest or the image, that decides.
fn wanting(state: State, health: Health, ran: Duration) -> Option<&'static str> {
    match (state, health) {
        (State::Running, Health::Healthy) => None,
        (State::Running, Health::Unchecked) if ran >= KEPT_RUNNING => None,
        (State::Running, Health::Unchecked) => Some("it has not run for long enough yet"),
        (State::Running, Health::Starting) => Some("its health check has not passed yet"),
        (State::Running, Health::Unhealthy) => Some("its health check fails"),
        (State::Paused, _) => Some("somebody has paused it"),
        _ => Some("it does not run at the moment"),
    }
}

/// Fails when the program has ended for good.
async fn still_there(site: &Site<'_>) -> Result<Container, StepError> {
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
        State::Restarting | State::Running | State::Created | State::Paused => Ok(container),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_url_a_container_is_healthy_when_it_keeps_running_or_the_engine_says_so() {
        let (short, long) = (Duration::from_secs(1), KEPT_RUNNING);
        for (state, health, ran, healthy) in [
            (State::Running, Health::Unchecked, long, true),
            (State::Running, Health::Unchecked, short, false),
            (State::Running, Health::Healthy, short, true),
            (State::Running, Health::Starting, long, false),
            (State::Running, Health::Unhealthy, long, false),
            (State::Restarting, Health::Unchecked, long, false),
            (State::Paused, Health::Healthy, long, false),
            (State::Created, Health::Unchecked, long, false),
        ] {
            let found = wanting(state, health, ran);
            assert_eq!(found.is_none(), healthy, "{state:?} {health:?} {found:?}");
        }
    }
}
