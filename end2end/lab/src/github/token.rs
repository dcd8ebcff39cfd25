//! Access tokens that need no store: each carries its scopes and proves its owner by a MAC under the app's secret.
//!
//! A portal keeps the tokens of its sessions over a restart of the lab; a table in memory would sign everybody out.
//! The form is GitHub's: a prefix (`gho_` from OAuth, `ghp_` personal) and 36 characters.

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::directory::{Directory, Person};

/// GitHub's scopes that matter here, in the order of their bits.
const SCOPES: [&str; 8] = [
    "repo",
    "read:org",
    "user",
    "read:user",
    "user:email",
    "workflow",
    "write:repo_hook",
    "admin:repo_hook",
];

/// A set of OAuth scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scopes(u8);

impl Scopes {
    pub(super) const ALL: Self = Self(u8::MAX);

    /// From a request's `scope`, parted by spaces or commas; a word that is no scope is dropped.
    pub(super) fn parse(words: &str) -> Self {
        let wanted = words.split([' ', ',']);
        Self(
            wanted
                .filter_map(|word| SCOPES.iter().position(|scope| *scope == word))
                .fold(0, |bits, at| bits | 1 << at),
        )
    }

    pub(super) fn has(self, scope: &str) -> bool {
        self.names().any(|name| name == scope)
    }

    /// Parted by commas, as in the answer of the token endpoint.
    pub(super) fn list(self) -> String {
        self.names().collect::<Vec<_>>().join(",")
    }

    fn names(self) -> impl Iterator<Item = &'static str> {
        SCOPES
            .into_iter()
            .enumerate()
            .filter(move |(at, _)| self.0 & 1 << at != 0)
            .map(|(_, name)| name)
    }
}

/// A new token of `person`.
pub(super) fn issue(
    secret: &SecretString,
    prefix: &str,
    person: &Person,
    scopes: Scopes,
) -> SecretString {
    let nonce: [u8; 5] = rand::random();
    let claim = hex::encode([nonce.as_slice(), &[scopes.0]].concat());
    format!("{prefix}{claim}{}", proof(secret, prefix, &claim, person)).into()
}

/// Whose token it is and what it may do; `None` when it was not made here.
pub(super) fn verify<'a>(
    secret: &SecretString,
    directory: &'a Directory,
    token: &str,
) -> Option<(&'a Person, Scopes)> {
    let prefix = ["gho_", "ghp_"]
        .into_iter()
        .find(|prefix| token.starts_with(prefix))?;
    let (claim, given) = token[prefix.len()..].split_at_checked(12)?;
    let scopes = Scopes(*hex::decode(claim).ok()?.last()?);
    let person = directory
        .people
        .iter()
        .find(|person| proof(secret, prefix, claim, person) == given)?;
    Some((person, scopes))
}

fn proof(secret: &SecretString, prefix: &str, claim: &str, person: &Person) -> String {
    let parts = [prefix, claim, &person.login].join("\n");
    hex::encode(&hmac_sha256(secret, parts.as_bytes())[..12])
}

/// HMAC-SHA256, which also signs webhooks.
pub(super) fn hmac_sha256(secret: &SecretString, message: &[u8]) -> [u8; 32] {
    // HMAC takes a key of any length, so the error cannot occur.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
        return [0; 32];
    };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_owner_and_scopes_and_nothing_else_is_a_token() {
        let (secret, people) = (SecretString::from("s"), Directory::of_the_lab());
        let vera = people.person("vera").unwrap();
        let token = issue(
            &secret,
            "gho_",
            vera,
            Scopes::parse("read:org repo nonsense"),
        );
        let token = token.expose_secret();
        assert_eq!(token.len(), 40);

        let (person, scopes) = verify(&secret, &people, token).unwrap();
        assert_eq!(
            (person.login.as_str(), scopes.list().as_str()),
            ("vera", "repo,read:org")
        );

        let more_scopes = token.replacen(&token[14..16], "ff", 1);
        for forged in [more_scopes.as_str(), &token[..39], "gho_", "gho_ä", ""] {
            assert!(verify(&secret, &people, forged).is_none(), "{forged}");
        }
        assert!(verify(&SecretString::from("other"), &people, token).is_none());
    }
}
