//! A run at work, small: a strip with one piece for each step, and what is being done. It follows the run by itself.
use domain::run::StepState;
use domain::view::{RunRow, RunView};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::status;
use super::when::Elapsed;
use crate::api;
use crate::live::{Link, Watched, follow};

/// The run at work in an environment.
#[component]
pub fn ActiveRun(
    /// Its row on the board.
    row: RunRow,
    /// The run itself, where it is here already.
    loaded: Option<RunView>,
) -> impl IntoView {
    let (id, project) = (row.id, row.project.clone());
    let watched = RwSignal::new(loaded.map(Watched::new));
    Effect::new(move || {
        if watched.with_untracked(Option::is_none) {
            spawn_local(async move {
                // Without it the row still says that the run is at work.
                if let Ok(view) = api::runs::run(id).await {
                    watched.try_set(Some(Watched::new(view)));
                }
            });
        }
    });
    Effect::new(move || {
        if let Some(watched) = watched.get() {
            let take = move |frame| {
                if let domain::live::Frame::Events { events } = frame {
                    watched.take(&events);
                }
            };
            follow(
                project.clone(),
                move || watched.address(None),
                RwSignal::new(Link::Idle),
                take,
            );
        }
    });
    let look =
        move || status::of_run(watched.get().map_or(row.state, |watched| watched.state())).badge();
    view! {
        <div class="active-run">
            <p class="active-head">
                {look} <a href=format!("/runs/{id}")>"Run #" {id.to_string()}</a>
                <span class="muted">{row.commit.sha.short().to_owned()} " by " {row.by.to_string()}</span>
                {row.started.map(|from| view! { <Elapsed from until=row.ended/> })}
            </p>
            {move || watched.get().map(|watched| view! { <Strip watched/> })}
        </div>
    }
}

#[component]
fn Strip(watched: Watched) -> impl IntoView {
    let plan = watched.view.with_untracked(|view| view.plan.clone());
    let (titles, count) = (
        plan.steps
            .iter()
            .map(|step| step.step.title())
            .collect::<Vec<_>>(),
        plan.steps.len(),
    );
    let pieces = plan.steps.into_iter().map(|step| {
        let state = move || watched.step(step.id).map(|step| step.state.as_str());
        view! { <span class="strip-piece" data-state=state></span> }
    });
    let now = move || {
        watched.with(|run| {
            let done = run
                .steps
                .iter()
                .filter(|step| step.state.is_final())
                .count();
            let at_work = run.steps.iter().zip(&titles);
            let at_work = at_work.filter(|(step, _)| {
                matches!(step.state, StepState::Running | StepState::Retrying { .. })
            });
            let at_work: Vec<&str> = at_work.map(|(_, title)| title.as_str()).collect();
            format!(
                "{done} of {count} steps done{}{}",
                if at_work.is_empty() { "" } else { "; " },
                at_work.join(", ")
            )
        })
    };
    view! {
        <div class="strip" aria-hidden="true">{pieces.collect_view()}</div>
        <p class="muted">{now}</p>
    }
}
