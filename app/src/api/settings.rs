//! A project's settings.
use domain::ProjectName;
use domain::view;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::Answer;
use crate::error::UiError;

/// The manifest in force, its problems, the members and how roles are given.
#[server(prefix = "/ui", endpoint = "settings", input = GetUrl, output = Answer)]
pub async fn settings(project: ProjectName) -> Result<view::Settings, UiError> {
    let (portal, caller, _) = crate::ssr::caller()?;
    Ok(portal.settings(&caller.actor, &project).await?)
}
