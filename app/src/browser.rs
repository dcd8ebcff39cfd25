//! The few things that only a browser can do. Effects and event handlers call these; they never run on the server.
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::HtmlElement;

/// The browser's clock in milliseconds since 1970.
pub fn now_ms() -> i64 {
    web_sys::js_sys::Date::now() as i64
}

/// Keeps a cookie for a year. For choices only, never for anything secret.
pub fn remember(name: &str, value: &str) {
    if let Ok(document) = document().dyn_into::<web_sys::HtmlDocument>() {
        // Nothing can be done where the browser refuses cookies; the choice then holds until the page is left.
        let _ = document.set_cookie(&format!(
            "{name}={value}; Path=/; Max-Age=31536000; SameSite=Lax"
        ));
    }
}

/// The line that the address names as `#L120`.
pub fn line_in_address() -> Option<i64> {
    window()
        .location()
        .hash()
        .ok()?
        .strip_prefix("#L")?
        .parse()
        .ok()
        .filter(|line| *line > 0)
}

/// Puts another address into the address bar without going there.
pub fn replace_address(address: &str) {
    if let Ok(history) = window().history() {
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(address));
    }
}

/// Scrolls the page no further than it takes to see an element.
pub fn bring_into_view(element: &HtmlElement) {
    let nearest = web_sys::ScrollIntoViewOptions::new();
    nearest.set_block(web_sys::ScrollLogicalPosition::Nearest);
    element.scroll_into_view_with_scroll_into_view_options(&nearest);
}

/// Sets a style through the object model, which a content security policy without inline styles allows.
pub fn style(element: &HtmlElement, property: &str, value: &str) {
    let _ = element.style().set_property(property, value);
}
