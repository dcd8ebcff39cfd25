//! Push webhooks: real pushes, a real receiver, the signature computed anew.

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use hmac::{Hmac, Mac};
use lab::github::Delivery;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{net::TcpListener, sync::mpsc};

use crate::fixture::{GitHub, REPOSITORY, WEBHOOK_SECRET, refusal};

type Received = (HeaderMap, Bytes);

/// Somebody who takes webhooks: the address, and what comes in.
pub async fn receiver() -> (String, mpsc::UnboundedReceiver<Received>) {
    let (sender, received) = mpsc::unbounded_channel();
    let take = async |State(sender): State<mpsc::UnboundedSender<Received>>,
                      headers: HeaderMap,
                      body: Bytes| {
        sender.send((headers, body)).unwrap();
        "thank you"
    };
    let router = Router::new().route("/hook", post(take)).with_state(sender);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, received)
}

fn is_signed(headers: &HeaderMap, body: &[u8], secret: &str) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    headers["x-hub-signature-256"] == format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

impl GitHub {
    /// Deliveries, once there are as many: the last is noted after its receiver has answered.
    async fn deliveries(&self, count: usize) -> Vec<Delivery> {
        for _ in 0..500 {
            let all: Vec<Delivery> = self
                .client
                .get(format!("{}/_lab/deliveries", self.url))
                .send()
                .await
                .unwrap()
                .json()
                .await
                .unwrap();
            if all.len() >= count {
                return all;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{count} deliveries did not come");
    }
}

#[tokio::test]
async fn a_push_is_told_signed_with_its_commits() {
    let (url, mut received) = receiver().await;
    let github = GitHub::with_hook(Some(&url)).await;
    let lena = github.token("lena").await;
    let work = github.clone("work", &lena).await;
    github
        .git_ok("work", &lena, &["checkout", "-q", "development"])
        .await;
    std::fs::write(work.join("new.txt"), "new\n").unwrap();
    std::fs::remove_file(work.join("README.md")).unwrap();
    github.git_ok("work", &lena, &["add", "-A"]).await;
    github
        .git_ok("work", &lena, &["commit", "-q", "-m", "change"])
        .await;
    github
        .git_ok("work", &lena, &["push", "-q", "origin", "development"])
        .await;

    let (headers, body) = received.recv().await.unwrap();
    assert!(is_signed(&headers, &body, WEBHOOK_SECRET) && !is_signed(&headers, &body, "another"));
    assert!(headers["x-github-event"] == "push" && headers["content-type"] == "application/json");
    let push: Value = serde_json::from_slice(&body).unwrap();
    let head = github.git_ok("work", &lena, &["rev-parse", "HEAD"]).await;
    assert_eq!(
        (&push["ref"], &push["before"], &push["after"]),
        (
            &json!("refs/heads/development"),
            &json!(github.commits["third"]),
            &json!(head)
        )
    );
    assert_eq!(
        (&push["created"], &push["deleted"], &push["forced"]),
        (&json!(false), &json!(false), &json!(false))
    );
    assert_eq!(
        (
            &push["pusher"]["name"],
            &push["sender"]["login"],
            &push["repository"]["full_name"]
        ),
        (&json!("lena"), &json!("lena"), &json!(REPOSITORY))
    );
    assert_eq!(push["commits"].as_array().unwrap().len(), 1);
    let commit = &push["commits"][0];
    assert_eq!(
        (&commit["added"], &commit["removed"], &commit["modified"]),
        (&json!(["new.txt"]), &json!(["README.md"]), &json!([]))
    );
    assert_eq!(
        (
            &commit["author"]["username"],
            &commit["distinct"],
            &push["head_commit"]["id"]
        ),
        (&json!("dev"), &json!(true), &json!(head))
    );

    let delivery = github.deliveries(1).await.remove(0);
    assert_eq!(
        (
            delivery.status_code,
            delivery.response.as_str(),
            &delivery.payload
        ),
        (Some(200), "thank you", &push)
    );
    assert_eq!(headers["x-github-delivery"], delivery.guid);
}

#[tokio::test]
async fn one_push_of_several_branches_is_one_event_for_each_change() {
    let (url, mut received) = receiver().await;
    let github = GitHub::with_hook(Some(&url)).await;
    let dev = github.token("dev").await;
    github.clone("work", &dev).await;
    let refspecs = [
        "+origin/development:uat",
        "origin/development:refs/heads/feature/a",
        ":refs/heads/development",
    ];
    github
        .git_ok(
            "work",
            &dev,
            &[&["push", "-q", "origin"], &refspecs[..]].concat(),
        )
        .await;

    let mut events = Vec::new();
    for _ in 0..3 {
        let push: Value = serde_json::from_slice(&received.recv().await.unwrap().1).unwrap();
        let flags = ["created", "deleted", "forced"].map(|flag| push[flag].as_bool().unwrap());
        let distinct = push["commits"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|commit| commit["distinct"] == true)
            .count();
        events.push((
            push["ref"].as_str().unwrap().to_owned(),
            flags,
            push["commits"].as_array().unwrap().len(),
            distinct,
        ));
    }
    events.sort();
    assert_eq!(
        events,
        [
            ("refs/heads/development".into(), [false, true, false], 0, 0),
            ("refs/heads/feature/a".into(), [true, false, false], 0, 0),
            ("refs/heads/uat".into(), [false, false, true], 2, 0),
        ]
    );
}

#[tokio::test]
async fn a_refused_push_tells_nobody() {
    let (url, mut received) = receiver().await;
    let github = GitHub::with_hook(Some(&url)).await;
    let (dev, vera) = (github.token("dev").await, github.token("vera").await);
    github.clone("work", &dev).await;
    github
        .git_ok(
            "work",
            &dev,
            &["commit", "-q", "--allow-empty", "-m", "mine"],
        )
        .await;
    assert!(
        !github
            .git("work", &vera, &["push", "-q", "origin", "main"])
            .await
            .status
            .success()
    );
    assert!(
        !github
            .git("work", &dev, &["push", "-q", "origin", "origin/main:uat"])
            .await
            .status
            .success(),
        "not a fast-forward"
    );
    github
        .git_ok("work", &dev, &["push", "-q", "origin", "main"])
        .await;
    let push: Value = serde_json::from_slice(&received.recv().await.unwrap().1).unwrap();
    assert_eq!(
        push["ref"], "refs/heads/main",
        "the first event is of the push that worked"
    );
}

#[tokio::test]
async fn an_administrator_makes_a_hook_which_is_pinged_and_then_told() {
    let (url, mut received) = receiver().await;
    let github = GitHub::start().await;
    let (ada, dev) = (github.token("ada").await, github.token("dev").await);
    let hooks = format!("{}/api/v3/repos/{REPOSITORY}/hooks", github.url);
    let wanted = json!({"config": {"url": url, "content_type": "json", "secret": "of the hook"}, "events": ["push"]});
    let create = |token: &str, body: &Value| {
        github
            .client
            .post(&hooks)
            .bearer_auth(token)
            .json(body)
            .send()
    };
    assert_eq!(refusal(create(&dev, &wanted).await.unwrap()).await.0, 404);
    assert_eq!(
        refusal(create(&ada, &json!({"config": {}})).await.unwrap())
            .await
            .0,
        422
    );

    let made = create(&ada, &wanted).await.unwrap();
    assert_eq!(made.status(), 201);
    let made: Value = made.json().await.unwrap();
    assert_eq!(made["config"]["secret"], "********");
    let (headers, body) = received.recv().await.unwrap();
    assert!(headers["x-github-event"] == "ping" && is_signed(&headers, &body, "of the hook"));
    assert_eq!(
        refusal(create(&ada, &wanted).await.unwrap()).await.0,
        422,
        "the same hook again"
    );

    github.clone("work", &dev).await;
    github
        .git_ok(
            "work",
            &dev,
            &["push", "-q", "origin", "main:refs/heads/one"],
        )
        .await;
    assert_eq!(received.recv().await.unwrap().0["x-github-event"], "push");

    let gone = github
        .client
        .delete(made["url"].as_str().unwrap())
        .bearer_auth(&ada)
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), 204);
    github
        .git_ok(
            "work",
            &dev,
            &["push", "-q", "origin", "main:refs/heads/two"],
        )
        .await;
    assert_eq!(
        github
            .read(&format!("/repos/{REPOSITORY}/hooks"), &ada)
            .await,
        json!([])
    );
    assert_eq!(
        github.deliveries(2).await.len(),
        2,
        "the ping and the first push"
    );
}

