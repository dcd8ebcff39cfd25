//! What was built: a commit and the image digest of each component. Immutable, and never identified by a tag.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ComponentName, Digest, EnvName, Sha};

/// What identifies the input of a component's build: the same key gives the same bits, so it is built once.
///
/// SHA-256 in hex over the git tree of the context, the dockerfile's blob and the build arguments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TreeKey(pub String);

/// One commit's images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The commit that it was built from.
    pub commit: Sha,
    /// The image of each component.
    pub images: BTreeMap<ComponentName, Digest>,
}

/// The tag that points at a release's images in a registry: `dev-<full sha>`.
pub fn tag(environment: &EnvName, commit: &Sha) -> String {
    format!("{environment}-{commit}")
}

/// An image without tag or digest: `registry.digitalocean.com/meatscentral/projectmeats-backend`. A prefix may say
/// `http://`, which is for whoever asks the registry and no part of an image's name.
pub fn repository(prefix: &str, image: &str) -> String {
    let place = prefix
        .strip_prefix("http://")
        .or_else(|| prefix.strip_prefix("https://"))
        .unwrap_or(prefix);
    format!("{}/{image}", place.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_without_the_way_to_its_registry() {
        for (prefix, expected) in [
            (
                "registry.digitalocean.com/meatscentral",
                "registry.digitalocean.com/meatscentral/web",
            ),
            ("http://10.77.0.2:5000", "10.77.0.2:5000/web"),
            ("https://ghcr.io/team/", "ghcr.io/team/web"),
        ] {
            assert_eq!(repository(prefix, "web"), expected);
        }
    }

    #[test]
    fn a_tag_names_the_environment_and_the_whole_commit_and_fits_dockers_limit() {
        let longest = EnvName::parse("e".repeat(40)).unwrap();
        let commit = Sha::parse("a".repeat(40)).unwrap();
        assert_eq!(
            tag(&EnvName::parse("dev").unwrap(), &commit),
            format!("dev-{}", "a".repeat(40))
        );
        assert!(tag(&longest, &commit).len() <= 128);
    }
}
