//! Staying up to date: websockets that say what happened since the last thing that the page knows. The truth stays in
//! the store, so a connection that was lost continues where it stopped: no gap, nothing twice.
mod socket;
mod watched;

use leptos::prelude::*;

pub use socket::follow;
pub use watched::Watched;

use crate::parts::icon::Icon;

/// How the connection is.
#[cfg_attr(
    not(feature = "hydrate"),
    expect(dead_code, reason = "only a browser connects")
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Not asked for, or being made for the first time.
    Idle,
    /// What happens is shown as it happens.
    Live,
    /// Lost; it is made again by itself.
    Lost,
    /// The reader's session has ended.
    SignedOut,
    /// The reader may not see this any more.
    NotAllowed,
    /// Nothing more will happen.
    Ended,
}

/// How the connection is, in a word.
#[component]
pub fn LinkState(
    /// The connection.
    link: RwSignal<Link>,
) -> impl IntoView {
    move || {
        let (tone, icon, word) = match link.get() {
            Link::Idle | Link::Ended => return None,
            Link::Live => ("badge tone-ok", Icon::Check, "Live"),
            Link::Lost => (
                "badge tone-warn",
                Icon::Retry,
                "Connection lost, trying again",
            ),
            Link::SignedOut => ("badge tone-bad", Icon::Lock, "Signed out: reload the page"),
            Link::NotAllowed => (
                "badge tone-bad",
                Icon::Lock,
                "You may not see this any more",
            ),
        };
        Some(view! { <span class=tone role="status">{icon.draw()} {word}</span> })
    }
}
