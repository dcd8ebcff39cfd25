//! Names and numbers that mean one thing each, checked where they enter.
//!
//! A name that has been parsed is safe in a container name, a file name, an image tag and a URL, so nothing
//! downstream needs to escape it.
use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that is not the name it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not {what}: expected {expected}")]
pub struct ParseIdError {
    what: &'static str,
    expected: &'static str,
    given: String,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, $valid:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            #[doc = concat!("Parses ", $what, ": ", $expected, ".")]
            pub fn parse(text: impl Into<String>) -> Result<Self, ParseIdError> {
                let text = text.into();
                if $valid(&text) {
                    Ok(Self(text))
                } else {
                    // A pasted file should not fill the message.
                    let given = text.chars().take(80).collect();
                    Err(ParseIdError { what: $what, expected: $expected, given })
                }
            }

            /// The text as it was parsed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;
            fn try_from(text: String) -> Result<Self, ParseIdError> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

fn is_slug(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=40).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes[bytes.len() - 1] != b'-'
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

fn is_sha(text: &str) -> bool {
    text.len() == 40 && is_lower_hex(text)
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && is_lower_hex(hex))
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// GitHub: letters, digits and single hyphens, at most 39; Enterprise adds `_` and bots end in `[bot]`.
fn is_login(text: &str) -> bool {
    let name = text.strip_suffix("[bot]").unwrap_or(text);
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

text_id!(
    /// A project: one repository and its manifest.
    ProjectName, "a project name", "1-40 lower-case letters, digits and hyphens, starting with a letter", is_slug
);
text_id!(
    /// A deployable image of a project, such as `backend`.
    ComponentName, "a component name", "1-40 lower-case letters, digits and hyphens, starting with a letter", is_slug
);
text_id!(
    /// A place that a project is deployed to, such as `prod`.
    EnvName, "an environment name", "1-40 lower-case letters, digits and hyphens, starting with a letter", is_slug
);
text_id!(
    /// A server within an environment, such as `backend`.
    HostName, "a host name", "1-40 lower-case letters, digits and hyphens, starting with a letter", is_slug
);
text_id!(
    /// A full git commit id (SHA-1).
    Sha, "a commit id", "40 hexadecimal digits in lower case", is_sha
);
text_id!(
    /// An image manifest digest.
    Digest, "an image digest", "`sha256:` and 64 hexadecimal digits in lower case", is_digest
);
text_id!(
    /// A person's or bot's account name on GitHub.
    Login, "a GitHub login", "letters, digits, hyphens", is_login
);

/// A component runs on the host of its own name unless the manifest says otherwise; both are the same kind of word.
impl From<&ComponentName> for HostName {
    fn from(name: &ComponentName) -> Self {
        Self(name.0.clone())
    }
}

impl Sha {
    /// The first seven digits, as people say them.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl Digest {
    /// `sha256:` and the first twelve digits.
    pub fn short(&self) -> &str {
        &self.0[..19]
    }
}

/// A run's number, unique in a portal: `#42`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::str::FromStr for RunId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        match text.parse::<i64>() {
            Ok(number) if number > 0 => Ok(Self(number)),
            _ => Err(ParseIdError {
                what: "a run number",
                expected: "a whole number from 1",
                given: text.chars().take(80).collect(),
            }),
        }
    }
}

/// A step's place in its run's plan, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u16);

impl StepId {
    /// The place as an index into the plan's steps.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_break_out_of_a_path_or_a_tag_are_refused() {
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a/b",
            "..",
            "a b",
            "1a",
            &"a".repeat(41),
        ] {
            assert!(EnvName::parse(bad).is_err(), "{bad:?} was accepted");
        }
        for good in ["dev", "uat-2", "a"] {
            assert_eq!(EnvName::parse(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn a_message_says_what_was_expected() {
        let error = Sha::parse("abc").unwrap_err().to_string();
        assert_eq!(
            error,
            "`abc` is not a commit id: expected 40 hexadecimal digits in lower case"
        );
    }

    #[test]
    fn json_is_checked_too() {
        assert!(serde_json::from_str::<Digest>("\"sha256:zz\"").is_err());
        let digest = format!("\"sha256:{}\"", "a".repeat(64));
        assert!(serde_json::from_str::<Digest>(&digest).is_ok());
    }

    #[test]
    fn bots_have_logins() {
        assert!(Login::parse("dependabot[bot]").is_ok());
        assert!(Login::parse("a b").is_err());
    }
}
