//! Somebody else's program, told by a signed request.
//!
//! The signature is made as GitHub makes its own, so a receiver can use what it has for that.
use std::time::Duration;

use hmac::{Hmac, Mac as _};
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use url::Url;

use crate::http;

/// How long the receiver may take. It is to store the message and answer, not to act on it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request that the receiver did not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The address is none.
    #[error(
        "the webhook's address is not an https:// URL: correct `notify.webhook.url` or the secret that it names"
    )]
    BadAddress,
    /// The secret is empty.
    #[error("the webhook's secret is empty, so nothing can be signed: give it a value")]
    NoSecret,
    /// The receiver took too many requests and says when to come back.
    #[error("the webhook takes no more requests for {} s: the message is sent again then", .retry_after.as_secs())]
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The receiver refuses this request.
    #[error("the webhook refuses the message with status {status}: look at the receiver's log")]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// The receiver has a problem of its own.
    #[error("the webhook answers with status {status}: the message is sent again later")]
    Server {
        /// The HTTP status.
        status: u16,
    },
    /// The receiver was not reached.
    #[error(
        "the webhook cannot be reached ({why}): see that its receiver runs and can be reached from this machine"
    )]
    Unreachable {
        /// What the network said.
        why: String,
    },
}

impl WebhookError {
    /// Whether sending the same message later may work. The message has an identity, by which a receiver knows one that
    /// comes twice.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Server { .. } | Self::Unreachable { .. } => true,
            Self::BadAddress | Self::NoSecret | Self::Refused { .. } => false,
        }
    }

    /// When the receiver wants to be asked again, where it says so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
}

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub struct Message<'m> {
    /// What happened, in a word.
    pub event: &'m str,
    /// The message's identity: the same each time it is sent.
    pub delivery: &'m str,
    /// JSON.
    pub body: &'m str,
}

/// Where messages go.
#[derive(Debug, Clone)]
pub struct Receiver {
    client: Client,
    address: SecretString,
    secret: SecretString,
}

impl Receiver {
    /// A receiver by its address: `https://`, or `http://` on a private network.
    pub fn new(
        client: Client,
        address: SecretString,
        secret: SecretString,
    ) -> Result<Self, WebhookError> {
        let url =
            Url::parse(address.expose_secret().trim()).map_err(|_| WebhookError::BadAddress)?;
        match url.scheme() {
            "https" => {}
            "http" if http::is_private(&url) => {}
            _ => return Err(WebhookError::BadAddress),
        }
        if secret.expose_secret().is_empty() {
            return Err(WebhookError::NoSecret);
        }
        Ok(Self {
            client,
            address: SecretString::from(url.to_string()),
            secret,
        })
    }

    /// Sends one message.
    pub async fn post(&self, message: &Message<'_>) -> Result<(), WebhookError> {
        let request = self
            .client
            .post(self.address.expose_secret())
            .timeout(PATIENCE)
            .header("content-type", "application/json")
            .header("x-fairlead-event", message.event)
            .header("x-fairlead-delivery", message.delivery)
            .header("x-fairlead-signature-256", self.signature(message.body)?)
            .body(message.body.to_owned());
        let response = request
            .send()
            .await
            .map_err(|error| WebhookError::Unreachable {
                why: http::reason(&error),
            })?;
        let status = response.status();
        match status {
            status if status.is_success() => Ok(()),
            StatusCode::TOO_MANY_REQUESTS => Err(WebhookError::RateLimited {
                retry_after: http::retry_after(&response).unwrap_or(Duration::from_secs(30)),
            }),
            status if status.is_server_error() => Err(WebhookError::Server {
                status: status.as_u16(),
            }),
            status => Err(WebhookError::Refused {
                status: status.as_u16(),
            }),
        }
    }

    fn signature(&self, body: &str) -> Result<String, WebhookError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret().as_bytes())
            .map_err(|_| WebhookError::NoSecret)?;
        mac.update(body.as_bytes());
        Ok(format!(
            "sha256={}",
            hex::encode(mac.finalize().into_bytes())
        ))
    }
}
