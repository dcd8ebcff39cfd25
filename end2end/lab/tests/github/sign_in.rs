//! OAuth: what GitHub documents for the web application flow, and each way it goes wrong.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use crate::fixture::{CLIENT_ID, CLIENT_SECRET, GitHub};

const VERIFIER: &str = "a-verifier-of-enough-length-for-the-rule-of-43-characters";
const CALLBACK: &str = "http://localhost:3000/auth/github/callback";

fn question() -> HashMap<&'static str, String> {
    HashMap::from([
        ("client_id", CLIENT_ID.into()),
        ("redirect_uri", CALLBACK.into()),
        ("scope", "read:org repo".into()),
        ("state", "s/t&a te".into()),
        (
            "code_challenge",
            BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER)),
        ),
        ("code_challenge_method", "S256".into()),
    ])
}

impl GitHub {
    async fn ask(&self, question: &HashMap<&str, String>) -> Response {
        self.client
            .get(format!("{}/login/oauth/authorize", self.url))
            .query(question)
            .send()
            .await
            .unwrap()
    }

    async fn choose(
        &self,
        login: &str,
        question: &HashMap<&str, String>,
    ) -> HashMap<String, String> {
        let mut form = question.clone();
        form.insert("login", login.into());
        let answer = self
            .client
            .post(format!("{}/login/oauth/authorize", self.url))
            .form(&form)
            .send()
            .await
            .unwrap();
        sent_back(&answer)
    }

