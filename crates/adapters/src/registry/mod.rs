//! Image registries, by the API that they all share (OCI distribution, `/v2/`): which digest a tag points at, and
//! putting one more tag on an image that is there already, without moving a byte of its layers.
//!
//! Images themselves are pushed and pulled by the Docker engines.
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use domain::Digest;
use reqwest::{Client, Method, Response, StatusCode};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use url::Url;

use crate::http::{self, BodyError};

mod auth;
mod error;

pub use error::RegistryError;

use auth::{Challenge, Login};

/// Without these, a registry converts a manifest to an older kind, which has another digest.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// A user and password, or a user and token, of a registry.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user; some registries take a token here too.
    pub username: SecretString,
    /// The password or token.
    pub password: SecretString,
}

/// An image as a registry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// The id that the engine that built it knows it by: the digest of its configuration.
    pub id: String,
    /// How many bytes somebody who has no part of it pulls: its configuration and all layers, compressed.
    pub bytes: u64,
}

/// A place in a registry. Cheap to clone; clones share its logins.
#[derive(Debug, Clone)]
pub struct Registry {
    client: Client,
    base: Url,
    /// The prefix without a scheme: how people know it.
    name: String,
    namespace: String,
    credentials: Option<Credentials>,
    logins: Arc<Mutex<HashMap<String, Login>>>,
}

/// What a request is for: it decides the rights to ask for, and is named in errors.
struct Purpose {
    scope: Option<String>,
    what: String,
}

