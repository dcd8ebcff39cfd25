//! Doorbells. A bell says only that there is something new; what it is, everyone reads from the store by cursor,
//! so a bell that is missed costs a moment and a slow listener holds nobody back.
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use domain::{ProjectName, RunId};
use tokio::sync::{Notify, watch};

/// All bells of a portal. Rung after commit, never before.
#[derive(Default)]
pub(crate) struct Bells {
    runs: Mutex<HashMap<RunId, watch::Sender<u64>>>,
    boards: Mutex<HashMap<ProjectName, watch::Sender<u64>>>,
    engine: Notify,
    deliveries: Notify,
    messages: Notify,
}

impl Bells {
    /// Something was appended to the run's events or logs.
    pub(crate) fn ring_run(&self, run: RunId) {
        ring(&self.runs, &run);
    }

    /// What the project's board shows has changed.
    pub(crate) fn ring_board(&self, project: &ProjectName) {
        ring(&self.boards, project);
    }

    /// There may be work.
    pub(crate) fn ring_engine(&self) {
        self.engine.notify_one();
    }

    /// Waits until [`Bells::ring_engine`] was rung since the last wait.
    pub(crate) async fn work(&self) {
        self.engine.notified().await;
    }

    /// There may be a delivery to act on.
    pub(crate) fn ring_deliveries(&self) {
        self.deliveries.notify_one();
    }

    /// Waits until [`Bells::ring_deliveries`] was rung since the last wait.
    pub(crate) async fn delivery(&self) {
        self.deliveries.notified().await;
    }

    /// There may be a message to send.
    pub(crate) fn ring_messages(&self) {
        self.messages.notify_one();
    }

    /// Waits until [`Bells::ring_messages`] was rung since the last wait.
    pub(crate) async fn message(&self) {
        self.messages.notified().await;
    }

    /// A listener for one run. Listen first, read the store after: nothing falls between.
    pub(crate) fn of_run(&self, run: RunId) -> watch::Receiver<u64> {
        listen(&self.runs, run)
    }

    /// A listener for one board.
    pub(crate) fn of_board(&self, project: &ProjectName) -> watch::Receiver<u64> {
        listen(&self.boards, project.clone())
    }
}

fn ring<K: Eq + Hash>(bells: &Mutex<HashMap<K, watch::Sender<u64>>>, key: &K) {
    let mut bells = bells.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(bell) = bells.get(key) {
        if bell.receiver_count() == 0 {
            bells.remove(key); // the last listener has gone
        } else {
            bell.send_modify(|rings| *rings += 1);
        }
    }
}

fn listen<K: Eq + Hash>(
    bells: &Mutex<HashMap<K, watch::Sender<u64>>>,
    key: K,
) -> watch::Receiver<u64> {
    let mut bells = bells.lock().unwrap_or_else(PoisonError::into_inner);
    bells
        .entry(key)
        .or_insert_with(|| watch::channel(0).0)
        .subscribe()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ring_between_listening_and_waiting_is_not_lost() {
        let bells = Bells::default();
        let mut listener = bells.of_run(RunId(1));
        bells.ring_run(RunId(1));
        assert!(listener.changed().await.is_ok());
        bells.ring_run(RunId(2));
        assert!(!listener.has_changed().unwrap());
    }

    #[tokio::test]
    async fn a_bell_without_listeners_is_forgotten() {
        let bells = Bells::default();
        drop(bells.of_run(RunId(1)));
        bells.ring_run(RunId(1));
        assert!(bells.runs.lock().unwrap().is_empty());
    }
}
