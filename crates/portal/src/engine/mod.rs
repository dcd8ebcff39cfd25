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

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::{Ms, RunId};
use tokio::task::{self, JoinError, JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{Portal, now};

/// How long a claim holds without a sign of life.
const LEASE: Duration = Duration::from_secs(15);
/// How often a claim's sign of life is renewed.
const HEARTBEAT: Duration = Duration::from_secs(4);
/// The longest pause between two looks at the facts.
const PASS: Duration = Duration::from_secs(1);

/// How long a run is left alone that could not be driven because of a mistake of ours.
const REST: Duration = Duration::from_secs(60);

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
            driven: HashMap::new(),
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
    driven: HashMap<task::Id, RunId>,
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
                Some(ended) = self.drives.join_next_with_id() => self.let_go(ended),
            }
        }
        while let Some(ended) = self.drives.join_next_with_id().await {
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
                    let run = claim.run;
                    self.held.insert(run);
                    let drive = drive::drive(self.portal.clone(), claim, self.stop.child_token());
                    let task = self.drives.spawn(drive);
                    self.driven.insert(task.id(), run);
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "the engine cannot look for work");
                    return;
                }
            }
        }
    }

    fn let_go(&mut self, ended: Result<(task::Id, RunId), JoinError>) {
        match ended {
            Ok((task, run)) => {
                self.driven.remove(&task);
                self.held.remove(&run);
            }
            // A panic: its run is taken up again, but not at once and in a circle.
            Err(error) => {
                let Some(run) = self.driven.remove(&error.id()) else {
                    return;
                };
                tracing::error!(%error, %run, "a run could not be driven; it is tried again in a minute");
                let stop = self.stop.clone();
                let rest = self.drives.spawn(async move {
                    tokio::select! {
                        () = tokio::time::sleep(REST) => {}
                        () = stop.cancelled() => {}
                    }
                    run
                });
                self.driven.insert(rest.id(), run);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_whose_driver_panicked_rests_and_is_then_taken_up_again() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunId(7);
        let mut engine = Engine {
            portal: log::tests::portal(folder.path()).await,
            owner: "one".into(),
            stop: CancellationToken::new(),
            drives: JoinSet::new(),
            driven: HashMap::new(),
            held: [run].into(),
        };
        let task = engine.drives.spawn(async { panic!("a mistake") });
        engine.driven.insert(task.id(), run);
        let ended = engine.drives.join_next_with_id().await.unwrap();
        engine.let_go(ended);
        assert!(engine.held.contains(&run), "not at once");
        // A portal that stops does not wait for it.
        engine.stop.cancel();
        let ended = engine.drives.join_next_with_id().await.unwrap();
        engine.let_go(ended);
        assert!(engine.held.is_empty() && engine.driven.is_empty());
    }
}
