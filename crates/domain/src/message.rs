//! Messages of a run to the world outside: whom they are for, where they stand, how each try to send one went.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Ms, RunId};

/// Where a message to the world outside stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageState {
    /// To be sent.
    Pending,
    /// Being sent; if nobody is sending it, whoever did died on the way, and it may have arrived or not.
    Sending,
    /// Arrived.
    Done,
    /// Given up.
    Failed,
}

impl MessageState {
    /// The state in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            MessageState::Pending => "pending",
            MessageState::Sending => "sending",
            MessageState::Done => "done",
            MessageState::Failed => "failed",
        }
    }
}

impl std::str::FromStr for MessageState {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        use MessageState::{Done, Failed, Pending, Sending};
        [Pending, Sending, Done, Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not where a message stands"))
    }
}

/// A message of a run, with every try to send it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRow {
    /// Whom it is for.
    pub channel: Channel,
    /// Where it stands.
    pub state: MessageState,
    /// When it will be tried again, where that is so.
    pub next: Option<Ms>,
    /// The tries, oldest first.
    pub tries: Vec<MessageTry>,
}

/// Whom a run tells how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Slack.
    Slack,
    /// Somebody else's program.
    Webhook,
}

impl Channel {
    /// The channel in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Channel::Slack => "slack",
            Channel::Webhook => "webhook",
        }
    }

    /// Whether the receiver knows a message that comes twice, so that one of which nobody knows whether it arrived is
    /// sent again.
    pub fn knows_doubles(self) -> bool {
        match self {
            Channel::Slack => false,
            Channel::Webhook => true,
        }
    }

    /// Under which key the store has this channel's message of a run.
    pub fn key(self, run: RunId) -> String {
        format!("{}:{run}", self.as_str())
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Channel {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Channel::Slack, Channel::Webhook]
            .into_iter()
            .find(|channel| channel.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not whom a run tells: use slack or webhook"))
    }
}

/// One try to send a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageTry {
    /// When.
    pub at: Ms,
    /// How long it took in milliseconds.
    pub took_ms: i64,
    /// Whether it arrived.
    pub arrived: bool,
    /// What the other side said, in a sentence.
    pub answer: String,
}
