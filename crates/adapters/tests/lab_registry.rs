//! The registry client against the lab's two registries, which are real and want a password.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]
use adapters::http;
use adapters::registry::{Credentials, Registry, RegistryError};
use domain::Digest;
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::Digest as _;

use lab::{lab, text};

#[path = "support/lab.rs"]
mod lab;

const KIND: &str = "application/vnd.docker.distribution.manifest.v2+json";

struct Place {
    address: String,
    credentials: Credentials,
    /// New for each test, so that what earlier ones left does not matter.
    image: String,
}

fn place(lab: &Value, index: usize) -> Place {
    let secret = |key: &str| SecretString::from(text(lab, &format!("/registries/{index}/{key}")));
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    Place {
        address: text(lab, &format!("/registries/{index}/address")),
        credentials: Credentials {
            username: secret("username"),
            password: secret("password"),
        },
        image: format!("test-{now}"),
    }
}

impl Place {
    fn registry(&self) -> Registry {
        let prefix = format!("{}/adapters", self.address);
        Registry::new(
            http::client().unwrap(),
            &prefix,
            Some(self.credentials.clone()),
        )
        .unwrap()
    }

    /// Pushes an image of one tiny configuration and no layers, as an engine would.
    async fn push(&self, tag: &str, content: &str) -> Digest {
        let (user, password) = (
            self.credentials.username.expose_secret(),
            self.credentials.password.expose_secret(),
        );
        let client = http::client().unwrap();
        let base = format!("http://{}/v2/adapters/{}", self.address, self.image);
        let start = client
            .post(format!("{base}/blobs/uploads/"))
            .basic_auth(user, Some(password));
        let start = start.send().await.unwrap();
        assert_eq!(start.status(), StatusCode::ACCEPTED);
        let blob = format!("sha256:{}", hex::encode(sha2::Sha256::digest(content)));
        let upload = client
            .put(start.headers()["location"].to_str().unwrap())
            .query(&[("digest", &blob)])
            .basic_auth(user, Some(password))
            .body(content.to_owned());
        assert_eq!(upload.send().await.unwrap().status(), StatusCode::CREATED);
        let manifest = json!({
            "schemaVersion": 2, "mediaType": KIND, "layers": [],
            "config": { "mediaType": "application/vnd.docker.container.image.v1+json", "size": content.len(), "digest": blob },
        });
        let manifest = serde_json::to_string_pretty(&manifest).unwrap();
        let put = client
            .put(format!("{base}/manifests/{tag}"))
            .header("content-type", KIND);
        let put = put
            .basic_auth(user, Some(password))
            .body(manifest.clone())
            .send()
            .await
            .unwrap();
        assert_eq!(put.status(), StatusCode::CREATED);
        Digest::parse(format!(
            "sha256:{}",
            hex::encode(sha2::Sha256::digest(manifest))
        ))
        .unwrap()
    }
}

#[tokio::test]
async fn an_image_gets_a_second_tag_with_the_same_digest() {
    let lab = lab();
    for index in [0, 1] {
        let place = place(&lab, index);
        let registry = place.registry();
        registry.check().await.unwrap();
        assert_eq!(registry.digest(&place.image, "dev-1").await.unwrap(), None);
        let pushed = place.push("dev-1", "{}").await;
        assert_eq!(
            registry.digest(&place.image, "dev-1").await.unwrap(),
            Some(pushed.clone())
        );
        registry.tag(&place.image, &pushed, "uat-1").await.unwrap();
        registry.tag(&place.image, &pushed, "uat-1").await.unwrap();
        assert_eq!(
            registry.digest(&place.image, "uat-1").await.unwrap(),
            Some(pushed)
        );
    }
}

#[tokio::test]
async fn a_tag_is_not_moved_to_another_image() {
    let place = place(&lab(), 0);
    let first = place.push("dev-1", "{}").await;
    let second = place.push("dev-2", "{ }").await;
    let error = place
        .registry()
        .tag(&place.image, &second, "dev-1")
        .await
        .unwrap_err();
    assert!(
        matches!(&error, RegistryError::TagTaken { existing, .. } if *existing == first),
        "{error:?}"
    );
    let missing = Digest::parse(format!("sha256:{}", "0".repeat(64))).unwrap();
    let error = place
        .registry()
        .tag(&place.image, &missing, "dev-3")
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let place = place(&lab(), 0);
    let wrong = Credentials {
        password: SecretString::from("wrong"),
        ..place.credentials.clone()
    };
    for credentials in [Some(wrong), None] {
        let registry = Registry::new(http::client().unwrap(), &place.address, credentials).unwrap();
        let error = registry.check().await.unwrap_err();
        assert!(
            matches!(error, RegistryError::Unauthorized { .. }),
            "{error:?}"
        );
    }
}
