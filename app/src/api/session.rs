//! Who is looking, and their sessions.
use domain::view;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::Answer;
use crate::error::UiError;

/// The person who is signed in.
#[server(prefix = "/ui", endpoint = "me", input = GetUrl, output = Answer)]
pub async fn me() -> Result<view::Me, UiError> {
    let (_, caller, _) = crate::ssr::caller()?;
    caller.me.ok_or(UiError::SignedOut)
}

/// The sessions that the person may end: their own, or everybody's.
#[server(prefix = "/ui", endpoint = "sessions", input = GetUrl, output = Answer)]
pub async fn sessions() -> Result<view::Sessions, UiError> {
    let (portal, caller, _) = crate::ssr::caller()?;
    Ok(portal.sessions(&caller).await?)
}

/// Ends a session, and shows those that are left.
#[server(prefix = "/ui", endpoint = "end_session", output = Answer)]
pub async fn end_session(session: i64) -> Result<(), UiError> {
    let (portal, caller, origin) = crate::ssr::caller()?;
    portal.end_session(&caller, origin, session).await?;
    leptos_axum::redirect("/settings");
    Ok(())
}
