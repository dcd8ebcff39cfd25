//! A run: what it is, the graph of its steps, and the log of one of them, kept up to date.
use std::ops::ControlFlow;

use domain::live::Frame;
use domain::report::Artifact;
use domain::run::{Run, StepState};
use domain::view::{LogPage, RunMessages, RunView};
use domain::{RunId, StepId};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::api;
use crate::error::UiError;
use crate::live::{Link, Watched, follow};
use crate::parts::deploy_anyway::DeployAnyway;
use crate::parts::failure::FailureBox;
use crate::parts::frame::ProjectShown;
use crate::parts::graph::Graph;
use crate::parts::log::{LogState, LogView};
use crate::parts::outputs::{
    Findings, Messages, Outputs, Results, Tab, Tabs, Texts, Timeline, Told,
};
use crate::parts::run_head::RunHead;
use crate::parts::states::{Skeleton, TroublePage};
use crate::parts::when::Clock;

/// The step that is worth looking at when nobody has chosen one: the failed one, else one at work, else the last that
/// did something.
fn worth_looking_at(run: &Run) -> StepId {
    let at_work = run
        .steps
        .iter()
        .position(|step| matches!(step.state, StepState::Running | StepState::Retrying { .. }));
    let failed = run.failure().map(|(step, _)| step);
    let done = || {
        let steps = run.plan.steps.iter().zip(&run.steps);
        steps
            .rev()
            .find(|(planned, step)| !planned.always && step.state.is_final())
            .map(|(planned, _)| planned.id)
    };
    let at_work = at_work
        .and_then(|at| run.plan.steps.get(at))
        .map(|step| step.id);
    failed.or(at_work).or_else(done).unwrap_or(StepId(0))
}

/// All that the page is made of.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Loaded {
    view: RunView,
    log: LogPage,
    artifacts: Vec<Artifact>,
    messages: RunMessages,
}

async fn load(id: Option<RunId>, step: Option<StepId>) -> Result<Loaded, UiError> {
    let id =
        id.ok_or_else(|| UiError::NotFound("a run's number is a whole number from 1".into()))?;
    let view = api::runs::run(id).await?;
    let known = |step: &StepId| step.index() < view.plan.steps.len();
    let step = step.filter(known).unwrap_or_else(|| {
        Run::replay(view.plan.clone(), &view.events).map_or(StepId(0), |run| worth_looking_at(&run))
    });
    // Why a step failed stands at the end of its log, also on a page that cannot scroll there.
    let failed = view
        .steps
        .get(step.index())
        .is_some_and(|step| matches!(step.state, StepState::Failed { .. }));
    let log = match failed {
        true => api::logs::log_end(id, step).await?,
        false => api::logs::log(id, step, 0).await?,
    };
    let artifacts = api::runs::artifacts(id).await?;
    let messages = api::runs::messages(id).await?;
    Ok(Loaded {
        view,
        log,
        artifacts,
        messages,
    })
}

lazy_page!(RunPage, Page);

#[component]
fn Page() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let id = Memo::new(move |_| {
        params
            .with(|params| params.get("id"))
            .and_then(|text| text.parse::<RunId>().ok())
    });
    let chosen = Memo::new(move |_| {
        query
            .with(|query| query.get("step"))
            .and_then(|text| text.parse().ok())
            .map(StepId)
    });
    let tab = Memo::new(move |_| query.with(|query| Tab::of(query.get("tab").as_deref())));
    // Another step is fetched by the log itself: the run need not be loaded again.
    let loaded = Resource::new(move || id.get(), move |id| load(id, chosen.get_untracked()));
    view! {
        <Suspense fallback=|| view! { <Skeleton lines=8/> }>
            {move || Suspend::new(async move {
                match loaded.await {
                    Ok(loaded) => view! { <RunBody loaded chosen tab/> }.into_any(),
                    Err(error) => view! { <TroublePage error/> }.into_any(),
                }
            })}
        </Suspense>
    }
}

