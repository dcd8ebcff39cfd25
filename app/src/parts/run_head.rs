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
use super::plan::supersedes;
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
        reason,
        commit_url,
        usual_ms,
        plan,
        ..
    } = view;
    let (id, environment) = (row.id, row.environment.to_string());
    let board = format!("/?project={}", row.project);
    let release = format!("/releases/{}/{}", row.project, row.commit.sha);
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
    let reason = reason.map(|reason| view! { <div><dt>"Why"</dt><dd>{reason}</dd></div> });
    let anew = plan.rebuild.then(|| {
        view! { <div><dt>"Images"</dt><dd>"Built anew, without the cache and on base images as they are now"</dd></div> }
    });
    // Said once, when it ends while somebody looks.
    let at_first = watched.with_untracked(|run| run.state);
    let outcome = move || {
        let state = watched.state();
        (state != at_first && state.is_final())
            .then(|| format!("Run #{id}: {}", status::of_run(state).word))
    };
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
                <span class="sr-only" role="status">{outcome}</span>
            </div>
            <dl class="facts">
                <div><dt>"What"</dt><dd><CommitLine commit=row.commit url=commit_url/></dd></div>
                <div><dt>"Release"</dt><dd><a href=release>"Images, tests and places"</a></dd></div>
                <div><dt>"Where"</dt><dd><a href=board>{row.project.to_string()}</a> " " <strong>{environment.clone()}</strong></dd></div>
                <div><dt>"Who"</dt><dd>{row.by.to_string()} ", " <When at=row.requested/> {retry_of}</dd></div>
                {reason}
                {anew}
                <div><dt>"Time"</dt><dd>{took} {usual}</dd></div>
            </dl>
            {move || waiting().map(|why| view! { <p class="notice">{Icon::Clock.draw()} {why}</p> })}
            {move || stopped_by().map(|who| view! { <p class="notice">{Icon::Stop.draw()} {who}</p> })}
            <Actions watched environment/>
        </header>
    }
}

/// Cancel while there is something to cancel, Retry when there is something to repeat. Each asks first and says what it
/// will do: in a dialog, or without JavaScript in a box that opens.
#[component]
fn Actions(watched: Watched, environment: String) -> impl IntoView {
    let ended = Memo::new(move |_| watched.state().is_final());
    let environment = StoredValue::new(environment);
    view! {
        {move || match ended.get() {
            true => view! { <Again watched environment=environment.get_value()/> }.into_any(),
            false => view! { <Stop watched environment=environment.get_value()/> }.into_any(),
        }}
    }
}

#[component]
fn Stop(watched: Watched, environment: String) -> impl IntoView {
    let id = watched.id;
    let cancel = ServerAction::<Cancel>::new();
    let asking = RwSignal::new(false);
    let offer = move || match watched.state() {
        RunState::Cancelling => Offer::Refused {
            why: format!("Run #{id} is being cancelled already"),
        },
        _ => watched.view.with(|view| view.cancel.clone()),
    };
    close_when_answered(asking, move || cancel.value().with(Option::is_some));
    let words = move || {
        view! {
            <p>
                "It stops at its next safe point in " <strong>{environment.clone()}</strong>
                ", and what is half done is undone: an old container that was stopped comes back."
            </p>
        }
    };
    let confirm = move |keep: AnyView| {
        let pending = cancel.pending();
        let label = move || match pending.get() {
            true => "Cancelling…".to_owned(),
            false => format!("Cancel run #{id}"),
        };
        view! {
            <ActionForm action=cancel>
                <input type="hidden" name="id" value=id.to_string()/>
                <div class="dialog-buttons">
                    {keep}
                    <button type="submit" class="btn btn-danger" disabled=pending>{label}</button>
                </div>
            </ActionForm>
        }
    };
    let unscripted = words.clone();
    view! {
        <div class="run-actions">
            {move || {
                let offer = offer();
                let (refused, unscripted) = (!ready(&offer), unscripted.clone());
                view! {
                    <button type="button" class="btn btn-danger needs-js" disabled=refused aria-describedby=refused.then_some("why-cancel") on:click=move |_| asking.set(true)>
                        {Icon::Stop.draw()} "Cancel"
                    </button>
                    {(!refused).then(|| view! { <details class="no-js"><summary>"Cancel"</summary>{unscripted()} {confirm(().into_any())}</details> })}
                    <Why id="why-cancel".to_owned() offer/>
                }
            }}
        </div>
        {move || cancel.value().get().and_then(Result::err).map(|error| view! { <Trouble error/> })}
        <Dialog open=asking id="cancel-title" title=Signal::stored(format!("Cancel run #{id}?"))>
            {words()}
            {confirm(view! { <button type="button" class="btn" on:click=move |_| asking.set(false)>"Let it run"</button> }.into_any())}
        </Dialog>
    }
}

