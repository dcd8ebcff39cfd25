//! Runs: list, look, stop, start again, tell again.
use domain::message::Channel;
use domain::report::Artifact;
use domain::run::RunState;
use domain::view::{RunMessages, RunPage, RunView};
use domain::{EnvName, ProjectName, RunId};
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::Answer;
use crate::error::UiError;

/// How many runs stand on a page.
#[cfg(feature = "ssr")]
const PAGE: i64 = 30;

/// A page of runs, newest first, older than `before` where that is given.
#[server(prefix = "/ui", endpoint = "runs", input = GetUrl, output = Answer)]
pub async fn runs(
    project: Option<ProjectName>,
    environment: Option<EnvName>,
    state: Option<RunState>,
    before: Option<RunId>,
) -> Result<RunPage, UiError> {
    let (portal, caller, _) = crate::ssr::caller()?;
    let filter = domain::view::RunFilter {
        project,
        environment,
        state,
        before,
        commit: None,
    };
    Ok(portal.runs(&caller.actor, &filter, PAGE).await?)
}

/// A run with its plan, steps and events.
#[server(prefix = "/ui", endpoint = "run", input = GetUrl, output = Answer)]
pub async fn run(id: RunId) -> Result<RunView, UiError> {
    let (portal, caller, _) = crate::ssr::caller()?;
    Ok(portal.run(&caller.actor, id).await?)
}

/// What a run's steps left besides their logs.
#[server(prefix = "/ui", endpoint = "artifacts", input = GetUrl, output = Answer)]
pub async fn artifacts(id: RunId) -> Result<Vec<Artifact>, UiError> {
    let (portal, caller, _) = crate::ssr::caller()?;
    Ok(portal.artifacts(&caller.actor, id).await?)
}

/// Whom a run has told how it ended, with every try.
#[server(prefix = "/ui", endpoint = "messages", input = GetUrl, output = Answer)]
pub async fn messages(id: RunId) -> Result<RunMessages, UiError> {
    let (portal, caller, _) = crate::ssr::caller()?;
    Ok(portal.run_messages(&caller.actor, id).await?)
}

/// Has a message of a run sent again, and shows how its tries went.
#[server(prefix = "/ui", endpoint = "send_again", output = Answer)]
pub async fn send_again(id: RunId, channel: Channel) -> Result<(), UiError> {
    let (portal, caller, origin) = crate::ssr::caller()?;
    portal
        .send_again(&caller.actor, origin, id, channel)
        .await?;
    leptos_axum::redirect(&format!("/runs/{id}?tab=timeline#messages"));
    Ok(())
}

/// Asks a run to stop at its next safe point, and shows it.
#[server(prefix = "/ui", endpoint = "cancel", output = Answer)]
pub async fn cancel(id: RunId) -> Result<(), UiError> {
    let (portal, caller, origin) = crate::ssr::caller()?;
    portal.cancel(&caller.actor, origin, id).await?;
    leptos_axum::redirect(&format!("/runs/{id}"));
    Ok(())
}

/// Starts a failed run again from its failed step, and goes to the new run.
#[server(prefix = "/ui", endpoint = "retry", output = Answer)]
pub async fn retry(id: RunId) -> Result<RunId, UiError> {
    let (portal, caller, origin) = crate::ssr::caller()?;
    let run = portal.retry(&caller.actor, origin, id).await?;
    leptos_axum::redirect(&format!("/runs/{run}"));
    Ok(run)
}
