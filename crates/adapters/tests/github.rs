//! GitHub's REST and sign-in, by its documentation, on the days when something is wrong. The good days are in
//! `lab_github.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use adapters::github::{GitHub, GitHubError, SignIn};
use adapters::http;
use axum::extract::{Form, Query};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use domain::Ms;
use domain::manifest::Repository;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::Digest as _;
use url::Url;

mod support;

const TOKEN: &str = "gho_hunter2";

fn repository() -> Repository {
    "meats-central/sample".parse().unwrap()
}

fn token() -> SecretString {
    SecretString::from(TOKEN)
}

async fn github(router: Router) -> GitHub {
    let base = support::serve(router).await;
    GitHub::new(
        http::client().unwrap(),
        Url::parse(&format!("{base}/api/v3")).unwrap(),
    )
}

/// A GitHub that gives this answer to everything.
async fn answering(status: u16, headers: Vec<(&'static str, String)>, body: Value) -> GitHub {
    let answer = move || async move {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name, value.parse().unwrap());
        }
        (StatusCode::from_u16(status).unwrap(), map, Json(body))
    };
    github(Router::new().fallback(answer)).await
}

#[tokio::test]
async fn each_refusal_has_its_own_error() {
    let refused = async |status, headers, message: &str| {
        let github = answering(status, headers, json!({ "message": message })).await;
        let error = github.user(&token()).await.unwrap_err();
        assert!(!format!("{error} {error:?} {github:?}").contains("hunter2"));
        error
    };
    assert!(matches!(
        refused(401, vec![], "Bad credentials").await,
        GitHubError::Unauthorized { .. }
    ));
    assert!(matches!(
        refused(404, vec![], "Not Found").await,
        GitHubError::NotFound { .. }
    ));
    let error = refused(403, vec![], "Resource not accessible by integration").await;
    assert!(
        matches!(&error, GitHubError::Forbidden { message, .. } if message.contains("not accessible")),
        "{error:?}"
    );
    let error = refused(502, vec![], "Server Error").await;
    assert!(matches!(error, GitHubError::Unexpected { status: 502, .. }) && error.is_transient());
    let moved = vec![("location", "http://127.0.0.1:9/".to_owned())];
    let error = refused(301, moved, "Moved Permanently").await;
    assert!(matches!(error, GitHubError::Unexpected { status: 301, .. }) && !error.is_transient());
}

#[tokio::test]
async fn a_rate_limit_says_when_it_ends() {
    let limit = |left: &str| {
        vec![
            ("x-ratelimit-remaining", left.to_owned()),
            ("x-ratelimit-reset", "1763900000".to_owned()),
        ]
    };
    for status in [403, 429] {
        let error = answering(
            status,
            limit("0"),
            json!({"message": "API rate limit exceeded"}),
        )
        .await
        .user(&token())
        .await;
        let Err(GitHubError::RateLimited { reset, .. }) = error else {
            panic!("{error:?}")
        };
        assert_eq!(reset, Ms(1_763_900_000_000));
    }
    // Requests are left, so this refusal is about something else.
    let error = answering(403, limit("12"), json!({"message": "no"}))
        .await
        .user(&token())
        .await;
    assert!(
        matches!(error, Err(GitHubError::Forbidden { .. })),
        "{error:?}"
    );
    // The secondary limit gives seconds from now.
    let soon = answering(
        403,
        vec![("retry-after", "60".into())],
        json!({"message": "secondary rate limit"}),
    )
    .await;
    let Err(GitHubError::RateLimited { reset, .. }) = soon.user(&token()).await else {
        panic!("not limited")
    };
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    assert!(
        (50_000..=60_000).contains(&(reset.0 - now)),
        "{}",
        reset.0 - now
    );
}

#[tokio::test]
async fn an_answer_that_is_not_github_s_is_said_to_be_so() {
    let github = answering(200, vec![], json!({"hello": 1})).await;
    let error = github.user(&token()).await.unwrap_err();
    assert!(
        matches!(&error, GitHubError::Unexpected { message, .. } if message.contains("missing field")),
        "{error:?}"
    );
    let nobody = GitHub::new(
        http::client().unwrap(),
        Url::parse("http://127.0.0.1:9/api/v3").unwrap(),
    );
    let error = nobody.user(&token()).await.unwrap_err();
    assert!(matches!(error, GitHubError::Unreachable { .. }) && error.is_transient());
}

