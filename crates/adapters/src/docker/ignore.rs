//! `.dockerignore`: which files of a build context the builder gets. The command line of Docker leaves them out before
//! it sends the context; the engine itself does not.
//!
//! The rules are those of <https://docs.docker.com/build/concepts/context/#dockerignore-files>, with the corners as
//! Docker's own `patternmatcher` has them.

/// The rules of a `.dockerignore`. The default leaves nothing out.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    /// `!`: what it matches is sent after all.
    sent: bool,
    pattern: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    /// This character.
    Char(char),
    /// `?`: one character, but no `/`.
    One,
    /// `[a-z]`, `[^a-z]`: one of these ranges, or none of them.
    Class {
        ranges: Vec<(char, char)>,
        not: bool,
    },
    /// `*`: any characters, but no `/`.
    Many,
    /// `**/`: any number of folders.
    Folders,
    /// `**` at the end: all that follows.
    All,
}

impl Ignore {
    /// Reads the file. A pattern that Docker would refuse, such as `[`, matches nothing.
    pub fn parse(text: &str) -> Self {
        let lines = text.trim_start_matches('\u{feff}').lines();
        let rules = lines
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let line = line.trim();
                let (sent, pattern) = match line.strip_prefix('!') {
                    Some(rest) => (true, rest.trim()),
                    None => (false, line),
                };
                let pattern = parts(&clean(pattern))?;
                (!pattern.is_empty()).then_some(Rule { sent, pattern })
            });
        Self {
            rules: rules.collect(),
        }
    }

    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether the builder gets this file or folder, by its path from the context's root. The last rule that matches
    /// it, or a folder that it is in, decides.
    pub fn sends(&self, path: &str) -> bool {
        let path: Vec<char> = clean(path).chars().collect();
        let mut sent = true;
        for rule in &self.rules {
            if rule.sent != sent && rule.covers(&path) {
                sent = rule.sent;
            }
        }
        sent
    }
}

impl Rule {
    /// Whether it matches the path or a folder above it.
    fn covers(&self, path: &[char]) -> bool {
        let ends = (0..path.len()).filter(|at| path[*at] == '/');
        ends.chain([path.len()])
            .any(|end| matches(&self.pattern, &path[..end]))
    }
}

/// A path without `.`, `..`, empty parts and the `/` around it.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn parts(pattern: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = pattern.chars().peekable();
    while let Some(next) = rest.next() {
        parts.push(match next {
            '*' if rest.next_if_eq(&'*').is_some() => {
                rest.next_if_eq(&'/');
                if rest.peek().is_some() {
                    Part::Folders
                } else {
                    Part::All
                }
            }
            '*' => Part::Many,
            '?' => Part::One,
            '\\' => Part::Char(rest.next()?),
            '[' => {
                let not = rest.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                loop {
                    let mut one = || match rest.next()? {
                        '\\' => rest.next(),
                        other => Some(other),
                    };
                    let from = one()?;
                    if from == ']' && !ranges.is_empty() {
                        break;
                    }
                    let to = match rest.next_if_eq(&'-') {
                        Some(_) => rest.next()?,
                        None => from,
                    };
                    ranges.push((from, to));
                }
                Part::Class { ranges, not }
            }
            other => Part::Char(other),
        });
    }
    Some(parts)
}

fn matches(pattern: &[Part], text: &[char]) -> bool {
    let Some((part, rest)) = pattern.split_first() else {
        return text.is_empty();
    };
    let one = |fits: &dyn Fn(char) -> bool| match text.split_first() {
        Some((first, after)) => fits(*first) && matches(rest, after),
        None => false,
    };
    match part {
        Part::Char(wanted) => one(&|c| c == *wanted),
        Part::One => one(&|c| c != '/'),
        Part::Class { ranges, not } => {
            one(&|c| c != '/' && ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *not)
        }
        Part::Many => {
            let within = text.iter().position(|c| *c == '/').unwrap_or(text.len());
            (0..=within).any(|taken| matches(rest, &text[taken..]))
        }
        Part::Folders => {
            let below = (0..text.len()).filter(|at| text[*at] == '/');
            matches(rest, text) || below.into_iter().any(|at| matches(rest, &text[at + 1..]))
        }
        Part::All => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_match_as_docker_s_do() {
        for (rules, left_out, sent) in [
            (
                ".git",
                &[".git", ".git/config"][..],
                &["a/.git", ".github"][..],
            ),
            ("/media/", &["media", "media/a"], &["a/media"]),
            (
                "**/.env",
                &[".env", "a/.env", "a/b/.env/c"],
                &["a/x.env", ".env.example"],
            ),
            (
                "**/*.sqlite3",
                &["db.sqlite3", "a/b/db.sqlite3"],
                &["a/sqlite3"],
            ),
            ("*.md", &["README.md"], &["docs/a.md"]),
            (
                "*/temp*",
                &["a/temp", "a/temp.txt", "a/temporary/x"],
                &["temp", "a/b/temp"],
            ),
            ("temp?", &["tempa"], &["temp", "temp/a"]),
            ("docs/**", &["docs/a", "docs/a/b"], &["docs", "docsx/a"]),
            ("**", &["a", "a/b"], &[]),
            ("[a-c]x\n[^a-c]y", &["ax", "dy"], &["dx", "ay"]),
            ("\\*", &["*"], &["a"]),
            (
                "# a comment\n\n  spaced  ",
                &["spaced"],
                &["# a comment", "a"],
            ),
            ("./a/../b", &["b"], &["a"]),
            ("[", &[], &["["]),
        ] {
            let ignore = Ignore::parse(rules);
            for path in left_out {
                assert!(!ignore.sends(path), "{rules:?} leaves out {path:?}");
            }
            for path in sent {
                assert!(ignore.sends(path), "{rules:?} sends {path:?}");
            }
        }
    }

    #[test]
    fn the_last_rule_that_matches_decides() {
        let ignore = Ignore::parse("*.md\n!README*.md\nREADME-secret.md\ndist\n!dist/keep");
        for (path, sent) in [
            ("a.md", false),
            ("README.md", true),
            ("README-secret.md", false),
            ("dist/a", false),
            ("dist/keep", true),
            ("dist/keep/a", true),
            ("src", true),
        ] {
            assert_eq!(ignore.sends(path), sent, "{path}");
        }
    }

    #[test]
    fn nothing_is_left_out_without_rules() {
        assert!(Ignore::default().is_empty() && Ignore::default().sends("a"));
    }
}
