//! An address that leads nowhere.
use leptos::prelude::*;

use crate::parts::states::Empty;

/// The page for every address that is none.
#[component]
pub fn NotFound() -> impl IntoView {
    #[cfg(feature = "ssr")]
    crate::ssr::set_status(404);
    view! {
        <leptos_meta::Title text="Not found"/>
        <h1 class="sr-only">"Not found"</h1>
        <Empty title="There is no such page">
            <p>"The address may be mistyped, or what it showed is gone."</p>
            <p><a href="/">"Back to the board"</a></p>
        </Empty>
    }
}
