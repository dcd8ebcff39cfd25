//! Sign-in, people, commits and git over HTTP, all through the lab's GitHub.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]
use std::collections::HashMap;

use adapters::git::{GitError, Mirror};
use adapters::github::{AccessToken, GitHub, GitHubError, SignIn};
use adapters::http;
use domain::Login;
use domain::manifest::Repository;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use lab::{lab, text};

#[path = "support/lab.rs"]
mod lab;

fn github(lab: &Value) -> GitHub {
    GitHub::new(
        http::client().unwrap(),
        Url::parse(&text(lab, "/github/api_url")).unwrap(),
    )
}

fn service_token(lab: &Value) -> SecretString {
    SecretString::from(text(lab, "/github/token"))
}

fn repository(lab: &Value) -> Repository {
    text(lab, "/repository/full_name").parse().unwrap()
}

/// Does what the browser does: opens the page, presses a person's button, and is sent back.
async fn sign_in(lab: &Value, login: &str) -> Result<AccessToken, GitHubError> {
    let url = Url::parse(&text(lab, "/github/url")).unwrap();
    let secret = SecretString::from(text(lab, "/github/client_secret"));
    let callback = Url::parse("http://localhost:3000/auth/callback").unwrap();
    let client = http::client().unwrap();
    let sign_in = SignIn::new(
        client.clone(),
        &url,
        &text(lab, "/github/client_id"),
        &secret,
        &callback,
    );

    let (page, pending) = sign_in.authorize_url();
    assert!(
        client
            .get(page.clone())
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
    let mut form: HashMap<String, String> = page.query_pairs().into_owned().collect();
    form.insert("login".into(), login.into());
    let pressed = client
        .post(url.join("/login/oauth/authorize").unwrap())
        .form(&form)
        .send()
        .await
        .unwrap();
    let back = Url::parse(pressed.headers()["location"].to_str().unwrap()).unwrap();
    assert_eq!(back.path(), callback.path());
    let back: HashMap<String, String> = back.query_pairs().into_owned().collect();
    sign_in
        .exchange(
            &SecretString::from(back["code"].as_str()),
            &back["state"],
            pending,
        )
        .await
}

#[tokio::test]
async fn a_person_signs_in_and_their_teams_are_seen() {
    let lab = lab();
    for (login, team, other) in [
        ("lena", "meats-central/leads", "meats-central/viewers"),
        ("dev", "meats-central/developers", "meats-central/leads"),
        ("vera", "meats-central/viewers", "meats-central/developers"),
    ] {
        let token = sign_in(&lab, login).await.unwrap();
        let user = github(&lab).user(&token).await.unwrap();
        assert_eq!(user.login.as_str(), login);
        let membership = github(&lab).membership(&token).await.unwrap();
        assert!(
            membership.has_team(team) && !membership.has_team(other),
            "{membership:?}"
        );
        assert!(membership.has_org("meats-central"), "{membership:?}");
    }
    let token = sign_in(&lab, "omar").await.unwrap();
    assert_eq!(
        github(&lab).membership(&token).await.unwrap().teams,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn the_portal_s_own_token_tells_whether_somebody_still_belongs() {
    let lab = lab();
    let (github, token) = (github(&lab), service_token(&lab));
    for (login, team, expected) in [
        ("lena", "meats-central/leads", true),
        ("vera", "meats-central/leads", false),
        ("lena", "meats-central/no-such-team", false),
    ] {
        let login = Login::parse(login).unwrap();
        let found = github.is_in_team(&token, team, &login).await.unwrap();
        assert_eq!(found, expected, "{login} in {team}");
    }
    for (login, expected) in [("vera", true), ("omar", false)] {
        let login = Login::parse(login).unwrap();
        let found = github.is_in_org(&token, "meats-central", &login).await;
        assert_eq!(found.unwrap(), expected, "{login} in meats-central");
    }
}

#[tokio::test]
async fn a_wrong_token_is_refused() {
    let lab = lab();
    let error = github(&lab)
        .user(&SecretString::from("gho_wrong"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, GitHubError::Unauthorized { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn rest_and_the_mirror_tell_the_same_commits() {
    let lab = lab();
    let (github, token, repository) = (github(&lab), service_token(&lab), repository(&lab));
    let branch = text(&lab, "/repository/branches/dev");
    let dir = tempfile::tempdir().unwrap();
    let url = format!("{}/{repository}.git", text(&lab, "/github/url"));
    let mirror = Mirror::open(dir.path(), &url, Some(token.clone()))
        .await
        .unwrap();
    let head = mirror.head(&branch).await.unwrap();

    let branches = github.branches(&token, &repository).await.unwrap();
    assert!(
        branches
            .iter()
            .any(|found| found.name == branch && found.sha == head),
        "{branches:?}"
    );
    let by_rest = github.commit(&token, &repository, &branch).await.unwrap();
    let by_git = mirror.commit(&head).await.unwrap();
    assert_eq!(
        (&by_rest.sha, &by_rest.title, &by_rest.author),
        (&by_git.sha, &by_git.title, &by_git.author)
    );
    assert_eq!(
        (by_rest.at_ms, by_rest.parents),
        (by_git.at_ms, by_git.parents)
    );

    let all = mirror.log(None, &head, 1000).await.unwrap();
    let first = all.last().unwrap().sha.clone();
    let between = github
        .compare(&token, &repository, first.as_str(), head.as_str())
        .await
        .unwrap();
    let mut by_git: Vec<_> = mirror
        .log(Some(&first), &head, 1000)
        .await
        .unwrap()
        .into_iter()
        .map(|c| c.sha)
        .collect();
    let mut by_rest: Vec<_> = between
        .commits
        .into_iter()
        .map(|commit| commit.sha)
        .collect();
    assert_eq!(
        (between.ahead_by, between.behind_by),
        (u64::try_from(by_git.len()).unwrap(), 0)
    );
    by_git.sort();
    by_rest.sort();
    assert_eq!(by_rest, by_git);
}

#[tokio::test]
async fn what_does_not_exist_is_said_to_be_missing() {
    let lab = lab();
    let (github, token) = (github(&lab), service_token(&lab));
    let nowhere: Repository = "meats-central/no-such-repository".parse().unwrap();
    let error = github.branches(&token, &nowhere).await.unwrap_err();
    assert!(matches!(error, GitHubError::NotFound { .. }), "{error:?}");
    for reference in ["no-such-branch", &"0".repeat(40)] {
        let error = github
            .commit(&token, &repository(&lab), reference)
            .await
            .unwrap_err();
        assert!(
            matches!(error, GitHubError::NotFound { .. }),
            "{reference}: {error:?}"
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let base = text(&lab, "/github/url");
    let error = Mirror::open(dir.path(), &format!("{base}/{nowhere}.git"), Some(token))
        .await
        .unwrap_err();
    assert!(
        matches!(error, GitError::NoSuchRepository { .. }),
        "{error:?}"
    );
    let url = format!("{base}/{}.git", repository(&lab));
    let error = Mirror::open(dir.path(), &url, Some(SecretString::from("wrong")))
        .await
        .unwrap_err();
    assert!(matches!(error, GitError::AuthRefused { .. }), "{error:?}");
}