#[tokio::test]
async fn all_pages_are_read_and_only_from_the_configured_address() {
    let teams = |uri: Uri, headers: HeaderMap, Query(query): Query<HashMap<String, String>>| async move {
        assert_eq!(headers["authorization"], format!("Bearer {TOKEN}"));
        assert_eq!(query["per_page"], "100");
        let page: u32 = query["page"].parse().unwrap();
        // An address that a proxy or an attacker wrote: it must not be called.
        let link = if page < 3 {
            "<http://127.0.0.1:9/steal?page=9>; rel=\"next\""
        } else {
            "<x>; rel=\"first\""
        };
        let org = json!({ "login": "Meats-Central" });
        let one = if uri.path().ends_with("/orgs") {
            json!({ "login": format!("org-{page}") })
        } else {
            json!({ "slug": format!("team-{page}"), "organization": org })
        };
        ([("link", link)], Json(json!([one]))).into_response()
    };
    let router = Router::new()
        .route("/api/v3/user/orgs", get(teams))
        .route("/api/v3/user/teams", get(teams));
    let membership = github(router).await.membership(&token()).await.unwrap();
    assert_eq!(membership.orgs, ["org-1", "org-2", "org-3"]);
    assert_eq!(
        membership.teams,
        [
            "Meats-Central/team-1",
            "Meats-Central/team-2",
            "Meats-Central/team-3"
        ]
    );
    assert!(
        membership.has_team("meats-central/team-2") && !membership.has_team("meats-central/team-4")
    );
    assert!(membership.has_org("ORG-1") && !membership.has_org("org"));
}

