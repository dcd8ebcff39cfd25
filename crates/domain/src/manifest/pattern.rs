//! Patterns of paths as GitHub's `paths-ignore` writes them.
use std::fmt;

use serde::{Deserialize, Serialize};

/// A pattern such as `**.md` or `docs/**`. `*` stands for any characters but `/`, `**` for any at all; every other
/// character stands for itself. It must match the whole path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern(String);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a pattern of paths: {why}")]
pub struct PatternError {
    text: String,
    why: &'static str,
}

impl std::str::FromStr for PathPattern {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let refused = |why| {
            Err(PatternError {
                text: text.to_owned(),
                why,
            })
        };
        if text.is_empty() {
            return refused("it is empty");
        }
        if text.starts_with('/') {
            return refused("paths start at the repository's root, without `/`");
        }
        if text.contains(['?', '+', '[', ']', '!', '\\']) {
            return refused("only `*` and `**` are understood");
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for PathPattern {
    type Error = PatternError;
    fn try_from(text: String) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> String {
        pattern.0
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PathPattern {
    /// Whether the whole path is of this pattern.
    pub fn matches(&self, path: &str) -> bool {
        let path: Vec<char> = path.chars().collect();
        // From the pattern's end on: whether what was looked at so far matches the path from each of its places on.
        let mut rest: Vec<bool> = (0..=path.len()).map(|at| at == path.len()).collect();
        for part in parts(&self.0).iter().rev() {
            let mut whole = vec![false; path.len() + 1];
            for at in (0..=path.len()).rev() {
                let further = |fits: &dyn Fn(char) -> bool| {
                    path.get(at).is_some_and(|c| fits(*c)) && whole[at + 1]
                };
                whole[at] = match part {
                    Part::Any => rest[at] || further(&|_| true),
                    Part::Within => rest[at] || further(&|c| c != '/'),
                    Part::Folders => {
                        let behind = |(place, c): (usize, &char)| *c == '/' && rest[place + 1];
                        rest[at] || path.iter().enumerate().skip(at).any(behind)
                    }
                    Part::One(wanted) => path.get(at) == Some(wanted) && rest[at + 1],
                };
            }
            rest = whole;
        }
        rest[0]
    }
}

enum Part {
    /// `**`: anything.
    Any,
    /// `*`: anything within a name.
    Within,
    /// `**/` at the beginning of a name: whole folders, or none.
    Folders,
    /// The character itself.
    One(char),
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                let begins = matches!(parts.last(), None | Some(Part::One('/') | Part::Folders));
                if begins && chars.next_if_eq(&'/').is_some() {
                    Part::Folders
                } else {
                    Part::Any
                }
            }
            '*' => Part::Within,
            other => Part::One(other),
        });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::PathPattern;

    #[test]
    fn patterns_match_as_in_a_workflow_file() {
        for (pattern, yes, no) in [
            (
                "**.md",
                &["README.md", "docs/a/b.md"][..],
                &["README.mdx", "md"][..],
            ),
            (
                "docs/**",
                &["docs/a", "docs/a/b.txt"],
                &["docs", "doc/a", "a/docs/b"],
            ),
            ("*.txt", &["a.txt"], &["a/b.txt"]),
            (
                "src/**/x.rs",
                &["src/x.rs", "src/a/b/x.rs"],
                &["x.rs", "src/ax.rs"],
            ),
            ("**/x", &["x", "a/x"], &["x/a", "ax"]),
            ("**", &["x", "a/x"], &[]),
        ] {
            let parsed: PathPattern = pattern.parse().unwrap();
            for path in yes {
                assert!(parsed.matches(path), "{pattern} {path}");
            }
            for path in no {
                assert!(!parsed.matches(path), "{pattern} {path}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in ["", "/docs/**", "!docs", "a[bc]", "a?"] {
            assert!(text.parse::<PathPattern>().is_err(), "{text}");
        }
    }
}
