//! The one place that gives a state its word, its icon and its tone.
use domain::message::{MessageRow, MessageState};
use domain::push::Came;
use domain::run::{RunState, StepState};
use leptos::prelude::*;

use super::icon::Icon;

/// How a state is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The word.
    pub word: &'static str,
    /// The icon.
    pub icon: Icon,
    /// The class that colours it.
    pub tone: &'static str,
}

/// How a run's state looks.
pub fn of_run(state: RunState) -> Look {
    let (word, icon, tone) = match state {
        RunState::Queued => ("Queued", Icon::Clock, "tone-quiet"),
        RunState::Running => ("Running", Icon::Spinner, "tone-info"),
        RunState::Cancelling => ("Cancelling", Icon::Spinner, "tone-warn"),
        RunState::Succeeded => ("Succeeded", Icon::Check, "tone-ok"),
        RunState::Failed => ("Failed", Icon::Cross, "tone-bad"),
        RunState::Cancelled => ("Cancelled", Icon::Stop, "tone-quiet"),
        RunState::Superseded => ("Superseded", Icon::Skip, "tone-quiet"),
    };
    Look { word, icon, tone }
}

/// How a step's state looks.
pub fn of_step(state: &StepState) -> Look {
    let (word, icon, tone) = match state {
        StepState::Waiting => ("Waiting", Icon::Clock, "tone-quiet"),
        StepState::Running => ("Running", Icon::Spinner, "tone-info"),
        StepState::Retrying { .. } => ("Trying again", Icon::Retry, "tone-warn"),
        StepState::Succeeded { .. } => ("Done", Icon::Check, "tone-ok"),
        StepState::Failed { .. } => ("Failed", Icon::Cross, "tone-bad"),
        StepState::Cancelled => ("Cancelled", Icon::Stop, "tone-quiet"),
        StepState::Skipped { .. } => ("Skipped", Icon::Skip, "tone-quiet"),
    };
    Look { word, icon, tone }
}

/// How what came of a push looks.
pub fn of_came(came: &Came) -> Look {
    let (word, icon, tone) = match came {
        Came::Run { .. } => ("Started", Icon::Ship, "tone-info"),
        Came::Ignored { .. } => ("Ignored", Icon::Skip, "tone-quiet"),
        Came::Blocked { .. } => ("Blocked", Icon::Warning, "tone-warn"),
    };
    Look { word, icon, tone }
}

/// How a message's state looks. Of one that was being sent when its run ended and is not sent again by itself, only a
/// portal that died knew more.
pub fn of_message(message: &MessageRow, ended: bool) -> Look {
    let (word, icon, tone) = match message.state {
        MessageState::Pending => ("To be sent", Icon::Clock, "tone-info"),
        MessageState::Sending if ended && message.next.is_none() => {
            ("Not known", Icon::Warning, "tone-warn")
        }
        MessageState::Sending => ("Being sent", Icon::Spinner, "tone-info"),
        MessageState::Done => ("Sent", Icon::Check, "tone-ok"),
        MessageState::Failed => ("Given up", Icon::Cross, "tone-bad"),
    };
    Look { word, icon, tone }
}

impl Look {
    /// Icon and word.
    pub fn badge(self) -> impl IntoView {
        view! { <span class=format!("badge {}", self.tone)>{self.icon.draw()} {self.word}</span> }
    }

    /// The icon in its tone, where the word stands beside it.
    pub fn icon_only(self) -> impl IntoView {
        view! { <span class=format!("tone-icon {}", self.tone)>{self.icon.draw()}</span> }
    }
}
