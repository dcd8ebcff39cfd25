//! The registry API against a small registry in this process that can be told to misbehave. The real one is in
//! `lab_registry.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use adapters::http;
use adapters::registry::{Credentials, Registry, RegistryError, StoredImage};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::Digest;
use secrecy::SecretString;
use sha2::Digest as _;

mod support;

const KIND: &str = "application/vnd.docker.distribution.manifest.v2+json";
// Odd spacing: a manifest must be put back byte for byte.
const MANIFEST: &str = "{ \"schemaVersion\":2,\n   \"layers\" : [] }";
const PASSWORD: &str = "hunter2";

fn digest_of(text: &str) -> Digest {
    Digest::parse(format!(
        "sha256:{}",
        hex::encode(sha2::Sha256::digest(text))
    ))
    .unwrap()
}

/// Manifests by tag or digest, and what happened.
#[derive(Default)]
struct Shelf {
    base: Mutex<String>,
    manifests: Mutex<HashMap<String, String>>,
    tokens: Mutex<Vec<String>>,
    puts: Mutex<Vec<(String, String, String)>>,
    without_digest: bool,
    /// Answers each request for a manifest with this status.
    broken: Option<StatusCode>,
}

impl Shelf {
    fn with(tags: &[&str]) -> Self {
        let shelf = Self::default();
        for name in tags.iter().copied().chain([digest_of(MANIFEST).as_str()]) {
            shelf
                .manifests
                .lock()
                .unwrap()
                .insert(name.to_owned(), MANIFEST.to_owned());
        }
        shelf
    }
}

/// A registry with bearer tokens, as Docker Hub and GHCR have them.
async fn serve(shelf: Shelf) -> (String, Arc<Shelf>) {
    let shelf = Arc::new(shelf);
    let router =
        Router::new()
            .route("/token", get(token))
            .route(
                "/v2/",
                any(|state, headers| async move {
                    authorized(&state, &headers, "").unwrap_or_default()
                }),
            )
            .route("/v2/team/app/manifests/{reference}", any(manifest))
            .with_state(shelf.clone());
    let base = support::serve(router).await;
    shelf.base.lock().unwrap().clone_from(&base);
    (base, shelf)
}

async fn token(
    State(shelf): State<Arc<Shelf>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let wanted = format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("robot:{PASSWORD}"))
    );
    if headers
        .get("authorization")
        .is_none_or(|given| *given != *wanted)
        || query["service"] != "shelf"
    {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let scope = query.get("scope").cloned().unwrap_or_default();
    shelf.tokens.lock().unwrap().push(scope.clone());
    axum::Json(serde_json::json!({ "token": format!("t-{scope}"), "expires_in": 300 }))
        .into_response()
}

fn authorized(shelf: &State<Arc<Shelf>>, headers: &HeaderMap, scope: &str) -> Option<Response> {
    let given = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if given
        .strip_prefix("Bearer t-")
        .is_some_and(|given| given.starts_with(scope))
    {
        return None;
    }
    let base = shelf.base.lock().unwrap();
    let challenge = format!("Bearer realm=\"{base}/token\",service=\"shelf\",scope=\"{scope}\"");
    Some((StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response())
}

async fn manifest(
    state: State<Arc<Shelf>>,
    Path(reference): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let rights = if method == Method::PUT {
        "pull,push"
    } else {
        "pull"
    };
    if let Some(refused) = authorized(&state, &headers, &format!("repository:team/app:{rights}")) {
        return refused;
    }
    if let Some(status) = state.broken {
        return status.into_response();
    }
    if method == Method::PUT {
        let text = String::from_utf8(body.to_vec()).unwrap();
        let kind = headers["content-type"].to_str().unwrap().to_owned();
        state
            .puts
            .lock()
            .unwrap()
            .push((reference.clone(), kind, text.clone()));
        state.manifests.lock().unwrap().insert(reference, text);
        return StatusCode::CREATED.into_response();
    }
    assert!(
        headers["accept"]
            .to_str()
            .unwrap()
            .contains("oci.image.index")
    );
    let Some(text) = state.manifests.lock().unwrap().get(&reference).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let digest = digest_of(&text).to_string();
    let mut response = ([("content-type", KIND)], text).into_response();
    if !state.without_digest {
        response
            .headers_mut()
            .insert("docker-content-digest", digest.parse().unwrap());
    }
    response
}

fn registry(base: &str, password: Option<&str>) -> Registry {
    let credentials = password.map(|password| Credentials {
        username: SecretString::from("robot"),
        password: SecretString::from(password),
    });
    Registry::new(
        http::client().unwrap(),
        &format!("{base}/team"),
        credentials,
    )
    .unwrap()
}

#[tokio::test]
async fn a_tag_is_added_with_the_same_bytes_and_the_token_is_fetched_once_per_right() {
    let (base, shelf) = serve(Shelf::with(&["dev-1"])).await;
    let registry = registry(&base, Some(PASSWORD));
    registry.check().await.unwrap();
    let digest = registry.digest("app", "dev-1").await.unwrap().unwrap();
    assert_eq!(digest, digest_of(MANIFEST));
    registry.tag("app", &digest, "uat-1").await.unwrap();
    registry.tag("app", &digest, "prod-1").await.unwrap();
    let put = |tag: &str| (tag.to_owned(), KIND.to_owned(), MANIFEST.to_owned());
    assert_eq!(*shelf.puts.lock().unwrap(), [put("uat-1"), put("prod-1")]);
    let tokens = shelf.tokens.lock().unwrap().clone();
    assert_eq!(
        tokens,
        [
            "",
            "repository:team/app:pull",
            "repository:team/app:pull,push"
        ]
    );
}

#[tokio::test]
async fn an_image_is_known_by_the_id_that_its_builder_gave_it_and_has_a_size() {
    let list = r#"{"schemaVersion":2,"manifests":[]}"#;
    let image = r#"{"schemaVersion":2,"config":{"digest":"sha256:c0ffee","size":7},
        "layers":[{"digest":"sha256:1","size":1000},{"digest":"sha256:2","size":300}]}"#;
    let (base, shelf) = serve(Shelf::default()).await;
    for text in [list, image] {
        let mut manifests = shelf.manifests.lock().unwrap();
        manifests.insert(digest_of(text).to_string(), text.into());
    }
    let registry = registry(&base, Some(PASSWORD));
    let found = registry.image("app", &digest_of(image)).await.unwrap();
    let (id, bytes) = ("sha256:c0ffee".into(), 1307);
    assert_eq!(found, Some(StoredImage { id, bytes }));
    let found = registry.image("app", &digest_of(list)).await.unwrap();
    assert_eq!(found, None);
}

