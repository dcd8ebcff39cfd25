//! Texts that steps left, such as a rendered configuration, the plan that the run follows, and the logs to keep.
use std::fmt::Write as _;

use domain::StepId;
use domain::report::Content;
use leptos::prelude::*;

use super::Outputs;
use crate::live::Watched;
use crate::parts::icon::Icon;
use crate::parts::plan::PlanView;

/// The texts, each to be opened.
#[component]
pub fn Texts(
    /// The run.
    watched: Watched,
    /// What its steps left.
    outputs: Outputs,
) -> impl IntoView {
    let (plan, usual_ms) = watched
        .view
        .with_untracked(|view| (view.plan.clone(), view.usual_ms));
    let texts = move || {
        outputs
            .all()
            .into_iter()
            .filter_map(|artifact| match artifact.content {
                Content::Text(text) => Some((artifact.step, artifact.name, text)),
                _ => None,
            })
            .map(|(step, name, text)| {
                let title = watched
                    .with_untracked(|run| run.plan.step(step).map(|step| step.step.title()));
                let save = format!("Save {name}");
                view! {
                    <details class="card output">
                        <summary><span class="mono">{name.clone()}</span> " " <span class="muted">{title}</span></summary>
                        <p class="output-save"><a class="btn btn-small" href=data_url(&text) download=name.clone() aria-label=save>{Icon::Download.draw()} "Save"</a></p>
                        <pre class="output-text" tabindex="0" aria-label=name>{text}</pre>
                    </details>
                }
            })
            .collect_view()
    };
    view! {
        <div class="outputs">
            {texts}
            <details class="card output">
                <summary>"Plan " <span class="muted">"as it was shown before the run"</span></summary>
                <PlanView plan usual_ms behind_run=None takes_place_of=Vec::new()/>
            </details>
            <Logs watched/>
        </div>
    }
}

/// The log of each step that ran here, as a file.
#[component]
fn Logs(watched: Watched) -> impl IntoView {
    let run = watched.id;
    let started = move || -> Vec<(StepId, String)> {
        watched.with(|run| {
            let steps = run.plan.steps.iter().zip(&run.steps);
            steps
                .filter(|(_, step)| step.started.is_some())
                .map(|(planned, _)| (planned.id, planned.step.title()))
                .collect()
        })
    };
    let log = move |(step, title): (StepId, String)| {
        let href = format!("/api/v1/runs/{run}/steps/{step}/log");
        view! { <li><a href=href rel="external">{title}</a></li> }
    };
    move || {
        let started = started();
        (!started.is_empty()).then(|| {
            view! {
                <section class="card" aria-labelledby="logs-to-keep">
                    <h2 id="logs-to-keep">"Logs " <span class="muted">"as text files"</span></h2>
                    <ul class="output-logs">{started.into_iter().map(log).collect_view()}</ul>
                </section>
            }
        })
    }
}

/// A text as an address of its own, which a browser can save without asking anybody.
fn data_url(text: &str) -> String {
    let mut url = String::from("data:text/plain;charset=utf-8,");
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}