impl Registry {
    /// The registry at a prefix such as `ghcr.io/team`.
    ///
    /// It is spoken to over HTTPS, and over plain HTTP when the host is a private address or the prefix says `http://`.
    pub fn new(
        client: Client,
        prefix: &str,
        credentials: Option<Credentials>,
    ) -> Result<Self, RegistryError> {
        let bad = |why| RegistryError::BadPrefix {
            prefix: prefix.to_owned(),
            why,
        };
        if prefix.starts_with('/') {
            return Err(bad("it has no host"));
        }
        let given = if prefix.contains("://") {
            prefix.to_owned()
        } else {
            format!("https://{prefix}")
        };
        let mut base =
            Url::parse(&given).map_err(|_| bad("it is not a host with an optional path"))?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(RegistryError::BadPrefix {
                prefix: "…".into(),
                why: "it holds a user or password",
            });
        }
        if !matches!(base.scheme(), "http" | "https")
            || base.query().is_some()
            || base.fragment().is_some()
        {
            return Err(bad("only a host and a path are expected"));
        }
        let namespace = base.path().trim_matches('/').to_owned();
        if !namespace.is_empty() && !namespace.split('/').all(is_image_part) {
            return Err(bad(
                "its path has characters that an image name cannot have",
            ));
        }
        if !prefix.contains("://") && http::is_private(&base) {
            base = Url::parse(&given.replacen("https://", "http://", 1))
                .map_err(|_| bad("it is not a host"))?;
        }
        base.set_path("");
        // Docker Hub's images are named after one host and served by another.
        if matches!(base.host_str(), Some("docker.io" | "index.docker.io")) {
            base.set_host(Some("registry-1.docker.io"))
                .map_err(|_| bad("it is not a host"))?;
        }
        let name = prefix
            .split("://")
            .last()
            .unwrap_or(prefix)
            .trim_end_matches('/')
            .to_owned();
        Ok(Self {
            client,
            base,
            name,
            namespace,
            credentials,
            logins: Arc::default(),
        })
    }

    /// Whether the registry is there and takes the credentials.
    pub async fn check(&self) -> Result<(), RegistryError> {
        let purpose = Purpose {
            scope: None,
            what: "the API's version (/v2/)".into(),
        };
        let response = self.send(Method::GET, "v2/", &purpose, None).await?;
        self.expect_success(response, &purpose).map(drop)
    }

    /// The digest that a tag points at; `None` when there is no such image or tag.
    pub async fn digest(&self, image: &str, tag: &str) -> Result<Option<Digest>, RegistryError> {
        let repository = self.repository(image)?;
        check_tag(tag)?;
        let path = format!("v2/{repository}/manifests/{tag}");
        let purpose = Purpose {
            scope: Some(format!("repository:{repository}:pull")),
            what: format!("{image}:{tag}"),
        };
        let response = self.send(Method::HEAD, &path, &purpose, None).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let response = self.expect_success(response, &purpose)?;
        if let Some(digest) = http::header(&response, "docker-content-digest") {
            return self.parse_digest(digest, &purpose).map(Some);
        }
        // The header is not compulsory; the digest is that of the manifest's bytes.
        let (_, manifest) = self.manifest(&path, &purpose).await?;
        self.parse_digest(&digest_of(&manifest), &purpose).map(Some)
    }

    /// What an image's manifest says of it. `None` where the digest names a list of images for several platforms.
    pub async fn image(
        &self,
        image: &str,
        digest: &Digest,
    ) -> Result<Option<StoredImage>, RegistryError> {
        #[derive(serde::Deserialize)]
        struct Manifest {
            config: Option<Blob>,
            #[serde(default)]
            layers: Vec<Blob>,
        }
        #[derive(serde::Deserialize)]
        struct Blob {
            digest: String,
            size: u64,
        }
        let repository = self.repository(image)?;
        let path = format!("v2/{repository}/manifests/{digest}");
        let purpose = Purpose {
            scope: Some(format!("repository:{repository}:pull")),
            what: format!("{image}@{digest}"),
        };
        let (_, manifest) = self.manifest(&path, &purpose).await?;
        let manifest: Manifest = serde_json::from_slice(&manifest)
            .map_err(|error| self.garbled(&purpose, &error.to_string()))?;
        Ok(manifest.config.map(|config| StoredImage {
            bytes: manifest
                .layers
                .iter()
                .fold(config.size, |sum, layer| sum.saturating_add(layer.size)),
            id: config.digest,
        }))
    }

    /// Puts a tag on an image that is there already. That it has the tag already is fine.
    ///
    /// Refused when the tag points at another image. The registry API has no compare-and-set, so two that tag in the
    /// same moment are not told apart; the lease on an environment keeps runs from doing that.
    pub async fn tag(
        &self,
        image: &str,
        digest: &Digest,
        new_tag: &str,
    ) -> Result<(), RegistryError> {
        match self.digest(image, new_tag).await? {
            Some(existing) if existing == *digest => return Ok(()),
            Some(existing) => {
                let tag = format!("{image}:{new_tag}");
                return Err(RegistryError::TagTaken {
                    registry: self.name.clone(),
                    tag,
                    existing,
                });
            }
            None => {}
        }
        let repository = self.repository(image)?;
        let path = |reference: &str| format!("v2/{repository}/manifests/{reference}");
        let scope = Some(format!("repository:{repository}:pull,push"));

        let purpose = Purpose {
            scope,
            what: format!("{image}@{digest}"),
        };
        let (kind, manifest) = self.manifest(&path(digest.as_str()), &purpose).await?;
        if digest_of(&manifest) != digest.as_str() {
            return Err(self.garbled(&purpose, "the manifest is not the one with this digest"));
        }

        let purpose = Purpose {
            what: format!("{image}:{new_tag}"),
            ..purpose
        };
        let response = self
            .send(
                Method::PUT,
                &path(new_tag),
                &purpose,
                Some((&kind, manifest)),
            )
            .await?;
        let response = self.expect_success(response, &purpose)?;
        match http::header(&response, "docker-content-digest") {
            Some(stored) if stored != digest.as_str() => {
                Err(self.garbled(&purpose, "it stored the manifest under another digest"))
            }
            _ => Ok(()),
        }
    }

    /// A manifest as it was stored, and its content type.
    async fn manifest(
        &self,
        path: &str,
        purpose: &Purpose,
    ) -> Result<(String, Bytes), RegistryError> {
        let response = self.send(Method::GET, path, purpose, None).await?;
        let response = self.expect_success(response, purpose)?;
        let kind = http::header(&response, "content-type")
            .unwrap_or_default()
            .to_owned();
        if !MANIFESTS.split(", ").any(|known| known == kind) {
            return Err(self.garbled(purpose, "it is not an image manifest"));
        }
        Ok((kind, self.body(response, purpose).await?))
    }

    /// Sends a request, logging in when the registry asks for it.
    async fn send(
        &self,
        method: Method,
        path: &str,
        purpose: &Purpose,
        body: Option<(&str, Bytes)>,
    ) -> Result<Response, RegistryError> {
        let url = self
            .base
            .join(path)
            .map_err(|error| self.garbled(purpose, &error.to_string()))?;
        let key = purpose.scope.clone().unwrap_or_default();
        let mut login = self
            .logins
            .lock()
            .await
            .get(&key)
            .filter(|login| login.is_fresh())
            .cloned();
        let mut asked = false;
        loop {
            let mut request = self
                .client
                .request(method.clone(), url.clone())
                .header("accept", MANIFESTS);
            if let Some((kind, bytes)) = &body {
                request = request.header("content-type", *kind).body(bytes.clone());
            }
            if let Some(login) = &login {
                request = login.apply(request);
            }
            let response = request
                .send()
                .await
                .map_err(|error| self.unreachable(&error))?;
            if response.status() != StatusCode::UNAUTHORIZED || asked {
                return Ok(response);
            }
            // The first answer may also mean that a remembered token was withdrawn.
            asked = true;
            let challenge = Challenge::of(&response).ok_or_else(|| self.unauthorized(purpose))?;
            let new = self.log_in(challenge, purpose).await?;
            self.logins.lock().await.insert(key.clone(), new.clone());
            login = Some(new);
        }
    }

    fn expect_success(
        &self,
        response: Response,
        purpose: &Purpose,
    ) -> Result<Response, RegistryError> {
        let (registry, what) = (self.name.clone(), purpose.what.clone());
        match response.status() {
            status if status.is_success() => Ok(response),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.unauthorized(purpose)),
            StatusCode::NOT_FOUND => Err(RegistryError::NotFound { registry, what }),
            status => Err(RegistryError::Server {
                registry,
                status: status.as_u16(),
                what,
            }),
        }
    }

    async fn body(&self, response: Response, purpose: &Purpose) -> Result<Bytes, RegistryError> {
        http::body(response).await.map_err(|error| match error {
            BodyError::Lost(why) => RegistryError::Unreachable {
                registry: self.name.clone(),
                why,
            },
            BodyError::TooLarge => self.garbled(purpose, "it is too large"),
        })
    }

    fn repository(&self, image: &str) -> Result<String, RegistryError> {
        if !image.split('/').all(is_image_part) {
            return Err(RegistryError::BadName {
                name: image.to_owned(),
                what: "an image name",
            });
        }
        Ok(if self.namespace.is_empty() {
            image.to_owned()
        } else {
            format!("{}/{image}", self.namespace)
        })
    }

    fn parse_digest(&self, text: &str, purpose: &Purpose) -> Result<Digest, RegistryError> {
        Digest::parse(text).map_err(|error| self.garbled(purpose, &error.to_string()))
    }

    fn unreachable(&self, error: &reqwest::Error) -> RegistryError {
        RegistryError::Unreachable {
            registry: self.name.clone(),
            why: http::reason(error),
        }
    }

    fn unauthorized(&self, purpose: &Purpose) -> RegistryError {
        RegistryError::Unauthorized {
            registry: self.name.clone(),
            what: purpose.what.clone(),
        }
    }

    fn garbled(&self, purpose: &Purpose, why: &str) -> RegistryError {
        RegistryError::Garbled {
            registry: self.name.clone(),
            what: purpose.what.clone(),
            why: why.to_owned(),
        }
    }
}

