//! One environment on the board.
use domain::run::RunState;
use domain::view::{ComponentRow, IdlePush, Lane, Offer, RunRow};
use leptos::prelude::*;

use super::button::{Why, ready};
use super::commit::{CommitLine, Sha, commit_url};
use super::icon::Icon;
use super::progress::ActiveRun;
use super::status;
use super::when::When;

/// The lane; it follows what the board knows.
#[component]
pub fn LaneView(
    /// What is known of it.
    #[prop(into)]
    lane: Signal<Lane>,
    /// The repository's page.
    repository_url: String,
    /// The address of the confirmation.
    deploy: String,
    /// Opens the confirmation here instead.
    on_deploy: Callback<()>,
) -> impl IntoView {
    let first = lane.get_untracked();
    let name = first.environment.to_string();
    let heading = format!("lane-{name}");
    let labelled_by = heading.clone();
    let active = Memo::new(move |_| lane.with(|lane| (lane.active.clone(), lane.progress.clone())));
    let url = StoredValue::new(repository_url);
    view! {
        <section class="lane" aria-labelledby=labelled_by>
            <header class="lane-head">
                <div>
                    <h2 id=heading>{name.clone()}</h2>
                    <p class="muted">{Icon::Branch.draw()} {move || lane.with(|lane| lane.branch.clone())}</p>
                </div>
                {move || lane.with(|lane| deploy_button(&lane.deploy, &name, deploy.clone(), on_deploy))}
            </header>
            {move || lane.with(|lane| head(lane, &url.get_value()))}
            {move || lane.with(|lane| lane.idle_push.clone()).map(|push| view! { <Idle push/> })}
            <div class="lane-active">
                {move || {
                    let (row, progress) = active.get();
                    row.map(|row| view! { <ActiveRun row progress/> })
                }}
                {move || lane.with(|lane| lane.queued.iter().cloned().map(|row| view! { <QueuedRun row/> }).collect_view())}
            </div>
            <ul class="components">
                {move || lane.with(|lane| {
                    lane.components.iter().cloned().map(|row| view! { <Component row url=url.get_value()/> }).collect_view()
                })}
            </ul>
            {move || lane.with(|lane| lane.last.clone().map(|row| view! { <LastRun row/> }))}
        </section>
    }
}

fn deploy_button(offer: &Offer, name: &str, href: String, open: Callback<()>) -> AnyView {
    let label = format!("Deploy to {name}");
    if ready(offer) {
        let click = move |event: leptos::ev::MouseEvent| {
            if !(event.ctrl_key() || event.meta_key() || event.shift_key()) {
                event.prevent_default();
                open.run(());
            }
        };
        return view! {
            <a class="btn btn-primary" href=href aria-label=label on:click=click>{Icon::Ship.draw()} "Deploy"</a>
        }
        .into_any();
    }
    let why = format!("why-{name}");
    view! {
        <div class="refused">
            <button type="button" class="btn" disabled aria-label=label aria-describedby=why.clone()>{Icon::Lock.draw()} "Deploy"</button>
            <Why id=why offer=offer.clone()/>
        </div>
    }
    .into_any()
}

/// The branch's newest commit, and how much of it does not run here.
fn head(lane: &Lane, repository_url: &str) -> AnyView {
    let trouble = lane.head_trouble.clone().map(|why| {
        view! { <p class="notice notice-warn">{Icon::Warning.draw()} <span>{why}</span></p> }
    });
    let Some(head) = lane.head.clone() else {
        let words = match &trouble {
            Some(_) => "The branch's newest commit is not known.",
            None => "The branch's newest commit is not known yet.",
        };
        return view! { <div class="lane-note"><p class="muted">{words}</p> {trouble}</div> }
            .into_any();
    };
    let (icon, tone, words) = match lane.behind {
        Some(0) => (Icon::Check, "badge tone-ok", "Up to date".to_owned()),
        Some(1) => (Icon::Up, "badge tone-info", "1 commit to deploy".to_owned()),
        Some(n) => (
            Icon::Up,
            "badge tone-info",
            format!("{n} commits to deploy"),
        ),
        None => (
            Icon::Info,
            "badge tone-quiet",
            "Newest on the branch".to_owned(),
        ),
    };
    let url = commit_url(repository_url, &head);
    view! {
        <div class="lane-note">
            <span class=tone>{icon.draw()} {words}</span>
            {(lane.behind != Some(0)).then(|| view! { <CommitLine commit=head url/> })}
            {trouble}
        </div>
    }
    .into_any()
}

/// Why the newest push to the branch started no run.
#[component]
fn Idle(push: IdlePush) -> impl IntoView {
    let IdlePush {
        commit,
        why,
        blocked,
    } = push;
    let words = format!("The push of {} started no run: {why}", commit.short());
    let line = match blocked {
        true => {
            view! { <p class="notice notice-warn">{Icon::Warning.draw()} <span>{words}</span></p> }
                .into_any()
        }
        false => view! { <p class="muted">{Icon::Info.draw()} {words}</p> }.into_any(),
    };
    view! { <div class="lane-note">{line}</div> }
}

#[component]
fn Component(row: ComponentRow, url: String) -> impl IntoView {
    let name = row.component.to_string();
    match row.running {
        None => view! {
            <li class="component">
                <p class="component-name">{name}</p>
                <p class="muted">"Nothing deployed yet"</p>
            </li>
        }
        .into_any(),
        Some(running) => {
            let title = running.commit.title.clone();
            let url = commit_url(&url, &running.commit);
            let digest = running.digest.short().to_owned();
            view! {
                <li class="component">
                    <p class="component-name">{name} <span class="component-since muted"><When at=running.since/></span></p>
                    <p class="component-commit"><Sha commit=running.commit url/> " " {title}</p>
                    <p class="muted component-image">
                        <code title=running.digest.to_string()>{digest}</code>
                        <a href=format!("/runs/{}", running.run)>"run #" {running.run.to_string()}</a>
                    </p>
                </li>
            }
            .into_any()
        }
    }
}

#[component]
fn QueuedRun(row: RunRow) -> impl IntoView {
    view! {
        <p class="queued-run">
            {status::of_run(RunState::Queued).badge()}
            <a href=format!("/runs/{}", row.id)>"Run #" {row.id.to_string()}</a>
            <span class="muted">{row.commit.sha.short().to_owned()} " by " {row.by.to_string()}</span>
        </p>
    }
}

#[component]
fn LastRun(row: RunRow) -> impl IntoView {
    view! {
        <footer class="lane-foot">
            {status::of_run(row.state).badge()}
            <a href=format!("/runs/{}", row.id)>"Run #" {row.id.to_string()}</a>
            <span class="muted">"by " {row.by.to_string()} ", " <When at=row.ended.unwrap_or(row.requested)/></span>
        </footer>
    }
}
