//! Acts on what GitHub told. Level-triggered as the engine is: whatever is open in the store is done, so that a portal
//! that dies between storing a delivery and acting on it goes on in its next life.
use std::collections::HashSet;
use std::time::Duration;

use domain::Ms;
use store::OpenDelivery;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{Portal, now};

/// The longest pause between two looks at the store.
const PASS: Duration = Duration::from_secs(2);
/// The pause after the first try in vain; it doubles from try to try.
const PAUSE_MS: i64 = 5_000;

/// Works until it is told to stop. One repository's deliveries come one after the other, so that a slow one holds up
/// no other.
pub(super) async fn run(portal: Portal, stop: CancellationToken) {
    let mut at_work: JoinSet<String> = JoinSet::new();
    let mut held: HashSet<String> = HashSet::new();
    while !stop.is_cancelled() {
        match portal.parts().store.open_deliveries(now()).await {
            Ok(open) => {
                for delivery in open {
                    if held.insert(delivery.repository.clone()) {
                        at_work.spawn(act(portal.clone(), delivery));
                    }
                }
            }
            Err(error) => tracing::error!(%error, "nobody can look for deliveries"),
        }
        tokio::select! {
            () = portal.parts().live.delivery() => {}
            () = tokio::time::sleep(PASS) => {}
            () = stop.cancelled() => {}
            Some(ended) = at_work.join_next() => match ended {
                Ok(repository) => drop(held.remove(&repository)),
                // A panic: the repository stays held, so that it is not tried in a circle; the next start takes it up.
                Err(error) => tracing::error!(%error, "a delivery could not be acted on"),
            },
        }
    }
    // Cut off as by a crash, which it is made for.
    at_work.shutdown().await;
}

async fn act(portal: Portal, delivery: OpenDelivery) -> String {
    if let Err(error) = portal.act_on(&delivery).await {
        let pause = PAUSE_MS << delivery.tries.clamp(0, 10);
        tracing::warn!(%error, delivery = delivery.guid, "a delivery is tried again in {} s", pause / 1000);
        let next = Ms(now().0.saturating_add(pause));
        let later = portal.parts().store.delivery_later(delivery.id, next).await;
        if let Err(error) = later {
            tracing::error!(%error, "a delivery cannot be put off");
        }
    }
    delivery.repository
}
