//! How the text is written: yamllint's rules that are errors with its default configuration, under its names
//! (<https://yamllint.readthedocs.io/en/stable/configuration.html#default-configuration>). Its rules `key-duplicates`
//! and `anchors` are checked where the tree is read.
mod directives;
mod indentation;
mod lines;
mod spacing;

use granit_parser::{Scanner, StrInput, Token};

use super::found::Found;
use super::source::Source;
use super::yaml::Node;

pub(super) use directives::Directives;

/// All findings in the text. Without a tree, as when it cannot be parsed, only the lines themselves are looked at.
pub(super) fn check(source: &Source<'_>, tokens: &[Token<'_>], root: Option<&Node>) -> Vec<Found> {
    let mut found = Vec::new();
    lines::check(source, &mut found);
    if let Some(root) = root {
        spacing::check(source, tokens, &mut found);
        indentation::check(source, root, &mut found);
    }
    found
}

/// The tokens up to the end, or up to what cannot be read.
pub(super) fn tokens<'t>(source: &Source<'t>) -> Vec<Token<'t>> {
    Scanner::new(StrInput::new(source.text))
        .map_while(Result::ok)
        .collect()
}
