//! Drives one run: folds its events, starts what [`Run::next`] says, stores each event before and after its effect.
//!
//! Everything here may stop at any point, by a crash or on purpose. What is stored is the truth, and the next life
//! of the portal enters at [`drive`] with it.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::run::{Failure, Next, Run, RunEvent, RunState, StepState};
use domain::step::StepKind;
use domain::{Ms, RunId, StepId};
use store::{Claim, StoreError, StoredRun};
use tokio::sync::watch;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::attempt::{Ended, told, within_limit};
use super::log::Log;
use super::scene::{Scene, key_of, manifest_of};
use super::steps::{self, Halt, StepError, Work};
use super::{HEARTBEAT, LEASE};
use crate::{Portal, now};

/// How long a run that could not be driven is left alone before somebody tries again.
const REST: Duration = Duration::from_secs(5);
/// How long a portal that stops waits for the answer to a message that it is sending.
const ANSWER: Duration = Duration::from_secs(3);
/// How long a portal that stops waits for the last lines of each log.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Drives the claimed run until it ends, the claim is lost, or the portal stops.
pub(super) async fn drive(portal: Portal, claim: Claim, stop: CancellationToken) -> RunId {
    let id = claim.run;
    let driven = match Drive::open(portal, claim, stop.clone()).await {
        Ok(mut drive) => {
            let driven = drive.run().await;
            drive.close().await;
            driven.map_err(crate::Error::from)
        }
        Err(error) => Err(error),
    };
    if let Err(error) = driven {
        tracing::error!(%error, run = %id, "the run is left as it is; it goes on at a later look");
        // The next look is due at once, and would find the same.
        tokio::select! {
            () = tokio::time::sleep(REST) => {}
            () = stop.cancelled() => {}
        }
    }
    id
}

struct Drive {
    portal: Portal,
    claim: Claim,
    stop: CancellationToken,
    stored: StoredRun,
    run: Run,
    scene: Option<Arc<Scene>>,
    at_work: JoinSet<Done>,
    /// What steps that succeeded have left is cleared away here, beside the steps after them. The run ends after it.
    clearing: JoinSet<()>,
    doing: HashMap<task::Id, StepId>,
    steps: HashMap<StepId, AtWork>,
    /// When the store last answered.
    heard: Instant,
}

/// How a try of a step ended, and with what it was at work.
struct Done {
    result: Ended,
    work: Option<Arc<Work>>,
}

/// What the driver holds of a step at work.
struct AtWork {
    halt: watch::Sender<Halt>,
    log: Log,
}

