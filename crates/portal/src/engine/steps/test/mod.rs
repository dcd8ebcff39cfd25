//! Runs a component's tests in a container on the builder, with the services that they need beside it on a network of
//! their own.
//!
//! Commands run one after the other in one container, which is started anew for each: so the portal knows which one is
//! at work and how each ended, their output comes out of the engine's log without holding them up, and what one leaves
//! in files is there for the next.
//!
//! Everything on the builder carries the labels of its run and step. It is removed at the end whatever happens: while
//! the run goes on where the tests passed, before the step ends where they did not. A life of the portal that was cut
//! off is cleared up after by the next, which starts tests that had not ended afresh. What the builder's engine did not
//! let go then, [`sweep`] removes later.
mod bench;
mod commands;
mod image;
mod results;
mod services;
pub(in crate::engine) mod sweep;

use domain::ComponentName;
use domain::report::Content;
use domain::step::Outcome;

use self::bench::{Bench, say_what_is_left};
use self::results::Results;
use super::{StepError, Work};

/// The file's name under which results are left.
const RESULTS: &str = "tests.json";

pub(super) async fn test(work: &Work, component: &ComponentName) -> Result<Outcome, StepError> {
    let bench = Bench::open(work, component).await?;
    if bench.clear().await? {
        work.log
            .say("removed what the interrupted tests had left; they start afresh");
    }
    let error = match bench.in_time(tested(&bench).await) {
        // What comes next need not wait for [`clear_up`].
        Ok(outcome) => return Ok(outcome),
        Err(error) => error,
    };
    match (bench.clear().await, error) {
        (Ok(_), halted @ StepError::Halted { .. }) => {
            Err(halted.after_undo("the containers of the tests were removed".into()))
        }
        // What is there now is the other portal's.
        (Err(StepError::Lost), _) => Err(StepError::Lost),
        (Err(left), error) => {
            say_what_is_left(work, &left);
            Err(error)
        }
        (Ok(_), error) => Err(error),
    }
}

/// Clears up after tests that passed.
pub(super) async fn clear_up(work: &Work, component: &ComponentName) {
    let cleared = async { Bench::open_patiently(work, component).await?.clear().await };
    if let Err(error) = cleared.await
        && !matches!(error, StepError::Lost)
    {
        say_what_is_left(work, &error);
        if let Err(error) = work.log.flush().await {
            tracing::error!(%error, "that tests have left something is not in their log");
        }
    }
}

async fn tested(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    bench.work.check()?;
    let image = image::of_tests(bench).await?;
    services::start(bench).await?;
    let container = commands::prepare(bench, image).await?;
    let mut results = Results::default();
    let mut ended = commands::run(bench, &container, &mut results).await;
    if let Ok(command) = &ended
        && let Err(error) = results::of_file(bench, &container, &mut results).await
    {
        match error {
            // That a command failed is what people have to know.
            StepError::Failed { failure, .. } if command.is_some() => bench.say(failure.what),
            error => ended = Err(error),
        }
    }
    if let Some(report) = &results.report {
        let content = Content::Tests(report.clone());
        bench.work.leave(RESULTS, content).await?;
    }
    results.verdict(ended?)
}
