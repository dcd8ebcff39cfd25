//! The small values that a manifest is made of, each parsed from one TOML string.
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text, or a reference to a secret. The value of a secret never stands in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Value {
    /// As written.
    Plain(String),
    /// `secret:NAME`: resolved as `<prefix>NAME` first, then `NAME`, when a step needs it.
    Secret(SecretName),
}

impl Value {
    /// The secret that this value refers to.
    pub fn secret(&self) -> Option<&SecretName> {
        match self {
            Value::Plain(_) => None,
            Value::Secret(name) => Some(name),
        }
    }
}

impl FromStr for Value {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("secret:") {
            Some(name) => Ok(Value::Secret(name.parse()?)),
            // No program's environment and no database column can hold it.
            None if text.contains('\0') => Err("holds a NUL character; remove it".into()),
            None => Ok(Value::Plain(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Value {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Value> for String {
    fn from(value: Value) -> String {
        match value {
            Value::Plain(text) => text,
            Value::Secret(name) => format!("secret:{name}"),
        }
    }
}

/// The name of a secret, as an environment variable is named: `SSH_PASSWORD`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretName(String);

impl SecretName {
    /// The name as written after `secret:`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut bytes = text.bytes();
        let starts = bytes
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if starts && text.len() <= 128 && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            Ok(Self(text.to_owned()))
        } else {
            Err("a secret is named like an environment variable: letters, digits and `_`, as in `secret:SSH_PASSWORD`".into())
        }
    }
}

impl TryFrom<String> for SecretName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<SecretName> for String {
    fn from(name: SecretName) -> String {
        name.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A span of time, written `250ms`, `5s`, `2m` or `1h`; held in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub u64);

impl Span {
    /// A span of whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds * 1000)
    }

    /// The span as the standard library's type.
    pub const fn duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "a time is a whole number and a unit, such as `250ms`, `5s`, `2m` or `1h`".to_owned()
        };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
        let unit = match &text[digits..] {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        number
            .checked_mul(unit)
            .filter(|ms| *ms <= 7 * 86_400_000)
            .map(Span)
            .ok_or_else(|| "at most seven days".into())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ms if ms % 60_000 == 0 && ms > 0 => write!(f, "{}m", ms / 60_000),
            ms if ms % 1000 == 0 => write!(f, "{}s", ms / 1000),
            ms => write!(f, "{ms}ms"),
        }
    }
}

/// A repository on GitHub: `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository {
    /// The person or organisation.
    pub owner: String,
    /// The repository's own name.
    pub name: String,
}

impl FromStr for Repository {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let valid = |part: &str| {
            (1..=100).contains(&part.len())
                && !part.starts_with('.')
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        match text.split_once('/') {
            Some((owner, name)) if valid(owner) && valid(name) => Ok(Self {
                owner: owner.into(),
                name: name.into(),
            }),
            _ => Err("a repository is `owner/name`, as in `Meats-Central/ProjectMeats`".into()),
        }
    }
}

impl TryFrom<String> for Repository {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> String {
        repository.to_string()
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// A branch name that git accepts (git-check-ref-format, the part that matters to a branch).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Branch(String);

impl Branch {
    /// The name without `refs/heads/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Branch {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = text.is_empty()
            || text.len() > 200
            || text.starts_with(['-', '/', '.'])
            || text.ends_with(['/', '.'])
            || text.ends_with(".lock")
            || text.contains("..")
            || text.contains("//")
            || text.contains("/.")
            || text.contains("@{")
            || text
                .chars()
                .any(|c| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c));
        if bad {
            Err("not a branch name that git accepts".into())
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Branch {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Branch> for String {
    fn from(branch: Branch) -> String {
        branch.0
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_print() {
        for (text, ms) in [
            ("250ms", 250),
            ("5s", 5000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("0s", 0),
        ] {
            assert_eq!(text.parse::<Span>().unwrap(), Span(ms));
        }
        for bad in ["", "5", "s", "-1s", "1.5s", "99999999999999999999s", "400h"] {
            assert!(bad.parse::<Span>().is_err(), "{bad:?} was accepted");
        }
        assert_eq!(Span(5000).to_string(), "5s");
    }

    #[test]
    fn a_secret_reference_is_told_from_a_text() {
        assert_eq!(
            "secret:A_1"
                .parse::<Value>()
                .unwrap()
                .secret()
                .unwrap()
                .as_str(),
            "A_1"
        );
        assert!("secret:".parse::<Value>().is_err());
        assert!("secret:a-b".parse::<Value>().is_err());
        assert!("plain".parse::<Value>().unwrap().secret().is_none());
    }

    #[test]
    fn branches_that_git_refuses_are_refused() {
        for bad in ["", "-x", "a..b", "a b", "a.lock", "x/", "a\u{7}"] {
            assert!(bad.parse::<Branch>().is_err(), "{bad:?} was accepted");
        }
        assert!("feature/x-1".parse::<Branch>().is_ok());
    }
}
