//! What GitHub tells of a repository, and what a push starts. A delivery is stored before anything is decided about it,
//! so what is kept of it stands here.
use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::manifest::{Environment, Manifest, PathPattern};
use crate::{EnvName, Login, Ms, ParseIdError, RunId, Sha};

/// A delivery's number, in the order in which deliveries came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub i64);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::str::FromStr for DeliveryId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        // The same kind of number as a run's.
        text.parse::<RunId>().map(|number| Self(number.0))
    }
}

/// What is kept of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "kebab-case")]
pub enum Told {
    /// A push.
    Push(Push),
    /// Something that starts nothing.
    Other {
        /// Why it does not.
        why: String,
    },
}

/// A branch or tag was moved, made or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// The full name: `refs/heads/main`, `refs/tags/v1`.
    pub reference: String,
    /// Where it was; nowhere when it is new.
    pub before: Option<Sha>,
    /// Where it is; nowhere when it was deleted.
    pub after: Option<Sha>,
    /// The commits that it brings to a new branch, where GitHub has listed all of them.
    pub commits: Option<Vec<Sha>>,
    /// The first line of the newest commit's message.
    pub title: String,
    /// Who pushed.
    pub by: Login,
}

/// What came of a delivery for a project or one of its environments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "came", rename_all = "kebab-case")]
pub enum Came {
    /// A run.
    Run {
        /// Its number.
        run: RunId,
    },
    /// Nothing, as it should be.
    Ignored {
        /// Why.
        why: String,
    },
    /// Nothing, and somebody should know.
    Blocked {
        /// What stands in the way.
        why: String,
    },
}

impl Came {
    fn ignored(why: impl Into<String>) -> Self {
        Came::Ignored { why: why.into() }
    }
}

/// A delivery as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRow {
    /// Its number.
    pub id: DeliveryId,
    /// GitHub's name for it, or the one that it got when it was asked for again.
    pub guid: String,
    /// `push`, `ping`, …
    pub event: String,
    /// What is kept of it.
    pub told: Told,
    /// When it came.
    pub received: Ms,
    /// When everything was done about it.
    pub done: Option<Ms>,
    /// The delivery that it repeats.
    pub again_of: Option<DeliveryId>,
    /// What came of it: for an environment, or for the project as a whole.
    pub came: Vec<(Option<EnvName>, Came)>,
}

/// A page of deliveries, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryPage {
    /// The deliveries.
    pub deliveries: Vec<DeliveryRow>,
    /// Give this as `before` to get the page after; absent on the last.
    pub next: Option<DeliveryId>,
}

/// Where a push goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routed {
    /// Nowhere.
    Nowhere(Came),
    /// To these environments: where something may be started, `None`; else why not.
    Environments(Vec<(EnvName, Option<Came>)>),
}

impl Push {
    /// The branch, if it is one.
    pub fn branch(&self) -> Option<&str> {
        self.reference.strip_prefix("refs/heads/")
    }

    /// The environments of a project whose branch was pushed.
    pub fn route(&self, manifest: &Manifest) -> Routed {
        let Some(branch) = self.branch() else {
            let reference = &self.reference;
            return Routed::Nowhere(Came::ignored(format!("`{reference}` is not a branch")));
        };
        if self.after.is_none() {
            return Routed::Nowhere(Came::ignored(format!("the branch `{branch}` was deleted")));
        }
        let here = |place: &&Environment| place.branch.as_str() == branch;
        let bound = manifest.environments.iter();
        let routed: Vec<_> = bound
            .filter(|(_, place)| here(place))
            .map(|(name, place)| {
                let off = || {
                    Came::ignored(format!(
                        "`deploy_on_push` of {name} is off; start the run on the board"
                    ))
                };
                (name.clone(), (!place.deploy_on_push).then(off))
            })
            .collect();
        if routed.is_empty() {
            let why = format!("no environment follows the branch `{branch}`");
            return Routed::Nowhere(Came::ignored(why));
        }
        Routed::Environments(routed)
    }
}

/// Why a push that changed exactly these files starts nothing; `None` where it is to start something. A push that
/// changed no file at all was made for its own sake.
pub fn only_ignored(ignore: &[PathPattern], changed: &BTreeSet<String>) -> Option<Came> {
    let first = changed.first()?;
    let covered = |path: &String| ignore.iter().any(|pattern| pattern.matches(path));
    if !changed.iter().all(covered) {
        return None;
    }
    let files = match changed.len() - 1 {
        0 => format!("only `{first}` was changed, which"),
        1 => format!("only `{first}` and one more file were changed, which"),
        more => format!("only `{first}` and {more} more files were changed, which"),
    };
    Some(Came::ignored(format!("{files} `[on_push] ignore` covers")))
}
