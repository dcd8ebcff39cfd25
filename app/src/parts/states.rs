//! What stands where there is nothing, nothing yet, or nothing for this reader.
use leptos::prelude::*;

use super::icon::Icon;
use crate::error::UiError;

/// Grey shapes in place of what is on its way. They appear after a second only, so that a quick answer does not flicker.
#[component]
pub fn Skeleton(
    /// How many lines.
    #[prop(default = 4)]
    lines: usize,
) -> impl IntoView {
    view! {
        <div class="skeleton" role="status">
            <span class="sr-only">"Loading"</span>
            {(0..lines).map(|_| view! { <div class="skeleton-line"></div> }).collect_view()}
        </div>
    }
}

/// There is nothing, why, and what to do about it.
#[component]
pub fn Empty(
    /// What is missing.
    #[prop(into)]
    title: String,
    /// Why, and what to do.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="empty">
            <p class="empty-title">{title}</p>
            <div class="empty-text">{children()}</div>
        </div>
    }
}

/// Why something is not here or was not done.
#[component]
pub fn Trouble(
    /// The reason.
    error: UiError,
) -> impl IntoView {
    let icon = match &error {
        UiError::Denied(_) | UiError::SignedOut => Icon::Lock,
        _ => Icon::Warning,
    };
    let sign_in = (error == UiError::SignedOut).then(|| {
        view! { <p><a class="btn" href="/sign-in" rel="external">"Sign in"</a></p> }
    });
    view! {
        <div class="trouble" role="alert">
            <p class="trouble-title">{icon.draw()} {error.title()}</p>
            {error.sentences().into_iter().map(|sentence| view! { <p>{sentence}</p> }).collect_view()}
            {sign_in}
        </div>
    }
}

/// A page that consists of [`Trouble`].
#[component]
pub fn TroublePage(
    /// The reason.
    error: UiError,
) -> impl IntoView {
    #[cfg(feature = "ssr")]
    crate::ssr::set_status(error.status());
    view! {
        <leptos_meta::Title text=error.title()/>
        <h1 class="sr-only">{error.title()}</h1>
        <Trouble error/>
        <p class="mt-4"><a href="/">"Back to the board"</a></p>
    }
}
