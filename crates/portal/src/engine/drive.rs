//! Drives one run: folds its events, starts what [`Run::next`] says, stores each event before and after its effect.
//!
//! Everything here may stop at any point, by a crash or on purpose. What is stored is the truth, and the next life
//! of the portal enters at [`drive`] with it.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::run::{Failure, Next, Run, RunEvent, RunState, StepState};
use domain::step::Outcome;
use domain::{Ms, RunId, StepId};
use store::{Claim, StoreError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::HEARTBEAT;
use super::log::Log;
use super::scene::Scene;
use super::steps::{self, Halt, StepError, Work};
use crate::{Portal, now};

/// How long a step that was told to stop may take to undo what it has half done.
const UNDO: Duration = Duration::from_secs(180);

/// Drives the claimed run until it ends, the claim is lost, or the portal stops.
pub(super) async fn drive(portal: Portal, claim: Claim, stop: CancellationToken) -> RunId {
    let id = claim.run;
    match Drive::open(portal, claim, stop).await {
        Ok(mut drive) => {
            if let Err(error) = drive.run().await {
                tracing::error!(%error, run = %id, "the run is left as it is; it goes on at the next look");
            }
        }
        Err(error) => tracing::error!(%error, run = %id, "the run cannot be read"),
    }
    id
}

struct Drive {
    portal: Portal,
    claim: Claim,
    stop: CancellationToken,
    run: Run,
    scene: Result<Arc<Scene>, Failure>,
    at_work: JoinSet<(StepId, Result<Outcome, StepError>)>,
    halts: HashMap<StepId, watch::Sender<Halt>>,
}

impl Drive {
    async fn open(
        portal: Portal,
        claim: Claim,
        stop: CancellationToken,
    ) -> Result<Self, crate::Error> {
        let stored = portal.parts().store.load_run(claim.run).await?;
        let run = stored.run()?;
        let scene = Scene::open(&portal, &stored).await.map(Arc::new);
        Ok(Self {
            portal,
            claim,
            stop,
            run,
            scene,
            at_work: JoinSet::new(),
            halts: HashMap::new(),
        })
    }

    async fn run(&mut self) -> Result<(), StoreError> {
        match self.run.state {
            RunState::Queued => self.append(RunEvent::Started).await?,
            _ => self.append(RunEvent::Resumed).await?,
        }
        let mut bell = self.portal.parts().live.of_run(self.claim.run);
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for id in self.left_running() {
            self.start(id, true);
        }
        while !self.run.state.is_final() {
            bell.borrow_and_update();
            self.catch_up().await?;
            self.tell_steps();
            if self.advance().await? {
                continue;
            }
            let wake = self
                .run
                .wakes_at()
                .map_or(60_000, |at| at.since(now()).max(1));
            let wake = Duration::from_millis(u64::try_from(wake).unwrap_or(60_000));
            tokio::select! {
                Some(ended) = self.at_work.join_next() => self.ended(ended).await?,
                _ = bell.changed() => {}
                () = tokio::time::sleep(wake) => {}
                _ = heartbeat.tick() => self.portal.parts().store.heartbeat(&self.claim, now()).await?,
                () = self.stop.cancelled() => {
                    // Steps are cut off as by a crash, which they are made for.
                    self.at_work.abort_all();
                    self.portal.parts().store.release(&self.claim).await?;
                    return Ok(());
                }
            }
        }
        // A run that was cancelled before it started never took `Finished`, which gives the lease back.
        self.portal.parts().store.release(&self.claim).await?;
        self.portal.parts().live.ring_engine();
        Ok(())
    }

    /// Does everything that is to be done now; false when there was nothing.
    async fn advance(&mut self) -> Result<bool, StoreError> {
        let next = self.run.next(now());
        let some = !next.is_empty();
        for next in next {
            match next {
                Next::Start(step, attempt) => {
                    self.append(RunEvent::StepStarted { step, attempt }).await?;
                    // A cancellation may have come first.
                    if self.run.steps[step.index()].state == StepState::Running {
                        self.start(step, false);
                    }
                }
                Next::Skip(step, because) => {
                    self.append(RunEvent::StepSkipped { step, because }).await?
                }
                Next::Cancel(step) => self.append(RunEvent::StepCancelled { step }).await?,
                Next::Finish => self.append(RunEvent::Finished).await?,
            }
        }
        Ok(some)
    }

    /// Steps that an earlier life of the portal was at.
    fn left_running(&self) -> Vec<StepId> {
        let running = |step: &domain::run::StepRun| step.state == StepState::Running;
        let planned = self.run.plan.steps.iter().zip(&self.run.steps);
        planned
            .filter(|(_, step)| running(step))
            .map(|(planned, _)| planned.id)
            .collect()
    }

    fn start(&mut self, id: StepId, resuming: bool) {
        let planned = self.run.plan.steps[id.index()].clone();
        let (halt, halted) = watch::channel(Halt::No);
        self.halts.insert(id, halt.clone());
        let scene = self.scene.clone();
        let run = self.run.clone();
        let (portal, claim) = (self.portal.clone(), self.claim.clone());
        self.at_work.spawn(async move {
            let scene = match scene {
                Ok(scene) => scene,
                Err(failure) => return (id, Err(StepError::Failed { failure, transient: false })),
            };
            let log = Log::open(portal, claim.clone(), id, scene.redactor.clone());
            if resuming {
                log.say("Fairlead was restarted; looking at what is there and going on");
            }
            let timeout = planned.timeout.duration();
            let work = Work { scene, claim, run, planned, halted, log };
            let mut doing = Box::pin(steps::perform(&work));
            let mut result = tokio::select! {
                result = &mut doing => result,
                () = tokio::time::sleep(timeout) => {
                    let _ = halt.send(Halt::Timeout);
                    match tokio::time::timeout(UNDO, &mut doing).await {
                        // It may have come to its end in the last moment.
                        Ok(Ok(outcome)) => Ok(outcome),
                        Ok(Err(StepError::Failed { failure, .. })) => Err(StepError::Failed { failure, transient: false }),
                        Ok(Err(StepError::Halted { undone })) => Err(StepError::too_slow(timeout, undone)),
                        Err(_) => Err(StepError::too_slow(timeout, None)),
                    }
                }
            };
            drop(doing);
            if let Err(StepError::Failed { failure, .. }) = &mut result {
                work.scene.clean(failure);
                work.log.say(format!("error: {}", failure.what));
                for more in [Some(&failure.advice), failure.undone.as_ref()].into_iter().flatten() {
                    if !more.is_empty() {
                        work.log.say(more.as_str());
                    }
                }
            }
            if let Err(error) = work.log.flush().await {
                let what = format!("the step's log cannot be stored: {error}");
                result = Err(StepError::fatal(what));
            }
            (id, result)
        });
    }

    /// Tells steps at work that somebody wants the run to stop.
    fn tell_steps(&self) {
        if self.run.state != RunState::Cancelling {
            return;
        }
        for (id, halt) in &self.halts {
            let always = self.run.plan.steps[id.index()].always;
            if !always && *halt.borrow() == Halt::No {
                let _ = halt.send(Halt::Cancel);
            }
        }
    }

    async fn ended(
        &mut self,
        ended: Result<(StepId, Result<Outcome, StepError>), tokio::task::JoinError>,
    ) -> Result<(), StoreError> {
        let (step, result) = match ended {
            Ok(ended) => ended,
            Err(error) if error.is_cancelled() => return Ok(()),
            Err(error) => {
                // Which one it was, the panic took with it: every step without a task is marked.
                tracing::error!(%error, run = %self.claim.run, "a step ended in a panic");
                for step in self.left_running() {
                    let failure = StepError::fault(
                        "Fairlead made a mistake in this step; the server's log has the cause",
                    );
                    self.append(RunEvent::StepFailed { step, failure }).await?;
                }
                self.at_work.abort_all();
                return Ok(());
            }
        };
        self.halts.remove(&step);
        self.catch_up().await?;
        let event = match result {
            Ok(outcome) => RunEvent::StepSucceeded { step, outcome },
            Err(StepError::Halted { .. }) => RunEvent::StepCancelled { step },
            Err(StepError::Failed { failure, transient }) => {
                let tried = self.run.steps[step.index()].attempt;
                let retry = self.run.plan.steps[step.index()].retry;
                if transient && tried < retry.attempts && self.run.state == RunState::Running {
                    let pause = i64::try_from(retry.pause_after(tried).0).unwrap_or(0);
                    RunEvent::StepRetrying {
                        step,
                        failure,
                        until: Ms(now().0 + pause),
                    }
                } else {
                    RunEvent::StepFailed { step, failure }
                }
            }
        };
        self.append(event).await
    }

    /// Takes in what others have stored, such as a request to cancel.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        let store = &self.portal.parts().store;
        for stored in store
            .events_after(self.claim.run, self.run.seq, 1000)
            .await?
        {
            self.run
                .apply(&stored.event, stored.at)
                .map_err(StoreError::Illegal)?;
        }
        Ok(())
    }

    /// Stores an event and takes it in. When somebody else stored one first, takes in theirs and, if ours still
    /// fits, tries again; if it does not, the facts have changed and the next look decides anew.
    async fn append(&mut self, event: RunEvent) -> Result<(), StoreError> {
        let mut pause = Duration::from_millis(100);
        loop {
            let mut after = self.run.clone();
            let at = now();
            if after.apply(&event, at).is_err() {
                return Ok(());
            }
            let store = &self.portal.parts().store;
            match store.append(&self.claim, self.run.seq, &event, at).await {
                Ok(_) => {
                    self.run = after;
                    self.ring();
                    return Ok(());
                }
                Err(StoreError::Conflict(_)) => self.catch_up().await?,
                Err(
                    error @ (StoreError::LostLease { .. }
                    | StoreError::Illegal(_)
                    | StoreError::NotFound(_)),
                ) => {
                    self.at_work.abort_all();
                    return Err(error);
                }
                // A full disk or a database that is away: the effect has happened, so its record is worth waiting for.
                Err(error) => {
                    tracing::error!(%error, run = %self.claim.run, "an event cannot be stored; trying again");
                    tokio::select! {
                        () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(5)),
                        () = self.stop.cancelled() => return Err(error),
                    }
                }
            }
        }
    }

    fn ring(&self) {
        let live = &self.portal.parts().live;
        live.ring_run(self.claim.run);
        live.ring_board(&self.claim.project);
    }
}
