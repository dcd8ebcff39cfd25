//! What GitHub told of a project's repository: each push with what came of it, and a button that has it acted on again.
//! It loads them.
use std::time::Duration;

use domain::push::{Came, DeliveryId, DeliveryRow, Push, Told};
use domain::view::Pushes;
use domain::{EnvName, ProjectName};
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::button::{Why, ready};
use super::frame::project_or_first;
use super::icon::Icon;
use super::states::{Empty, Trouble};
use super::status;
use super::when::{Clock, When};
use crate::api::settings::{Redeliver, pushes};
use crate::error::UiError;

/// While something is still to be done about a push, the list is loaded again this often.
const AGAIN: Duration = Duration::from_secs(3);

async fn load(
    project: Option<ProjectName>,
    before: Option<DeliveryId>,
) -> Result<Option<Pushes>, UiError> {
    match project_or_first(project).await? {
        Some(project) => pushes(project, before).await.map(Some),
        None => Ok(None),
    }
}

/// The card with a page of them.
#[component]
pub fn PushesCard(
    /// The project; the reader's first where the address names none.
    project: Memo<Option<ProjectName>>,
) -> impl IntoView {
    let query = use_query_map();
    let before = Memo::new(move |_| {
        query
            .with(|query| query.get("before"))
            .and_then(|text| text.parse::<DeliveryId>().ok())
    });
    let act = ServerAction::<Redeliver>::new();
    let again = RwSignal::new(0_u32);
    let loaded = Resource::new(
        move || {
            let asked = (act.version().get(), again.get());
            (project.get(), before.get(), asked)
        },
        |(project, before, _)| load(project, before),
    );
    view! {
        <Transition>
            {move || Suspend::new(async move {
                let newest = before.get_untracked().is_none();
                match loaded.await {
                    Ok(Some(pushes)) => view! { <Card pushes newest act again/> }.into_any(),
                    // The page says so already.
                    Ok(None) | Err(UiError::SignedOut | UiError::NotFound(_) | UiError::Manifest(_)) => ().into_any(),
                    Err(error) => view! { <Trouble error/> }.into_any(),
                }
            })}
        </Transition>
        {move || act.value().get().and_then(Result::err).map(|error| view! { <Trouble error/> })}
    }
}

#[component]
fn Card(
    pushes: Pushes,
    newest: bool,
    act: ServerAction<Redeliver>,
    again: RwSignal<u32>,
) -> impl IntoView {
    Clock::start(pushes.now);
    let Pushes {
        project,
        page,
        redeliver,
        repository_url,
        hook_url,
        ..
    } = pushes;
    let open = page.deliveries.iter().any(|row| row.done.is_none());
    keep_up(open, again);
    let address = |before: Option<DeliveryId>| match before {
        Some(before) => format!("/settings?project={project}&before={before}#pushes"),
        None => format!("/settings?project={project}#pushes"),
    };
    let first = (!newest)
        .then(|| view! { <a class="btn" href=address(None)>{Icon::Left.draw()} "Newest"</a> });
    let older = page.next.map(
        |next| view! { <a class="btn" href=address(Some(next))>"Older " {Icon::Right.draw()}</a> },
    );
    let turns = (first.is_some() || older.is_some())
        .then(|| view! { <nav class="pages" aria-label="Pages of pushes">{first} {older}</nav> });
    let list = match page.deliveries.is_empty() {
        true => nothing(newest, &repository_url, hook_url),
        false => {
            let refused = !ready(&redeliver);
            let rows = page.deliveries.into_iter().map(|delivery| {
                let project = project.to_string();
                view! { <Row delivery project repository_url=repository_url.clone() refused act/> }
            });
            view! {
                <p class="muted">"What GitHub told of the repository, newest first, and what came of it."</p>
                <Why id="why-redeliver".to_owned() offer=redeliver/>
                <table class="table">
                    <thead><tr>
                        <th scope="col">"When"</th><th scope="col">"What"</th><th scope="col">"By"</th><th scope="col">"What came of it"</th>
                        <th scope="col"><span class="sr-only">"What can be done"</span></th>
                    </tr></thead>
                    <tbody>{rows.collect_view()}</tbody>
                </table>
            }
            .into_any()
        }
    };
    view! {
        <section class="card pushes" aria-labelledby="pushes">
            <h2 id="pushes">"Pushes"</h2>
            {list}
            {turns}
        </section>
    }
}

/// Loads the list again now and then, while it is looked at and something is still to be done about a push.
fn keep_up(open: bool, again: RwSignal<u32>) {
    Effect::new(move || {
        if !open {
            return;
        }
        let look = move || {
            if !document().hidden() {
                again.try_update(|times| *times += 1);
            }
        };
        if let Ok(handle) = set_interval_with_handle(look, AGAIN) {
            on_cleanup(move || handle.clear());
        }
    });
}

