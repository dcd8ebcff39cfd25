//! Slack: one message to an incoming webhook.
//!
//! The webhook's address is the credential, so it is kept as a secret and no message or log line shows it.
use std::time::Duration;

use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::http;

/// A message that Slack did not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlackError {
    /// The secret is not the address of a webhook.
    #[error(
        "the Slack webhook's address is not an https:// URL: copy it again from the app's page “Incoming Webhooks”"
    )]
    BadAddress,
    /// Slack took too many messages and says when to come back.
    #[error("Slack takes no more messages for {} s: the message is sent again then", .retry_after.as_secs())]
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The webhook does not exist any more.
    #[error(
        "Slack does not know this webhook ({reason}): it was removed or its channel archived; make a new one and replace the secret"
    )]
    Gone {
        /// Slack's own word, such as `no_service`.
        reason: String,
    },
    /// Slack refuses this message.
    #[error(
        "Slack refuses the message with status {status} ({reason}): sending it again will not help"
    )]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Slack's own word, such as `invalid_blocks`.
        reason: String,
    },
    /// Slack has a problem of its own.
    #[error(
        "Slack answers with status {status}: the message is sent again later, see https://slack-status.com"
    )]
    Server {
        /// The HTTP status.
        status: u16,
    },
    /// Slack was not reached.
    #[error("Slack cannot be reached ({why}): check this machine's way out and its proxy settings")]
    Unreachable {
        /// What the network said.
        why: String,
    },
    /// The message was sent, and no answer came.
    #[error(
        "Slack did not answer ({why}); whether the message arrived is not known, and it is not sent twice"
    )]
    Unanswered {
        /// What the network said.
        why: String,
    },
}

impl SlackError {
    /// Whether sending the same message later may work and cannot tell it twice.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Server { .. } | Self::Unreachable { .. } => true,
            Self::BadAddress
            | Self::Gone { .. }
            | Self::Refused { .. }
            | Self::Unanswered { .. } => false,
        }
    }
}

/// An incoming webhook of a Slack channel.
#[derive(Debug, Clone)]
pub struct Webhook {
    client: Client,
    address: SecretString,
}

impl Webhook {
    /// A webhook by its address: `https://`, or `http://` on a private network.
    pub fn new(client: Client, address: SecretString) -> Result<Self, SlackError> {
        let url = Url::parse(address.expose_secret().trim()).map_err(|_| SlackError::BadAddress)?;
        match url.scheme() {
            "https" => {}
            "http" if http::is_private(&url) => {}
            _ => return Err(SlackError::BadAddress),
        }
        Ok(Self {
            client,
            address: SecretString::from(url.to_string()),
        })
    }

    /// Posts one message: `text`, `blocks`, … as Slack documents them.
    ///
    /// When the connection breaks after sending, it is unknown whether the message was taken:
    /// [`SlackError::Unanswered`].
    pub async fn post(&self, message: &serde_json::Value) -> Result<(), SlackError> {
        let sent = self
            .client
            .post(self.address.expose_secret())
            .json(message)
            .send()
            .await;
        let response = sent.map_err(|error| {
            let why = http::reason(&error);
            if error.is_connect() {
                SlackError::Unreachable { why }
            } else {
                SlackError::Unanswered { why }
            }
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            let retry_after = http::retry_after(&response).unwrap_or(Duration::from_secs(30));
            return Err(SlackError::RateLimited { retry_after });
        }
        if status.is_server_error() {
            return Err(SlackError::Server {
                status: status.as_u16(),
            });
        }
        let reason = reason_word(response).await;
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Err(SlackError::Gone { reason });
        }
        Err(SlackError::Refused {
            status: status.as_u16(),
            reason,
        })
    }
}

/// Slack answers with one word. Anything else (a proxy's page) is not repeated.
async fn reason_word(response: reqwest::Response) -> String {
    let bytes = http::body(response).await.unwrap_or_default();
    let word = String::from_utf8_lossy(&bytes).trim().to_owned();
    let is_word = (1..=60).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if is_word {
        word
    } else {
        "no reason given".into()
    }
}
