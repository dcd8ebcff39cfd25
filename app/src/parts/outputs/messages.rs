//! Whom a run told how it ended: where each message stands, how each try went, and a button that has it sent again.
use std::time::Duration;

use domain::message::{Channel, MessageRow, MessageState, MessageTry};
use domain::view::RunMessages;
use domain::when::duration;
use domain::{Ms, RunId};
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api;
use crate::api::runs::SendAgain;
use crate::live::Watched;
use crate::parts::button::{Why, ready};
use crate::parts::icon::Icon;
use crate::parts::states::Trouble;
use crate::parts::status;
use crate::parts::when::{Clock, When};

/// While a message is on its way, it is looked at again this often.
const AGAIN: Duration = Duration::from_secs(5);

/// The messages of a run as they are known by now.
#[derive(Clone, Copy)]
pub struct Told {
    run: RunId,
    ended: Memo<bool>,
    known: RwSignal<RunMessages>,
}

impl Told {
    /// From what was loaded; read again when the run has ended.
    pub fn watch(watched: Watched, loaded: RunMessages) -> Self {
        let told = Self {
            run: watched.id,
            ended: Memo::new(move |_| watched.state().is_final()),
            known: RwSignal::new(loaded),
        };
        Effect::new(move |before: Option<bool>| {
            let ended = told.ended.get();
            if ended && before == Some(false) {
                told.load_again();
            }
            ended
        });
        told
    }

    fn load_again(self) {
        spawn_local(async move {
            // What has the focus keeps it where nothing is new.
            if let Ok(newer) = api::runs::messages(self.run).await
                && self.known.try_with_untracked(|known| *known != newer) == Some(true)
            {
                self.known.try_set(newer);
            }
        });
    }

    /// Whether one is still to be sent, or is being sent.
    fn is_open(self) -> bool {
        let open = |message: &MessageRow| {
            matches!(message.state, MessageState::Pending | MessageState::Sending)
        };
        self.known.with(|known| known.messages.iter().any(open))
    }
}

/// The messages; nothing where the run told nobody.
#[component]
pub fn Messages(
    /// What is known of them.
    told: Told,
) -> impl IntoView {
    let again = ServerAction::<SendAgain>::new();
    Effect::new(move |before: Option<usize>| {
        let answered = again.version().get();
        if before.is_some_and(|before| before != answered) {
            told.load_again();
        }
        answered
    });
    keep_up(told);
    let clock = use_context::<Clock>();
    let list = move || {
        let RunMessages {
            messages,
            send_again,
        } = told.known.get();
        if messages.is_empty() {
            return None;
        }
        let (refused, ended) = (!ready(&send_again), told.ended.get());
        let now = clock.map(|clock| untrack(|| clock.now()));
        let rows = messages.into_iter().map(|message| {
            let words = words(&message, ended, now);
            let run = told.run;
            view! { <Message message run words ended refused again/> }
        });
        Some(view! {
            <section class="card messages" aria-labelledby="messages">
                <h2 id="messages">"Messages"</h2>
                <Why id="why-send-again".to_owned() offer=send_again/>
                {rows.collect_view()}
            </section>
        })
    };
    view! {
        {list}
        {move || again.value().get().and_then(Result::err).map(|error| view! { <Trouble error/> })}
    }
}

/// Loads them again now and then, while they are looked at and one is on its way.
fn keep_up(told: Told) {
    let open = Memo::new(move |_| told.ended.get() && told.is_open());
    Effect::new(move || {
        if !open.get() {
            return;
        }
        let look = move || {
            if !document().hidden() {
                told.load_again();
            }
        };
        if let Ok(handle) = set_interval_with_handle(look, AGAIN) {
            on_cleanup(move || handle.clear());
        }
    });
}

/// What is to be said of where a message stands, besides the word.
fn words(message: &MessageRow, ended: bool, now: Option<Ms>) -> Option<String> {
    Some(match (message.state, message.next) {
        (MessageState::Done, _) => return None,
        (MessageState::Pending, Some(next)) if now.is_none_or(|now| now < next) => {
            let verb = match message.tries.is_empty() {
                true => "sent",
                false => "tried again",
            };
            format!("It will be {verb} at {}.", next.absolute())
        }
        (MessageState::Pending, Some(_)) => "It will be sent in a moment.".to_owned(),
        (MessageState::Pending, None) => "The run's last step sends it.".to_owned(),
        (MessageState::Sending, Some(next)) => format!(
            "It is being sent; without an answer it is sent again at {}.",
            next.absolute()
        ),
        (MessageState::Sending, None) if ended => {
            "It is being sent, or Fairlead was stopped while it did: then it is not known whether it arrived.".to_owned()
        }
        (MessageState::Sending, None) => "The run's last step is sending it.".to_owned(),
        (MessageState::Failed, _) => "It did not arrive, and is not tried again by itself.".to_owned(),
    })
}

#[component]
fn Message(
    message: MessageRow,
    run: RunId,
    words: Option<String>,
    ended: bool,
    refused: bool,
    again: ServerAction<SendAgain>,
) -> impl IntoView {
    let badge = status::of_message(&message, ended).badge();
    let MessageRow { channel, tries, .. } = message;
    let name = match channel {
        Channel::Slack => "Slack",
        Channel::Webhook => "Webhook",
    };
    let pending = again.pending();
    let table = (!tries.is_empty()).then(|| {
        view! {
            <table class="table">
                <caption class="sr-only">{format!("Tries to send the message to {name}")}</caption>
                <thead><tr><th scope="col">"Tried"</th><th scope="col">"Took"</th><th scope="col">"Answer"</th></tr></thead>
                <tbody>{tries.into_iter().map(row).collect_view()}</tbody>
            </table>
        }
    });
    view! {
        <div class="message">
            <div class="output-head">
                <h3>{name}</h3>
                {badge}
                <ActionForm action=again>
                    <input type="hidden" name="id" value=run.to_string()/>
                    <input type="hidden" name="channel" value=channel.as_str()/>
                    <button type="submit" class="btn btn-small" aria-label=format!("Send again to {name}") aria-describedby=refused.then_some("why-send-again") disabled=move || refused || pending.get()>
                        {Icon::Retry.draw()} "Send again"
                    </button>
                </ActionForm>
            </div>
            {words.map(|words| view! { <p class="muted">{words}</p> })}
            {table}
        </div>
    }
}

fn row(tried: MessageTry) -> impl IntoView {
    let MessageTry {
        at,
        took_ms,
        arrived,
        answer,
    } = tried;
    let (icon, tone) = match arrived {
        true => (Icon::Check, "tone-icon tone-ok"),
        false => (Icon::Cross, "tone-icon tone-bad"),
    };
    view! {
        <tr>
            <td data-label="Tried" class="nowrap"><When at/></td>
            <td data-label="Took" class="num nowrap">{duration(took_ms)}</td>
            <td data-label="Answer"><span class=tone>{icon.draw()}</span> " " {answer}</td>
        </tr>
    }
}
