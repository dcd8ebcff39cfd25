//! The labels by which containers, networks and images say where they come from.

pub(super) const PROJECT: &str = "fairlead.project";
pub(super) const ENVIRONMENT: &str = "fairlead.environment";
pub(super) const COMPONENT: &str = "fairlead.component";
pub(super) const COMMIT: &str = "fairlead.commit";
pub(super) const DIGEST: &str = "fairlead.digest";
/// The run's key.
pub(super) const RUN: &str = "fairlead.run";
/// The step's number in its run, on what only that step uses.
pub(super) const STEP: &str = "fairlead.step";
/// The restart policy that a container was made with. One that is put aside has none, and gets this one back unless
/// somebody had changed it.
pub(super) const RESTART: &str = "fairlead.restart";
