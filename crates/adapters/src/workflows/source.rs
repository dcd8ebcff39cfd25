//! A file's text and the places in it.

/// A place. Lines and columns are counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub line: u32,
    pub column: u32,
    /// The same place in bytes from the beginning.
    pub at: usize,
}

/// A text that knows where its lines begin.
pub(super) struct Source<'t> {
    pub text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Source<'t> {
    pub fn new(text: &'t str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0)
            .chain(breaks.map(|(at, _)| at + 1))
            .collect();
        Self { text, starts }
    }

    /// The mark of a place that was told by the parser.
    pub fn mark(&self, marker: &granit_parser::Marker) -> Mark {
        let at = marker.byte_offset().unwrap_or(self.text.len());
        Mark {
            line: count(marker.line().max(1)),
            column: count(marker.col() + 1),
            at: self.text.floor_char_boundary(at),
        }
    }

    /// The mark of a byte. One behind the end is the end; one inside a character is the character.
    pub fn at(&self, at: usize) -> Mark {
        let at = self.text.floor_char_boundary(at);
        let line = self.line(at);
        let before = &self.text[self.starts[line]..at];
        Mark {
            line: count(line + 1),
            column: count(before.chars().count() + 1),
            at,
        }
    }

    /// Which line a byte is on, from 0.
    fn line(&self, at: usize) -> usize {
        let begun = self.starts.partition_point(|start| *start <= at);
        begun.saturating_sub(1)
    }

    /// What stands on the line before this place.
    pub fn before(&self, at: usize) -> &'t str {
        &self.text[self.starts[self.line(at)]..at]
    }

    /// What stands on the line from this place on, without the line's end.
    pub fn after(&self, at: usize) -> &'t str {
        let next = self.starts.get(self.line(at) + 1);
        let line = &self.text[at..next.map_or(self.text.len(), |next| next - 1).max(at)];
        line.strip_suffix('\r').unwrap_or(line)
    }

    /// Whether only blanks stand before this place on its line.
    pub fn begins_line(&self, at: usize) -> bool {
        // From the end: what stands right before the place settles it, however long the line is.
        self.before(at).bytes().rev().all(|byte| byte == b' ')
    }

    /// The lines with the place where each begins, without their ends, and whether there was one.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &'t str, bool)> {
        self.starts.iter().enumerate().filter_map(|(index, start)| {
            let next = self.starts.get(index + 1);
            let end = next.map_or(self.text.len(), |next| next - 1);
            let line = &self.text[*start..end];
            let line = line.strip_suffix('\r').unwrap_or(line);
            (next.is_some() || !line.is_empty()).then_some((*start, line, next.is_some()))
        })
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
