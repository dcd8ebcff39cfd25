//! The nodes of a plan: what kinds of step there are, what each leaves behind, and how long each may take.
use serde::{Deserialize, Serialize};

use crate::manifest::Span;
use crate::release::TreeKey;
use crate::{ComponentName, Digest, HostName, RunId, StepId};

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StepKind {
    /// Fetch the repository and make sure that it holds the commit.
    Checkout,
    /// Check the workflow files at the commit.
    Lint {
        /// Their folder.
        workflows: String,
    },
    /// Build a component's image on the builder.
    Build {
        /// Which component.
        component: ComponentName,
        /// What identifies it.
        key: TreeKey,
    },
    /// Push a built image to one registry.
    Push {
        /// Which component.
        component: ComponentName,
        /// The registry's name in the manifest.
        registry: String,
    },
    /// Put this run's tag on an image that a registry already has; no layer moves.
    Tag {
        /// Which component.
        component: ComponentName,
        /// The registry's name in the manifest.
        registry: String,
        /// The image that was built from the same tree before.
        digest: Digest,
        /// What identifies it; absent in plans of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<TreeKey>,
    },
    /// Run a component's tests on the builder.
    Test {
        /// Which component.
        component: ComponentName,
        /// What identifies their input: the source and how it is tested.
        key: TreeKey,
        /// The run in which they passed on the same input; then there is nothing to do.
        passed: Option<RunId>,
    },
    /// Bring a component's database up to date.
    Migrate {
        /// Which component.
        component: ComponentName,
        /// The environment's host.
        host: HostName,
    },
    /// Replace a component's container on its host; the old one comes back when the new one is not healthy.
    Deploy {
        /// Which component.
        component: ComponentName,
        /// The environment's host.
        host: HostName,
    },
    /// Tell people how the run ended.
    Notify,
}

impl StepKind {
    /// The step's title on a page.
    pub fn title(&self) -> String {
        match self {
            StepKind::Checkout => "Check out".into(),
            StepKind::Lint { .. } => "Lint".into(),
            StepKind::Test { component, .. } => format!("Test {component}"),
            StepKind::Migrate { component, .. } => format!("Migrate {component}"),
            StepKind::Build { component, .. } => format!("Build {component}"),
            StepKind::Push {
                component,
                registry,
            } => format!("Push {component} to {registry}"),
            StepKind::Tag {
                component,
                registry,
                ..
            } => format!("Tag {component} on {registry}"),
            StepKind::Deploy { component, .. } => format!("Deploy {component}"),
            StepKind::Notify => "Notify".into(),
        }
    }

    /// What the step will do, in a sentence for the confirmation.
    pub fn sentence(&self) -> String {
        match self {
            StepKind::Checkout => "fetch the repository and find the commit".into(),
            StepKind::Lint { workflows } => format!("check the workflow files in {workflows}"),
            StepKind::Test {
                component,
                passed: Some(run),
                ..
            } => format!("the tests of {component} passed on the same source in run #{run}"),
            StepKind::Test { component, .. } => format!("run the tests of {component}"),
            StepKind::Migrate { component, host } => {
                format!("bring the database of {component} up to date from host {host}")
            }
            StepKind::Build { component, key } if key.is_anew() => format!(
                "build the image of {component} anew, without the cache and on base images as they are now"
            ),
            StepKind::Build { component, .. } => format!("build the image of {component}"),
            StepKind::Push {
                component,
                registry,
            } => format!("push the image of {component} to {registry}"),
            StepKind::Tag {
                component,
                registry,
                digest,
                ..
            } => {
                format!(
                    "reuse the image of {component} that {registry} already has ({})",
                    digest.short()
                )
            }
            StepKind::Deploy { component, host } => {
                format!(
                    "replace the container of {component} on host {host}, and return the old one if the new one is not healthy"
                )
            }
            StepKind::Notify => "tell the team how it ended".into(),
        }
    }

