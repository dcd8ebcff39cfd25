//! The audit trail: who did what, to what, why, when, from where. Events are hash-chained, so one that was
//! changed, removed or put in between is found.
//!
//! The hash of an event is SHA-256 over the hash before it (32 bytes; zeros for the first) and the event's
//! canonical text: JSON without white space, keys in the order of the alphabet at every level.
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::message::Channel;
use crate::plan::RunKind;
use crate::policy::{ActorName, Role};
use crate::push::DeliveryId;
use crate::{EnvName, Login, Ms, ProjectName, RunId, Sha};

/// Which trail an event belongs to: a project's, or the portal's own (sign-ins, tokens).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Chain {
    /// What concerns no single project.
    Portal,
    /// A project's own trail.
    Project(ProjectName),
}

impl From<Option<&ProjectName>> for Chain {
    fn from(project: Option<&ProjectName>) -> Self {
        project.map_or(Chain::Portal, |project| Chain::Project(project.clone()))
    }
}

impl From<Chain> for String {
    fn from(chain: Chain) -> String {
        chain.to_string()
    }
}

impl TryFrom<String> for Chain {
    type Error = crate::ParseIdError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.strip_prefix("project:") {
            Some(name) => ProjectName::parse(name).map(Chain::Project),
            None if text == "portal" => Ok(Chain::Portal),
            None => ProjectName::parse(text).map(Chain::Project),
        }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Chain::Portal => f.write_str("portal"),
            Chain::Project(name) => write!(f, "project:{name}"),
        }
    }
}

/// Through which door a change came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Door {
    /// The web pages.
    Web,
    /// The REST interface.
    Api,
    /// The command line.
    Cli,
    /// A webhook.
    Webhook,
    /// Fairlead itself.
    Engine,
}

/// Where a change came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Through which door.
    pub door: Door,
    /// The client's address, where there is one.
    pub address: Option<String>,
    /// The request's id, as in the server's own log.
    pub request: Option<String>,
}

/// What was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// A run was asked for.
    RunRequested {
        /// The run.
        run: RunId,
        /// Its kind.
        kind: RunKind,
        /// Where to.
        environment: EnvName,
        /// What.
        commit: Sha,
        /// The run that it repeats from its failed step on.
        retry_of: Option<RunId>,
        /// Queued runs whose place it took.
        supersedes: Vec<RunId>,
        /// Tests that fail do not hold it up.
        #[serde(default)]
        tests_overridden: bool,
        /// Its images are built anew.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rebuild: bool,
    },
    /// A run was to stop.
    CancelRequested {
        /// The run.
        run: RunId,
        /// Where.
        environment: EnvName,
    },
    /// A delivery of GitHub was to be acted on again.
    DeliveryRepeated {
        /// The delivery.
        delivery: DeliveryId,
        /// The new one that repeats it.
        again: DeliveryId,
    },
    /// A message of a run was to be sent again.
    MessageRepeated {
        /// The run.
        run: RunId,
        /// Whom it is for.
        channel: Channel,
    },
    /// Somebody signed in.
    SignedIn {
        /// Who.
        login: Login,
    },
    /// Somebody signed out, or a session was ended.
    SignedOut {
        /// Whose session.
        login: Login,
    },
    /// An API token was made.
    TokenCreated {
        /// Its name.
        name: String,
        /// What it may do.
        role: Role,
        /// Until when.
        expires: Ms,
    },
    /// An API token was revoked.
    TokenRevoked {
        /// Its name.
        name: String,
    },
    /// A manifest was taken in.
    ManifestImported {
        /// SHA-256 in hex of its text.
        manifest: String,
        /// The one before, if any.
        previous: Option<String>,
    },
}

impl Change {
    /// The change as a sentence's end, after the actor's name.
    pub fn sentence(&self) -> String {
        match self {
            Change::RunRequested {
                run,
                environment,
                commit,
                retry_of,
                tests_overridden,
                rebuild,
                ..
            } => {
                let again = retry_of.map_or_else(String::new, |of| format!("retry run #{of}, "));
                let anyway = if *tests_overridden {
                    ", whatever its tests say"
                } else {
                    ""
                };
                let anew = if *rebuild {
                    ", its images built anew"
                } else {
                    ""
                };
                format!(
                    "asked for run #{run}: {again}deploy {} to {environment}{anew}{anyway}",
                    commit.short()
                )
            }
            Change::CancelRequested { run, environment } => {
                format!("cancelled run #{run} to {environment}")
            }
            Change::DeliveryRepeated { delivery, .. } => {
                format!("had delivery {delivery} of GitHub acted on again")
            }
            Change::MessageRepeated { run, channel } => {
                format!("had {channel} told again about run #{run}")
            }
            Change::SignedIn { .. } => "signed in".into(),
            Change::SignedOut { login } => format!("ended a session of {login}"),
            Change::TokenCreated { name, role, .. } => {
                format!("made the API token {name} ({role})")
            }
            Change::TokenRevoked { name } => format!("revoked the API token {name}"),
            Change::ManifestImported { manifest, .. } => {
                format!(
                    "took in manifest {}",
                    manifest.get(..12).unwrap_or(manifest)
                )
            }
        }
    }
}

/// An entry of the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// Which trail.
    pub chain: Chain,
    /// Its place in the trail, from 1.
    pub seq: i64,
    /// When.
    pub at: Ms,
    /// Who.
    pub actor: ActorName,
    /// From where.
    pub origin: Origin,
    /// What.
    pub what: Change,
    /// Why, in the actor's words.
    pub reason: Option<String>,
}

/// A SHA-256 of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainHash([u8; 32]);

impl ChainHash {
    /// What stands before the first event.
    pub const START: ChainHash = ChainHash([0; 32]);

    /// The hash of the event with this canonical text, which follows `self`.
    pub fn follow(&self, canonical: &str) -> ChainHash {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        hasher.update(canonical.as_bytes());
        ChainHash(hasher.finalize().into())
    }

    /// The hash from 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<ChainHash> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .ok()
            .map(|()| ChainHash(bytes))
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl AuditEvent {
    /// The text that is hashed and stored.
    pub fn canonical(&self) -> Result<String, serde_json::Error> {
        let mut value = serde_json::to_value(self)?;
        // Whether serde_json's map is sorted by itself depends on a feature that any other crate may switch on.
        value.sort_all_objects();
        Ok(value.to_string())
    }
}

/// A stored entry: the canonical text and the hash that was stored with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its place in the trail.
    pub seq: i64,
    /// The canonical text.
    pub canonical: String,
    /// The hash in hex.
    pub hash: String,
}

/// The first place where a trail is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit trail is broken at event {seq}: {why}")]
pub struct Broken {
    /// The event.
    pub seq: i64,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Checks links that follow one another from the `first` number and the hash before it; gives the last hash.
pub fn verify<'l>(
    chain: &Chain,
    first: i64,
    before: ChainHash,
    links: impl IntoIterator<Item = &'l Link>,
) -> Result<ChainHash, Broken> {
    let mut hash = before;
    for (expected, link) in (first..).zip(links) {
        let broken = |why| Broken { seq: expected, why };
        if link.seq != expected {
            return Err(broken("it is missing"));
        }
        hash = hash.follow(&link.canonical);
        if link.hash != hash.to_string() {
            return Err(broken("its text does not match its hash"));
        }
        match serde_json::from_str::<AuditEvent>(&link.canonical) {
            Ok(event) if event.seq == expected && event.chain == *chain => {}
            Ok(_) => return Err(broken("its text belongs to another place")),
            Err(_) => return Err(broken("its text cannot be read")),
        }
    }
    Ok(hash)
}