    async fn exchange(&self, code: &str, change: &[(&'static str, &str)]) -> Value {
        let mut form = HashMap::from([
            ("client_id", CLIENT_ID),
            ("client_secret", CLIENT_SECRET),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ]);
        form.extend(change.iter().copied());
        form.retain(|_, value| !value.is_empty());
        let request = self
            .client
            .post(format!("{}/login/oauth/access_token", self.url))
            .form(&form);
        let answer = request
            .header("Accept", "application/json")
            .send()
            .await
            .unwrap();
        assert_eq!(
            answer.status(),
            StatusCode::OK,
            "GitHub answers 200 whatever comes"
        );
        answer.json().await.unwrap()
    }
}

/// The query that a redirect to the callback carries.
fn sent_back(answer: &Response) -> HashMap<String, String> {
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let to = Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
    assert!(to.as_str().starts_with(CALLBACK), "{to}");
    to.query_pairs().into_owned().collect()
}

#[tokio::test]
async fn a_person_signs_in_and_the_token_is_theirs() {
    let github = GitHub::start().await;
    let page = github.ask(&question()).await;
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    for shown in [
        "Lena Brandt",
        "Vera Lindqvist",
        "Leads of meats-central",
        "In no team",
        "read:org",
        "s/t&amp;a te",
    ] {
        assert!(page.contains(shown), "{shown}");
    }

    let back = github.choose("vera", &question()).await;
    assert_eq!(back["state"], "s/t&a te");
    let answer = github.exchange(&back["code"], &[]).await;
    assert_eq!(
        (answer["token_type"].as_str(), answer["scope"].as_str()),
        (Some("bearer"), Some("repo,read:org"))
    );

    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(github.read("/user", token).await["login"], "vera");
    let teams = github.read("/user/teams", token).await;
    assert_eq!(
        (
            teams[0]["slug"].as_str(),
            teams[0]["organization"]["login"].as_str()
        ),
        (Some("viewers"), Some("meats-central"))
    );
    assert_eq!(teams.as_array().unwrap().len(), 1);
    assert_eq!(
        github.read("/user/orgs", token).await[0]["login"],
        "meats-central"
    );
}

#[tokio::test]
async fn a_code_is_refused_unless_everything_fits() {
    let github = GitHub::start().await;
    for (change, error) in [
        (("client_secret", "wrong"), "incorrect_client_credentials"),
        (("client_secret", ""), "incorrect_client_credentials"),
        (("client_id", "another"), "incorrect_client_credentials"),
        (("code", "0123456789"), "bad_verification_code"),
        (("code", ""), "bad_verification_code"),
        (
            ("code_verifier", "another-verifier"),
            "bad_verification_code",
        ),
        (("code_verifier", ""), "bad_verification_code"),
        (
            ("redirect_uri", "http://localhost:3000/elsewhere"),
            "redirect_uri_mismatch",
        ),
    ] {
        let code = github
            .choose("dev", &question())
            .await
            .remove("code")
            .unwrap();
        let answer = github.exchange(&code, &[change]).await;
        assert_eq!(answer["error"], error, "{change:?}");
        assert!(
            answer["error_description"].is_string()
                && answer["error_uri"].is_string()
                && answer["access_token"].is_null()
        );
    }
}

#[tokio::test]
async fn a_code_is_good_once_and_a_failed_attempt_uses_it_up() {
    let github = GitHub::start().await;
    let code = github
        .choose("dev", &question())
        .await
        .remove("code")
        .unwrap();
    assert!(github.exchange(&code, &[]).await["access_token"].is_string());
    assert_eq!(
        github.exchange(&code, &[]).await["error"],
        "bad_verification_code"
    );

    let code = github
        .choose("dev", &question())
        .await
        .remove("code")
        .unwrap();
    assert_eq!(
        github.exchange(&code, &[("code_verifier", "guess")]).await["error"],
        "bad_verification_code"
    );
    assert_eq!(
        github.exchange(&code, &[]).await["error"],
        "bad_verification_code"
    );
}

#[tokio::test]
async fn a_question_that_cannot_be_trusted_sends_nobody_anywhere() {
    let github = GitHub::start().await;
    for (change, status) in [
        (("client_id", "another"), StatusCode::NOT_FOUND),
        (
            ("redirect_uri", "https://evil.example/callback"),
            StatusCode::BAD_REQUEST,
        ),
        (
            ("redirect_uri", "javascript:alert(1)"),
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let mut question = question();
        question.insert(change.0, change.1.into());
        let answer = github.ask(&question).await;
        assert_eq!(answer.status(), status, "{change:?}");
        assert!(answer.headers().get("location").is_none());
    }

    let mut markup = question();
    markup.insert("state", "\"><script>".into());
    assert!(
        !github
            .ask(&markup)
            .await
            .text()
            .await
            .unwrap()
            .contains("<script>")
    );
}

#[tokio::test]
async fn a_refusal_goes_back_to_the_application_with_its_state() {
    let github = GitHub::start().await;
    let back = github.choose("", &question()).await;
    assert_eq!(
        (back["error"].as_str(), back["state"].as_str()),
        ("access_denied", "s/t&a te")
    );
    assert!(!back.contains_key("code"));

    let mut plain = question();
    plain.insert("code_challenge_method", "plain".into());
    assert_eq!(
        sent_back(&github.ask(&plain).await)["error"],
        "invalid_request"
    );
}

#[tokio::test]
async fn without_an_accept_header_the_answer_is_a_form_and_basic_credentials_do() {
    let github = GitHub::start().await;
    let code = github
        .choose("lena", &question())
        .await
        .remove("code")
        .unwrap();
    let form = [
        ("code", code.as_str()),
        ("code_verifier", VERIFIER),
        ("grant_type", "authorization_code"),
    ];
    let request = github
        .client
        .post(format!("{}/login/oauth/access_token", github.url))
        .form(&form);
    let text = request
        .basic_auth(CLIENT_ID, Some(CLIENT_SECRET))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        text.starts_with("access_token=gho_") && text.contains("&token_type=bearer"),
        "{text}"
    );
}

#[tokio::test]
async fn a_token_does_no_more_than_its_scopes() {
    let github = GitHub::start().await;
    let mut narrow = question();
    narrow.insert("scope", "user:email".into());
    let code = github.choose("lena", &narrow).await.remove("code").unwrap();
    let answer = github.exchange(&code, &[]).await;
    let token = answer["access_token"].as_str().unwrap();
    for (path, status) in [
        ("/user", 200),
        ("/user/orgs", 403),
        ("/user/teams", 403),
        ("/repos/meats-central/projectmeats-sample", 404),
    ] {
        assert_eq!(
            github.get(path, token).send().await.unwrap().status(),
            status,
            "{path}"
        );
    }
}
