//! The settings of a project: its manifest, what is wrong with its file, who may do what, and what GitHub told.
use domain::ProjectName;
use domain::manifest::Problem;
use domain::policy::Role;
use domain::view::{Member, Settings};
use leptos::prelude::*;

use crate::api;
use crate::error::UiError;
use crate::parts::frame::{project_in_address, project_or_first};
use crate::parts::icon::Icon;
use crate::parts::pushes::PushesCard;
use crate::parts::sessions::SessionsCard;
use crate::parts::states::{Empty, Skeleton, TroublePage};
use crate::parts::when::{Clock, When};

async fn load(project: Option<ProjectName>) -> Result<Option<Settings>, UiError> {
    match project_or_first(project).await? {
        Some(project) => api::settings::settings(project).await.map(Some),
        None => Ok(None),
    }
}

lazy_page!(SettingsPage, Page);

#[component]
fn Page() -> impl IntoView {
    let project = project_in_address();
    let settings = Resource::new(move || project.get(), load);
    view! {
        <leptos_meta::Title text="Settings"/>
        <Transition fallback=|| view! { <Skeleton lines=8/> }>
            {move || Suspend::new(async move {
                match settings.await {
                    Ok(Some(settings)) => view! { <SettingsView settings/> }.into_any(),
                    Ok(None) => view! { <h1 class="sr-only">"Settings"</h1> <Empty title="There is no project that you can see"><p>"Ask whoever runs this portal for a role."</p></Empty> }.into_any(),
                    Err(error) => view! { <TroublePage error/> }.into_any(),
                }
            })}
        </Transition>
        <PushesCard project/>
        <SessionsCard/>
    }
}

#[component]
fn SettingsView(settings: Settings) -> impl IntoView {
    Clock::start(settings.now);
    let Settings {
        title,
        manifest,
        manifest_hash,
        manifest_since,
        problems,
        members,
        rules,
        ..
    } = settings;
    view! {
        <div class="page-head"><h1>"Settings of " {title}</h1></div>
        <div class="settings">
            <section class="card" aria-labelledby="manifest">
                <h2 id="manifest">"Manifest"</h2>
                <p class="muted">
                    "In force since " <When at=manifest_since/> ", SHA-256 "
                    <code title=manifest_hash.clone()>{manifest_hash.chars().take(12).collect::<String>()}</code>
                </p>
                {(!problems.is_empty()).then(|| view! { <Problems problems/> })}
                <Source text=manifest/>
            </section>
            <div class="settings-side">
                <section class="card" aria-labelledby="members"><h2 id="members">"Signed in"</h2><Members members/></section>
                <section class="card" aria-labelledby="rules"><h2 id="rules">"How roles are given"</h2><Rules rules/></section>
            </div>
        </div>
    }
}

#[component]
fn Problems(problems: Vec<Problem>) -> impl IntoView {
    let line = |problem: Problem| {
        let Problem {
            line,
            column,
            key,
            message,
            advice,
        } = problem;
        view! {
            <li>
                <span class="num muted">{line} ":" {column}</span> " "
                {(!key.is_empty()).then(|| view! { <code>{key}</code> " " })}
                {message}
                {(!advice.is_empty()).then(|| view! { <p class="muted">{advice}</p> })}
            </li>
        }
    };
    view! {
        <div class="trouble" role="alert">
            <p class="trouble-title">{Icon::Warning.draw()} "The file on disk has problems"</p>
            <p>"It is not in force; what stands below still is. Lines and columns are those of the file on disk."</p>
            <ul class="trouble-list">{problems.into_iter().map(line).collect_view()}</ul>
        </div>
    }
}

/// A text with the numbers of its lines, which cannot be selected with it.
#[component]
fn Source(text: String) -> impl IntoView {
    let lines = text
        .lines()
        .map(|line| view! { <span class="source-line">{line.to_owned()} "\n"</span> });
    view! { <pre class="source" tabindex="0" aria-label="The manifest's text"><code>{lines.collect_view()}</code></pre> }
}

#[component]
fn Members(members: Vec<Member>) -> impl IntoView {
    if members.is_empty() {
        return view! { <p class="muted">"Nobody of this project is signed in."</p> }.into_any();
    }
    let row = |member: Member| {
        view! {
            <tr>
                <td data-label="Who">{member.login.to_string()} " " <span class="muted">{member.name}</span></td>
                <td data-label="Role">{member.role.to_string()}</td>
                <td data-label="Seen" class="nowrap"><When at=member.seen/></td>
            </tr>
        }
    };
    view! {
        <p class="muted">"Members with a session. Everybody else gets their role when they sign in, by the rules below."</p>
        <table class="table">
            <thead><tr><th scope="col">"Who"</th><th scope="col">"Role"</th><th scope="col">"Seen"</th></tr></thead>
            <tbody>{members.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
    .into_any()
}

#[component]
fn Rules(rules: Vec<(String, Role)>) -> impl IntoView {
    let row = |(who, role): (String, Role)| view! { <tr><td data-label="Who">{who}</td><td data-label="Role">{role.to_string()}</td></tr> };
    view! {
        <p class="muted">"As the server's configuration says; the highest role counts."</p>
        <table class="table">
            <thead><tr><th scope="col">"Who"</th><th scope="col">"Role"</th></tr></thead>
            <tbody>{rules.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
}
