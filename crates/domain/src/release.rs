//! What was built: a commit and the image digest of each component. Immutable, and never identified by a tag.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ComponentName, Digest, EnvName, Ms, Sha};

/// What identifies a component's image before it is built: the same key gives the same bits, so it is built once.
///
/// SHA-256 in hex over the git tree of the context, the dockerfile's blob and the build arguments. An image that is built
/// anew from the same input is another one, since its base images may be; its key ends with the moment, as in
/// `…-r20261123185320`. Of two such keys of one input, the greater text is the newer one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TreeKey(pub String);

impl TreeKey {
    /// What stands between the input and the moment at which somebody wanted its image built anew.
    pub const ANEW: &str = "-r";

    /// The key of an image that is built anew from this input, as it was wanted at this moment.
    pub fn anew(&self, at: Ms) -> TreeKey {
        let digits = at.rfc3339();
        let moment: String = digits
            .chars()
            .filter(char::is_ascii_digit)
            .take("yyyymmddhhmmss".len())
            .collect();
        TreeKey(format!("{}{}{moment}", self.input(), Self::ANEW))
    }

    /// What identifies the input alone.
    pub fn input(&self) -> &str {
        self.0
            .split_once(Self::ANEW)
            .map_or(self.0.as_str(), |(input, _)| input)
    }

    /// Whether it is of an image that is built anew.
    pub fn is_anew(&self) -> bool {
        !self.rebuild().is_empty()
    }

    /// What tells an image that was built anew from the others of its input, such as `-r20261123185320`; empty for the
    /// first one.
    pub fn rebuild(&self) -> &str {
        self.0.strip_prefix(self.input()).unwrap_or_default()
    }
}

/// One commit's images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The commit that it was built from.
    pub commit: Sha,
    /// The image of each component.
    pub images: BTreeMap<ComponentName, Digest>,
}

/// The tag that points at a release's image in a registry: `dev-<full sha>`. Tags are never moved, so an image that was
/// built anew has one of its own, which ends like its key: `dev-<full sha>-r20261123185320`.
pub fn tag(environment: &EnvName, commit: &Sha, key: Option<&TreeKey>) -> String {
    let rebuild = key.map_or("", TreeKey::rebuild);
    format!("{environment}-{commit}{rebuild}")
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
        let dev = EnvName::parse("dev").unwrap();
        let longest = EnvName::parse("e".repeat(40)).unwrap();
        let commit = Sha::parse("a".repeat(40)).unwrap();
        let first = TreeKey("f".repeat(64));
        let anew = first.anew(Ms(1_795_460_000_000));
        let plain = format!("dev-{}", "a".repeat(40));
        assert_eq!(tag(&dev, &commit, None), plain);
        assert_eq!(tag(&dev, &commit, Some(&first)), plain);
        assert_eq!(
            tag(&dev, &commit, Some(&anew)),
            format!("{plain}-r20261123185320")
        );
        assert!(tag(&longest, &commit, Some(&anew)).len() <= 128);
    }

    #[test]
    fn an_image_that_is_built_anew_has_another_key_and_the_newest_comes_last() {
        let first = TreeKey("f".repeat(64));
        let older = first.anew(Ms(1_795_460_000_000));
        let newer = older.anew(Ms(1_795_460_001_000));
        assert_eq!(newer.0, format!("{}-r20261123185321", "f".repeat(64)));
        assert!(first < older && older < newer);
        for (key, rebuild) in [
            (&first, ""),
            (&older, "-r20261123185320"),
            (&newer, "-r20261123185321"),
        ] {
            assert_eq!((key.input(), key.rebuild()), (first.0.as_str(), rebuild));
        }
    }
}
