//! Somebody else's program: what it gets, and what its answers mean.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapters::github::webhook::is_signed;
use adapters::http;
use adapters::webhook::{Message, Receiver, WebhookError};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use secrecy::SecretString;

mod support;

const MESSAGE: Message<'static> = Message {
    event: "run-ended",
    delivery: "7-19ab-webhook",
    body: r#"{"run":7}"#,
};

fn receiver(address: &str, secret: &str) -> Result<Receiver, WebhookError> {
    let client = http::client().unwrap();
    Receiver::new(
        client,
        SecretString::from(address),
        SecretString::from(secret),
    )
}

#[tokio::test]
async fn a_message_arrives_with_its_name_and_a_signature() {
    let got = Arc::new(Mutex::new(None));
    let seen = got.clone();
    let take = move |headers: HeaderMap, body: Bytes| async move {
        *seen.lock().unwrap() = Some((headers, body));
        StatusCode::NO_CONTENT
    };
    let base = support::serve(Router::new().route("/hush", post(take))).await;
    let receiver = receiver(&format!("{base}/hush\n"), "key").unwrap();
    receiver.post(&MESSAGE).await.unwrap();
    let (headers, body) = got.lock().unwrap().take().unwrap();
    assert_eq!(body, MESSAGE.body);
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["x-fairlead-event"], MESSAGE.event);
    assert_eq!(headers["x-fairlead-delivery"], MESSAGE.delivery);
    let signature = headers["x-fairlead-signature-256"].to_str().unwrap();
    assert!(
        is_signed(&SecretString::from("key"), signature, &body),
        "{signature}"
    );
}

#[tokio::test]
async fn each_refusal_has_its_own_error() {
    let answering = async |status: u16, retry: Option<&'static str>| {
        let answer = move || async move {
            let headers: HeaderMap = retry
                .map(|after| (axum::http::header::RETRY_AFTER, after.parse().unwrap()))
                .into_iter()
                .collect();
            (StatusCode::from_u16(status).unwrap(), headers)
        };
        let base = support::serve(Router::new().route("/hush", post(answer))).await;
        let receiver = receiver(&format!("{base}/hush"), "key").unwrap();
        receiver.post(&MESSAGE).await.unwrap_err()
    };
    let limited = answering(429, Some("7")).await;
    assert_eq!(limited.retry_after(), Some(Duration::from_secs(7)));
    let server = answering(503, None).await;
    assert_eq!(server, WebhookError::Server { status: 503 });
    assert!(limited.is_transient() && server.is_transient());
    // A redirect is not followed: it would carry the message to a place nobody chose.
    for status in [302, 400, 404, 410] {
        let refused = answering(status, None).await;
        assert_eq!(refused, WebhookError::Refused { status });
        assert!(!refused.is_transient());
    }
    let nobody = receiver("http://127.0.0.1:9/hush", "key").unwrap();
    let error = nobody.post(&MESSAGE).await.unwrap_err();
    assert!(error.is_transient());
    for text in [error.to_string(), format!("{error:?} {nobody:?}")] {
        assert!(!text.contains("hush") && !text.contains("key"), "{text}");
    }
}

#[test]
fn an_address_or_secret_that_is_none_is_refused() {
    for bad in [
        "",
        "hooks.example.com",
        "http://hooks.example.com/x",
        "file:///etc/passwd",
    ] {
        assert_eq!(
            receiver(bad, "key").unwrap_err(),
            WebhookError::BadAddress,
            "{bad}"
        );
    }
    assert_eq!(
        receiver("https://a.example", "").unwrap_err(),
        WebhookError::NoSecret
    );
}
