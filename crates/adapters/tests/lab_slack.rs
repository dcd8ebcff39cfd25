//! A message to the lab's Slack.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]
use adapters::http;
use adapters::slack::{SlackError, Webhook};
use secrecy::SecretString;
use serde_json::json;

use lab::{lab, text};

#[path = "support/lab.rs"]
mod lab;

#[tokio::test]
async fn a_message_arrives_and_one_without_text_is_refused() {
    let lab = lab();
    let client = http::client().unwrap();
    let address = SecretString::from(text(&lab, "/slack/webhook_url"));
    let webhook = Webhook::new(client.clone(), address).unwrap();
    let mark = format!(
        "test {}",
        std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos()
    );
    webhook.post(&json!({ "text": mark })).await.unwrap();
    let messages = client
        .get(text(&lab, "/slack/messages_url"))
        .send()
        .await
        .unwrap();
    assert!(messages.text().await.unwrap().contains(&mark));

    let error = webhook.post(&json!({ "username": "x" })).await.unwrap_err();
    assert!(
        matches!(&error, SlackError::Refused { reason, .. } if reason == "no_text"),
        "{error:?}"
    );
}
