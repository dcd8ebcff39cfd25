//! A project's settings, and what GitHub told of its repository.
use domain::ProjectName;
use domain::push::DeliveryId;
use domain::view;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::Answer;
use crate::error::UiError;

/// How many deliveries stand on a page.
#[cfg(feature = "ssr")]
const PAGE: i64 = 20;

/// The manifest in force, its problems, the members and how roles are given.
#[server(prefix = "/ui", endpoint = "settings", input = GetUrl, output = Answer)]
pub async fn settings(project: ProjectName) -> Result<view::Settings, UiError> {
    let (portal, caller, _) = crate::ssr::caller()?;
    Ok(portal.settings(&caller.actor, &project).await?)
}

/// A page of what GitHub told, newest first, older than `before` where that is given.
#[server(prefix = "/ui", endpoint = "pushes", input = GetUrl, output = Answer)]
pub async fn pushes(
    project: ProjectName,
    before: Option<DeliveryId>,
) -> Result<view::Pushes, UiError> {
    let (portal, caller, _) = crate::ssr::caller()?;
    Ok(portal.pushes(&caller.actor, &project, before, PAGE).await?)
}

/// Has a push acted on again, and shows the newest ones.
#[server(prefix = "/ui", endpoint = "redeliver", output = Answer)]
pub async fn redeliver(project: ProjectName, delivery: DeliveryId) -> Result<(), UiError> {
    let (portal, caller, origin) = crate::ssr::caller()?;
    portal
        .redeliver(&caller.actor, origin, &project, delivery)
        .await?;
    leptos_axum::redirect(&format!("/settings?project={project}#pushes"));
    Ok(())
}
