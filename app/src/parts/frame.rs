//! What stands around every page: where one is, who one is, and how it looks. It loads who is signed in.
use domain::ProjectName;
use domain::view::Me;
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_query_map};

use super::theme::ThemeSwitch;
use crate::api;

/// The pages of the navigation: path and word.
const PAGES: [(&str, &str); 3] = [("/", "Board"), ("/runs", "Runs"), ("/settings", "Settings")];

/// The project that the address names.
pub fn project_in_address() -> Memo<Option<ProjectName>> {
    let query = use_query_map();
    Memo::new(move |_| {
        query
            .with(|query| query.get("project"))
            .and_then(|name| ProjectName::parse(name).ok())
    })
}

/// Header, page, footer.
#[component]
pub fn Frame(
    /// The page.
    children: Children,
) -> impl IntoView {
    let path = use_location().pathname;
    let signing_in = Memo::new(move |_| path.with(|path| path == "/sign-in"));
    let me = Resource::new(
        move || signing_in.get(),
        |signing_in| async move {
            if signing_in {
                None
            } else {
                api::session::me().await.ok()
            }
        },
    );
    view! {
        <a class="skip" href="#page" rel="external">"Skip to the page"</a>
        <header class="top">
            <a class="brand" href="/"><img src="/logo.svg" alt="" width="22" height="22"/> "Fairlead"</a>
            <Show when=move || !signing_in.get()><Navigation/></Show>
            <div class="top-right">
                <ThemeSwitch/>
                <Suspense>{move || Suspend::new(async move { me.await.map(|me| view! { <WhoAmI me/> }) })}</Suspense>
            </div>
        </header>
        <main id="page" class="page" tabindex="-1">{children()}</main>
    }
}

#[component]
fn Navigation() -> impl IntoView {
    let path = use_location().pathname;
    let project = project_in_address();
    let link = move |(at, word): (&'static str, &'static str)| {
        let here = move || {
            path.with(|path| {
                if at == "/" {
                    path == "/"
                } else {
                    path.starts_with(at)
                }
            })
        };
        let href = move || match project.get() {
            Some(project) => format!("{at}?project={project}"),
            None => at.to_owned(),
        };
        view! { <a href=href aria-current=move || here().then_some("page")>{word}</a> }
    };
    view! { <nav class="nav" aria-label="Pages">{PAGES.map(link).collect_view()}</nav> }
}

#[component]
fn WhoAmI(me: Me) -> impl IntoView {
    let roles: Vec<String> = me
        .projects
        .iter()
        .map(|(project, role)| format!("{role} of {project}"))
        .collect();
    view! {
        <div class="me">
            <span class="me-name" title=roles.join(", ")>{me.login.to_string()}</span>
            <form method="post" action="/auth/sign-out">
                <button type="submit" class="btn btn-small">"Sign out"</button>
            </form>
        </div>
    }
}
