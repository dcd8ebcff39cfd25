//! The Slack sink: takes what an incoming webhook takes, refuses what Slack refuses, and shows what came in.
//!
//! Answers are Slack's plain-text words (`ok`, `invalid_payload`, `no_text`, `invalid_blocks`, `no_service`). Of the Block Kit rules
//! only those are checked that a program can break by itself: the number of blocks, their types and the length of their texts.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::sync::Mutex;

use crate::{
    faults,
    serving::{self, ServeError, Serving},
};

/// Where the sink listens.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address of the sink; port 0 takes any free port.
    pub listen: SocketAddr,
}

/// One message as it came in; `GET /messages` answers a list of these, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// The webhook's path, `/services/T…/B…/…`.
    pub path: String,
    /// When it came, RFC 3339.
    pub received_at: String,
    /// The body as it was sent.
    pub payload: Value,
}

type Messages = Arc<Mutex<Vec<Message>>>;

/// Starts the sink. It takes `POST /services/{team}/{channel}/{token}`; `GET /messages` lists, `DELETE /messages` forgets, and
/// `POST /_lab/fail?next=500|429|hang` makes the next message go wrong.
pub async fn serve(config: Config) -> Result<Serving, ServeError> {
    let bound = serving::bind("Slack", config.listen).await?;
    let routes = Router::new()
        .route("/services/{team}/{channel}/{token}", post(receive))
        .fallback(no_service)
        .route("/messages", get(list).delete(forget))
        .with_state(Messages::default());
    Ok(bound.run(faults::in_front_of(routes, wording)))
}

/// Slack answers webhooks in plain text, also when it is in trouble.
fn wording(status: StatusCode) -> (&'static str, String) {
    let word = if status == StatusCode::TOO_MANY_REQUESTS {
        "rate_limited"
    } else {
        "rollup_error"
    };
    ("text/plain", word.into())
}

async fn receive(
    State(messages): State<Messages>,
    Path((team, channel, token)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let form = headers.get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes()
            .starts_with(b"application/x-www-form-urlencoded")
    });
    let payload = if form {
        payload_of_form(&body)
    } else {
        serde_json::from_slice(&body).ok()
    };
    let Some(payload @ Value::Object(_)) = payload else {
        return (StatusCode::BAD_REQUEST, "invalid_payload");
    };
    if let Err(word) = check(&payload) {
        return (StatusCode::BAD_REQUEST, word);
    }
    let received_at = OffsetDateTime::now_utc()
        .format(&Rfc3339)
        .unwrap_or_default();
    let path = format!("/services/{team}/{channel}/{token}");
    messages.lock().await.push(Message {
        path,
        received_at,
        payload,
    });
    (StatusCode::OK, "ok")
}

async fn no_service() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "no_service")
}

async fn list(State(messages): State<Messages>) -> Json<Vec<Message>> {
    Json(messages.lock().await.clone())
}

async fn forget(State(messages): State<Messages>) -> StatusCode {
    messages.lock().await.clear();
    StatusCode::NO_CONTENT
}

/// The older way to call an incoming webhook: a form with the JSON in the field `payload`.
fn payload_of_form(body: &[u8]) -> Option<Value> {
    let (_, payload) = url::form_urlencoded::parse(body).find(|(key, _)| key == "payload")?;
    serde_json::from_str(&payload).ok()
}

const BLOCKS: [&str; 10] = [
    "actions",
    "context",
    "divider",
    "file",
    "header",
    "image",
    "input",
    "rich_text",
    "section",
    "video",
];

fn check(payload: &Value) -> Result<(), &'static str> {
    let some_text = payload["text"]
        .as_str()
        .is_some_and(|text| !text.is_empty());
    let attachments = payload["attachments"]
        .as_array()
        .is_some_and(|all| !all.is_empty());
    let blocks = match &payload["blocks"] {
        Value::Null => &[],
        Value::Array(blocks) => blocks.as_slice(),
        _ => return Err("invalid_blocks_format"),
    };
    if blocks.len() > 50 || !blocks.iter().all(is_block) {
        return Err("invalid_blocks");
    }
    if some_text || attachments || !blocks.is_empty() {
        Ok(())
    } else {
        Err("no_text")
    }
}