/// What stands where GitHub has told nothing.
fn nothing(newest: bool, repository_url: &str, hook_url: String) -> AnyView {
    if !newest {
        return view! { <p class="muted">"Nothing older is known."</p> }.into_any();
    }
    let hooks = format!("{}/settings/hooks", repository_url.trim_end_matches('/'));
    view! {
        <Empty title="GitHub has told nothing of this repository yet">
            <p>
                "Pushes start runs by themselves once GitHub tells of them. Add a webhook on GitHub under "
                <a href=hooks rel="external">"Settings → Webhooks"</a>
                ": its payload URL is " <code>{hook_url}</code>
                ", its content type application/json, its secret the one that the portal was given, and its events just the push. "
                <code>"docs/webhooks.md"</code> " says more."
            </p>
        </Empty>
    }
    .into_any()
}

#[component]
fn Row(
    delivery: DeliveryRow,
    project: String,
    repository_url: String,
    refused: bool,
    act: ServerAction<Redeliver>,
) -> impl IntoView {
    let DeliveryRow {
        id,
        event,
        told,
        received,
        done,
        again_of,
        came,
        ..
    } = delivery;
    let words = match (&told, done) {
        (Told::Other { why }, _) => Some(why.clone()),
        (Told::Push(_), None) => Some("It is being acted on.".to_owned()),
        (Told::Push(_), Some(_)) => came
            .is_empty()
            .then(|| "This project was not there when it came.".to_owned()),
    };
    let outcomes = (!came.is_empty())
        .then(|| view! { <ul class="came">{came.into_iter().map(outcome).collect_view()}</ul> });
    let (what, by, button) = match told {
        Told::Other { .. } => (
            view! { <code>{event}</code> }.into_any(),
            String::new(),
            None,
        ),
        Told::Push(push) => {
            let label = format!("Act on it again: {}", in_short(&push));
            let by = push.by.to_string();
            let pending = act.pending();
            let button = done.is_some().then(|| {
                view! {
                    <ActionForm action=act>
                        <input type="hidden" name="project" value=project/>
                        <input type="hidden" name="delivery" value=id.to_string()/>
                        <button type="submit" class="btn btn-small" aria-label=label aria-describedby=refused.then_some("why-redeliver") disabled=move || refused || pending.get()>
                            {Icon::Retry.draw()} "Act on it again"
                        </button>
                    </ActionForm>
                }
            });
            (pushed(push, &repository_url), by, button)
        }
    };
    view! {
        <tr>
            <td data-label="When">
                <When at=received/>
                {again_of.map(|_| view! { <p class="muted">"Asked for again"</p> })}
            </td>
            <td data-label="What">{what}</td>
            <td data-label="By">{by}</td>
            <td data-label="Came of it">
                {outcomes}
                {words.map(|words| view! { <p class="muted">{words}</p> })}
            </td>
            <td data-label="">{button}</td>
        </tr>
    }
}

/// Branch or tag, commit and title of a push.
fn pushed(push: Push, repository_url: &str) -> AnyView {
    let place = place(&push);
    let commit = push.after.map(|sha| {
        let href = format!("{}/commit/{sha}", repository_url.trim_end_matches('/'));
        view! { <a class="sha" href=href rel="external" title=sha.to_string()>{sha.short().to_owned()}</a> " " }
    });
    view! {
        <p>{Icon::Branch.draw()} " " {place}</p>
        <p>{commit} <span class="muted">{push.title}</span></p>
    }
    .into_any()
}

/// The branch; of a tag, its full name.
fn place(push: &Push) -> String {
    push.branch().unwrap_or(&push.reference).to_owned()
}

/// What was pushed, for a button's name.
fn in_short(push: &Push) -> String {
    let place = place(push);
    match &push.after {
        Some(sha) => format!("{} on {place}", sha.short()),
        None => format!("the end of {place}"),
    }
}

/// What came of a push for an environment, or for the project as a whole.
fn outcome((environment, came): (Option<EnvName>, Came)) -> impl IntoView {
    let badge = status::of_came(&came).badge();
    let place = environment.map(|name| view! { <strong>{name.to_string()}</strong> " " });
    let words = match came {
        Came::Run { run } => {
            view! { <a href=format!("/runs/{run}")>"Run #" {run.to_string()}</a> }.into_any()
        }
        Came::Ignored { why } | Came::Blocked { why } => view! { <span>{why}</span> }.into_any(),
    };
    view! { <li>{badge} <span>{place} {words}</span></li> }
}
