//! Where a server is, who we are there, and which key it must show.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use secrecy::{ExposeSecret, SecretString};

/// A server and the account to use on it.
#[derive(Debug, Clone)]
pub struct Target {
    /// Host name or IP address.
    pub address: String,
    /// TCP port of sshd, usually 22.
    pub port: u16,
    /// Account on the server.
    pub user: String,
    /// How to log in.
    pub auth: Auth,
    /// The key the server must show. `None` is refused: it exists so that enrolment can say "not pinned yet".
    pub host_key: Option<Fingerprint>,
}

/// How to log in.
#[derive(Debug, Clone)]
pub enum Auth {
    /// A password, also given to servers that ask for it with keyboard-interactive prompts.
    Password(SecretString),
    /// A private key in OpenSSH, PKCS#8, PKCS#1, SEC1 or PuTTY format.
    Key {
        /// The key file's text.
        pem: SecretString,
        /// Needed when the key is encrypted.
        passphrase: Option<SecretString>,
    },
    /// The keys of the agent at `SSH_AUTH_SOCK`, each tried in turn.
    Agent,
}

impl PartialEq for Auth {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &SecretString, b: &SecretString| a.expose_secret() == b.expose_secret();
        match (self, other) {
            (Self::Password(a), Self::Password(b)) => same(a, b),
            (
                Self::Key {
                    pem: a,
                    passphrase: pa,
                },
                Self::Key {
                    pem: b,
                    passphrase: pb,
                },
            ) => {
                same(a, b)
                    && match (pa, pb) {
                        (Some(a), Some(b)) => same(a, b),
                        (None, None) => true,
                        _ => false,
                    }
            }
            (Self::Agent, Self::Agent) => true,
            _ => false,
        }
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            address,
            port,
            user,
            auth,
            host_key,
        } = self;
        *address == other.address
            && *port == other.port
            && *user == other.user
            && *auth == other.auth
            && *host_key == other.host_key
    }
}

/// The SHA-256 fingerprint of a host key as `ssh-keygen -l` prints it: `SHA256:` and 43 base64 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint(String);

/// The text is not a SHA-256 fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a host key fingerprint; expected `SHA256:` and 43 base64 characters, as printed by `fairlead host enrol`"
)]
pub struct FingerprintError(String);

impl Fingerprint {
    /// The fingerprint with its `SHA256:` prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digest = text
            .strip_prefix("SHA256:")
            .and_then(|b64| STANDARD_NO_PAD.decode(b64.trim_end_matches('=')).ok());
        match digest {
            Some(bytes) if bytes.len() == 32 => {
                Ok(Self(format!("SHA256:{}", STANDARD_NO_PAD.encode(bytes))))
            }
            _ => Err(FingerprintError(text.to_owned())),
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&russh::keys::PublicKey> for Fingerprint {
    fn from(key: &russh::keys::PublicKey) -> Self {
        Self(key.fingerprint(russh::keys::HashAlg::Sha256).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_with_and_without_padding_and_nothing_else_is() {
        let plain = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
        assert_eq!(plain.parse::<Fingerprint>().unwrap().as_str(), plain);
        assert_eq!(
            format!("{plain}=").parse::<Fingerprint>().unwrap().as_str(),
            plain
        );
        for wrong in [
            "",
            "SHA256:",
            "SHA256:abc",
            "MD5:16:27:ac",
            &plain["SHA256:".len()..],
            &format!("{plain}AAAA"),
        ] {
            assert!(
                wrong.parse::<Fingerprint>().is_err(),
                "{wrong} was accepted"
            );
        }
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let auth = Auth::Key {
            pem: "PEMTEXT".into(),
            passphrase: Some("PASSPHRASE".into()),
        };
        let shown = format!("{auth:?} {:?}", Auth::Password("PASSWORD".into()));
        assert!(
            !shown.contains("PEMTEXT")
                && !shown.contains("PASSPHRASE")
                && !shown.contains("PASSWORD"),
            "{shown}"
        );
    }
}
