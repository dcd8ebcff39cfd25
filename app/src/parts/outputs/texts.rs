//! Texts that steps left, such as a rendered configuration, and the plan that the run follows.
use domain::report::Content;
use leptos::prelude::*;

use super::Outputs;
use crate::live::Watched;
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
                view! {
                    <details class="card output">
                        <summary><span class="mono">{name}</span> " " <span class="muted">{title}</span></summary>
                        <pre class="output-text" tabindex="0">{text}</pre>
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
        </div>
    }
}