#[component]
fn RunBody(loaded: Loaded, chosen: Memo<Option<StepId>>, tab: Memo<Tab>) -> impl IntoView {
    let Loaded {
        view,
        log,
        artifacts,
        messages,
    } = loaded;
    Clock::start(view.now);
    let (id, title) = (
        view.row.id,
        format!("Run #{} to {}", view.row.id, view.row.environment),
    );
    let count = view.plan.steps.len();
    let source_url = view
        .commit_url
        .rsplit_once("/commit/")
        .map_or_else(String::new, |(repository, sha)| {
            format!("{repository}/blob/{sha}")
        });
    let project = view.row.project.clone();
    ProjectShown::set(project.clone());
    let watched = Watched::new(view);
    let outputs = Outputs::watch(watched, artifacts);
    let told = Told::watch(watched, messages);
    let log = LogState::new(id, log);
    let link = RwSignal::new(Link::Idle);
    let first = log.step.get_untracked();
    // Until somebody chooses a step, or looks closer at what is shown, the page goes along with the run.
    let selected = Memo::new(move |before: Option<&StepId>| {
        let now = watched.with(worth_looking_at);
        match (chosen.get(), before) {
            (Some(step), _) if step.index() < count => step,
            (_, None) => first,
            (_, Some(before)) if log.pinned.get() => *before,
            _ => now,
        }
    });
    Effect::new(move || {
        let step = selected.get();
        if log.step.get_untracked() != step {
            log.show(step);
        }
        if untrack(|| watched.state().is_final()) {
            link.set(Link::Ended);
            return;
        }
        // Only the first answer tells where the log ends: what stands before that is not sent here.
        if !log.opened.get() {
            return;
        }
        let address = move || watched.address(Some((step, log.total.get_untracked())));
        follow(project.clone(), address, link, move |text| {
            match serde_json::from_str(text)? {
                Frame::Events { events } => watched.take(&events),
                Frame::Lines { step, lines } => log.take(step, lines),
                Frame::Board => {}
                Frame::End => return Ok(ControlFlow::Break(())),
            }
            Ok(ControlFlow::Continue(()))
        });
    });
    let step_title = Signal::derive(move || {
        let step = selected.get();
        watched.with(|run| {
            run.plan
                .step(step)
                .map(|step| step.step.title())
                .unwrap_or_default()
        })
    });
    let step_now = Memo::new(move |_| watched.step(selected.get()).map(|step| step.state));
    let live = Signal::derive(move || {
        matches!(
            step_now.get(),
            Some(StepState::Running | StepState::Retrying { .. })
        )
    });
    let from_end = Signal::derive(move || matches!(step_now.get(), Some(StepState::Failed { .. })));
    let empty = Signal::derive(move || match step_now.get() {
        Some(StepState::Waiting) => watched
            .with(|run| run.waits_for(selected.get()))
            .map_or_else(
                || without_lines(None),
                |steps| format!("This step waits for {steps}."),
            ),
        state => without_lines(state.as_ref()),
    });
    let failure = move || {
        let failed = watched.with(|run| {
            let (step, failure) = run.failure()?;
            Some((run.plan.step(step)?.step.title(), step, failure.clone()))
        });
        failed.map(|(title, step, failure)| view! { <FailureBox step=title href=format!("/runs/{id}?step={step}") failure/> })
    };
    view! {
        <leptos_meta::Title text=title/>
        <RunHead watched link/>
        {failure}
        <DeployAnyway watched/>
        <Graph watched selected=Signal::derive(move || Some(selected.get()))/>
        <Tabs run=id open=tab outputs/>
        {move || match tab.get() {
            Tab::Log => view! { <LogView state=log title=step_title live from_end empty/> }.into_any(),
            Tab::Annotations => view! { <Findings outputs source_url=source_url.clone()/> }.into_any(),
            Tab::Tests => view! { <Results watched outputs/> }.into_any(),
            Tab::Artifacts => view! { <Texts watched outputs/> }.into_any(),
            Tab::Timeline => view! { <Timeline watched/> <Messages told/> }.into_any(),
        }}
    }
}

/// Why a log has no line.
fn without_lines(state: Option<&StepState>) -> String {
    match state {
        None | Some(StepState::Waiting) => "This step has not started yet.".into(),
        Some(StepState::Running | StepState::Retrying { .. }) => "No line yet.".into(),
        Some(StepState::Skipped { because }) => format!("This step did not run: {because}."),
        Some(_) => "This step wrote no line.".into(),
    }
}
