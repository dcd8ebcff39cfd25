//! In which browsers one is signed in, with a button that ends a session. It loads them.
use domain::view::{SessionRow, Sessions};
use leptos::form::ActionForm;
use leptos::prelude::*;

use super::states::Trouble;
use super::when::{Clock, When};
use crate::api::session::{EndSession, sessions};

/// The card with the sessions that the reader may end.
#[component]
pub fn SessionsCard() -> impl IntoView {
    let end = ServerAction::<EndSession>::new();
    let loaded = Resource::new(move || end.version().get(), |_| sessions());
    view! {
        <section class="card sessions" aria-labelledby="sessions">
            <h2 id="sessions">"Sessions"</h2>
            <Transition>
                {move || Suspend::new(async move {
                    match loaded.await {
                        Ok(sessions) => view! { <Table sessions end/> }.into_any(),
                        Err(error) => view! { <Trouble error/> }.into_any(),
                    }
                })}
            </Transition>
            {move || end.value().get().and_then(Result::err).map(|error| view! { <Trouble error/> })}
        </section>
    }
}

#[component]
fn Table(sessions: Sessions, end: ServerAction<EndSession>) -> impl IntoView {
    Clock::start(sessions.now);
    let Sessions { rows, of_all, .. } = sessions;
    let words = match of_all {
        true => "Everybody who is signed in. Ending a session takes effect at once.",
        false => "The browsers in which you are signed in. Ending a session takes effect at once.",
    };
    view! {
        <p class="muted">{words}</p>
        <table class="table">
            <thead><tr>
                <th scope="col">"Who"</th><th scope="col">"Signed in"</th><th scope="col">"Used"</th><th scope="col">"Ends"</th>
                <th scope="col"><span class="sr-only">"What can be done"</span></th>
            </tr></thead>
            <tbody>{rows.into_iter().map(|row| view! { <Row row end/> }).collect_view()}</tbody>
        </table>
    }
}

#[component]
fn Row(row: SessionRow, end: ServerAction<EndSession>) -> impl IntoView {
    let SessionRow {
        id,
        login,
        created,
        seen,
        expires,
        own,
    } = row;
    let last = match own {
        true => view! { <span class="muted">"This browser"</span> }.into_any(),
        false => {
            let label = format!("End the session of {login} from {}", created.absolute());
            view! {
                <ActionForm action=end>
                    <input type="hidden" name="session" value=id.to_string()/>
                    <button type="submit" class="btn btn-small btn-danger" aria-label=label disabled=end.pending()>"End"</button>
                </ActionForm>
            }
            .into_any()
        }
    };
    view! {
        <tr>
            <td data-label="Who">{login.to_string()}</td>
            <td data-label="Signed in"><When at=created/></td>
            <td data-label="Used"><When at=seen/></td>
            <td data-label="Ends">{expires.absolute()}</td>
            <td data-label="">{last}</td>
        </tr>
    }
}
