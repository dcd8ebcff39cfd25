//! What was found in one file, before it is told which one.
use domain::manifest::nearest;
use domain::report::Level;

use super::source::Mark;

/// Most known words among which the one that was meant is looked for, and the longest that may be it: each is compared
/// letter by letter.
const MOST_KNOWN: usize = 100;
const LONGEST_KNOWN: usize = 80;
/// Most known words that are told.
const MOST_TOLD: usize = 30;

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub mark: Mark,
    pub rule: &'static str,
    pub level: Level,
    pub message: String,
}

impl Found {
    pub fn error(mark: Mark, rule: &'static str, message: impl Into<String>) -> Self {
        Self {
            mark,
            rule,
            level: Level::Error,
            message: message.into(),
        }
    }

    pub fn warning(mark: Mark, rule: &'static str, message: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            ..Self::error(mark, rule, message)
        }
    }
}

/// The known word that was probably meant, whatever its case.
pub(super) fn near<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    if given.len() > LONGEST_KNOWN {
        return None;
    }
    let short = known.iter().filter(|word| word.len() <= LONGEST_KNOWN);
    let known: Vec<&'a str> = short.copied().take(MOST_KNOWN).collect();
    let lower: Vec<String> = known.iter().map(|word| word.to_lowercase()).collect();
    let near = nearest(&given.to_lowercase(), lower.iter().map(String::as_str))?;
    let at = lower.iter().position(|word| word == near)?;
    known.get(at).copied()
}

/// What to write instead of a word that is not known: the one that was meant, or all there are.
pub(super) fn instead(given: &str, known: &[&str]) -> String {
    match near(given, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "there is none".to_owned(),
        None => format!("expected {}", one_of(known)),
    }
}

/// `` `a`, `b` or `c` ``.
pub(super) fn one_of(words: &[&str]) -> String {
    let told = words.iter().take(MOST_TOLD).map(|word| shown(word));
    let mut quoted: Vec<String> = told.collect();
    if words.len() > MOST_TOLD {
        quoted.push(format!("one of {} more", words.len() - MOST_TOLD));
    }
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}

/// A text of the file in a message: on one line and not too long.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MOST + 1)
        .collect();
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("`{}…`", &line[..end]),
        None => format!("`{line}`"),
    }
}
