//! Fairlead's web UI. The server renders each page complete; in the browser it becomes live.
//!
//! `pages` load and lay out, `parts` are what pages are made of, `api` holds the server functions, `live` keeps a page
//! up to date, `ssr` is the only file that reads the request.
#![recursion_limit = "256"]

mod api;
mod browser;
pub mod error;
mod live;
mod pages;
mod parts;
#[cfg(feature = "ssr")]
pub mod ssr;

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{Route, Router, Routes};
use leptos_router::{Lazy, ParamSegment, SsrMode, StaticSegment};

use crate::pages::board::BoardPage;
use crate::pages::deploy::DeployPage;
use crate::pages::not_found::NotFound;
use crate::pages::release::ReleasePage;
use crate::pages::run::RunPage;
use crate::pages::runs::RunsPage;
use crate::pages::settings::SettingsPage;
use crate::pages::sign_in::SignIn;
use crate::parts::frame::Frame;

/// Asks again for a part of the browser's program that was lost on the way: without it a page stays as the server sent it.
/// A module cannot be asked for again by its address, so then the page is, at most three times in a minute.
#[cfg(feature = "ssr")]
const ASK_AGAIN: &str = r"{
    window.addEventListener('unhandledrejection', (event) => {
        if (!/dynamically imported module|module script failed/i.test(event.reason)) return;
        const [times, last] = JSON.parse(sessionStorage.getItem('loaded-again') ?? '[0, 0]');
        const before = Date.now() - last < 60000 ? times : 0;
        if (before === 3) return;
        event.preventDefault();
        sessionStorage.setItem('loaded-again', JSON.stringify([before + 1, Date.now()]));
        const load = () => setTimeout(() => location.reload(), 300);
        if (navigator.onLine) load();
        else window.addEventListener('online', load, { once: true });
    });
    const once = window.fetch;
    window.fetch = async (what, how) => {
        for (let pause = 100; ; pause *= 3) {
            try {
                return await once(what, how);
            } catch (error) {
                if (pause > 1000 || !String(what).endsWith('.wasm')) throw error;
                await new Promise((go) => setTimeout(go, pause));
            }
        }
    };
}";

/// The document around the app.
#[cfg(feature = "ssr")]
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let scripts = options.clone();
    document(
        options,
        view! {
            <script nonce=leptos::nonce::use_nonce() inner_html=ASK_AGAIN></script>
            <AutoReload options=scripts.clone()/>
            <HydrationScripts options=scripts/>
        },
        view! { <App/> },
    )
}

/// A page without a script that only says why there is none: who asks may not be known, or the app has failed.
#[cfg(feature = "ssr")]
pub fn trouble(options: LeptosOptions, error: error::UiError) -> impl IntoView {
    provide_meta_context();
    let page = view! {
        <header class="top"><a class="brand" href="/"><img src="/logo.svg" alt="" width="22" height="22"/> "Fairlead"</a></header>
        <main id="page" class="page">
            <parts::states::TroublePage error/>
        </main>
    };
    document(options, (), page)
}

#[cfg(feature = "ssr")]
fn document(options: LeptosOptions, scripts: impl IntoView, page: impl IntoView) -> impl IntoView {
    use leptos_meta::{HashedStylesheet, MetaTags};
    let theme = parts::theme::Theme::of_request();
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme.attribute()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <HashedStylesheet id="style" options/>
                {scripts}
                <MetaTags/>
            </head>
            <body>{page}</body>
        </html>
    }
}

/// The app: its frame and its pages. Each page waits for its data on the server, so that it is complete without
/// JavaScript and has the right status. The browser loads the code of a lazy one when it is first opened.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title formatter=|text: String| if text.is_empty() { "Fairlead".into() } else { format!("{text} · Fairlead") }/>
        <Router>
            <Frame>
                <Routes fallback=|| view! { <NotFound/> }>
                    <Route path=StaticSegment("") view=BoardPage ssr=SsrMode::Async/>
                    <Route path=StaticSegment("runs") view={Lazy::<RunsPage>::new()} ssr=SsrMode::Async/>
                    <Route path=(StaticSegment("runs"), ParamSegment("id")) view={Lazy::<RunPage>::new()} ssr=SsrMode::Async/>
                    <Route path=(StaticSegment("releases"), ParamSegment("project"), ParamSegment("sha")) view={Lazy::<ReleasePage>::new()} ssr=SsrMode::Async/>
                    <Route path=(StaticSegment("deploy"), ParamSegment("project"), ParamSegment("env")) view={Lazy::<DeployPage>::new()} ssr=SsrMode::Async/>
                    <Route path=StaticSegment("settings") view={Lazy::<SettingsPage>::new()} ssr=SsrMode::Async/>
                    <Route path=StaticSegment("sign-in") view=SignIn ssr=SsrMode::Async/>
                </Routes>
            </Frame>
        </Router>
    }
}