/// Limits as Block Kit's reference states them: 150 characters in a header, 3,000 in a section, 2,000 in a section's field, 10 elements in a context.
fn is_block(block: &Value) -> bool {
    let text_fits = |text: &Value, limit: usize| {
        text["text"]
            .as_str()
            .is_some_and(|words| !words.is_empty() && words.chars().count() <= limit)
            && matches!(text["type"].as_str(), Some("plain_text" | "mrkdwn"))
    };
    let list = |key: &str| block[key].as_array().map(Vec::as_slice).unwrap_or_default();
    match block["type"].as_str() {
        Some("header") => {
            text_fits(&block["text"], 150) && block["text"]["type"] == json!("plain_text")
        }
        Some("section") => {
            let (text, fields) = (&block["text"], list("fields"));
            (!text.is_null() || !fields.is_empty())
                && (text.is_null() || text_fits(text, 3000))
                && fields.len() <= 10
                && fields.iter().all(|field| text_fits(field, 2000))
        }
        Some("context") => (1..=10).contains(&list("elements").len()),
        Some(other) => BLOCKS.contains(&other),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slack_refuses_is_refused_with_its_word() {
        let section = |text: String| json!({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]});
        for (payload, expected) in [
            (json!({"text": "deployed"}), Ok(())),
            (json!({"blocks": [{"type": "divider"}]}), Ok(())),
            (section("a".repeat(3000)), Ok(())),
            (json!({}), Err("no_text")),
            (json!({"text": ""}), Err("no_text")),
            (
                json!({"text": "x", "blocks": {}}),
                Err("invalid_blocks_format"),
            ),
            (
                json!({"text": "x", "blocks": [{"type": "secton"}]}),
                Err("invalid_blocks"),
            ),
            (
                json!({"text": "x", "blocks": vec![json!({"type": "divider"}); 51]}),
                Err("invalid_blocks"),
            ),
            (
                json!({"blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]}),
                Err("invalid_blocks"),
            ),
            (section("a".repeat(3001)), Err("invalid_blocks")),
        ] {
            assert_eq!(check(&payload), expected, "{payload}");
        }
    }

    #[tokio::test]
    async fn a_message_is_taken_kept_and_listed_and_an_ordered_fault_keeps_it_out() {
        let sink = serve(Config {
            listen: "127.0.0.1:0".parse().unwrap(),
        })
        .await
        .unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (client, url) = (reqwest::Client::new(), format!("http://{}", sink.address()));
        let post = async |path: &str, body: &'static str| {
            let request = client
                .post(format!("{url}{path}"))
                .header("Content-Type", "application/json");
            let answer = request.body(body).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        let hook = "/services/T0/B0/lab";
        assert_eq!(post(hook, r#"{"text": "one"}"#).await, (200, "ok".into()));
        assert_eq!(post(hook, "{text").await, (400, "invalid_payload".into()));
        assert_eq!(post(hook, "[]").await, (400, "invalid_payload".into()));
        assert_eq!(post("/services/T0", "{}").await, (404, "no_service".into()));

        post("/_lab/fail?next=429&retry_after=3", "").await;
        let limited = client
            .post(format!("{url}{hook}"))
            .body("{}")
            .send()
            .await
            .unwrap();
        assert_eq!(
            (limited.status().as_u16(), &limited.headers()["retry-after"]),
            (429, &"3".parse().unwrap())
        );
        let form = client
            .post(format!("{url}{hook}"))
            .form(&[("payload", r#"{"text": "two"}"#)]);
        assert_eq!(form.send().await.unwrap().status(), 200);

        let kept: Vec<Message> = client
            .get(format!("{url}/messages"))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let texts: Vec<&str> = kept
            .iter()
            .filter_map(|message| message.payload["text"].as_str())
            .collect();
        assert_eq!((texts, kept[0].path.as_str()), (vec!["one", "two"], hook));
    }
}
