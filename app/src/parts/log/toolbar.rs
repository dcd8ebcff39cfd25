//! What one can do with a log: search, jump, look closer, take it away.
use leptos::ev::{KeyboardEvent, SubmitEvent};
use leptos::html;
use leptos::prelude::*;

use super::fold::thousands;
use super::state::LogState;
use crate::parts::icon::Icon;

/// The row of tools above a log.
#[component]
pub fn Toolbar(
    /// The viewer's state.
    state: LogState,
    /// The step's title.
    #[prop(into)]
    title: Signal<String>,
    /// The search field, so that a key can go there.
    field: NodeRef<html::Input>,
) -> impl IntoView {
    let search = move |event: SubmitEvent| {
        event.prevent_default();
        if let Some(field) = field.get_untracked() {
            state.search(field.value());
        }
    };
    let back = move |event: KeyboardEvent| {
        if event.key() == "Enter" && event.shift_key() {
            event.prevent_default();
            state.next_hit(-1);
        }
    };
    let nothing = move || state.hits.with(Vec::is_empty);
    let why = move || match (nothing(), state.query.with(String::is_empty)) {
        (false, _) => "",
        (true, true) => "Search for something first",
        (true, false) => "The search found no line",
    };
    let place = move || {
        let count = state.hits.with(Vec::len);
        if count > 1 {
            format!("{} of {}", state.hit.get() + 1, state.note.get())
        } else {
            state.note.get()
        }
    };
    let lines = move || match state.total.get() {
        1 => "1 line".to_owned(),
        total => format!("{} lines", thousands(total)),
    };
    let raw = move || format!("/api/v1/runs/{}/steps/{}/log", state.run, state.step.get());
    view! {
        <div class="log-tools">
            <h2 class="log-title">{title} <span class="muted num">{lines}</span></h2>
            <form class="log-search needs-js" role="search" on:submit=search>
                <label class="sr-only" for="log-search">"Search this log"</label>
                {Icon::Search.draw()}
                <input id="log-search" type="search" placeholder="Search" autocomplete="off" node_ref=field on:keydown=back/>
                <span class="log-found muted" role="status">{place}</span>
                <button type="button" class="icon-btn" aria-label="Previous hit" title=why aria-describedby="log-search-why" disabled=nothing on:click=move |_| state.next_hit(-1)>
                    {Icon::Up.draw()}
                </button>
                <button type="button" class="icon-btn" aria-label="Next hit" title=why aria-describedby="log-search-why" disabled=nothing on:click=move |_| state.next_hit(1)>
                    {Icon::Down.draw()}
                </button>
                <span id="log-search-why" class="sr-only">{why}</span>
            </form>
            <div class="log-buttons">
                <button type="button" class="btn btn-small needs-js" on:click=move |_| state.first_error()>
                    {Icon::Warning.draw()} "First error"
                </button>
                <Toggle on=state.times icon=Icon::Clock word="Times"/>
                <Toggle on=state.wrap icon=Icon::Wrap word="Wrap"/>
                <a class="btn btn-small" href=raw rel="external">{Icon::Download.draw()} "Raw"</a>
            </div>
        </div>
    }
}

#[component]
fn Toggle(on: RwSignal<bool>, icon: Icon, word: &'static str) -> impl IntoView {
    let pressed = move || if on.get() { "true" } else { "false" };
    view! {
        <button type="button" class="btn btn-small needs-js" aria-pressed=pressed on:click=move |_| on.update(|on| *on = !*on)>
            {icon.draw()} {word}
        </button>
    }
}
