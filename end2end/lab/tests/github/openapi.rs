//! What the stand-in answers, held against GitHub's published OpenAPI description by `end2end/openapi/check.mjs`.

use std::{path::Path, process::Stdio};

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

use crate::{
    fixture::{GitHub, REPOSITORY},
    webhooks::receiver,
};

#[tokio::test]
async fn every_answer_is_as_github_describes_it() {
    let (url, mut received) = receiver().await;
    let github = GitHub::with_hook(Some(&url)).await;
    let (lena, first) = (github.token("lena").await, github.commits["first"].clone());
    let repository = format!("/repos/{REPOSITORY}");
    let below = "GET /repos/{owner}/{repo}";

    let mut answers = Vec::new();
    for (operation, path) in [
        ("GET /user".to_owned(), "/user".to_owned()),
        ("GET /user/orgs".into(), "/user/orgs".into()),
        ("GET /user/teams".into(), "/user/teams".into()),
        (
            "GET /orgs/{org}/teams/{team_slug}/memberships/{username}".into(),
            "/orgs/meats-central/teams/leads/memberships/lena".into(),
        ),
        (
            "GET /orgs/{org}/memberships/{username}".into(),
            "/orgs/meats-central/memberships/lena".into(),
        ),
        (below.into(), repository.clone()),
        (below.into(), "/repos/meats-central/nothing".into()),
        (
            format!("{below}/commits"),
            format!("{repository}/commits?sha=development"),
        ),
        (
            format!("{below}/commits"),
            format!("{repository}/commits?sha=nothing"),
        ),
        (
            format!("{below}/commits/{{ref}}"),
            format!("{repository}/commits/development"),
        ),
        (
            format!("{below}/commits/{{ref}}"),
            format!("{repository}/commits/{first}"),
        ),
        (
            format!("{below}/commits/{{ref}}"),
            format!("{repository}/commits/nothing"),
        ),
        (
            format!("{below}/compare/{{basehead}}"),
            format!("{repository}/compare/uat...development"),
        ),
        (
            format!("{below}/compare/{{basehead}}"),
            format!("{repository}/compare/uat...nothing"),
        ),
        (
            format!("{below}/git/trees/{{tree_sha}}"),
            format!("{repository}/git/trees/development?recursive=1"),
        ),
        (
            format!("{below}/branches"),
            format!("{repository}/branches"),
        ),
        (
            format!("{below}/branches/{{branch}}"),
            format!("{repository}/branches/development"),
        ),
        (
            format!("{below}/branches/{{branch}}"),
            format!("{repository}/branches/nothing"),
        ),
    ] {
        answers.push(recorded(&operation, github.get(&path, &lena)).await);
    }
    answers.push(recorded("GET /user", github.get("/user", "nonsense")).await);

    let hooks = github
        .client
        .post(format!("{}/api/v3{repository}/hooks", github.url))
        .bearer_auth(&lena);
    let wanted = json!({"config": {"url": "http://127.0.0.1:1/", "content_type": "json"}});
    answers.push(
        recorded(
            "POST /repos/{owner}/{repo}/hooks",
            hooks.try_clone().unwrap().json(&wanted),
        )
        .await,
    );
    answers.push(
        recorded(
            "POST /repos/{owner}/{repo}/hooks",
            hooks.json(&json!({"config": {}})),
        )
        .await,
    );
    answers.push(
        recorded(
            "GET /repos/{owner}/{repo}/hooks",
            github.get(&format!("{repository}/hooks"), &lena),
        )
        .await,
    );

    let org_hooks = "/orgs/meats-central/hooks";
    answers.push(recorded("GET /orgs/{org}/hooks", github.get(org_hooks, &lena)).await);
    let first = format!("{org_hooks}/1");
    answers.push(recorded("GET /orgs/{org}/hooks/{hook_id}", github.get(&first, &lena)).await);
    let switch = github
        .client
        .patch(format!("{}/api/v3{first}", github.url))
        .bearer_auth(&lena);
    for wanted in [json!({"active": true}), json!({})] {
        let switch = switch.try_clone().unwrap().json(&wanted);
        answers.push(recorded("PATCH /orgs/{org}/hooks/{hook_id}", switch).await);
    }

    github.clone("work", &lena).await;
    github
        .git_ok(
            "work",
            &lena,
            &["commit", "-q", "--allow-empty", "-m", "pushed"],
        )
        .await;
    github
        .git_ok("work", &lena, &["push", "-q", "origin", "main", ":uat"])
        .await;
    for _ in 0..2 {
        let body: Value = serde_json::from_slice(&received.recv().await.unwrap().1).unwrap();
        answers.push(json!({"webhook": "push", "body": body}));
    }
    check(&answers).await;
}

async fn recorded(operation: &str, request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16().to_string();
    json!({"operation": operation, "status": status, "body": answer.json::<Value>().await.unwrap()})
}

async fn check(answers: &[Value]) {
    let end2end = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    assert!(
        end2end.join("node_modules/@octokit/openapi").is_dir(),
        "GitHub's OpenAPI description is not installed; run `npm ci --prefix end2end`"
    );
    let mut node = Command::new("node")
        .arg("openapi/check.mjs")
        .current_dir(end2end)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = node.stdin.take().unwrap();
    input
        .write_all(&serde_json::to_vec(answers).unwrap())
        .await
        .unwrap();
    drop(input);
    let done = node.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}");
    assert_eq!(said.lines().count(), answers.len(), "{said}");
}
