//! The head of a run's page: what, where, who, how long, and what can be done about it.
use domain::run::RunState;
use domain::view::{Offer, RunView};
use domain::when::duration;
use leptos::form::ActionForm;
use leptos::prelude::*;

use super::button::{Why, ready};
use super::commit::CommitLine;
use super::dialog::Dialog;
use super::icon::Icon;
use super::states::Trouble;
use super::status;
use super::when::{Elapsed, When};
use crate::api::runs::{Cancel, Retry};
use crate::live::{Link, LinkState, Watched};

/// The head.
#[component]
pub fn RunHead(
    /// The run.
    watched: Watched,
    /// How the connection is.
    link: RwSignal<Link>,
) -> impl IntoView {
    let view = watched.view.get_untracked();
    let RunView {
        row,
        commit_url,
        usual_ms,
        ..
    } = view;
    let (id, environment) = (row.id, row.environment.to_string());
    let board = format!("/?project={}", row.project);
    let waiting = move || {
        watched
            .view
            .with(|view| view.waiting_for.clone())
            .filter(|_| watched.state() == RunState::Queued)
    };
    let took = move || {
        let (from, until) = watched.with(|run| (run.started, run.ended));
        from.map(|from| view! { <Elapsed from until/> })
    };
    let usual = usual_ms.map(|ms| view! { <span class="muted">" / usual " {duration(ms)}</span> });
    let retry_of = row.retry_of.map(
        |of| view! { ", again after " <a href=format!("/runs/{of}")>"#" {of.to_string()}</a> },
    );
    let stopped_by = move || {
        watched
            .with(|run| run.cancelled_by.clone())
            .map(|by| format!("Stopped by {by}"))
    };
    view! {
        <header class="run-head">
            <div class="run-title">
                <h1>"Run #" {id.to_string()}</h1>
                {move || status::of_run(watched.state()).badge()}
                <LinkState link/>
            </div>
            <dl class="facts">
                <div><dt>"What"</dt><dd><CommitLine commit=row.commit url=commit_url/></dd></div>
                <div><dt>"Where"</dt><dd><a href=board>{row.project.to_string()}</a> " " <strong>{environment.clone()}</strong></dd></div>
                <div><dt>"Who"</dt><dd>{row.by.to_string()} ", " <When at=row.requested/> {retry_of}</dd></div>
                <div><dt>"Time"</dt><dd>{took} {usual}</dd></div>
            </dl>
            {move || waiting().map(|why| view! { <p class="notice">{Icon::Clock.draw()} {why}</p> })}
            {move || stopped_by().map(|who| view! { <p class="notice">{Icon::Stop.draw()} {who}</p> })}
            <Actions watched environment/>
        </header>
    }
}

/// Cancel while there is something to cancel, Retry when there is something to repeat.
#[component]
fn Actions(watched: Watched, environment: String) -> impl IntoView {
    let id = watched.id;
    let (cancel, retry) = (ServerAction::<Cancel>::new(), ServerAction::<Retry>::new());
    let asking = RwSignal::new(false);
    let ended = move || watched.state().is_final();
    let stop = move || {
        let offer = watched.view.with(|view| view.cancel.clone());
        let disabled = !ready(&offer) || watched.state() == RunState::Cancelling;
        view! {
            <button type="button" class="btn btn-danger" disabled=disabled aria-describedby="why-cancel" on:click=move |_| asking.set(true)>
                {Icon::Stop.draw()} "Cancel"
            </button>
            <Why id="why-cancel".to_owned() offer/>
        }
    };
    let again = move || {
        let offer = watched.view.with(|view| view.retry.clone());
        // A run that did all that it planned needs no second go, and no reason why not.
        (watched.state() != RunState::Succeeded).then(|| view! { <Again id offer retry/> })
    };
    let trouble = move || {
        let failed = |value: Option<Result<(), _>>| value.and_then(Result::err);
        let error = failed(cancel.value().get())
            .or_else(|| failed(retry.value().get().map(|answer| answer.map(|_| ()))));
        error.map(|error| view! { <Trouble error/> })
    };
    Effect::new(move || {
        if cancel.value().with(Option::is_some) {
            asking.set(false);
        }
    });
    view! {
        <div class="run-actions">{move || if ended() { again().into_any() } else { stop().into_any() }}</div>
        {trouble}
        <Dialog open=asking id="cancel-title" title=Signal::stored(format!("Cancel run #{id}?"))>
            <p>
                "It stops at its next safe point in " <strong>{environment.clone()}</strong>
                ", and what is half done is undone: an old container that was stopped comes back."
            </p>
            <ActionForm action=cancel>
                <input type="hidden" name="id" value=id.to_string()/>
                <div class="dialog-buttons">
                    <button type="button" class="btn" on:click=move |_| asking.set(false)>"Let it run"</button>
                    <button type="submit" class="btn btn-danger" disabled=cancel.pending()>"Cancel run #" {id.to_string()}</button>
                </div>
            </ActionForm>
        </Dialog>
    }
}

#[component]
fn Again(id: domain::RunId, offer: Offer, retry: ServerAction<Retry>) -> impl IntoView {
    let refused = !ready(&offer);
    let pending = retry.pending();
    view! {
        <ActionForm action=retry>
            <input type="hidden" name="id" value=id.to_string()/>
            <button type="submit" class="btn" disabled=move || refused || pending.get() aria-describedby="why-retry">
                {Icon::Retry.draw()} "Retry from the failed step"
            </button>
        </ActionForm>
        <Why id="why-retry".to_owned() offer/>
    }
}
