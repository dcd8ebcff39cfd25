//! What Fairlead does. No HTTP and no SQL: pages, REST, webhooks and the command line call these verbs and reads,
//! and the engine carries out the runs that the verbs have put into the store.
//!
//! A verb loads facts, asks [`domain::policy::allow`], decides with a pure function, writes through
//! [`store::Store::audited`] and rings a bell. Nothing else writes.
mod config;
mod engine;
mod error;
mod facts;
mod identity;
mod live;
mod manifests;
mod open;
mod reads;
mod verbs;

use std::sync::Arc;

use adapters::github::GitHub;
use adapters::secrets::Sources;
use adapters::ssh::Hosts;
use domain::Ms;
use store::Store;

pub use config::{Builder, Config, GithubConfig, MemberRule, Who};
pub use engine::EngineHandle;
pub use error::Error;
pub use identity::{Caller, NewToken, PendingSignIn};
pub use reads::LogRange;
pub use store::{NewDelivery, OpenDelivery};
pub use verbs::deploy::DeployRequest;

/// The product. Cheap to clone.
#[derive(Clone)]
pub struct Portal(Arc<Parts>);

/// What the product is made of.
struct Parts {
    config: Config,
    store: Store,
    /// Under which name this process holds leases.
    owner: String,
    hosts: Hosts,
    github: GitHub,
    http: adapters::http::Client,
    secrets: Sources,
    repositories: facts::Repositories,
    manifests: manifests::Manifests,
    live: live::Bells,
    rechecks: identity::Rechecks,
}

impl Portal {
    fn parts(&self) -> &Parts {
        &self.0
    }
}

/// The clock. Decisions get the time as an argument; only verbs, reads and the engine read it.
fn now() -> Ms {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
