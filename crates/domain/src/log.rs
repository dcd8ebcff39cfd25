//! A line of a step's log.
use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::Ms;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// The program's standard output.
    Out,
    /// The program's standard error.
    Err,
    /// Fairlead itself, telling what it does.
    Portal,
}

impl Stream {
    /// One letter for storage.
    pub fn code(self) -> char {
        match self {
            Stream::Out => 'o',
            Stream::Err => 'e',
            Stream::Portal => 'p',
        }
    }

    /// The inverse of [`Stream::code`].
    pub fn from_code(code: char) -> Option<Self> {
        match code {
            'o' => Some(Stream::Out),
            'e' => Some(Stream::Err),
            'p' => Some(Stream::Portal),
            _ => None,
        }
    }
}

/// A line, already redacted. Lines of a step are numbered from 1 without gaps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The line's number in its step's log, from 1.
    pub n: i64,
    /// When it was written, by the clock of the machine that wrote it.
    pub at: Ms,
    /// Where it came from.
    pub stream: Stream,
    /// The text without its line end; may hold ANSI colours and `\r`.
    pub text: String,
}

/// Whether a line looks like the one that a person searches after a failure. A count of none and a test that passed do
/// not, nor does a name that only begins like one of the words.
pub fn looks_like_error(text: &str) -> bool {
    const MARKS: [&str; 8] = [
        "error",
        "fatal",
        "panicked",
        "traceback",
        "exception",
        "failed",
        "✗",
        "cannot ",
    ];
    let lower = plain(text).to_lowercase();
    if lower.trim_end().ends_with(" ok") {
        return false;
    }
    let counts = |at: usize, mark: &str| {
        let (before, after) = (&lower[..at], &lower[at + mark.len()..]);
        let none = before
            .strip_suffix("0 ")
            .is_some_and(|rest| !rest.ends_with(|c: char| c.is_ascii_digit()));
        let after = after.strip_prefix('s').unwrap_or(after);
        let goes_on = mark.ends_with(char::is_alphabetic)
            && after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        !none && !goes_on
    };
    MARKS
        .iter()
        .any(|mark| lower.match_indices(mark).any(|(at, _)| counts(at, mark)))
}

/// A line without colours and other commands to a terminal
/// (CSI sequences of ECMA-48, <https://ecma-international.org/publications-and-standards/standards/ecma-48/>).
pub fn plain(line: &str) -> Cow<'_, str> {
    let line = line.trim_end_matches('\r');
    if !line.contains('\u{1b}') {
        return Cow::Borrowed(line);
    }
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(next) = chars.next() {
        if next != '\u{1b}' {
            text.push(next);
        } else if chars.next() == Some('[') {
            // Parameters, then one letter that says what they are for.
            chars.by_ref().find(|c| ('@'..='~').contains(c));
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_stored_as_a_letter_that_reads_back() {
        for stream in [Stream::Out, Stream::Err, Stream::Portal] {
            assert_eq!(Stream::from_code(stream.code()), Some(stream));
        }
        assert_eq!(Stream::from_code('x'), None);
    }

    #[test]
    fn the_lines_that_people_look_for_are_told_from_the_others() {
        for line in [
            "ERROR in app",
            "npm ERR! fatal",
            "Traceback (most recent call last):",
            "\u{1b}[31m✗ tests\u{1b}[0m",
            "10 failed, 3 passed",
            "0 passed, 1 error in 0.1s",
            "django.db.utils.OperationalError: no such table",
            "test_pages (tests.Pages) ... FAILED",
        ] {
            assert!(looks_like_error(line), "{line}");
        }
        for line in [
            "",
            "Step 3/9 : COPY . .",
            "listening on 0.0.0.0:8000",
            "0 failed, 12 passed",
            "found 0 errors",
            "test_error_page (tests.Pages) ... ok",
            "Downloading exceptiongroup-1.2.2-py3-none-any.whl",
        ] {
            assert!(!looks_like_error(line), "{line}");
        }
    }

    #[test]
    fn a_plain_line_has_no_colours() {
        assert_eq!(plain("\u{1b}[1;31mfailed\u{1b}[0m: 3\r"), "failed: 3");
        assert_eq!(plain("100 %"), "100 %");
    }
}
