//! What stands in the way of a plan.
use serde::{Deserialize, Serialize};

use crate::manifest::{Branch, SecretName};
use crate::{ComponentName, EnvName, HostName, ProjectName, Sha};

/// A typed reason why something cannot happen now: what, since when, who can clear it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "blocker", rename_all = "kebab-case")]
pub enum Blocker {
    /// The manifest does not describe such an environment.
    #[error("the manifest describes no environment `{environment}`")]
    NoSuchEnvironment {
        /// What was asked for.
        environment: EnvName,
    },
    /// The project's file was taken away.
    #[error(
        "the manifest `{project}.toml` was removed from the projects folder, so nothing is deployed; put it back there to go on"
    )]
    ManifestRemoved {
        /// Whose.
        project: ProjectName,
    },
    /// The repository cannot be read.
    #[error("the repository cannot be read: {why}")]
    NoRepository {
        /// What git or GitHub said.
        why: String,
    },
    /// The branch does not exist.
    #[error(
        "the repository has no branch `{branch}`; push it, or correct `branch` in the manifest"
    )]
    NoSuchBranch {
        /// What the manifest names.
        branch: Branch,
    },
    /// The commit does not exist.
    #[error("the repository has no commit {commit}")]
    NoSuchCommit {
        /// What was asked for.
        commit: String,
    },
    /// A file that the build needs is not in the commit.
    #[error(
        "commit {commit} has no `{path}`, which component `{component}` is built from; commit it, or correct `build` of the component in the manifest"
    )]
    NoBuildInput {
        /// The commit.
        commit: Sha,
        /// The component.
        component: ComponentName,
        /// The dockerfile or context.
        path: String,
    },
    /// The folder of the tests is not in the commit.
    #[error("commit {commit} has no `{path}`, where the tests of component `{component}` run")]
    NoTestInput {
        /// The commit.
        commit: Sha,
        /// The component.
        component: ComponentName,
        /// The folder.
        path: String,
    },
    /// A secret resolves to nothing.
    #[error("secret `{name}` resolves to nothing (looked for {}); whoever runs the portal can add it to a secret source", .tried.join(", "))]
    MissingSecret {
        /// As in the manifest.
        name: SecretName,
        /// The names that were tried.
        tried: Vec<String>,
    },
    /// A host's key was never pinned.
    #[error(
        "host `{host}` of `{environment}` has no pinned key; run `fairlead host enrol` and put the fingerprint into `host_key`"
    )]
    UnpinnedHost {
        /// The environment.
        environment: EnvName,
        /// The host in it.
        host: HostName,
    },
}
