//! Logs, a stretch at a time.
use domain::view::{LogMatches, LogPage};
use domain::{RunId, StepId};
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::Answer;
use crate::error::UiError;

/// How many lines one answer holds at most. The log viewer keeps its lines in pages of this size.
pub const PAGE: i64 = 500;

/// The lines after line `after`; 0 for the first ones.
#[server(prefix = "/ui", endpoint = "log", input = GetUrl, output = Answer)]
pub async fn log(run: RunId, step: StepId, after: i64) -> Result<LogPage, UiError> {
    let (portal, caller, _) = crate::ssr::caller()?;
    Ok(portal
        .log(
            &caller.actor,
            run,
            step,
            portal::LogRange::After(after),
            PAGE,
        )
        .await?)
}

/// The end of a log, from the beginning of the page before its last one on: so much that a failure's reason is there.
#[server(prefix = "/ui", endpoint = "log_end", input = GetUrl, output = Answer)]
pub async fn log_end(run: RunId, step: StepId) -> Result<LogPage, UiError> {
    let (portal, caller, _) = crate::ssr::caller()?;
    let last = portal::LogRange::Tail;
    let total = portal.log(&caller.actor, run, step, last, 1).await?.total;
    let after = ((total - 1) / PAGE - 1).max(0) * PAGE;
    let from = portal::LogRange::After(after);
    Ok(portal.log(&caller.actor, run, step, from, 2 * PAGE).await?)
}

/// Which lines hold a text, whatever the case of its letters.
#[server(prefix = "/ui", endpoint = "search_log", input = GetUrl, output = Answer)]
pub async fn search_log(run: RunId, step: StepId, text: String) -> Result<LogMatches, UiError> {
    let (portal, caller, _) = crate::ssr::caller()?;
    Ok(portal.search_log(&caller.actor, run, step, &text).await?)
}

/// The first line that looks like an error.
#[server(prefix = "/ui", endpoint = "first_error", input = GetUrl, output = Answer)]
pub async fn first_error(run: RunId, step: StepId) -> Result<Option<i64>, UiError> {
    let (portal, caller, _) = crate::ssr::caller()?;
    Ok(portal.first_error(&caller.actor, run, step).await?)
}
