//! What runs where, and what a deploy would do.
#[cfg(feature = "ssr")]
use domain::Sha;
use domain::view::{self, Proposal};
use domain::{EnvName, ProjectName, RunId};
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::Answer;
use crate::error::UiError;

/// What runs where.
#[server(prefix = "/ui", endpoint = "board", input = GetUrl, output = Answer)]
pub async fn board(project: ProjectName) -> Result<view::Board, UiError> {
    let (portal, caller, _) = crate::ssr::caller()?;
    Ok(portal.board(&caller.actor, &project).await?)
}

/// What a deploy would do now; nothing starts. Without `commit` it is the branch's newest; `rebuild` is whether every image
/// is to be built anew.
#[server(prefix = "/ui", endpoint = "propose", input = GetUrl, output = Answer)]
pub async fn propose(
    project: ProjectName,
    environment: EnvName,
    commit: Option<String>,
    rebuild: bool,
) -> Result<Proposal, UiError> {
    let (portal, caller, _) = crate::ssr::caller()?;
    let request = portal::DeployRequest {
        project,
        environment,
        commit: sha(commit)?,
        reason: None,
        override_tests: false,
        rebuild,
        manifest: None,
    };
    Ok(portal.propose(&caller.actor, &request).await?)
}

/// Starts a deploy and goes to its run. `manifest` is the one whose plan was shown.
#[server(prefix = "/ui", endpoint = "deploy", output = Answer)]
pub async fn deploy(
    project: ProjectName,
    environment: EnvName,
    commit: Option<String>,
    reason: Option<String>,
    override_tests: Option<bool>,
    rebuild: Option<bool>,
    manifest: Option<String>,
) -> Result<RunId, UiError> {
    let (portal, caller, origin) = crate::ssr::caller()?;
    let reason = reason
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty());
    let request = portal::DeployRequest {
        project,
        environment,
        commit: sha(commit)?,
        reason,
        override_tests: override_tests.unwrap_or(false),
        rebuild: rebuild.unwrap_or(false),
        manifest,
    };
    let run = portal.deploy(&caller.actor, origin, request).await?;
    leptos_axum::redirect(&format!("/runs/{run}"));
    Ok(run)
}

/// An empty field means the branch's newest commit.
#[cfg(feature = "ssr")]
fn sha(commit: Option<String>) -> Result<Option<Sha>, UiError> {
    let text = commit.unwrap_or_default().trim().to_lowercase();
    (!text.is_empty())
        .then(|| Sha::parse(text))
        .transpose()
        .map_err(|error| UiError::Invalid(error.to_string()))
}
