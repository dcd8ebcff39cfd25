//! What stands around every page: where one is, who one is, and how it looks. It loads who is signed in.
use domain::ProjectName;
use domain::view::Me;
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_query_map};

use super::theme::ThemeSwitch;
use crate::api;
use crate::error::UiError;

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

/// The project that is asked for, else the reader's first, where there is one.
pub async fn project_or_first(
    project: Option<ProjectName>,
) -> Result<Option<ProjectName>, UiError> {
    if project.is_some() {
        return Ok(project);
    }
    let projects = api::session::me().await?.projects;
    Ok(projects.into_iter().next().map(|(project, _)| project))
}

/// The project of the page that is shown, where its address does not name it.
#[derive(Clone, Copy)]
pub struct ProjectShown(RwSignal<Option<ProjectName>>);

impl ProjectShown {
    /// Says it for as long as the caller's part of the page is there.
    pub fn set(project: ProjectName) {
        if let Some(Self(shown)) = use_context::<Self>() {
            Effect::new(move || shown.set(Some(project.clone())));
            on_cleanup(move || {
                shown.try_set(None);
            });
        }
    }
}

/// The project in the address of a deploy's page.
fn project_in_path(path: &str) -> Option<ProjectName> {
    let (project, _) = path.strip_prefix("/deploy/")?.split_once('/')?;
    ProjectName::parse(project).ok()
}

/// Header, page, footer.
#[component]
pub fn Frame(
    /// The page.
    children: Children,
) -> impl IntoView {
    let path = use_location().pathname;
    provide_context(ProjectShown(RwSignal::new(None)));
    let page = NodeRef::<leptos::html::Main>::new();
    // A browser moves the focus to a page that it loads; here the page changes without one.
    Effect::new(move |before: Option<String>| {
        let path = path.get();
        if before.is_some_and(|before| before != path)
            && let Some(page) = page.get_untracked()
        {
            let _ = page.focus();
        }
        path
    });
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
        <main id="page" class="page" tabindex="-1" node_ref=page>{children()}</main>
    }
}

#[component]
fn Navigation() -> impl IntoView {
    let path = use_location().pathname;
    let (project, shown) = (project_in_address(), use_context::<ProjectShown>());
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
        let named = move || {
            project
                .get()
                .or_else(|| path.with(|path| project_in_path(path)))
                .or_else(|| shown.and_then(|shown| shown.0.get()))
        };
        let href = move || match named() {
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
