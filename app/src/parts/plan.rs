//! What a run would do, before it does anything.
use domain::RunId;
use domain::plan::Plan;
use domain::step::PlannedStep;
use domain::when::duration;
use leptos::prelude::*;

use super::commit::CommitLine;
use super::graph::stages;
use super::icon::Icon;

/// The plan in words: what goes where, the stages in their order, and what one should know.
#[component]
pub fn PlanView(
    /// The plan.
    plan: Plan,
    /// How long it usually takes, in milliseconds.
    usual_ms: Option<i64>,
    /// The run that it would wait for.
    behind_run: Option<RunId>,
    /// The queued runs whose place it would take.
    takes_place_of: Vec<RunId>,
) -> impl IntoView {
    let stages = stages(&plan);
    let Plan {
        commit,
        branch,
        environment,
        notices,
        ..
    } = plan;
    let takes = match usual_ms {
        Some(ms) => format!("usually {}", duration(ms)),
        None => "no history yet to say how long".to_owned(),
    };
    view! {
        <div class="plan">
            <div class="plan-what">
                <CommitLine commit url=""/>
                <p class="muted">{Icon::Branch.draw()} {branch.to_string()} " to " <strong>{environment.to_string()}</strong> ", " {takes}</p>
            </div>
            {notices.into_iter().map(|notice| view! { <p class="notice">{Icon::Info.draw()} {notice}</p> }).collect_view()}
            {behind_run.map(|run| view! {
                <p class="notice">
                    {Icon::Clock.draw()}
                    <span>"It will wait for run " <a href=format!("/runs/{run}")>"#" {run.to_string()}</a> ", which is at work there."</span>
                </p>
            })}
            {supersedes(&takes_place_of)}
            <h3 class="plan-head">"What will happen"</h3>
            <ol class="plan-steps">{stages.into_iter().map(|steps| view! { <Stage steps/> }).collect_view()}</ol>
        </div>
    }
}

/// The queued runs that never start when this one is asked for.
pub fn supersedes(runs: &[RunId]) -> impl IntoView + use<> {
    let notice = |run: &RunId| {
        view! {
            <p class="notice notice-warn">
                {Icon::Warning.draw()}
                <span>"It takes the place of run " <a href=format!("/runs/{run}")>"#" {run.to_string()}</a> ", which waits and will never start."</span>
            </p>
        }
    };
    runs.iter().map(notice).collect_view()
}

/// Steps that run side by side.
#[component]
fn Stage(steps: Vec<PlannedStep>) -> impl IntoView {
    let together =
        (steps.len() > 1).then(|| view! { <p class="muted plan-together">"side by side"</p> });
    let line = |step: PlannedStep| {
        let usual = step
            .usual_ms
            .map(|ms| view! { <span class="muted num">{duration(ms)}</span> });
        let mut sentence = step.step.sentence();
        if step.always {
            sentence.push_str(", whatever happens before");
        }
        if step.optional {
            sentence.push_str(", which holds nothing up if it fails");
        }
        view! { <p class="plan-step"><span>{sentence}</span> {usual}</p> }
    };
    view! { <li>{together} {steps.into_iter().map(line).collect_view()}</li> }
}
