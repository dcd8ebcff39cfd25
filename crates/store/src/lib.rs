//! Fairlead's memory: SQLite in a file, or PostgreSQL, with the same SQL. No other crate speaks to a database.
//!
//! There are two doors through which something can be written:
//!
//! 1. [`Store::audited`], for every command of a person, a token, a webhook or an operator. It wants a
//!    [`Grant`](domain::policy::Grant), and its [`Tx`] can only be committed together with an audit event.
//! 2. The engine's, which is opened by [`Store::claim`]. With a [`Claim`] it can move the one run that it claimed,
//!    which a `Tx` has made before, and add to that run's logs and messages. Its events are that run's trail.
//!
//! Besides these there is bookkeeping that changes nothing that anybody decided: when a session was last seen, what
//! GitHub last said about its memberships, what it told of a repository and why nothing came of that, and how each try
//! to send a message went. A run that a delivery starts is made through the first door, with the note of it.
//!
//! Truth about a run is its plan and its `run_event` rows. What else the tables say about it (`run.state`,
//! `deployed`, `built`, `step_time`) is derived from an event and written in the same commit.
mod artifacts;
mod audit;
mod db;
mod deliveries;
mod error;
mod json;
mod lease;
mod logs;
mod manifests;
mod messages;
mod open;
mod outbox;
mod people;
mod run_log;
mod runs;
mod tokens;
mod tx;
mod url;
mod views;

use std::sync::Arc;

pub use audit::Head;
pub use deliveries::{LastPush, NewDelivery, OpenDelivery};
pub use error::StoreError;
pub use lease::{Claim, Lease};
pub use logs::NewLine;
pub use manifests::StoredManifest;
pub use messages::DueMessage;
pub use people::{NewSession, Person, Session, SessionId, TokenHash};
pub use runs::{NewRun, Reused, StoredRun};
pub use tokens::{ApiToken, NewToken};
pub use tx::{Note, Tx};
pub use url::StoreUrl;
pub use views::LaneRuns;

/// The store. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Store {
    main: db::Db,
    logs: db::Db,
    /// Keeps a second portal away as long as a clone of the store lives.
    _lock: Arc<Option<open::Lock>>,
}
