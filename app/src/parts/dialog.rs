//! The browser's own dialog: it holds the keyboard's focus, closes on Escape and gives the focus back.
use leptos::html;
use leptos::prelude::*;

use super::icon::Icon;

/// A dialog. Its content exists only while it is open.
#[component]
pub fn Dialog(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// Its name in the page, for its heading's id.
    id: &'static str,
    /// What it is about.
    #[prop(into)]
    title: Signal<String>,
    /// What it says.
    children: ChildrenFn,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    Effect::new(move || {
        let open = open.get();
        if let Some(dialog) = node.get() {
            if open && !dialog.open() {
                // Fails only where it is open already.
                let _ = dialog.show_modal();
            } else if !open && dialog.open() {
                dialog.close();
            }
        }
    });
    view! {
        <dialog class="dialog" node_ref=node aria-labelledby=id on:close=move |_| open.set(false)>
            <header class="dialog-head">
                <h2 id=id>{title}</h2>
                <button type="button" class="icon-btn" aria-label="Close" on:click=move |_| open.set(false)>{Icon::Cross.draw()}</button>
            </header>
            <div class="dialog-body">{move || open.get().then(|| children())}</div>
        </dialog>
    }
}
