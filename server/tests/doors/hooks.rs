//! What GitHub sends by itself: only what is signed is taken in, once, and it is stored before it is answered.
use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use domain::policy::Role;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::world::{World, json, now, request, text};

const SECRET: &str = "hushhush";

fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

fn payload() -> String {
    json!({
        "ref": "refs/heads/development", "before": "a".repeat(40), "after": "b".repeat(40),
        "commits": [], "head_commit": {"message": "Weigh cuts"}, "sender": {"login": "dev"},
        "repository": {"full_name": "meats-central/shop"},
    })
    .to_string()
}

/// A delivery without what a browser or a program of ours would send besides.
async fn deliver(world: &World, headers: &[(&str, &str)], body: &str) -> Response<Body> {
    world
        .send(request(Method::POST, "/hooks/github", headers, body))
        .await
}

async fn deliver_push(world: &World, guid: &str, signature: &str, body: &str) -> Response<Body> {
    let headers = [
        ("content-type", "application/json"),
        ("x-github-event", "push"),
        ("x-github-delivery", guid),
        ("x-hub-signature-256", signature),
    ];
    deliver(world, &headers, body).await
}

/// The deliveries that a viewer sees.
async fn seen(world: &World) -> Vec<Value> {
    let bearer = world.bearer(Role::Viewer).await;
    let path = "/api/v1/projects/shop/deliveries";
    let page = json(world.get(path, &[("authorization", &bearer)]).await).await;
    page["deliveries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_signed_push_is_stored_before_it_is_answered_and_once() {
    let world = World::new().await;
    let body = payload();
    let signed = signature(SECRET, &body);
    let answer = deliver_push(&world, "guid-1", &signed, &body).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(
        json(answer).await,
        json!({"delivery": 1, "known_already": false})
    );
    // Nobody has acted on it, as no engine runs here: it is there all the same, for the next life of the portal too.
    let open = world.store().await.open_deliveries(now()).await.unwrap();
    assert_eq!(open[0].guid, "guid-1");

    let answer = deliver_push(&world, "guid-1", &signed, &body).await;
    assert_eq!(
        json(answer).await,
        json!({"delivery": 1, "known_already": true})
    );
    let seen = seen(&world).await;
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0]["push"]["by"], "dev");
    assert_eq!(seen[0]["done"], Value::Null);
}

#[tokio::test]
async fn what_is_not_signed_with_the_portal_s_secret_is_not_taken_in() {
    let world = World::new().await;
    let body = payload();
    let altered = body.replace("development", "main");
    let good = signature(SECRET, &body);
    for (signature, body) in [
        ("", &body),
        ("sha256=", &body),
        (&*signature("another", &body), &body),
        (&*good, &altered),
        (&*good.replace("sha256", "sha1"), &body),
    ] {
        let answer = deliver_push(&world, "guid-1", signature, body).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{signature}");
    }
    let unsigned = [("x-github-event", "push"), ("x-github-delivery", "guid-1")];
    let answer = deliver(&world, &unsigned, &body).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let words = text(answer).await;
    assert!(
        words.contains("X-Hub-Signature-256") && !words.contains(SECRET),
        "{words}"
    );
    // Whoever is signed in still has to sign.
    let cookie = world.sign_in("lena").await;
    let headers = [unsigned[0], unsigned[1], ("cookie", cookie.as_str())];
    let answer = deliver(&world, &headers, &body).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(seen(&world).await.is_empty());
}

