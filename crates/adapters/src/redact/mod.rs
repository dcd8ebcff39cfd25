//! Takes known secret values out of everything that is stored or shown, line by line.
//!
//! All forms of all secrets (see [`forms`]) go into an Aho-Corasick automaton, which is walked a byte at a time.
//! Every byte that belongs to *any* occurrence of any form is covered, also where two occurrences overlap, and each
//! covered stretch becomes one `[REDACTED]`. So no part of a secret survives beside another one. (The crate's own
//! replacing stops at the first match and would leave the rest of an overlapping one.)
//!
//! Who reads lines and cannot wait for the end of a very long one asks [`Redactor::cut`] where to cut it: no secret lies
//! across that place, so that each piece is redacted by itself.
//! The automaton holds the values in plain text for as long as the redactor lives.
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::{contiguous, noncontiguous};
use aho_corasick::{Anchored, MatchKind};
use secrecy::{ExposeSecret, SecretString};

mod forms;

/// What stands in place of a secret.
pub const MARK: &str = "[REDACTED]";

/// Secrets below this many bytes are not looked for: they would black out ordinary words.
pub const SHORTEST: usize = 4;

/// A line of nothing but secrets that lie over one another, without a place to cut it, is held back up to this size.
const MOST: usize = 4 << 20;

/// Whether a secret is too short to be looked for, which a person should be told. An empty one hides nothing, so nobody
/// needs to hear of it.
pub fn too_short(secret: &SecretString) -> bool {
    (1..SHORTEST).contains(&secret.expose_secret().trim().len())
}

/// The beginning of a text that a program or a server said: at the most `longest` bytes, and never a part of a word,
/// since half a secret is one that no [`Redactor`] knows.
pub(crate) fn whole_words(text: &str, longest: usize) -> &str {
    let beginning = &text[..text.floor_char_boundary(longest)];
    if beginning.len() == text.len() || text[beginning.len()..].starts_with(char::is_whitespace) {
        return beginning;
    }
    beginning
        .rfind(char::is_whitespace)
        .map_or("", |end| beginning[..end].trim_end())
}

/// The secrets of a run are too many or too large to look for.
#[derive(Debug, thiserror::Error)]
#[error(
    "the secrets cannot be looked for in logs ({0}): check for a secret that is megabytes long"
)]
pub struct RedactError(String);

/// Knows what must not be seen. Cheap to clone. The default looks for nothing.
#[derive(Clone, Default)]
pub struct Redactor {
    /// One for all secrets that became known together.
    needles: Vec<Arc<Needles>>,
}

struct Needles {
    automaton: contiguous::NFA,
    start: StateID,
    /// How many bytes of a form have been seen in each state.
    depth: HashMap<StateID, usize>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forms = self.needles.iter();
        let forms: usize = forms.map(|some| some.automaton.patterns_len()).sum();
        write!(f, "Redactor({forms} forms)")
    }
}

impl Redactor {
    /// Looks for these secrets, except for those that are [`too_short`].
    pub fn new<'a>(
        secrets: impl IntoIterator<Item = &'a SecretString>,
    ) -> Result<Self, RedactError> {
        let mut all = HashSet::new();
        for secret in secrets {
            let value = secret.expose_secret();
            if value.trim().len() >= SHORTEST {
                forms::add(value, &mut all);
            }
        }
        let mut needles = Vec::new();
        if !all.is_empty() {
            needles.push(Arc::new(Needles::new(&all)?));
        }
        Ok(Self { needles })
    }

    /// Looks for what another one looks for, too.
    pub fn add(&mut self, other: Self) {
        self.needles.extend(other.needles);
    }

    /// Redacts one line. Each line of a secret with several lines is a secret of its own.
    pub fn redact_line<'a>(&self, line: &'a str) -> Cow<'a, str> {
        let bytes = line.as_bytes();
        let mut found = Vec::new();
        for needles in &self.needles {
            needles.walk(bytes, &mut found);
        }
        if found.is_empty() {
            return Cow::Borrowed(line);
        }
        let mut out = Vec::with_capacity(line.len());
        let mut at = 0;
        for covered in joined(found) {
            out.extend_from_slice(&bytes[at..covered.start]);
            out.extend_from_slice(MARK.as_bytes());
            at = covered.end;
        }
        out.extend_from_slice(&bytes[at..]);
        // Forms are whole characters, so what is left is text.
        Cow::Owned(String::from_utf8_lossy(&out).into_owned())
    }

    /// Where a line that begins with `text` may be cut so that no secret lies across the cut: at the end of `text`, or
    /// before what may yet turn out to be one. 0 where that is all of it, and more must come first.
    pub fn cut(&self, text: &[u8]) -> usize {
        let (mut open, mut found) = (0, Vec::new());
        for needles in &self.needles {
            open = open.max(needles.walk(text, &mut found));
        }
        let mut at = text.len() - open;
        // Whole ones may lie across that place in their turn. Those that end behind it come first here.
        found.sort_unstable_by_key(|whole| std::cmp::Reverse(whole.end));
        for whole in found {
            if whole.start < at && at < whole.end {
                at = whole.start;
            }
        }
        if at == 0 && text.len() > MOST {
            return text.len();
        }
        at
    }
}

impl Needles {
    fn new(forms: &HashSet<String>) -> Result<Self, RedactError> {
        let failed = |error: &dyn fmt::Display| RedactError(error.to_string());
        let trie = noncontiguous::NFA::builder()
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .build(forms)
            .map_err(|error| failed(&error))?;
        let automaton = contiguous::NFA::builder()
            .prefilter(false)
            .build_from_noncontiguous(&trie)
            .map_err(|error| failed(&error))?;
        let start = automaton
            .start_state(Anchored::No)
            .map_err(|error| failed(&error))?;
        let mut depth = HashMap::from([(start, 0)]);
        for form in forms {
            // The state after the first n bytes of a form stands for just those n bytes.
            let mut state = start;
            for (index, byte) in form.bytes().enumerate() {
                state = automaton.next_state(Anchored::No, state, byte);
                depth.insert(state, index + 1);
            }
        }
        Ok(Self {
            automaton,
            start,
            depth,
        })
    }

    /// Walks over `bytes` and notes what is to be covered, one range for each place where a form ends. Gives how many of
    /// the last bytes may be the beginning of a form.
    fn walk(&self, bytes: &[u8], found: &mut Vec<Range<usize>>) -> usize {
        let mut state = self.start;
        for (index, byte) in bytes.iter().enumerate() {
            state = self.automaton.next_state(Anchored::No, state, *byte);
            if self.automaton.is_match(state) {
                let end = index + 1;
                found.push(end - self.longest(state)..end);
            }
        }
        self.depth.get(&state).copied().unwrap_or(0)
    }

    /// The length of the longest form that ends in a state.
    fn longest(&self, state: StateID) -> usize {
        let ends = 0..self.automaton.match_len(state);
        let lengths = ends.map(|n| {
            self.automaton
                .pattern_len(self.automaton.match_pattern(state, n))
        });
        lengths.max().unwrap_or(0)
    }
}

/// The same places in order, with those made one that overlap or touch.
fn joined(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_words() {
        for (longest, kept) in [
            (4, ""),
            (5, "token"),
            (6, "token"),
            (8, "token"),
            (9, "token"),
            (10, "token séc"),
            (11, "token séc"),
            (12, "token séc x"),
            (99, "token séc x"),
        ] {
            assert_eq!(whole_words("token séc x", longest), kept, "{longest}");
        }
    }
}