    /// Whether a try that broke off may have left a host half changed, or a migration at work there. Only another try can
    /// put that right, or say what became of it.
    pub fn changes_a_host(&self) -> bool {
        matches!(self, StepKind::Deploy { .. } | StepKind::Migrate { .. })
    }

    /// The component whose image it brings to a registry, where that is what it does.
    pub fn ships(&self) -> Option<&ComponentName> {
        match self {
            StepKind::Push { component, .. } | StepKind::Tag { component, .. } => Some(component),
            _ => None,
        }
    }

    /// Whether it goes on while no portal is there: then that time counts, too.
    pub fn goes_on_alone(&self) -> bool {
        matches!(self, StepKind::Migrate { .. })
    }

    /// Under which name the durations of such steps are compared from run to run.
    pub fn history_key(&self) -> String {
        match self {
            StepKind::Checkout => "checkout".into(),
            StepKind::Lint { .. } => "lint".into(),
            StepKind::Test { component, .. } => format!("test:{component}"),
            StepKind::Migrate { component, .. } => format!("migrate:{component}"),
            // Without the cache it takes its own time.
            StepKind::Build { component, key } if key.is_anew() => {
                format!("rebuild:{component}")
            }
            StepKind::Build { component, .. } => format!("build:{component}"),
            StepKind::Push {
                component,
                registry,
            } => format!("push:{component}:{registry}"),
            StepKind::Tag {
                component,
                registry,
                ..
            } => format!("tag:{component}:{registry}"),
            StepKind::Deploy { component, .. } => format!("deploy:{component}"),
            StepKind::Notify => "notify".into(),
        }
    }
}

/// What a step that succeeded leaves for the ones after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing but its log.
    Done,
    /// Workflow files without an error.
    Linted {
        /// How many warnings there are.
        warnings: u32,
    },
    /// Tests that passed.
    Tested {
        /// How many; absent where their output tells no numbers.
        passed: Option<u32>,
        /// How many were left out.
        skipped: Option<u32>,
    },
    /// A database that is up to date.
    Migrated {
        /// The last migration before, where the tool tells it.
        before: Option<String>,
        /// The last migration after.
        after: Option<String>,
    },
    /// An image on the builder.
    Built {
        /// The engine's image id.
        image: String,
    },
    /// An image in a registry.
    Pushed {
        /// What to pull it by.
        digest: Digest,
        /// How many bytes it is to pull as a whole, where the registry could tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
    },
    /// A container that is healthy.
    Deployed {
        /// The new container's id.
        container: String,
        /// The image that runs.
        digest: Digest,
        /// The old container's id, kept and stopped.
        replaced: Option<String>,
    },
    /// There was nothing to do.
    Nothing {
        /// Why.
        why: String,
    },
}

/// When a step that failed is tried again by itself. Only failures that say they are transient are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How often the step is tried at most, the first time included.
    pub attempts: u16,
    /// The pause before the second try; it doubles from try to try.
    pub pause: Span,
}

impl Retry {
    /// Never again.
    pub const NONE: Retry = Retry {
        attempts: 1,
        pause: Span(0),
    };

    /// The pause after the given number of failed tries.
    pub fn pause_after(&self, failed: u16) -> Span {
        let doublings = u32::from(failed.saturating_sub(1)).min(10);
        Span(self.pause.0.saturating_mul(1 << doublings).min(300_000))
    }
}

/// A node of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Its place in the plan.
    pub id: StepId,
    /// What it does.
    pub step: StepKind,
    /// The steps that must have succeeded first; for one that runs `always`, that must have ended.
    pub needs: Vec<StepId>,
    /// Runs whatever became of the steps before it, and its failure does not fail the run.
    pub always: bool,
    /// Its failure neither fails the run nor holds up what needs it, unless it is one that always counts.
    #[serde(default)]
    pub optional: bool,
    /// How long one try may take.
    pub timeout: Span,
    /// When it is tried again.
    pub retry: Retry,
    /// How long such a step usually takes, in milliseconds: the median of its last ten successes.
    pub usual_ms: Option<i64>,
}