/// A run keeps to its plan, so what was mended in the manifest does not reach its retry.
const OUTDATED: &str = "The manifest has changed since this run was planned. A retry goes by the old one; deploy again to go by the new one.";

#[component]
fn Again(watched: Watched, environment: String) -> impl IntoView {
    let id = watched.id;
    let retry = ServerAction::<Retry>::new();
    let asking = RwSignal::new(false);
    close_when_answered(asking, move || retry.value().with(Option::is_some));
    let ask = move |_| {
        // Which runs wait now is known only to the server.
        watched.refresh();
        asking.set(true);
    };
    let commit = watched
        .view
        .with_untracked(|view| view.row.commit.sha.short().to_owned());
    let outdated = move || watched.view.with(|view| view.manifest_changed);
    let words = move || {
        view! {
            <p>
                "A new run takes over what succeeded in run #" {id.to_string()} ", its images and tests, and its migration unless another run has migrated since, and deploys "
                <code>{commit.clone()}</code> " to " <strong>{environment.clone()}</strong> " again."
            </p>
            {move || outdated().then(|| view! { <p class="notice">{OUTDATED}</p> })}
            {move || watched.view.with(|view| supersedes(&view.retry_supersedes))}
        }
    };
    let confirm = move |keep: AnyView| {
        let pending = retry.pending();
        let label = move || match pending.get() {
            true => "Starting…".to_owned(),
            false => format!("Retry run #{id}"),
        };
        view! {
            <ActionForm action=retry>
                <input type="hidden" name="id" value=id.to_string()/>
                <div class="dialog-buttons">
                    {keep}
                    <button type="submit" class="btn btn-primary" disabled=pending>{label}</button>
                </div>
            </ActionForm>
        }
    };
    let unscripted = words.clone();
    // A run that did all that it planned needs no second go, and no reason why not.
    let wanted = move || watched.state() != RunState::Succeeded;
    view! {
        <div class="run-actions">
            {move || wanted().then(|| {
                let offer = watched.view.with(|view| view.retry.clone());
                let (refused, unscripted) = (!ready(&offer), unscripted.clone());
                view! {
                    <button type="button" class="btn needs-js" disabled=refused aria-describedby=refused.then_some("why-retry") on:click=ask>
                        {Icon::Retry.draw()} "Retry from the failed step"
                    </button>
                    {(!refused).then(|| view! { <details class="no-js"><summary>"Retry from the failed step"</summary>{unscripted()} {confirm(().into_any())}</details> })}
                    <Why id="why-retry".to_owned() offer/>
                    {(!refused && outdated()).then(|| view! { <p class="why">{OUTDATED}</p> })}
                }
            })}
        </div>
        {move || retry.value().get().and_then(Result::err).map(|error| view! { <Trouble error/> })}
        <Dialog open=asking id="retry-title" title=Signal::stored(format!("Retry run #{id}?"))>
            {words()}
            {confirm(view! { <button type="button" class="btn" on:click=move |_| asking.set(false)>"Not now"</button> }.into_any())}
        </Dialog>
    }
}

/// Closes a dialog when its question was sent and answered.
fn close_when_answered(asking: RwSignal<bool>, answered: impl Fn() -> bool + 'static) {
    Effect::new(move || {
        if answered() {
            asking.set(false);
        }
    });
}
