//! Takes known secret values out of everything that is stored or shown, in a stream of bytes or line by line.
//!
//! All forms of all secrets (see [`forms`]) go into one Aho-Corasick automaton, which is walked a byte at a time.
//! Every byte that belongs to *any* occurrence of any form is covered, also where two occurrences overlap, and each
//! covered stretch becomes one `[REDACTED]`. So the result does not depend on how the input was cut into chunks,
//! and no part of a secret survives beside another one. (The crate's own replacing stops at the first match and
//! would leave the rest of an overlapping one.)
//!
//! Only the bytes that may be the beginning of a secret are held back, so a live log is not delayed.
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

/// The secrets of a run are too many or too large to look for.
#[derive(Debug, thiserror::Error)]
#[error(
    "the secrets cannot be looked for in logs ({0}): check for a secret that is megabytes long"
)]
pub struct RedactError(String);

/// Knows what must not be seen. Cheap to clone.
#[derive(Clone)]
pub struct Redactor {
    /// `None`: there is nothing to look for.
    needles: Option<Arc<Needles>>,
    too_short: usize,
}

struct Needles {
    automaton: contiguous::NFA,
    start: StateID,
    /// How many bytes of a form have been seen in each state.
    depth: HashMap<StateID, usize>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forms = self
            .needles
            .as_ref()
            .map_or(0, |needles| needles.automaton.patterns_len());
        write!(f, "Redactor({forms} forms)")
    }
}

impl Redactor {
    /// Looks for these secrets. Values shorter than [`SHORTEST`] bytes are left out; see [`Redactor::too_short`].
    pub fn new<'a>(
        secrets: impl IntoIterator<Item = &'a SecretString>,
    ) -> Result<Self, RedactError> {
        let mut all = HashSet::new();
        let mut too_short = 0;
        for secret in secrets {
            let value = secret.expose_secret();
            if value.trim().len() < SHORTEST {
                // An empty value hides nothing, so nobody needs to hear of it.
                too_short += usize::from(!value.trim().is_empty());
            } else {
                forms::add(value, &mut all);
            }
        }
        let needles = if all.is_empty() {
            None
        } else {
            Some(Arc::new(Needles::new(&all)?))
        };
        Ok(Self { needles, too_short })
    }

    /// How many secrets were too short to be looked for: a person should be told.
    pub fn too_short(&self) -> usize {
        self.too_short
    }

    /// Starts on a new stream of bytes.
    pub fn stream(&self) -> Stream {
        let state = self.needles.as_ref().map(|needles| needles.start);
        Stream {
            redactor: self.clone(),
            state,
            held: Vec::new(),
            covered: Vec::new(),
            in_mark: false,
        }
    }

    /// Redacts one line. Each line of a secret with several lines is a secret of its own.
    pub fn redact_line<'a>(&self, line: &'a str) -> Cow<'a, str> {
        let Some(needles) = &self.needles else {
            return Cow::Borrowed(line);
        };
        let mut covered = Vec::new();
        needles.walk(needles.start, line.as_bytes(), 0, &mut covered);
        if covered.is_empty() {
            return Cow::Borrowed(line);
        }
        let mut out = Vec::with_capacity(line.len());
        write_covered(line.as_bytes(), &covered, &mut false, &mut out);
        // Forms are whole characters, so what is left is text.
        Cow::Owned(String::from_utf8_lossy(&out).into_owned())
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

    /// Walks over `bytes`, whose first byte stands at `offset`, and notes what is covered: in order, none touching another.
    fn walk(
        &self,
        mut state: StateID,
        bytes: &[u8],
        offset: usize,
        covered: &mut Vec<Range<usize>>,
    ) -> StateID {
        for (index, byte) in bytes.iter().enumerate() {
            state = self.automaton.next_state(Anchored::No, state, *byte);
            if self.automaton.is_match(state) {
                let end = offset + index + 1;
                cover(covered, end - self.longest(state)..end);
            }
        }
        state
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

/// Adds a range that ends after all others, and joins those that it touches.
fn cover(covered: &mut Vec<Range<usize>>, mut new: Range<usize>) {
    while let Some(last) = covered.last() {
        if last.end < new.start {
            break;
        }
        new.start = new.start.min(last.start);
        covered.pop();
    }
    covered.push(new);
}

/// Copies `bytes` with a mark for each covered range; `in_mark` says whether the byte before was covered too.
fn write_covered(bytes: &[u8], covered: &[Range<usize>], in_mark: &mut bool, out: &mut Vec<u8>) {
    let mut at = 0;
    for range in covered {
        if at < range.start {
            out.extend_from_slice(&bytes[at..range.start]);
            *in_mark = false;
        }
        if !*in_mark {
            out.extend_from_slice(MARK.as_bytes());
            *in_mark = true;
        }
        at = range.end;
    }
    if at < bytes.len() {
        out.extend_from_slice(&bytes[at..]);
        *in_mark = false;
    }
}

/// Redacts a stream that arrives in chunks.
pub struct Stream {
    redactor: Redactor,
    state: Option<StateID>,
    /// What may yet turn out to be the beginning of a secret.
    held: Vec<u8>,
    /// Covered parts of `held`.
    covered: Vec<Range<usize>>,
    in_mark: bool,
}

impl Stream {
    /// Takes the next bytes and gives out all that is certain.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (Some(needles), Some(state)) = (self.redactor.needles.clone(), self.state) else {
            return bytes.to_vec();
        };
        let state = needles.walk(state, bytes, self.held.len(), &mut self.covered);
        self.state = Some(state);
        self.held.extend_from_slice(bytes);
        let open = needles.depth.get(&state).copied().unwrap_or(0);
        self.release(self.held.len().saturating_sub(open))
    }

    /// Ends the stream and gives out the rest.
    pub fn finish(mut self) -> Vec<u8> {
        self.release(self.held.len())
    }

    /// Gives out the first `count` held bytes; nothing that follows can cover them any more.
    fn release(&mut self, count: usize) -> Vec<u8> {
        let mut ready = Vec::new();
        let mut later = Vec::new();
        for range in self.covered.drain(..) {
            if range.start < count {
                ready.push(range.start..range.end.min(count));
            }
            if range.end > count {
                later.push(range.start.max(count) - count..range.end - count);
            }
        }
        self.covered = later;
        let mut out = Vec::with_capacity(count);
        write_covered(&self.held[..count], &ready, &mut self.in_mark, &mut out);
        self.held.drain(..count);
        out
    }
}
