//! All runs, newest first, with filters in the address.
use std::time::Duration;

use domain::run::RunState;
use domain::view::RunPage;
use domain::{EnvName, ProjectName, RunId};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::components::Form;
use leptos_router::hooks::use_query_map;
use leptos_router::params::ParamsMap;

use crate::api;
use crate::error::UiError;
use crate::parts::icon::Icon;
use crate::parts::run_row::RunTable;
use crate::parts::states::{Empty, Skeleton, TroublePage};
use crate::parts::when::Clock;

/// What the address asks for. What it cannot mean is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Filter {
    project: Option<ProjectName>,
    environment: Option<EnvName>,
    state: Option<RunState>,
    before: Option<RunId>,
}

impl Filter {
    fn of(query: &ParamsMap) -> Self {
        Self {
            project: query.get("project").and_then(|text| text.parse().ok()),
            environment: query.get("environment").and_then(|text| text.parse().ok()),
            state: query.get("state").and_then(|text| text.parse().ok()),
            before: query.get("before").and_then(|text| text.parse().ok()),
        }
    }

    fn is_empty(&self) -> bool {
        *self
            == Filter {
                before: self.before,
                ..Filter::default()
            }
    }

    /// The address of the page that begins before a run, or of the first.
    fn address(&self, before: Option<RunId>) -> String {
        let project = self.project.iter().map(|name| format!("project={name}"));
        let environment = self
            .environment
            .iter()
            .map(|name| format!("environment={name}"));
        let state = self.state.iter().map(|state| format!("state={state}"));
        let parts: Vec<String> = project
            .chain(environment)
            .chain(state)
            .chain(before.map(|run| format!("before={run}")))
            .collect();
        match parts.is_empty() {
            true => "/runs".to_owned(),
            false => format!("/runs?{}", parts.join("&")),
        }
    }
}

/// The projects to choose from, and the runs.
async fn load(filter: Filter) -> Result<(Vec<ProjectName>, RunPage), UiError> {
    let Filter {
        project,
        environment,
        state,
        before,
    } = filter;
    let me = api::session::me().await?;
    let page = api::runs::runs(project, environment, state, before).await?;
    Ok((
        me.projects
            .into_iter()
            .map(|(project, _)| project)
            .collect(),
        page,
    ))
}

lazy_page!(RunsPage, Page);

#[component]
fn Page() -> impl IntoView {
    let query = use_query_map();
    let filter = Memo::new(move |_| query.with(Filter::of));
    let loaded = Resource::new(move || filter.get(), load);
    view! {
        <leptos_meta::Title text="Runs"/>
        <Transition fallback=|| view! { <Skeleton lines=8/> }>
            {move || Suspend::new(async move {
                let filter = filter.get_untracked();
                match loaded.await {
                    Ok((projects, page)) => view! {
                        <div class="page-head"><h1>"Runs"</h1></div>
                        <Filters filter=filter.clone() projects/>
                        <Runs page filter/>
                    }
                    .into_any(),
                    Err(error) => view! { <TroublePage error/> }.into_any(),
                }
            })}
        </Transition>
    }
}

#[component]
fn Filters(filter: Filter, projects: Vec<ProjectName>) -> impl IntoView {
    let Filter {
        project,
        environment,
        state,
        ..
    } = filter.clone();
    let narrowed =
        environment.is_some() || state.is_some() || (project.is_some() && projects.len() > 1);
    let states = RunState::ALL.map(|one| choice(one.as_str().to_owned(), state == Some(one)));
    let which = (projects.len() > 1).then(|| {
        let projects = projects
            .into_iter()
            .map(|one| choice(one.to_string(), project.as_ref() == Some(&one)));
        view! {
            <label class="field"><span>"Project"</span>
                <select name="project">{any(project.is_none())} {projects.collect_view()}</select>
            </label>
        }
    });
    let environment = environment.map(String::from).unwrap_or_default();
    view! {
        <Form method="GET" action="/runs" attr:class="filters">
            {which}
            <label class="field"><span>"Environment"</span>
                <input name="environment" placeholder="any" size="10" value=environment.clone() prop:value=environment/>
            </label>
            <label class="field"><span>"State"</span>
                <select name="state">{any(state.is_none())} {states.collect_view()}</select>
            </label>
            <button type="submit" class="btn">"Filter"</button>
            {narrowed.then(|| view! { <a class="btn btn-quiet" href="/runs">"Show all"</a> })}
        </Form>
    }
}

