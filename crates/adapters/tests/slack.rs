//! What Slack's incoming webhooks answer, by <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/>.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapters::http;
use adapters::slack::{SlackError, Webhook};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use secrecy::SecretString;
use serde_json::{Value, json};

mod support;

async fn answering(
    status: StatusCode,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
) -> Webhook {
    let answer = move || async move {
        let mut map = axum::http::HeaderMap::new();
        for (name, value) in headers {
            map.insert(name, value.parse().unwrap());
        }
        (status, map, body)
    };
    let base = support::serve(Router::new().route("/services/T0/B0/hush", post(answer))).await;
    webhook(&format!("{base}/services/T0/B0/hush"))
}

fn webhook(address: &str) -> Webhook {
    Webhook::new(http::client().unwrap(), SecretString::from(address)).unwrap()
}

#[tokio::test]
async fn a_message_arrives_as_it_was_written() {
    let got = Arc::new(Mutex::new(None));
    let seen = got.clone();
    let take = move |Json(message): Json<Value>| async move {
        *seen.lock().unwrap() = Some(message);
        "ok"
    };
    let base = support::serve(Router::new().route("/services/T0/B0/hush", post(take))).await;
    let message = json!({"text": "dev is on 1234567", "blocks": []});
    webhook(&format!("{base}/services/T0/B0/hush\n"))
        .post(&message)
        .await
        .unwrap();
    assert_eq!(got.lock().unwrap().take(), Some(message));
}

#[tokio::test]
async fn each_refusal_has_its_own_error() {
    let message = json!({"text": "x"});
    let limited = answering(
        StatusCode::TOO_MANY_REQUESTS,
        vec![("retry-after", "7")],
        "rate_limited",
    )
    .await;
    let error = limited.post(&message).await.unwrap_err();
    assert_eq!(
        error,
        SlackError::RateLimited {
            retry_after: Duration::from_secs(7)
        }
    );
    assert!(error.is_transient());

    let gone = answering(StatusCode::NOT_FOUND, vec![], "no_service").await;
    assert_eq!(
        gone.post(&message).await,
        Err(SlackError::Gone {
            reason: "no_service".into()
        })
    );

    let refused = answering(StatusCode::BAD_REQUEST, vec![], "invalid_payload").await;
    let error = refused.post(&message).await.unwrap_err();
    assert_eq!(
        error,
        SlackError::Refused {
            status: 400,
            reason: "invalid_payload".into()
        }
    );
    assert!(!error.is_transient());

    let proxy = answering(StatusCode::FORBIDDEN, vec![], "<html>blocked</html>").await;
    assert_eq!(
        proxy.post(&message).await,
        Err(SlackError::Refused {
            status: 403,
            reason: "no reason given".into()
        })
    );

    let broken = answering(StatusCode::BAD_GATEWAY, vec![], "").await;
    assert_eq!(
        broken.post(&message).await,
        Err(SlackError::Server { status: 502 })
    );
}

/// Slack may have taken it: whoever sends it again may tell it twice.
#[tokio::test]
async fn a_connection_that_breaks_after_sending_is_told_apart_from_one_that_never_came_about() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::AsyncReadExt as _;
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut some = [0; 100];
            let _ = connection.read(&mut some).await;
        }
    });
    let hook = webhook(&format!("http://{address}/services/T0/B0/hush"));
    let error = hook.post(&json!({"text": "x"})).await.unwrap_err();
    assert!(matches!(error, SlackError::Unanswered { .. }), "{error:?}");
    assert!(!error.is_transient());
    let nobody = webhook("http://127.0.0.1:9/services/T0/B0/hush");
    let error = nobody.post(&json!({"text": "x"})).await.unwrap_err();
    assert!(matches!(error, SlackError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let moved = answering(
        StatusCode::FOUND,
        vec![("location", "http://127.0.0.1:9/")],
        "",
    )
    .await;
    assert!(matches!(
        moved.post(&json!({"text": "x"})).await,
        Err(SlackError::Refused { status: 302, .. })
    ));
}

#[tokio::test]
async fn the_address_is_never_shown() {
    let hook = webhook("http://127.0.0.1:9/services/T0/B0/hush");
    let error = hook.post(&json!({"text": "x"})).await.unwrap_err();
    assert!(error.is_transient());
    for text in [error.to_string(), format!("{error:?}"), format!("{hook:?}")] {
        assert!(
            !text.contains("hush") && !text.contains("services"),
            "{text}"
        );
    }
}

#[test]
fn an_address_that_is_no_webhook_is_refused() {
    let client = http::client().unwrap();
    for bad in [
        "",
        "hooks.slack.com/services/x",
        "http://hooks.slack.com/services/x",
        "file:///etc/passwd",
    ] {
        let error = Webhook::new(client.clone(), SecretString::from(bad)).unwrap_err();
        assert_eq!(error, SlackError::BadAddress, "{bad}");
    }
}
