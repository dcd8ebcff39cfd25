//! Cancel: a run stops at its next safe point and undoes what is half done. One that waits never starts.
use domain::RunId;
use domain::audit::{Change, Origin};
use domain::policy::Actor;
use domain::run::RunState;
use store::Note;

use crate::{Error, Portal, now};

impl Portal {
    /// Asks a run to stop.
    pub async fn cancel(&self, actor: &Actor, origin: Origin, run: RunId) -> Result<(), Error> {
        let row = self.visible_run(actor, run).await?;
        let grant = self.may_steer(actor, &row)?;
        if let Some(why) = not_cancelled(row.state) {
            return Err(Error::Conflict(format!("run #{run} {why}")));
        }
        let mut tx = self
            .parts()
            .store
            .audited(
                &grant,
                Note {
                    origin,
                    reason: None,
                    at: now(),
                },
            )
            .await?;
        tx.request_cancel(run).await?;
        tx.commit(Change::CancelRequested {
            run,
            environment: row.environment.clone(),
        })
        .await?;
        self.ring_after_request(&row.project, [&run]);
        Ok(())
    }
}

/// Why a run in this state cannot be cancelled.
pub(crate) fn not_cancelled(state: RunState) -> Option<&'static str> {
    match state {
        RunState::Queued | RunState::Running => None,
        RunState::Cancelling => Some("is being cancelled already"),
        RunState::Succeeded | RunState::Failed | RunState::Cancelled | RunState::Superseded => {
            Some("has ended")
        }
    }
}
