//! Releases: one commit, what was made of it and where it is.
use domain::view::ReleaseView;
use domain::{ProjectName, Sha};
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::Answer;
use crate::error::UiError;

/// What became of a commit.
#[server(prefix = "/ui", endpoint = "release", input = GetUrl, output = Answer)]
pub async fn release(project: ProjectName, commit: Sha) -> Result<ReleaseView, UiError> {
    let (portal, caller, _) = crate::ssr::caller()?;
    Ok(portal.release(&caller.actor, &project, &commit).await?)
}
