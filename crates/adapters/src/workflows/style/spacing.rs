//! Rules about the blanks around brackets, braces, colons, commas and hyphens.
use granit_parser::{Token, TokenType};

use super::super::found::Found;
use super::super::source::Source;

struct Spacing<'s, 't> {
    source: &'s Source<'t>,
    found: &'s mut Vec<Found>,
}

pub(super) fn check(source: &Source<'_>, tokens: &[Token<'_>], found: &mut Vec<Found>) {
    let mut spacing = Spacing { source, found };
    let mut previous: Option<&TokenType<'_>> = None;
    for token in tokens {
        let (span, kind) = (token.span(), token.token_type());
        let at = source.mark(&span.start).at;
        match kind {
            TokenType::FlowMappingStart => spacing.at_most(0, "braces", "inside braces", at + 1),
            TokenType::FlowSequenceStart => {
                spacing.at_most(0, "brackets", "inside brackets", at + 1);
            }
            TokenType::FlowMappingEnd => spacing.none_before("braces", "inside braces", '{', at),
            TokenType::FlowSequenceEnd => {
                spacing.none_before("brackets", "inside brackets", '[', at);
            }
            TokenType::FlowEntry => {
                spacing.none_before("commas", "before comma", '\0', at);
                spacing.at_most(1, "commas", "after comma", at + 1);
                spacing.some_after_comma(at + 1);
            }
            TokenType::Value if source.text[at..].starts_with(':') => {
                // `*alias :` needs its blank: a colon may be part of the alias's name.
                if !matches!(previous, Some(TokenType::Alias(_))) {
                    spacing.none_before("colons", "before colon", '\0', at);
                }
                spacing.at_most(1, "colons", "after colon", at + 1);
            }
            TokenType::Key if source.text[at..].starts_with("? ") => {
                spacing.at_most(1, "colons", "after question mark", at + 1);
            }
            TokenType::BlockEntry => spacing.hyphen(at),
            _ => {}
        }
        previous = Some(kind);
    }
}

impl Spacing<'_, '_> {
    fn error(&mut self, at: usize, rule: &'static str, message: String) {
        let mark = self.source.at(at);
        self.found.push(Found::error(mark, rule, message));
    }

    /// How many blanks stand here before the next thing on the line. `None` when there is no such thing.
    fn blanks(&self, at: usize) -> Option<usize> {
        let rest = self.source.after(at);
        let next = rest.trim_start_matches([' ', '\t']);
        let blanks = rest.len() - next.len();
        let comment = next.starts_with('#') && blanks > 0;
        (!next.is_empty() && !comment).then_some(blanks)
    }

    fn at_most(&mut self, most: usize, rule: &'static str, place: &str, at: usize) {
        if let Some(blanks) = self.blanks(at)
            && blanks > most
        {
            self.error(at + blanks - 1, rule, format!("too many spaces {place}"));
        }
    }

    fn some_after_comma(&mut self, at: usize) {
        if self.blanks(at) == Some(0) {
            self.error(at, "commas", "too few spaces after comma".to_owned());
        }
    }

    /// No blanks before this place, unless it is the first on its line, or everything since `opening` is blank: that is
    /// reported at the opening.
    fn none_before(&mut self, rule: &'static str, place: &str, opening: char, at: usize) {
        let before = self.source.before(at);
        let kept = before.trim_end_matches([' ', '\t']);
        // A comma that begins a line belongs to the end of the line before.
        let alone = kept.is_empty() && rule == "commas";
        if alone || (kept.len() < before.len() && !kept.is_empty() && !kept.ends_with(opening)) {
            self.error(
                at.saturating_sub(1),
                rule,
                format!("too many spaces {place}"),
            );
        }
    }

    /// The parser tells where the entry begins, not where its hyphen stands.
    fn hyphen(&mut self, at: usize) {
        let before = self.source.before(at);
        let kept = before.trim_end_matches(' ');
        let ends = self.source.after(at).is_empty() || self.source.after(at).starts_with('#');
        if kept.ends_with('-') && before.len() - kept.len() > 1 && !ends {
            let message = "too many spaces after hyphen".to_owned();
            self.error(at - 1, "hyphens", message);
        }
    }
}
