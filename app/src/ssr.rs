//! The server's side of the app: what the router shares, and who is calling. The only file that reads the request.
//!
//! The router's middleware puts `Option<portal::Caller>` and [`Origin`] into each request's extensions.
use axum::extract::FromRef;
use axum::http::StatusCode;
use axum::http::request::Parts;
use domain::audit::{Door, Origin};
use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use portal::{Caller, Portal};

use crate::error::UiError;

/// What every handler of the router can reach.
#[derive(Clone, FromRef)]
pub struct AppState {
    /// The product.
    pub portal: Portal,
    /// Where the site's files are.
    pub leptos_options: LeptosOptions,
}

/// The portal, who is calling it, and from where.
pub fn caller() -> Result<(Portal, Caller, Origin), UiError> {
    let state = use_context::<AppState>().ok_or_else(|| UiError::Internal(request_id()))?;
    match with_parts(|parts| parts.extensions.get::<Option<Caller>>().cloned().flatten()).flatten()
    {
        Some(caller) => Ok((state.portal, caller, origin())),
        None => {
            set_status(401);
            Err(UiError::SignedOut)
        }
    }
}

fn origin() -> Origin {
    with_parts(|parts| parts.extensions.get::<Origin>().cloned())
        .flatten()
        .unwrap_or(Origin {
            door: Door::Web,
            address: None,
            request: None,
        })
}

/// The id of this request in the server's log.
pub fn request_id() -> String {
    origin().request.unwrap_or_else(|| "unknown".into())
}

/// The value of a cookie that is no secret.
pub fn cookie(name: &str) -> Option<String> {
    with_parts(|parts| {
        let cookies = parts.headers.get_all(axum::http::header::COOKIE);
        let mut pairs = cookies
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(|text| text.split(';'));
        pairs.find_map(|pair| {
            pair.trim()
                .strip_prefix(name)?
                .strip_prefix('=')
                .map(str::to_owned)
        })
    })
    .flatten()
}

/// Sets the answer's status, where it is still open.
pub fn set_status(status: u16) {
    if let (Some(response), Ok(status)) = (
        use_context::<ResponseOptions>(),
        StatusCode::from_u16(status),
    ) {
        response.set_status(status);
    }
}

fn with_parts<T>(read: impl FnOnce(&Parts) -> T) -> Option<T> {
    use_context::<Parts>().as_ref().map(read)
}
