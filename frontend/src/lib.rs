//! The wasm entry: the browser's half of the app takes over the page that the server rendered.
use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the script that the page loads.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_lazy(app::App);
}