/// A choice of a list. The property is for the browser, in which somebody may have chosen another one since.
fn choice(word: String, chosen: bool) -> impl IntoView {
    view! { <option value=word.clone() selected=chosen prop:selected=chosen>{word.clone()}</option> }
}

fn any(chosen: bool) -> impl IntoView {
    view! { <option value="" selected=chosen prop:selected=chosen>"any"</option> }
}

/// A list that is looked at is loaded again this often.
const AGAIN: Duration = Duration::from_secs(5);

#[component]
fn Runs(page: RunPage, filter: Filter) -> impl IntoView {
    Clock::start(page.now);
    let page = RwSignal::new(page);
    keep_up(page, filter.clone());
    let empty = Memo::new(move |_| page.with(|page| page.runs.is_empty()));
    move || match empty.get() {
        true => view! { <NoRuns filtered=!filter.is_empty()/> }.into_any(),
        false => view! { <RunsOfPage page filter=filter.clone()/> }.into_any(),
    }
}

/// Loads what is shown again now and then, while it is looked at: runs go on.
fn keep_up(page: RwSignal<RunPage>, filter: Filter) {
    Effect::new(move || {
        let filter = filter.clone();
        let look = move || {
            let Filter {
                project,
                environment,
                state,
                before,
            } = filter.clone();
            if document().hidden() {
                return;
            }
            spawn_local(async move {
                // One that fails is made up for by the next.
                if let Ok(newer) = api::runs::runs(project, environment, state, before).await {
                    page.try_set(newer);
                }
            });
        };
        if let Ok(handle) = set_interval_with_handle(look, AGAIN) {
            on_cleanup(move || handle.clear());
        }
    });
}

#[component]
fn NoRuns(filtered: bool) -> impl IntoView {
    let (title, words) = match filtered {
        false => (
            "No run yet",
            "Press Deploy on the board, and the first one stands here.",
        ),
        true => ("No such run", "No run fits this filter."),
    };
    view! { <Empty title><p>{words}</p></Empty> }
}

#[component]
fn RunsOfPage(page: RwSignal<RunPage>, filter: Filter) -> impl IntoView {
    let several = Memo::new(move |_| {
        page.with(|page| {
            let first = page.runs.first().map(|row| &row.project);
            page.runs.iter().any(|row| Some(&row.project) != first)
        })
    });
    let runs = Signal::derive(move || page.with(|page| page.runs.clone()));
    let newest = filter.before.map(|_| {
        view! { <a class="btn" href=filter.address(None)>{Icon::Left.draw()} "Newest"</a> }
    });
    let older = move || {
        let next = page.with(|page| page.next)?;
        Some(
            view! { <a class="btn" href=filter.address(Some(next))>"Older " {Icon::Right.draw()}</a> },
        )
    };
    view! {
        <div class="table-card">{move || view! { <RunTable runs several=several.get()/> }}</div>
        <nav class="pages" aria-label="Pages of runs">{newest} {older}</nav>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_to_the_newest_keeps_the_filter() {
        let filter = Filter {
            environment: EnvName::parse("dev").ok(),
            state: Some(RunState::Failed),
            before: Some(RunId(7)),
            ..Filter::default()
        };
        assert_eq!(filter.address(None), "/runs?environment=dev&state=failed");
        let older = filter.address(Some(RunId(3)));
        assert_eq!(older, "/runs?environment=dev&state=failed&before=3");
        assert_eq!(Filter::default().address(None), "/runs");
    }
}
