//! Who is looking.
use domain::view;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use crate::error::UiError;

/// The person who is signed in.
#[server(prefix = "/ui", endpoint = "me", input = GetUrl)]
pub async fn me() -> Result<view::Me, UiError> {
    let (_, caller, _) = crate::ssr::caller()?;
    caller.me.ok_or(UiError::SignedOut)
}
