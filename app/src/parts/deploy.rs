//! The confirmation of a deploy, in the board's dialog and on a page of its own. It loads the proposal, and what is
//! confirmed is exactly the commit that it shows, with its images built anew where it shows that.
use domain::view::Proposal;
use domain::{EnvName, ProjectName};
use leptos::form::ActionForm;
use leptos::html;
use leptos::prelude::*;

use super::icon::Icon;
use super::plan::PlanView;
use super::states::{Skeleton, Trouble};
use super::when::Clock;
use crate::api::board::{Deploy, propose};
use crate::error::UiError;

/// [`DeployPanel`], which the browser loads when it is first opened.
#[lazy]
pub fn deploy_panel(project: ProjectName, environment: EnvName) -> AnyView {
    view! { <DeployPanel project environment/> }.into_any()
}

/// What would happen, and the button that lets it.
#[component]
pub fn DeployPanel(
    /// The project.
    project: ProjectName,
    /// Where to.
    environment: EnvName,
    /// Another commit than the branch's newest.
    #[prop(optional_no_strip)]
    commit: Option<String>,
    /// Whether the images are to be built anew.
    #[prop(optional)]
    rebuild: bool,
) -> impl IntoView {
    let commit = RwSignal::new(commit.filter(|text| !text.trim().is_empty()));
    let rebuild = RwSignal::new(rebuild);
    // It stays written when another plan is shown.
    let reason = RwSignal::new(String::new());
    let deploy = ServerAction::<Deploy>::new();
    let (of, to) = (project.clone(), environment.clone());
    let proposal = Resource::new(
        move || (commit.get(), rebuild.get()),
        move |(commit, rebuild)| propose(of.clone(), to.clone(), commit, rebuild),
    );
    // What was refused may have been overtaken by something that another plan takes into account.
    Effect::new(move || {
        if deploy.value().with(|answer| matches!(answer, Some(Err(_)))) {
            proposal.refetch();
        }
    });
    let shown = {
        let (project, environment) = (project.clone(), environment.clone());
        move |proposal: Result<Proposal, UiError>| match proposal {
            Ok(Proposal::Plan {
                plan,
                usual_ms,
                behind_run,
                supersedes,
                now,
            }) => {
                // In the board's dialog its clock ticks; the page of its own has none yet.
                if use_context::<Clock>().is_none() {
                    Clock::start(now);
                }
                let sha = plan.commit.sha.clone();
                let label = format!("Deploy {} to {}", sha.short(), plan.environment);
                let (project, environment) = (project.to_string(), environment.to_string());
                let (anew, manifest) = (plan.rebuild, plan.manifest.clone());
                view! {
                    <PlanView plan=*plan usual_ms behind_run takes_place_of=supersedes/>
                    <ActionForm action=deploy>
                        <input type="hidden" name="project" value=project/>
                        <input type="hidden" name="environment" value=environment/>
                        <input type="hidden" name="commit" value=sha.to_string()/>
                        <input type="hidden" name="manifest" value=manifest/>
                        {anew.then(|| view! { <input type="hidden" name="rebuild" value="true"/> })}
                        <label class="field">
                            <span>"Reason " <span class="muted">"(optional, kept in the audit trail)"</span></span>
                            <input type="text" name="reason" maxlength="500" autocomplete="off"
                                prop:value=reason on:input=move |event| reason.set(event_target_value(&event))/>
                        </label>
                        <Confirm deploy label/>
                    </ActionForm>
                }
                .into_any()
            }
            Ok(Proposal::Blocked { sentences, .. }) => view! { <Blocked sentences/> }.into_any(),
            Err(error) => view! { <Trouble error/> }.into_any(),
        }
    };
    view! {
        <Transition fallback=|| view! { <Skeleton lines=6/> }>
            {move || {
                let shown = shown.clone();
                Suspend::new(async move { shown(proposal.await) })
            }}
        </Transition>
        {move || match deploy.value().get() {
            Some(Err(error)) => Some(view! { <Trouble error/> }),
            _ => None,
        }}
        <OtherPlan address=format!("/deploy/{project}/{environment}") commit rebuild/>
    }
}

#[component]
fn Confirm(deploy: ServerAction<Deploy>, label: String) -> impl IntoView {
    let pending = deploy.pending();
    view! {
        <button type="submit" class="btn btn-primary btn-wide" disabled=pending>
            {Icon::Ship.draw()} {move || if pending.get() { "Starting…".to_owned() } else { label.clone() }}
        </button>
    }
}

/// What stands in the way, each with what to do.
#[component]
fn Blocked(sentences: Vec<String>) -> impl IntoView {
    view! {
        <div class="trouble" role="alert">
            <p class="trouble-title">{Icon::Warning.draw()} "This cannot happen now"</p>
            <ul class="trouble-list">{sentences.into_iter().map(|sentence| view! { <li>{sentence}</li> }).collect_view()}</ul>
        </div>
    }
}

/// Asks for images that are built anew, and for another commit than the branch's newest.
#[component]
fn OtherPlan(
    address: String,
    commit: RwSignal<Option<String>>,
    rebuild: RwSignal<bool>,
) -> impl IntoView {
    let field = NodeRef::<html::Input>::new();
    let show = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let text = field
            .get_untracked()
            .map(|field| field.value().trim().to_owned())
            .unwrap_or_default();
        commit.set((!text.is_empty()).then_some(text));
    };
    let written = commit.get_untracked();
    let open = written.is_some();
    view! {
        <form method="get" action=address class="other-plan" on:submit=show>
            <div class="check">
                <input type="checkbox" id="rebuild" name="rebuild" value="true" aria-describedby="rebuild-what"
                    checked=rebuild.get_untracked() prop:checked=rebuild on:change=move |event| rebuild.set(event_target_checked(&event))/>
                <label for="rebuild">"Build the images anew"</label>
                <p class="muted" id="rebuild-what">
                    "Without the cache and on base images as they are now, although there may be an image of the same source: this is how a fix in a base image is shipped."
                </p>
            </div>
            <div class="no-js"><button type="submit" class="btn">"Show this plan"</button></div>
            <details class="other-commit" open=open>
                <summary>"Another commit"</summary>
                <label class="field">
                    <span>"Full commit id; empty for the newest of the branch"</span>
                    <input type="text" name="commit" class="mono" value=written maxlength="40" spellcheck="false" autocomplete="off" node_ref=field/>
                </label>
                <button type="submit" class="btn">"Show its plan"</button>
            </details>
        </form>
    }
}
