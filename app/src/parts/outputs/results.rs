//! How tests went: counts, and those that failed by name.
use domain::report::{Content, FailedTest, TestReport};
use domain::run::{Run, taken_over};
use domain::step::{Outcome, PlannedStep, StepKind};
use domain::{RunId, StepId};
use leptos::prelude::*;

use super::Outputs;
use crate::live::Watched;
use crate::parts::icon::Icon;
use crate::parts::states::Empty;

/// The results, step by step.
#[component]
pub fn Results(
    /// The run.
    watched: Watched,
    /// What its steps left.
    outputs: Outputs,
) -> impl IntoView {
    move || {
        let reports: Vec<(StepId, TestReport)> = outputs
            .all()
            .into_iter()
            .filter_map(|artifact| match artifact.content {
                Content::Tests(report) => Some((artifact.step, report)),
                _ => None,
            })
            .collect();
        let elsewhere = ran_elsewhere(watched);
        if reports.is_empty() && elsewhere.is_empty() {
            return view! {
                <Empty title="No test result">
                    <p>"A step that runs tests leaves its counts here. None has run, or their output tells no numbers: the log has it."</p>
                </Empty>
            }
            .into_any();
        }
        let cards = reports.into_iter().map(|(step, report)| {
            let title =
                watched.with_untracked(|run| run.plan.step(step).map(|step| step.step.title()));
            card(watched, step, title.unwrap_or_default(), report)
        });
        let elsewhere = elsewhere.into_iter().map(card_of_elsewhere);
        view! { <div class="outputs">{cards.collect_view()} {elsewhere.collect_view()}</div> }
            .into_any()
    }
}

/// Tests whose results stand with another run.
struct Elsewhere {
    title: String,
    why: &'static str,
    run: RunId,
}

/// Those that passed on the same source before, and those that a repeated run takes over.
fn ran_elsewhere(watched: Watched) -> Vec<Elsewhere> {
    let elsewhere = |run: &Run, planned: &PlannedStep| {
        let StepKind::Test { passed, .. } = &planned.step else {
            return None;
        };
        let (why, run) = match (run.outcome(planned.id)?, passed) {
            (Outcome::Nothing { .. }, Some(before)) => {
                ("Passed on the same source in run ", *before)
            }
            (_, _) => {
                let from = watched
                    .view
                    .with(|view| taken_over(&view.events, planned.id))?;
                ("Taken over from run ", from)
            }
        };
        let title = planned.step.title();
        Some(Elsewhere { title, why, run })
    };
    watched.with(|run| {
        let steps = run.plan.steps.iter();
        steps
            .filter_map(|planned| elsewhere(run, planned))
            .collect()
    })
}

fn card_of_elsewhere(Elsewhere { title, why, run }: Elsewhere) -> impl IntoView {
    view! {
        <section class="card">
            <h2>{title}</h2>
            <p class="muted">{why} <a href=format!("/runs/{run}?tab=tests")>"#" {run.to_string()}</a></p>
        </section>
    }
}

fn card(watched: Watched, step: StepId, title: String, report: TestReport) -> impl IntoView {
    let TestReport {
        passed,
        failed,
        skipped,
        failures,
    } = report;
    let more = usize::try_from(failed)
        .unwrap_or(usize::MAX)
        .saturating_sub(failures.len());
    let count = |tone: &str, icon: Icon, number: u32, word: &str| {
        let class = format!("badge {tone}");
        let text = format!("{number} {word}");
        (number > 0).then(|| view! { <span class=class>{icon.draw()} {text}</span> })
    };
    view! {
        <section class="card outputs">
            <header class="output-head">
                <h2><a href=format!("/runs/{}?step={step}", watched.id)>{title}</a></h2>
                {count("tone-bad", Icon::Cross, failed, "failed")}
                {count("tone-ok", Icon::Check, passed, "passed")}
                {count("tone-quiet", Icon::Skip, skipped, "left out")}
            </header>
            {(!failures.is_empty()).then(|| view! {
                <ul class="findings">{failures.into_iter().map(failure).collect_view()}</ul>
            })}
            {(more > 0 && failed > 0).then(|| view! { <p class="muted">"and " {more} " more that failed: the log names them"</p> })}
        </section>
    }
}

fn failure(test: FailedTest) -> impl IntoView {
    let FailedTest { name, message } = test;
    let said = format!("What {name} said");
    view! {
        <li class="finding">
            <span class="tone-icon tone-bad">{Icon::Cross.draw()} <span class="sr-only">"failed"</span></span>
            <div>
                <p class="mono finding-message">{name}</p>
                {(!message.is_empty()).then(|| view! { <pre class="output-text" tabindex="0" aria-label=said>{message}</pre> })}
            </div>
        </li>
    }
}
