//! Carries out the runs that verbs have put into the store.
//!
//! Level-triggered: each pass looks at the facts and does the next thing. A bell wakes it early, a timer covers a
//! bell that was lost, and a restart needs no path of its own: an unfinished run is claimed like a new one.
mod attempt;
mod deliveries;
mod drive;
mod log;
mod messages;
mod scene;
mod secrets;
mod steps;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::{Ms, RunId};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{Portal, now};

/// How long a claim holds without a sign of life.
const LEASE: Duration = Duration::from_secs(15);
/// How often a claim's sign of life is renewed.
const HEARTBEAT: Duration = Duration::from_secs(4);
/// The longest pause between two looks at the facts.
const PASS: Duration = Duration::from_secs(1);

/// The engine at work. Dropping it stops the engine as a crash would; [`EngineHandle::stop`] does it in peace.
pub struct EngineHandle {
    stop: CancellationToken,
    ticked: Arc<AtomicI64>,
    task: JoinHandle<()>,
    /// What goes on beside the runs: deliveries that are acted on, messages that are sent later, and the builder that is
    /// cleared of what tests have left.
    beside: JoinSet<()>,
}

impl EngineHandle {
    /// Takes no more runs and leaves the ones at work where they are: the next start goes on with them.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the engine ended badly");
        }
        while let Some(ended) = self.beside.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "what goes on beside the engine ended badly");
            }
        }
    }

    /// When the engine last looked at the facts; a check of readiness compares it with the clock.
    pub fn ticked(&self) -> Ms {
        Ms(self.ticked.load(Ordering::Relaxed))
    }
}

impl Portal {
    /// Starts the engine. One per process.
    pub fn start_engine(&self) -> EngineHandle {
        let stop = CancellationToken::new();
        let ticked = Arc::new(AtomicI64::new(now().0));
        let engine = Engine {
            portal: self.clone(),
            owner: self.parts().owner.clone(),
            stop: stop.clone(),
            drives: JoinSet::new(),
            held: HashSet::new(),
        };
        let mut beside = JoinSet::new();
        beside.spawn(deliveries::run(self.clone(), stop.clone()));
        beside.spawn(messages::run(self.clone(), stop.clone()));
        beside.spawn(steps::sweep::run(self.clone(), stop.clone()));
        let task = tokio::spawn(engine.run(ticked.clone()));
        EngineHandle {
            stop,
            ticked,
            task,
            beside,
        }
    }
}

struct Engine {
    portal: Portal,
    owner: String,
    stop: CancellationToken,
    drives: JoinSet<RunId>,
    held: HashSet<RunId>,
}

impl Engine {
    async fn run(mut self, ticked: Arc<AtomicI64>) {
        while !self.stop.is_cancelled() {
            ticked.store(now().0, Ordering::Relaxed);
            self.tick().await;
            tokio::select! {
                () = self.portal.parts().live.work() => {}
                () = tokio::time::sleep(PASS) => {}
                () = self.stop.cancelled() => {}
                Some(ended) = self.drives.join_next() => self.let_go(ended),
            }
        }
        while let Some(ended) = self.drives.join_next().await {
            self.let_go(ended);
        }
    }

    /// Claims every run that can be driven now, and drives each in a task of its own.
    async fn tick(&mut self) {
        let lease = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
        loop {
            let store = &self.portal.parts().store;
            match store.claim(&self.owner, now(), lease, &self.held).await {
                Ok(Some(claim)) => {
                    self.held.insert(claim.run);
                    let drive = drive::drive(self.portal.clone(), claim, self.stop.child_token());
                    self.drives.spawn(drive);
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "the engine cannot look for work");
                    return;
                }
            }
        }
    }

    fn let_go(&mut self, ended: Result<RunId, tokio::task::JoinError>) {
        match ended {
            Ok(run) => {
                self.held.remove(&run);
            }
            // A panic: the run stays held, so that it is not tried in a circle; the next start takes it up.
            Err(error) => tracing::error!(%error, "a run could not be driven"),
        }
    }
}