#[tokio::test]
async fn a_tag_that_is_there_already_is_fine_and_one_that_is_taken_is_not_moved() {
    let (base, shelf) = serve(Shelf::with(&["dev-1"])).await;
    shelf
        .manifests
        .lock()
        .unwrap()
        .insert("dev-2".into(), "{}".into());
    let registry = registry(&base, Some(PASSWORD));
    let digest = digest_of(MANIFEST);
    registry.tag("app", &digest, "dev-1").await.unwrap();
    let error = registry.tag("app", &digest, "dev-2").await.unwrap_err();
    assert!(
        matches!(&error, RegistryError::TagTaken { existing, .. } if *existing == digest_of("{}")),
        "{error:?}"
    );
    assert_eq!(*shelf.puts.lock().unwrap(), []);
}

#[tokio::test]
async fn what_is_not_there_is_told_from_what_is_refused() {
    let (base, _) = serve(Shelf::with(&[])).await;
    let good = registry(&base, Some(PASSWORD));
    assert_eq!(good.digest("app", "dev-9").await.unwrap(), None);
    let error = good
        .tag("app", &digest_of("never pushed"), "dev-9")
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::NotFound { .. }), "{error:?}");
    for password in [None, Some("wrong hunter2")] {
        let registry = registry(&base, password);
        for error in [
            registry.check().await.unwrap_err(),
            registry.digest("app", "dev-1").await.unwrap_err(),
        ] {
            assert!(
                matches!(error, RegistryError::Unauthorized { .. }),
                "{error:?}"
            );
            assert!(!format!("{error} {error:?} {registry:?}").contains("hunter2"));
        }
    }
}

#[tokio::test]
async fn a_registry_without_the_digest_header_is_understood() {
    let (base, _) = serve(Shelf {
        without_digest: true,
        ..Shelf::with(&["dev-1"])
    })
    .await;
    let registry = registry(&base, Some(PASSWORD));
    assert_eq!(
        registry.digest("app", "dev-1").await.unwrap(),
        Some(digest_of(MANIFEST))
    );
    registry
        .tag("app", &digest_of(MANIFEST), "uat-1")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_manifest_with_another_digest_is_not_tagged() {
    let (base, shelf) = serve(Shelf::with(&[])).await;
    shelf
        .manifests
        .lock()
        .unwrap()
        .insert(digest_of(MANIFEST).to_string(), "{\"evil\":1}".into());
    let error = registry(&base, Some(PASSWORD))
        .tag("app", &digest_of(MANIFEST), "dev-1")
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::Garbled { .. }), "{error:?}");
    assert_eq!(*shelf.puts.lock().unwrap(), []);
}

#[tokio::test]
async fn trouble_on_the_way_is_transient_and_says_where() {
    for (status, transient) in [(503, true), (429, true), (400, false)] {
        let status = StatusCode::from_u16(status).unwrap();
        let (base, _) = serve(Shelf {
            broken: Some(status),
            ..Shelf::default()
        })
        .await;
        let error = registry(&base, Some(PASSWORD))
            .digest("app", "dev-1")
            .await
            .unwrap_err();
        assert!(
            matches!(&error, RegistryError::Server { status: s, .. } if *s == status.as_u16()),
            "{error:?}"
        );
        assert_eq!(error.is_transient(), transient);
    }
    let error = registry("http://127.0.0.1:9", Some(PASSWORD))
        .check()
        .await
        .unwrap_err();
    assert!(
        matches!(error, RegistryError::Unreachable { .. })
            && error.to_string().contains("127.0.0.1:9/team")
    );
    assert!(error.is_transient());
}

#[tokio::test]
async fn something_that_is_no_registry_is_not_believed() {
    let page = Router::new().fallback(|| async { "<html>hello</html>" });
    let base = support::serve(page).await;
    let error = registry(&base, None)
        .digest("app", "dev-1")
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::Garbled { .. }), "{error:?}");
}