#[tokio::test]
async fn a_commit_s_fields_are_taken_over_and_a_wrong_id_is_not_found() {
    let sha = "a".repeat(40);
    let commit = json!({
        "sha": sha, "parents": [{ "sha": "b".repeat(40) }], "author": { "login": "lena" },
        "commit": {
            "message": "Title\n\nBody",
            "author": { "name": "Lena Læring", "date": "2025-01-01T00:00:00Z" },
            "committer": { "name": "GitHub", "date": "2025-11-23T12:13:20Z" },
        },
    });
    let got = answering(200, vec![], commit.clone())
        .await
        .commit(&token(), &repository(), "uat")
        .await
        .unwrap();
    assert_eq!(
        (got.title.as_str(), got.author.as_str()),
        ("Title", "Lena Læring")
    );
    assert_eq!(got.at_ms, Ms(1_763_900_000_000));
    assert_eq!(got.login.unwrap().as_str(), "lena");
    assert_eq!(got.parents[0].as_str(), "b".repeat(40));

    // An author without an account, or whose account is gone.
    for author in [json!(null), json!({})] {
        let mut commit = commit.clone();
        commit["author"] = author;
        let got = answering(200, vec![], commit)
            .await
            .commit(&token(), &repository(), "uat")
            .await
            .unwrap();
        assert_eq!(got.login, None);
    }

    let none = answering(
        422,
        vec![],
        json!({"message": format!("No commit found for SHA: {sha}")}),
    )
    .await;
    let error = none
        .commit(&token(), &repository(), &sha)
        .await
        .unwrap_err();
    assert!(matches!(error, GitHubError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn names_are_escaped_in_the_address() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let answer = move |uri: Uri| async move {
        log.lock().unwrap().push(uri.path().to_owned());
        StatusCode::NOT_FOUND
    };
    let github = github(Router::new().fallback(answer)).await;
    for reference in ["feature/x", "a?b#c", "ä"] {
        let _ = github.commit(&token(), &repository(), reference).await;
    }
    let expected = ["feature%2Fx", "a%3Fb%23c", "%C3%A4"]
        .map(|last| format!("/api/v3/repos/meats-central/sample/commits/{last}"));
    assert_eq!(*seen.lock().unwrap(), expected);
}

async fn sign_in(token_endpoint: Router) -> SignIn {
    let base = support::serve(token_endpoint).await;
    let callback = Url::parse("http://localhost:3000/auth/callback").unwrap();
    SignIn::new(
        http::client().unwrap(),
        &Url::parse(&base).unwrap(),
        "the-app",
        &SecretString::from("app-hunter2"),
        &callback,
    )
}

#[tokio::test]
async fn the_exchange_proves_who_asked_for_the_code() {
    let got = Arc::new(Mutex::new(HashMap::new()));
    let seen = got.clone();
    let answer = move |headers: HeaderMap, Form(form): Form<HashMap<String, String>>| async move {
        assert!(
            headers["accept"]
                .to_str()
                .unwrap()
                .contains("application/json")
        );
        *seen.lock().unwrap() = form;
        Json(
            json!({ "access_token": TOKEN, "token_type": "bearer", "scope": "read:org,read:user" }),
        )
    };
    let sign_in = sign_in(Router::new().route("/login/oauth/access_token", post(answer))).await;
    let (url, pending) = sign_in.authorize_url();
    let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
    assert_eq!(url.path(), "/login/oauth/authorize");
    assert_eq!(
        (query["client_id"].as_str(), query["scope"].as_str()),
        ("the-app", "read:user read:org")
    );
    assert_eq!(query["redirect_uri"], "http://localhost:3000/auth/callback");
    assert!(
        !url.as_str().contains("hunter2")
            && !format!("{pending:?} {sign_in:?}").contains(&query["state"])
    );

    let state = query["state"].clone();
    let token = sign_in
        .exchange(&SecretString::from("the-code"), &state, pending)
        .await
        .unwrap();
    assert_eq!(token.expose_secret(), TOKEN);
    let form = got.lock().unwrap().clone();
    assert_eq!(
        (form["code"].as_str(), form["client_secret"].as_str()),
        ("the-code", "app-hunter2")
    );
    let challenge = base64::prelude::BASE64_URL_SAFE_NO_PAD
        .encode(sha2::Sha256::digest(&form["code_verifier"]));
    assert_eq!(
        (
            query["code_challenge"].as_str(),
            query["code_challenge_method"].as_str()
        ),
        (challenge.as_str(), "S256")
    );
}

#[tokio::test]
async fn a_foreign_state_is_refused_before_anything_is_sent() {
    let sign_in = sign_in(Router::new()).await;
    let (_, pending) = sign_in.authorize_url();
    let (_, other) = sign_in.authorize_url();
    let error = sign_in
        .exchange(
            &SecretString::from("c"),
            other.state.expose_secret(),
            pending,
        )
        .await
        .unwrap_err();
    assert!(
        matches!(&error, GitHubError::SignIn { reason, .. } if reason.contains("another sign-in")),
        "{error:?}"
    );
}

#[tokio::test]
async fn each_way_that_an_exchange_fails_says_what_to_do() {
    let fails = async |status: u16, body: &'static str| {
        let status = StatusCode::from_u16(status).unwrap();
        let kind = if body.starts_with('{') {
            "application/json"
        } else {
            "text/html"
        };
        let answer = move || async move { (status, [("content-type", kind)], body) };
        let sign_in = sign_in(Router::new().fallback(answer)).await;
        let (_, pending) = sign_in.authorize_url();
        let state = pending.state.expose_secret().to_owned();
        let error = sign_in
            .exchange(&SecretString::from("c-hunter2"), &state, pending)
            .await
            .unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains("hunter2"),
            "{error:?}"
        );
        error
    };
    for (status, body, expected) in [
        (
            200,
            r#"{"error":"bad_verification_code","error_description":"x"}"#,
            "sign in again",
        ),
        (
            200,
            r#"{"error":"incorrect_client_credentials","error_description":"x"}"#,
            "`client_secret`",
        ),
        (400, r#"{"error":"redirect_uri_mismatch"}"#, "callback"),
        (200, "<html>", "check `url`"),
        (200, "{}", "check `url`"),
        (404, "nothing here", "check `url`"),
        (302, "", "check `url`"),
    ] {
        let error = fails(status, body).await;
        assert!(
            matches!(error, GitHubError::SignIn { .. }) && error.to_string().contains(expected),
            "{body}: {error}"
        );
    }
    assert!(fails(503, "").await.is_transient());
}
