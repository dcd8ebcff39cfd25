//! Light, dark, or as the system says. The choice is a cookie, so the server's page has the right colours from its
//! first byte on.
use leptos::prelude::*;

use super::icon::Icon;

/// The cookie's name.
const COOKIE: &str = "theme";

/// Which colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// As the system says.
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    const ALL: [Theme; 3] = [Theme::System, Theme::Light, Theme::Dark];

    fn as_str(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    fn look(self) -> (&'static str, Icon) {
        match self {
            Theme::System => ("System", Icon::System),
            Theme::Light => ("Light", Icon::Sun),
            Theme::Dark => ("Dark", Icon::Moon),
        }
    }

    /// The choice that came with the request.
    #[cfg(feature = "ssr")]
    pub fn of_request() -> Self {
        let chosen = crate::ssr::cookie(COOKIE);
        Self::ALL
            .into_iter()
            .find(|theme| chosen.as_deref() == Some(theme.as_str()))
            .unwrap_or(Theme::System)
    }

    /// What stands on the root element; nothing where the system decides.
    pub fn attribute(self) -> Option<&'static str> {
        (self != Theme::System).then(|| self.as_str())
    }
}

/// The switch. Without JavaScript it is not shown, and the page follows the system.
#[component]
pub fn ThemeSwitch() -> impl IntoView {
    // What the server wrote on the root element is known only in the browser, so no choice is marked before.
    let chosen = RwSignal::new(None::<Theme>);
    Effect::new(move || {
        let written = document()
            .document_element()
            .and_then(|root| root.get_attribute("data-theme"));
        let theme = Theme::ALL
            .into_iter()
            .find(|theme| written.as_deref() == Some(theme.as_str()));
        chosen.set(Some(theme.unwrap_or(Theme::System)));
    });
    let choose = move |theme: Theme| {
        if let Some(root) = document().document_element() {
            let _ = match theme.attribute() {
                Some(name) => root.set_attribute("data-theme", name),
                None => root.remove_attribute("data-theme"),
            };
        }
        crate::browser::remember(COOKIE, theme.as_str());
        chosen.set(Some(theme));
    };
    let button = move |theme: Theme| {
        let (word, icon) = theme.look();
        let pressed = move || {
            if chosen.get() == Some(theme) {
                "true"
            } else {
                "false"
            }
        };
        view! {
            <button type="button" class="switch-item" aria-label=format!("{word} colours") title=format!("{word} colours")
                aria-pressed=pressed on:click=move |_| choose(theme)>
                {icon.draw()}
            </button>
        }
    };
    view! {
        <div class="switch needs-js" role="group" aria-label="Colours">
            {Theme::ALL.map(button).collect_view()}
        </div>
    }
}
