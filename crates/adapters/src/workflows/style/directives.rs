//! Comments that switch yamllint's rules off: `# yamllint disable-line rule:line-length` and its like
//! (<https://yamllint.readthedocs.io/en/stable/disable_with_comments.html>).
use granit_parser::{Token, TokenType};

use super::super::found::Found;
use super::super::source::Source;

/// Most words of all of them together: each finding is held against each.
const MOST: usize = 500;

enum What {
    File,
    Disable,
    Enable,
    Line,
}

struct Directive {
    what: What,
    line: u32,
    /// Empty for all.
    rules: Vec<String>,
}

/// Those of one file.
pub(in super::super) struct Directives(Vec<Directive>);

impl Directives {
    /// Reads them from the comments. Where the text cannot be parsed to its end, from those before.
    pub fn read(source: &Source<'_>, tokens: &[Token<'_>]) -> Self {
        let mut directives = Vec::new();
        let mut room = MOST;
        for token in tokens {
            let TokenType::Comment(comment) = token.token_type() else {
                continue;
            };
            let mark = source.mark(&token.span().start);
            let mut words = comment.text().split_whitespace();
            if words.next() != Some("yamllint") {
                continue;
            }
            let own_line = source.begins_line(mark.at);
            let (what, line) = match words.next() {
                Some("disable-file") if mark.line == 1 => (What::File, 1),
                Some("disable") => (What::Disable, mark.line),
                Some("enable") => (What::Enable, mark.line),
                Some("disable-line") => (What::Line, mark.line + u32::from(own_line)),
                _ => continue,
            };
            // With anything else in it, the comment is about yamllint and not for it.
            let rules = words.map(|word| word.strip_prefix("rule:").map(str::to_owned));
            let Some(rules) = rules.collect::<Option<Vec<String>>>() else {
                continue;
            };
            let Some(left) = room.checked_sub(1 + rules.len()) else {
                break;
            };
            room = left;
            directives.push(Directive { what, line, rules });
        }
        Self(directives)
    }

    /// Whether somebody wants to hear of this.
    pub fn allow(&self, found: &Found) -> bool {
        let mut allowed = true;
        for directive in &self.0 {
            let meant =
                directive.rules.is_empty() || directive.rules.iter().any(|rule| rule == found.rule);
            match directive.what {
                _ if !meant => {}
                What::File => return false,
                What::Line if directive.line == found.mark.line => return false,
                What::Disable if directive.line < found.mark.line => allowed = false,
                What::Enable if directive.line < found.mark.line => allowed = true,
                _ => {}
            }
        }
        allowed
    }
}
