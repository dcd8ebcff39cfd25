//! REST reads tell what is in the repository, and errors are GitHub's.

use reqwest::StatusCode;
use serde_json::Value;

use crate::fixture::{GitHub, REPOSITORY, SERVICE_TOKEN, refusal};

fn texts<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|item| item.pointer(field).unwrap().as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_comparison_counts_from_where_the_branches_parted() {
    let github = GitHub::start().await;
    let diverged = github.of_repository("/compare/uat...development").await;
    assert_eq!(
        (
            &diverged["status"],
            &diverged["ahead_by"],
            &diverged["behind_by"]
        ),
        (&"diverged".into(), &2.into(), &1.into())
    );
    assert_eq!(
        diverged["merge_base_commit"]["sha"],
        github.commits["first"].as_str()
    );
    assert_eq!(
        texts(&diverged["commits"], "/commit/message"),
        ["second", "third"]
    );
    let files: Vec<_> = diverged["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            (
                file["filename"].as_str().unwrap(),
                file["status"].as_str().unwrap(),
                file["additions"].as_u64().unwrap(),
                file["deletions"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        files,
        [
            ("README.md", "modified", 2, 1),
            ("backend/main app.py", "renamed", 0, 0),
            ("frontend/index.html", "added", 1, 0)
        ]
    );
    assert_eq!(diverged["files"][1]["previous_filename"], "backend/app.py");

    for (basehead, status, ahead, behind) in [
        ("main...development", "ahead", 2, 0),
        ("development...main", "behind", 0, 2),
        ("main...main", "identical", 0, 0),
    ] {
        let answer = github.of_repository(&format!("/compare/{basehead}")).await;
        assert_eq!(
            (
                answer["status"].as_str(),
                &answer["ahead_by"],
                &answer["behind_by"]
            ),
            (Some(status), &ahead.into(), &behind.into())
        );
    }
}

#[tokio::test]
async fn a_tree_is_what_git_lists() {
    let github = GitHub::start().await;
    let tree = github
        .of_repository("/git/trees/development?recursive=1")
        .await;
    assert_eq!(
        texts(&tree["tree"], "/path"),
        [
            "README.md",
            "backend",
            "backend/main app.py",
            "frontend",
            "frontend/index.html"
        ]
    );
    let listed = github
        .git_ok(
            "seed",
            "",
            &[
                "ls-tree",
                "-r",
                "-t",
                "development",
                "--format=%(objectmode) %(objecttype) %(objectname)",
            ],
        )
        .await;
    let told: Vec<String> = tree["tree"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            format!(
                "{} {} {}",
                entry["mode"].as_str().unwrap(),
                entry["type"].as_str().unwrap(),
                entry["sha"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(told.join("\n"), listed);
    assert_eq!(
        (&tree["tree"][0]["size"], &tree["tree"][1]["size"]),
        (&17.into(), &Value::Null)
    );

    let subtree = tree["tree"][1]["sha"].as_str().unwrap();
    assert_eq!(
        texts(
            &github.of_repository(&format!("/git/trees/{subtree}")).await["tree"],
            "/path"
        ),
        ["main app.py"]
    );
}

#[tokio::test]
async fn commits_come_newest_first_in_pages_with_their_people() {
    let github = GitHub::start().await;
    let path = format!("/repos/{REPOSITORY}/commits?sha=development&per_page=2");
    let first = github.get(&path, SERVICE_TOKEN).send().await.unwrap();
    let link = first.headers()["link"].to_str().unwrap().to_owned();
    let first: Value = first.json().await.unwrap();
    assert_eq!(texts(&first, "/commit/message"), ["third", "second"]);
    assert_eq!(
        (first[0]["author"]["login"].as_str(), &first[0]["committer"]),
        (Some("dev"), &Value::Null)
    );

    let (next, rest) = link
        .strip_prefix('<')
        .unwrap()
        .split_once(">; rel=\"next\", ")
        .unwrap();
    assert!(rest.ends_with("page=2>; rel=\"last\""), "{rest}");
    let second = github
        .client
        .get(next)
        .bearer_auth(SERVICE_TOKEN)
        .send()
        .await
        .unwrap();
    let link = second.headers()["link"].to_str().unwrap().to_owned();
    assert!(
        link.contains("page=1>; rel=\"prev\"") && !link.contains("rel=\"next\""),
        "{link}"
    );
    assert_eq!(
        texts(&second.json().await.unwrap(), "/commit/message"),
        ["first"]
    );

    let of_path = github
        .of_repository("/commits?sha=development&path=frontend")
        .await;
    assert_eq!(texts(&of_path, "/commit/message"), ["third"]);
    assert_eq!(
        texts(&github.of_repository("/commits").await, "/commit/message"),
        ["first"],
        "the default branch"
    );
}

#[tokio::test]
async fn a_commit_is_found_by_branch_and_by_hash_and_dates_are_utc() {
    let github = GitHub::start().await;
    let first = &github.commits["first"];
    for name in ["main", "heads/main", first, &first[..9]] {
        let commit = github.of_repository(&format!("/commits/{name}")).await;
        assert_eq!(commit["sha"], first.as_str(), "{name}");
    }
    let commit = github.of_repository("/commits/main").await;
    assert_eq!(commit["commit"]["author"]["date"], "2026-01-02T08:00:00Z");
    assert_eq!(
        (&commit["stats"]["additions"], &commit["parents"]),
        (&7.into(), &serde_json::json!([]))
    );
    assert_eq!(
        texts(&github.of_repository("/branches").await, "/name"),
        ["development", "main", "uat"]
    );
}

#[tokio::test]
async fn errors_are_githubs() {
    let github = GitHub::start().await;
    let (dev, omar) = (github.token("dev").await, github.token("omar").await);
    let repository = format!("/repos/{REPOSITORY}");
    for (path, token, expected) in [
        ("/user".to_owned(), "nonsense", (401, "Bad credentials")),
        (repository.clone(), omar.as_str(), (404, "Not Found")),
        (
            "/repos/meats-central/nothing".into(),
            &dev,
            (404, "Not Found"),
        ),
        (
            "/repos/meats-central/..%2F..%2Fetc".into(),
            &dev,
            (404, "Not Found"),
        ),
        (
            format!("{repository}/commits/nothing"),
            &dev,
            (422, "No commit found for SHA: nothing"),
        ),
        (
            format!("{repository}/commits/--all"),
            &dev,
            (422, "No commit found for SHA: --all"),
        ),
        (
            format!("{repository}/commits?sha=nothing"),
            &dev,
            (404, "Not Found"),
        ),
        (
            format!("{repository}/compare/main...nothing"),
            &dev,
            (404, "Not Found"),
        ),
        (
            format!("{repository}/compare/main"),
            &dev,
            (404, "Not Found"),
        ),
        (
            format!("{repository}/git/trees/nothing"),
            &dev,
            (404, "Not Found"),
        ),
        (
            format!("{repository}/branches/nothing"),
            &dev,
            (404, "Branch not found"),
        ),
        (format!("{repository}/hooks"), &dev, (404, "Not Found")),
        (
            format!("{repository}/commits/main/check-runs"),
            &dev,
            (404, "Not Found"),
        ),
        (
            "/orgs/meats-central/teams/leads/memberships/dev".into(),
            &dev,
            (404, "Not Found"),
        ),
        (
            "/orgs/meats-central/teams/developers/memberships/dev".into(),
            &omar,
            (404, "Not Found"),
        ),
        ("/emojis".into(), &dev, (404, "Not Found")),
    ] {
        let answer = github.get(&path, token).send().await.unwrap();
        assert_eq!(
            refusal(answer).await,
            (expected.0, expected.1.to_owned()),
            "{path}"
        );
    }
    let anonymous = github
        .client
        .get(format!("{}/api/v3/user", github.url))
        .send()
        .await
        .unwrap();
    assert_eq!(
        refusal(anonymous).await,
        (401, "Requires authentication".to_owned())
    );
    let elsewhere = github
        .client
        .get(format!("{}/about", github.url))
        .send()
        .await
        .unwrap();
    assert_eq!(refusal(elsewhere).await, (404, "Not Found".to_owned()));
}

#[tokio::test]
async fn every_answer_counts_against_the_limit() {
    let github = GitHub::start().await;
    for used in ["1", "2"] {
        let answer = github.get("/user", SERVICE_TOKEN).send().await.unwrap();
        assert_eq!(
            (
                &answer.headers()["x-ratelimit-limit"],
                &answer.headers()["x-ratelimit-used"]
            ),
            (&"5000".parse().unwrap(), &used.parse().unwrap())
        );
    }
}

#[tokio::test]
async fn faults_come_when_ordered_and_no_longer() {
    let github = GitHub::start().await;
    let order = async |query: &str| {
        let ordered = github
            .client
            .post(format!("{}/_lab/fail?{query}", github.url))
            .send()
            .await
            .unwrap();
        assert_eq!(ordered.status(), StatusCode::NO_CONTENT);
    };
    let user = async || github.get("/user", SERVICE_TOKEN).send().await.unwrap();
    order("next=500&path=/api/v3/user&times=2").await;
    order("next=429&path=/api/v3/user&retry_after=7").await;
    assert_eq!(
        github
            .get("/repos/meats-central/projectmeats-sample", SERVICE_TOKEN)
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(
        refusal(user().await).await,
        (500, "Server Error".to_owned())
    );
    assert_eq!(user().await.status(), 500);
    let limited = user().await;
    assert_eq!(
        (
            limited.status().as_u16(),
            limited.headers()["retry-after"].to_str().unwrap()
        ),
        (429, "7")
    );
    assert_eq!(user().await.status(), 200);

    order("next=hang").await;
    let patience = std::time::Duration::from_secs(2);
    assert!(
        github
            .get("/user", SERVICE_TOKEN)
            .timeout(patience)
            .send()
            .await
            .unwrap_err()
            .is_timeout()
    );
    assert_eq!(user().await.status(), 200);
}