impl Drive {
    async fn open(
        portal: Portal,
        claim: Claim,
        stop: CancellationToken,
    ) -> Result<Self, crate::Error> {
        let stored = portal.parts().store.load_run(claim.run).await?;
        let run = stored.run()?;
        Ok(Self {
            portal,
            claim,
            stop,
            stored,
            run,
            scene: None,
            at_work: JoinSet::new(),
            clearing: JoinSet::new(),
            doing: HashMap::new(),
            steps: HashMap::new(),
            heard: Instant::now(),
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
        for id in self.in_state(|state| *state == StepState::Running) {
            self.start(id, true).await;
        }
        // An earlier life of the portal may not have come to the end of that.
        for id in self.in_state(|state| matches!(state, StepState::Succeeded { .. })) {
            if steps::leaves_something(&self.run.plan.steps[id.index()].step) {
                self.clear_again(id).await;
            }
        }
        while !self.run.state.is_final() {
            bell.borrow_and_update();
            let caught_up = self.catch_up().await;
            self.bear_with(caught_up)?;
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
                Some(ended) = self.at_work.join_next_with_id() => self.ended(ended).await?,
                Some(cleared) = self.clearing.join_next() => {
                    if let Err(error) = cleared {
                        tracing::error!(%error, run = %self.claim.run, "what a step left is not cleared away");
                    }
                }
                _ = bell.changed() => {}
                () = tokio::time::sleep(wake) => {}
                _ = heartbeat.tick() => {
                    let told = self.portal.parts().store.heartbeat(&self.claim, now()).await;
                    self.bear_with(told)?;
                }
                // Steps are cut off as by a crash, which they are made for.
                () = self.stop.cancelled() => return Ok(()),
            }
        }
        self.portal.parts().live.ring_engine();
        Ok(())
    }

    /// Ends what is still at work, stores its last lines and gives the lease back. A claim that is lost stays lost.
    async fn close(&mut self) {
        // Of a message that is cut off nobody would know whether it arrived.
        let step = |id: &StepId| &self.run.plan.steps[id.index()].step;
        if self.steps.keys().any(|id| *step(id) == StepKind::Notify) {
            let answered = async { while self.at_work.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(ANSWER, answered).await;
        }
        self.at_work.abort_all();
        self.clearing.abort_all();
        while self.at_work.join_next().await.is_some() {}
        while self.clearing.join_next().await.is_some() {}
        for (step, at_work) in self.steps.drain() {
            let stored = tokio::time::timeout(LAST_LINES, at_work.log.flush()).await;
            if !matches!(stored, Ok(Ok(()))) {
                tracing::warn!(run = %self.claim.run, %step, "the last lines of a log are not stored");
            }
        }
        // Most runs gave it back with `Finished`; one that was cancelled before it started never took that.
        if let Err(error) = self.portal.parts().store.release(&self.claim).await {
            tracing::warn!(%error, run = %self.claim.run, "the lease is not given back; it expires");
        }
    }

    /// Takes the store's silence for what it is for as long as nobody else can have taken the run over. What is at
    /// work on hosts would be cut off for nothing.
    fn bear_with(&mut self, answer: Result<(), StoreError>) -> Result<(), StoreError> {
        match answer {
            Ok(()) => self.heard = Instant::now(),
            Err(error) if error.is_transient() && self.heard.elapsed() < LEASE => {
                tracing::warn!(%error, run = %self.claim.run, "the store does not answer; going on for now");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Does everything that is to be done now; false when there was nothing.
    async fn advance(&mut self) -> Result<bool, StoreError> {
        let mut next = self.run.next(now());
        if !self.clearing.is_empty() {
            next.retain(|next| *next != Next::Finish);
        }
        let some = !next.is_empty();
        for next in next {
            match next {
                Next::Start(step, attempt) => {
                    self.append(RunEvent::StepStarted { step, attempt }).await?;
                    // A cancellation may have come first.
                    if self.run.steps[step.index()].state == StepState::Running {
                        self.start(step, false).await;
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

    fn in_state(&self, wanted: impl Fn(&StepState) -> bool) -> Vec<StepId> {
        let planned = self.run.plan.steps.iter().zip(&self.run.steps);
        planned
            .filter(|(_, step)| wanted(&step.state))
            .map(|(planned, _)| planned.id)
            .collect()
    }

    /// Clears away what a step has left that succeeded in an earlier life of the portal.
    async fn clear_again(&mut self, id: StepId) {
        let scene = match self.scene().await {
            Ok(scene) => scene,
            // The steps that are left cannot start either, and say so on the run's page.
            Err(failure) => {
                let (run, why) = (self.claim.run, failure.what);
                tracing::warn!(%run, step = %id, why, "what a step left cannot be cleared away; look at the builder");
                return;
            }
        };
        let (_, halted) = watch::channel(Halt::No);
        let log = self.log(id, Some(&scene));
        self.clear(self.work(id, scene, halted, log, false));
    }

    fn log(&self, id: StepId, scene: Option<&Arc<Scene>>) -> Log {
        let redactor = scene.map(|scene| scene.redactor.clone());
        Log::open(self.portal.clone(), self.claim.clone(), id, redactor)
    }

    fn work(
        &self,
        id: StepId,
        scene: Arc<Scene>,
        halted: watch::Receiver<Halt>,
        log: Log,
        first: bool,
    ) -> Arc<Work> {
        Arc::new(Work {
            scene,
            claim: self.claim.clone(),
            run: self.run.clone(),
            planned: self.run.plan.steps[id.index()].clone(),
            halted,
            log,
            first,
        })
    }

    /// How long ago the try was started that an earlier life of the portal has left.
    fn since_start(&self, id: StepId) -> Duration {
        let mut events = self.stored.events.iter().rev();
        let started = events.find(
            |stored| matches!(stored.event, RunEvent::StepStarted { step, .. } if step == id),
        );
        let ms = started.map_or(0, |started| now().since(started.at));
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }

    fn left_unknown(&self, id: StepId) -> Option<String> {
        let plan = &self.run.plan;
        let key = key_of(&self.stored);
        steps::left_unknown(&plan.steps[id.index()].step, plan, &key)
    }

    fn clear(&mut self, work: Arc<Work>) {
        self.clearing
            .spawn(async move { steps::clear_up(&work).await });
    }

    /// What the steps share. It is made when the first one starts; where that failed, the next try may have more luck.
    async fn scene(&mut self) -> Result<Arc<Scene>, Failure> {
        if let Some(scene) = &self.scene {
            return Ok(scene.clone());
        }
        let scene = Arc::new(Scene::open(&self.portal, &self.stored).await?);
        self.scene = Some(scene.clone());
        Ok(scene)
    }

    /// Leaves word of the run where its last step cannot even begin, to be sent after it.
    async fn leave_word(&self) {
        let Ok(manifest) = manifest_of(&self.portal, &self.stored.plan).await else {
            return; // nobody knows whom to tell
        };
        let by = self.stored.row.by.to_string();
        let put = steps::put_messages(&self.portal, &self.claim, &manifest, &by, &self.run).await;
        if let Err(error) = put {
            tracing::error!(%error, run = %self.claim.run, "nobody is told how the run ended");
        }
    }

    async fn start(&mut self, id: StepId, resuming: bool) {
        let planned = self.run.plan.steps[id.index()].clone();
        let cancelled = self.run.state == RunState::Cancelling && !planned.always;
        let (halt, halted) = watch::channel(if cancelled { Halt::Cancel } else { Halt::No });
        let scene = self.scene().await;
        if scene.is_err() && planned.step == StepKind::Notify {
            self.leave_word().await;
        }
        let log = self.log(id, scene.as_ref().ok());
        let at_work = AtWork {
            halt: halt.clone(),
            log: log.clone(),
        };
        self.steps.insert(id, at_work);
        let first = !resuming && self.run.steps[id.index()].attempt == 1;
        let work = scene.map(|scene| self.work(id, scene, halted, log.clone(), first));
        let unknown = self.left_unknown(id).filter(|_| !first);
        let spent = match resuming && planned.step.goes_on_alone() {
            true => self.since_start(id),
            false => Duration::ZERO,
        };
        let task = self.at_work.spawn(async move {
            if resuming {
                log.say("Fairlead was restarted; looking at what is there and going on");
            }
            let (result, work) = match work {
                Ok(work) => (within_limit(&work, &halt, spent).await, Some(work)),
                Err(mut failure) => {
                    failure.undone = unknown;
                    let failed = StepError::Failed {
                        failure,
                        transient: true,
                    };
                    (Err(failed), None)
                }
            };
            let result = told(result, &log).await;
            Done { result, work }
        });
        self.doing.insert(task.id(), id);
    }

    /// Tells steps at work that somebody wants the run to stop.
    fn tell_steps(&self) {
        if self.run.state != RunState::Cancelling {
            return;
        }
        for (id, AtWork { halt, .. }) in &self.steps {
            let always = self.run.plan.steps[id.index()].always;
            if !always && *halt.borrow() == Halt::No {
                let _ = halt.send(Halt::Cancel);
            }
        }
    }

    async fn ended(
        &mut self,
        ended: Result<(task::Id, Done), JoinError>,
    ) -> Result<(), StoreError> {
        let (task, result, work) = match ended {
            Ok((task, Done { result, work })) => (task, Some(result), work),
            Err(error) => {
                tracing::error!(%error, run = %self.claim.run, "a step ended in a panic");
                (error.id(), None, None)
            }
        };
        let Some(step) = self.doing.remove(&task) else {
            return Ok(());
        };
        let result = result.unwrap_or_else(|| {
            let failure = Failure {
                what: "Fairlead made a mistake in this step; the server's log has the cause".into(),
                advice: String::new(),
                undone: self.left_unknown(step),
                counts_always: false,
            };
            Err(StepError::Failed {
                failure,
                transient: false,
            })
        });
        self.steps.remove(&step);
        // What the step did is kept however long the store takes: `append` waits for it.
        if let Err(error) = self.catch_up().await {
            tracing::warn!(%error, run = %self.claim.run, "the store does not answer");
        }
        let event = match result {
            Ok(outcome) => {
                let leaves = |work: &Arc<Work>| steps::leaves_something(&work.planned.step);
                if let Some(work) = work.filter(leaves) {
                    self.clear(work);
                }
                RunEvent::StepSucceeded { step, outcome }
            }
            Err(StepError::Lost) => {
                return Err(StoreError::LostLease {
                    run: self.claim.run,
                });
            }
            Err(StepError::Halted { .. }) => RunEvent::StepCancelled { step },
            Err(StepError::Failed { failure, transient }) => {
                let tried = self.run.steps[step.index()].attempt;
                let planned = &self.run.plan.steps[step.index()];
                // A host that is half changed is looked at again also when the run is to stop.
                let goes_on = self.run.state == RunState::Running
                    || planned.always
                    || planned.step.changes_a_host();
                if transient && tried < planned.retry.attempts && goes_on {
                    let pause = i64::try_from(planned.retry.pause_after(tried).0).unwrap_or(0);
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
            let stored = match store.append(&self.claim, self.run.seq, &event, at).await {
                Ok(_) => {
                    self.heard = Instant::now();
                    self.run = after;
                    self.ring();
                    return Ok(());
                }
                Err(StoreError::Conflict(_)) => self.catch_up().await,
                Err(error) => Err(error),
            };
            match stored {
                Ok(()) => {}
                Err(
                    error @ (StoreError::LostLease { .. }
                    | StoreError::Illegal(_)
                    | StoreError::NotFound(_)),
                ) => return Err(error),
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