#[tokio::test]
async fn a_delivery_without_its_name_or_with_a_strange_one_is_refused() {
    let world = World::new().await;
    let body = payload();
    let signed = signature(SECRET, &body);
    for guid in ["", "a b", "x/../y", &"g".repeat(101)] {
        let answer = deliver_push(&world, guid, &signed, &body).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{guid}");
    }
    let nameless = [
        ("x-github-delivery", "g"),
        ("x-hub-signature-256", signed.as_str()),
    ];
    let answer = deliver(&world, &nameless, &body).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(
        world.get("/hooks/github", &[]).await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn a_payload_may_be_as_large_as_github_s_and_no_larger() {
    let world = World::new().await;
    let padded = |length: usize| {
        let body = payload();
        let padding = "x".repeat(length - body.len() - r#","more":"""#.len());
        format!(r#"{},"more":"{padding}"}}"#, &body[..body.len() - 1])
    };
    // More than any other body may have.
    let large = padded(3 << 20);
    let answer = deliver_push(&world, "guid-1", &signature(SECRET, &large), &large).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let too_large = padded((25 << 20) + 1);
    let answer = deliver_push(&world, "guid-2", &signature(SECRET, &too_large), &too_large).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    // One that does not say how long it is.
    let empty = request(
        Method::POST,
        "/hooks/github",
        &[
            ("x-github-event", "push"),
            ("x-github-delivery", "guid-3"),
            ("x-hub-signature-256", "sha256=00"),
        ],
        "",
    );
    let endless = Body::from_stream(futures::stream::repeat_with(|| {
        Ok::<_, std::io::Error>(vec![b' '; 65_536])
    }));
    let endless = axum::http::Request::from_parts(empty.into_parts().0, endless);
    assert_eq!(
        world.send(endless).await.status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let seen = seen(&world).await;
    assert_eq!(seen.len(), 1);
    assert!(
        !seen[0].to_string().contains("xxx"),
        "only what is used is kept"
    );
}

#[tokio::test]
async fn pings_forms_and_unknown_events_are_taken_as_github_sends_them() {
    let world = World::new().await;
    let ping =
        json!({"zen": "Keep it", "repository": {"full_name": "Meats-Central/Shop"}}).to_string();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("payload", &payload())
        .finish();
    for (event, kind, body, status) in [
        ("ping", "application/json", &ping, StatusCode::OK),
        (
            "push",
            "application/x-www-form-urlencoded",
            &form,
            StatusCode::ACCEPTED,
        ),
        ("star", "application/json", &ping, StatusCode::ACCEPTED),
        (
            "push",
            "application/json",
            &"[".to_owned(),
            StatusCode::ACCEPTED,
        ),
    ] {
        let guid = format!("{event}-{}", body.len());
        let signed = signature(SECRET, body);
        let headers = [
            ("content-type", kind),
            ("x-github-event", event),
            ("x-github-delivery", guid.as_str()),
            ("x-hub-signature-256", signed.as_str()),
        ];
        let answer = deliver(&world, &headers, body).await;
        assert_eq!(answer.status(), status, "{event} {kind}");
    }
    let seen = seen(&world).await;
    let events: Vec<_> = seen.iter().map(|one| &one["event"]).collect();
    assert_eq!(
        events,
        ["star", "push", "ping"],
        "the last one names no repository"
    );
    assert_eq!(seen[1]["push"]["title"], "Weigh cuts");
    assert!(seen[0]["reason"].as_str().unwrap().contains("`star`"));
    assert!(seen[2]["reason"].as_str().unwrap().contains("hello"));
    assert!(seen[2]["done"].is_string());
}

#[tokio::test]
async fn a_lead_has_a_push_acted_on_again() {
    let world = World::new().await;
    let body = payload();
    deliver_push(&world, "guid-1", &signature(SECRET, &body), &body).await;
    let path = "/api/v1/projects/shop/deliveries/1/redeliver";
    let developer = world.bearer(Role::Developer).await;
    let answer = world.post(path, &[("authorization", &developer)], "").await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let lead = world.bearer(Role::Lead).await;
    let answer = world.post(path, &[("authorization", &lead)], "").await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(json(answer).await, json!({"delivery": 2}));
    let answer = world
        .post(
            "/api/v1/projects/shop/deliveries/9/redeliver",
            &[("authorization", &lead)],
            "",
        )
        .await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let seen = seen(&world).await;
    assert_eq!(
        (&seen[0]["guid"], &seen[0]["again_of"]),
        (&json!("guid-1/shop.1"), &json!(1))
    );
}

#[tokio::test]
async fn whom_a_run_told_is_shown_and_told_again() {
    let world = World::new().await;
    let run = world.queued_run().await;
    let (store, held) = (world.store().await, std::collections::HashSet::new());
    let claim = store
        .claim("test", now(), 60_000, &held)
        .await
        .unwrap()
        .unwrap();
    store
        .outbox_put(&claim, &format!("slack:{run}"), "{}", now())
        .await
        .unwrap();
    let lead = world.bearer(Role::Lead).await;
    let token = [("authorization", lead.as_str())];
    let path = format!("/api/v1/runs/{run}/messages");
    assert_eq!(
        json(world.get(&path, &token).await).await,
        json!([{"channel": "slack", "state": "pending", "tries": []}])
    );
    let again = world
        .post(&format!("{path}/slack/redeliver"), &token, "")
        .await;
    assert_eq!(
        again.status(),
        StatusCode::CONFLICT,
        "its run may be sending it"
    );
    let other = world
        .post(&format!("{path}/webhook/redeliver"), &token, "")
        .await;
    assert_eq!(other.status(), StatusCode::NOT_FOUND);
    let nonsense = world
        .post(&format!("{path}/smoke/redeliver"), &token, "")
        .await;
    assert_eq!(nonsense.status(), StatusCode::NOT_FOUND);
}
