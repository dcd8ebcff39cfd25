//! A run at work, small: a strip with one piece for each step, and what is being done.
use domain::view::{Progress, RunRow};
use leptos::prelude::*;

use super::status;
use super::when::Elapsed;

/// The run at work in an environment.
#[component]
pub fn ActiveRun(
    /// Its row.
    row: RunRow,
    /// How far it has come.
    progress: Option<Progress>,
) -> impl IntoView {
    let id = row.id;
    view! {
        <div class="active-run">
            <p class="active-head">
                {status::of_run(row.state).badge()} <a href=format!("/runs/{id}")>"Run #" {id.to_string()}</a>
                <span class="muted">{row.commit.sha.short().to_owned()} " by " {row.by.to_string()}</span>
                {row.started.map(|from| view! { <Elapsed from until=row.ended/> })}
            </p>
            {progress.map(|progress| view! { <Strip progress/> })}
        </div>
    }
}

#[component]
fn Strip(progress: Progress) -> impl IntoView {
    let Progress {
        states,
        done,
        at_work,
    } = progress;
    let now = format!(
        "{done} of {} steps done{}{}",
        states.len(),
        if at_work.is_empty() { "" } else { "; " },
        at_work.join(", ")
    );
    let pieces = states
        .into_iter()
        .map(|state| view! { <span class="strip-piece" data-state=state></span> });
    view! {
        <div class="strip" aria-hidden="true">{pieces.collect_view()}</div>
        <p class="muted">{now}</p>
    }
}
