//! Removes from the builder what the tests of runs that have ended have left there: its engine was away, or too busy, when
//! they were to be cleared.
//!
//! Several portals may use one builder. A run's key tells whose a container is: one that this portal's store does not
//! know stays.
use std::collections::HashMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::super::{StepError, label};
use super::bench::key_in;
use crate::Portal;
use crate::engine::scene::{builder, of_builder, run_of};

/// Between two looks, and after one that failed.
const PAUSE: Duration = Duration::from_secs(3600);
const SHORT_PAUSE: Duration = Duration::from_secs(300);

/// Looks now, and then again and again.
pub(in crate::engine) async fn run(portal: Portal, stop: CancellationToken) {
    loop {
        let look = async {
            let pause = match sweep(&portal).await {
                Ok(()) => PAUSE,
                Err(error) => {
                    tracing::warn!(%error, "what tests have left on the builder cannot be removed");
                    SHORT_PAUSE
                }
            };
            tokio::time::sleep(pause).await;
        };
        // It may be cut off anywhere: the next look finds the rest.
        tokio::select! {
            () = look => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn sweep(portal: &Portal) -> Result<(), StepError> {
    let parts = portal.parts();
    let secrets = of_builder(portal).await;
    let secrets = secrets.map_err(|error| StepError::fatal(error.to_string()))?;
    let engine = builder(portal, &secrets).await?;
    let labels = [label::RUN, label::STEP];
    // Containers first: a network goes only when nobody is on it.
    let containers = engine.list(&labels).await?;
    let networks = engine.networks(&labels).await?;
    let names = containers.iter().map(|found| &found.name);
    let names = names.chain(networks.iter().map(|found| &found.name));
    let mut ended = HashMap::new();
    for key in names.filter_map(|name| key_in(name)) {
        if !ended.contains_key(key) {
            let run = run_of(&parts.store, key).await?;
            ended.insert(key, run.is_some_and(|run| run.row.state.is_final()));
        }
    }
    let is_left = |name: &str| key_in(name).is_some_and(|key| ended.get(key) == Some(&true));
    // One that does not go keeps nothing else from going.
    let mut all = Ok(());
    for found in containers.iter().filter(|found| is_left(&found.name)) {
        match engine.remove(&found.id).await {
            Ok(_) => {
                tracing::info!(name = %found.name, "removed what tests had left on the builder")
            }
            Err(error) => all = Err(error),
        }
    }
    for found in networks.iter().filter(|found| is_left(&found.name)) {
        if let Err(error) = engine.remove_network(&found.id).await {
            all = Err(error);
        }
    }
    Ok(all?)
}
