//! Marks what was searched in the stretches of a line, across their borders.
use super::ansi::{Span, Style};

/// A stretch that is a hit or is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// How it looks.
    pub style: Style,
    /// Whether it was searched.
    pub hit: bool,
}

/// Parts the stretches at the borders of hits. The case of ASCII letters does not matter.
pub fn mark(spans: Vec<Span>, wanted: &str) -> Vec<Piece> {
    let whole: String = spans.iter().map(|span| span.text.as_str()).collect();
    let hits = find(&whole, wanted);
    let mut pieces = Vec::new();
    let mut at = 0;
    for span in spans {
        let (begin, end) = (at, at + span.text.len());
        let mut cuts = vec![begin];
        cuts.extend(
            hits.iter()
                .flat_map(|(from, to)| [*from, *to])
                .filter(|cut| (begin + 1..end).contains(cut)),
        );
        cuts.push(end);
        for pair in cuts.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let hit = hits.iter().any(|(begin, end)| *begin <= from && to <= *end);
            pieces.push(Piece {
                text: whole[from..to].to_owned(),
                style: span.style,
                hit,
            });
        }
        at = end;
    }
    pieces
}

/// Where `wanted` stands, as byte ranges in order.
fn find(text: &str, wanted: &str) -> Vec<(usize, usize)> {
    if wanted.is_empty() {
        return Vec::new();
    }
    // ASCII only: then the lower-case text has its bytes at the same places.
    let (low, wanted) = (text.to_ascii_lowercase(), wanted.to_ascii_lowercase());
    low.match_indices(&wanted)
        .map(|(at, hit)| (at, at + hit.len()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::ansi::spans;
    use super::*;

    fn marked(line: &str, wanted: &str) -> String {
        let show = |piece: Piece| {
            if piece.hit {
                format!("[{}]", piece.text)
            } else {
                piece.text
            }
        };
        mark(spans(line), wanted).into_iter().map(show).collect()
    }

    #[test]
    fn hits_are_marked_whatever_their_case() {
        assert_eq!(marked("Error: no error", "ERROR"), "[Error]: no [error]");
        assert_eq!(marked("nothing here", "error"), "nothing here");
        assert_eq!(marked("nothing", ""), "nothing");
    }

    #[test]
    fn a_hit_goes_on_across_a_change_of_colour() {
        assert_eq!(marked("an er\x1b[31mror\x1b[0m!", "error"), "an [er][ror]!");
    }

    #[test]
    fn letters_of_many_bytes_stay_whole() {
        assert_eq!(marked("é Straße é", "straße"), "é [Straße] é");
        assert_eq!(marked("İi", "i"), "İ[i]");
    }
}