#[tokio::test]
async fn the_hook_of_the_organisation_hears_nothing_of_what_happens_while_it_is_off() {
    let (url, mut received) = receiver().await;
    let github = GitHub::with_hook(Some(&url)).await;
    let (ada, dev) = (github.token("ada").await, github.token("dev").await);
    let hooks = github.read("/orgs/meats-central/hooks", &ada).await;
    assert_eq!(hooks[0]["active"], true);
    let switch = |token: &str, active: bool| {
        github
            .client
            .patch(hooks[0]["url"].as_str().unwrap())
            .bearer_auth(token)
            .json(&json!({"active": active}))
            .send()
    };
    assert_eq!(refusal(switch(&dev, false).await.unwrap()).await.0, 404);
    github.clone("work", &dev).await;
    for (active, reference) in [(false, "one"), (true, "two")] {
        let answer = switch(&ada, active).await.unwrap();
        assert_eq!(
            answer.json::<Value>().await.unwrap()["active"],
            json!(active)
        );
        let reference = format!("main:refs/heads/{reference}");
        github
            .git_ok("work", &dev, &["push", "-q", "origin", &reference])
            .await;
    }
    let push: Value = serde_json::from_slice(&received.recv().await.unwrap().1).unwrap();
    assert_eq!(push["ref"], "refs/heads/two");
    assert_eq!(github.deliveries(1).await.len(), 1);
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_noted() {
    let github = GitHub::with_hook(Some("http://127.0.0.1:1/hook")).await;
    let dev = github.token("dev").await;
    github.clone("work", &dev).await;
    github
        .git_ok(
            "work",
            &dev,
            &["push", "-q", "origin", "main:refs/heads/one"],
        )
        .await;
    let delivery = github.deliveries(1).await.remove(0);
    assert_eq!(delivery.status_code, None);
    assert!(delivery.response.contains("error"), "{}", delivery.response);
}