fn digest_of(manifest: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(manifest)))
}

fn is_image_part(part: &str) -> bool {
    let edge =
        |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let inside =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    edge(part.bytes().next()) && edge(part.bytes().last()) && part.bytes().all(inside)
}

fn check_tag(tag: &str) -> Result<(), RegistryError> {
    let starts_well = tag
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    let inside = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if starts_well && tag.len() <= 128 && tag.bytes().all(inside) {
        return Ok(());
    }
    Err(RegistryError::BadName {
        name: tag.chars().take(140).collect(),
        what: "a tag",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(prefix: &str) -> Result<Registry, RegistryError> {
        Registry::new(http::client().unwrap(), prefix, None)
    }

    #[test]
    fn a_prefix_says_where_the_registry_is_and_how_it_is_spoken_to() {
        for (prefix, base, repository) in [
            (
                "registry.digitalocean.com/meatscentral",
                "https://registry.digitalocean.com/",
                "meatscentral/app",
            ),
            ("ghcr.io/a/b/", "https://ghcr.io/", "a/b/app"),
            ("10.77.0.2:5000", "http://10.77.0.2:5000/", "app"),
            (
                "https://10.77.0.2:5000/x",
                "https://10.77.0.2:5000/",
                "x/app",
            ),
            (
                "http://registry.example.com",
                "http://registry.example.com/",
                "app",
            ),
            ("localhost:5000/x", "http://localhost:5000/", "x/app"),
            ("127.0.0.1", "http://127.0.0.1/", "app"),
            (
                "docker.io/library",
                "https://registry-1.docker.io/",
                "library/app",
            ),
        ] {
            let registry = registry(prefix).unwrap();
            assert_eq!(
                (
                    registry.base.as_str(),
                    registry.repository("app").unwrap().as_str()
                ),
                (base, repository)
            );
        }
        for bad in [
            "",
            "/x",
            "ghcr.io/A B",
            "ftp://x",
            "me:hunter2@ghcr.io",
            "ghcr.io/x?y",
            "ghcr.io/../x!",
        ] {
            let error = registry(bad).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn names_that_would_change_the_request_are_refused() {
        let registry = registry("ghcr.io/x").unwrap();
        for bad in ["", "a/../b", "A", "a//b", "a?b", "a%2fb", "-a"] {
            assert!(registry.repository(bad).is_err(), "{bad}");
        }
        for bad in ["", ".a", "a/b", "a:b", &"a".repeat(129)] {
            assert!(check_tag(bad).is_err(), "{bad}");
        }
        assert!(check_tag("dev-ae2bac0f98d6aae").is_ok());
    }
}
