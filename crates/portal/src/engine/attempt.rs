//! One try of a step: within its limit, and its failure in words that may be shown.
use std::time::Duration;

use domain::run::Failure;
use domain::step::Outcome;
use tokio::sync::watch;

use super::log::Log;
use super::steps::{self, Halt, StepError, UNDO, Work};

/// A step's end.
pub(super) type Ended = Result<Outcome, StepError>;

/// What a step has at least that is taken up again: enough to see that it has ended meanwhile.
const LOOK: Duration = Duration::from_secs(60);

/// Does the step, and tells it to stop when it takes too long. `spent` is what it has used of its time in an earlier life
/// of the portal.
pub(super) async fn within_limit(
    work: &Work,
    halt: &watch::Sender<Halt>,
    spent: Duration,
) -> Ended {
    let timeout = work.planned.timeout.duration();
    let doing = steps::perform(work);
    tokio::pin!(doing);
    tokio::select! {
        result = &mut doing => return result,
        () = tokio::time::sleep(left(timeout, spent)) => {}
    }
    let _ = halt.send(Halt::Timeout);
    // The step keeps to the limit by itself; twice as long passes only when it hangs.
    match tokio::time::timeout(UNDO * 2, doing).await {
        // It may have come to its end in the last moment.
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(StepError::Failed { failure, .. })) => Err(StepError::Failed {
            failure,
            transient: false,
        }),
        Ok(Err(StepError::Halted { undone })) => Err(StepError::too_slow(timeout, undone)),
        Ok(Err(StepError::Lost)) => Err(StepError::Lost),
        Err(_) => Err(StepError::too_slow(timeout, work.left_unknown())),
    }
}

fn left(timeout: Duration, spent: Duration) -> Duration {
    timeout.saturating_sub(spent).max(LOOK.min(timeout))
}

/// Puts a failure into the log, without secrets, and waits until the log is stored. What the step has done does not
/// change when it is not.
pub(super) async fn told(mut result: Ended, log: &Log) -> Ended {
    match &mut result {
        Err(StepError::Failed { failure, .. }) => {
            let Failure {
                what,
                advice,
                undone,
                counts_always: _,
            } = failure;
            for text in [&mut *what, advice].into_iter().chain(undone) {
                log.clean(text);
            }
            log.say(format!("error: {}", failure.what));
            for more in [Some(&failure.advice), failure.undone.as_ref()]
                .into_iter()
                .flatten()
            {
                if !more.is_empty() {
                    log.say(more.as_str());
                }
            }
        }
        Err(StepError::Halted { undone }) => {
            log.say("the step was stopped");
            if let Some(undone) = undone {
                log.say(undone.as_str());
            }
        }
        _ => {}
    }
    if let Err(error) = log.flush().await {
        tracing::error!(%error, "the end of a step's log is not stored");
        if let Err(StepError::Failed { failure, .. }) = &mut result {
            let note = format!("(the end of the step's log could not be stored: {error})");
            failure.advice = format!("{} {note}", failure.advice).trim().to_owned();
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_gives_a_step_no_new_time_but_enough_to_look() {
        let s = Duration::from_secs;
        for (timeout, spent, has) in [
            (1800, 0, 1800),
            (1800, 600, 1200),
            (1800, 1790, 60),
            (1800, 7200, 60),
            (20, 7200, 20),
        ] {
            assert_eq!(left(s(timeout), s(spent)), s(has), "{timeout} {spent}");
        }
    }
}
