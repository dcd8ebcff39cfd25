//! A release: the images that a commit became, where it runs or ran, its tests, migrations and runs.
use domain::view::{
    ReleaseComponent, ReleaseImage, ReleaseMigration, ReleasePlace, ReleaseTests, ReleaseView,
};
use domain::{ProjectName, Sha};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::api;
use crate::error::UiError;
use crate::parts::commit::CommitLine;
use crate::parts::icon::Icon;
use crate::parts::run_row::RunTable;
use crate::parts::states::{Empty, Skeleton, TroublePage};
use crate::parts::when::{Clock, When};

async fn load(project: String, commit: String) -> Result<ReleaseView, UiError> {
    let unknown = |why: String| UiError::NotFound(why);
    let project: ProjectName = project
        .parse()
        .map_err(|_| unknown("the address names no project".into()))?;
    let commit: Sha = commit
        .parse()
        .map_err(|error: domain::ParseIdError| unknown(error.to_string()))?;
    api::releases::release(project, commit).await
}

lazy_page!(ReleasePage, Page);

#[component]
fn Page() -> impl IntoView {
    let params = use_params_map();
    let part = move |name: &str| params.with(|params| params.get(name)).unwrap_or_default();
    let loaded = Resource::new(
        move || (part("project"), part("sha")),
        |(project, commit)| load(project, commit),
    );
    view! {
        <Suspense fallback=|| view! { <Skeleton lines=8/> }>
            {move || Suspend::new(async move {
                match loaded.await {
                    Ok(view) => view! { <Body view/> }.into_any(),
                    Err(error) => view! { <TroublePage error/> }.into_any(),
                }
            })}
        </Suspense>
    }
}

#[component]
fn Body(view: ReleaseView) -> impl IntoView {
    Clock::start(view.now);
    let ReleaseView {
        project,
        commit,
        commit_url,
        components,
        places,
        migrations,
        runs,
        ..
    } = view;
    let title = format!("Release {}", commit.sha.short());
    let board = format!("/?project={project}");
    view! {
        <leptos_meta::Title text=title.clone()/>
        <header class="run-head">
            <h1>{title}</h1>
            <dl class="facts">
                <div><dt>"What"</dt><dd><CommitLine commit url=commit_url/></dd></div>
                <div><dt>"Project"</dt><dd><a href=board>{project.to_string()}</a></dd></div>
            </dl>
        </header>
        <div class="outputs">
            <section class="card">
                <h2>"Where it is"</h2>
                <Places places/>
            </section>
            <section class="card">
                <h2>"Images"</h2>
                {components.into_iter().map(|component| view! { <Component component/> }).collect_view()}
            </section>
            {(!migrations.is_empty()).then(|| view! {
                <section class="card"><h2>"Migrations"</h2><Migrations migrations/></section>
            })}
            <section class="card">
                <h2>"Runs"</h2>
                <RunTable runs several=false/>
            </section>
        </div>
    }
}

#[component]
fn Places(places: Vec<ReleasePlace>) -> impl IntoView {
    if places.is_empty() {
        return view! {
            <Empty title="Nowhere yet"><p>"No run has brought it to an environment."</p></Empty>
        }
        .into_any();
    }
    let row = |place: ReleasePlace| {
        let badge = if place.runs_now {
            view! { <span class="badge tone-ok">{Icon::Check.draw()} "Runs"</span> }.into_any()
        } else {
            view! { <span class="badge tone-quiet">{Icon::Clock.draw()} "Ran"</span> }.into_any()
        };
        let href = format!("/runs/{}", place.run);
        view! {
            <tr>
                <td data-label="Environment">{place.environment.to_string()}</td>
                <td data-label="Component">{place.component.to_string()}</td>
                <td data-label="State">{badge}</td>
                <td data-label="Healthy" class="nowrap"><When at=place.since/></td>
                <td data-label="By run"><a href=href>"#" {place.run.to_string()}</a></td>
            </tr>
        }
    };
    view! {
        <table class="table">
            <caption class="sr-only">"Environments that it was brought to"</caption>
            <thead>
                <tr>
                    <th scope="col">"Environment"</th>
                    <th scope="col">"Component"</th>
                    <th scope="col">"State"</th>
                    <th scope="col">"Healthy"</th>
                    <th scope="col">"By run"</th>
                </tr>
            </thead>
            <tbody>{places.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
    .into_any()
}

#[component]
fn Component(component: ReleaseComponent) -> impl IntoView {
    let ReleaseComponent {
        component,
        key,
        images,
        tested,
    } = component;
    let tests = match tested {
        Some(ReleaseTests { run, passed }) => {
            let words = match passed {
                Some(passed) => format!("{passed} tests passed in run "),
                None => "Tests passed in run ".to_owned(),
            };
            view! { <p class="muted">{words} <a href=format!("/runs/{run}?tab=tests")>"#" {run.to_string()}</a></p> }.into_any()
        }
        None => view! { <p class="muted">"No test has passed on it."</p> }.into_any(),
    };
    let key = key.map(|key| {
        view! { <p class="muted finding-message">"Built from input " <span class="mono">{key.0}</span></p> }
    });
    let none = images.is_empty().then(|| {
        view! { <p class="muted">"No registry has an image of it."</p> }
    });
    view! {
        <div class="release-component">
            <h3>{component.to_string()}</h3>
            {key}
            {tests}
            {none}
            <ul class="findings">{images.into_iter().map(image).collect_view()}</ul>
        </div>
    }
}

fn image(image: ReleaseImage) -> impl IntoView {
    let ReleaseImage {
        registry,
        digest,
        bytes,
        tags,
    } = image;
    // As `docker images` counts: in powers of ten.
    let size = bytes.map(|bytes| format!("{:.1} MB", bytes as f64 / 1e6));
    view! {
        <li class="finding">
            <span class="badge tone-quiet">{registry}</span>
            <div>
                <p class="mono finding-message">{digest.to_string()}</p>
                {size.map(|size| view! { <p class="muted">{size} " to pull as a whole"</p> })}
                {tags.into_iter().map(|tag| view! { <p class="mono muted finding-message">{tag}</p> }).collect_view()}
            </div>
        </li>
    }
}

#[component]
fn Migrations(migrations: Vec<ReleaseMigration>) -> impl IntoView {
    let row = |migration: ReleaseMigration| {
        let named = |head: Option<String>| head.unwrap_or_else(|| "not told".to_owned());
        let href = format!("/runs/{}", migration.run);
        view! {
            <tr>
                <td data-label="Environment">{migration.environment.to_string()}</td>
                <td data-label="Component">{migration.component.to_string()}</td>
                <td data-label="Before" class="mono">{named(migration.before)}</td>
                <td data-label="After" class="mono">{named(migration.after)}</td>
                <td data-label="By run"><a href=href>"#" {migration.run.to_string()}</a></td>
            </tr>
        }
    };
    view! {
        <table class="table">
            <caption class="sr-only">"What its runs did to databases"</caption>
            <thead>
                <tr>
                    <th scope="col">"Environment"</th>
                    <th scope="col">"Component"</th>
                    <th scope="col">"Before"</th>
                    <th scope="col">"After"</th>
                    <th scope="col">"By run"</th>
                </tr>
            </thead>
            <tbody>{migrations.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
}
