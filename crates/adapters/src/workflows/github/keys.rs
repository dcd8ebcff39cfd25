//! What every level needs: keys that are known, required or in each other's way, and values of the right kind.
use super::super::found::{Found, instead, one_of, shown};
use super::super::yaml::{Content, Entry, Node, Value};
use super::Check;
use super::places::Place;

/// The name of a key; empty where it is none.
pub(super) fn name(entry: &Entry) -> &str {
    entry.key.text().unwrap_or("")
}

/// Whether the value holds an expression, so that its kind is known only when the workflow runs.
pub(super) fn is_expression(node: &Node) -> bool {
    node.text().is_some_and(|text| text.contains("${{"))
}

impl Check<'_, '_> {
    pub(super) fn error(&mut self, node: &Node, rule: &'static str, message: impl Into<String>) {
        self.found.push(Found::error(node.start, rule, message));
    }

    pub(super) fn warning(&mut self, node: &Node, rule: &'static str, message: impl Into<String>) {
        self.found.push(Found::warning(node.start, rule, message));
    }

    /// The entries of a mapping whose keys are names. Anything else is a finding.
    pub(super) fn map<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Entry]> {
        let Content::Map { entries, .. } = &node.seen().content else {
            self.kind(node, what, "a mapping");
            return None;
        };
        for entry in entries {
            if entry.key.text().is_none() {
                let message = format!(
                    "a key of {what} is {}; expected a name, or was `${{{{ … }}}}` meant?",
                    entry.key.kind()
                );
                self.error(&entry.key, "value", message);
            }
        }
        Some(entries)
    }

    /// The items of a list with at least one.
    pub(super) fn list<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
    ) -> Option<&'n [std::rc::Rc<Node>]> {
        match &node.seen().content {
            Content::List { items, .. } if items.is_empty() => {
                self.error(node, "value", format!("{what} is an empty list"));
                None
            }
            Content::List { items, .. } => Some(items),
            _ => {
                self.kind(node, what, "a list");
                None
            }
        }
    }

    /// A single text or a list of such.
    pub(super) fn texts<'n>(&mut self, node: &'n Node, what: &str) -> Vec<&'n Node> {
        let nodes: Vec<&Node> = match &node.seen().content {
            Content::Scalar { .. } => vec![node],
            _ => match self.list(node, what) {
                Some(items) => items.iter().map(|item| &**item).collect(),
                None => return Vec::new(),
            },
        };
        let texts = nodes.into_iter();
        texts
            .filter(|node| self.text(node, what).is_some())
            .collect()
    }

    /// A text that is not empty. Numbers and booleans are taken as they are written, as GitHub does.
    pub(super) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = node
            .text()
            .filter(|text| !text.is_empty() && !node.is_null());
        if text.is_none() {
            self.kind(node, what, "a text");
        }
        text
    }

    /// A text with the expressions that may stand in it.
    pub(super) fn string(&mut self, node: &Node, what: &str, place: &Place) {
        if node.text().is_some() {
            self.expressions(node, place);
        } else {
            self.kind(node, what, "a text");
        }
    }

    /// `true`, `false` or an expression.
    pub(super) fn boolean(&mut self, node: &Node, what: &str, place: &Place) {
        self.expressions(node, place);
        if !matches!(node.value(), Some(Value::Bool(_))) && !is_expression(node) {
            self.kind(node, what, "`true` or `false`");
        }
    }

    /// A number or an expression.
    pub(super) fn number(&mut self, node: &Node, what: &str, place: &Place) {
        self.expressions(node, place);
        if !matches!(node.value(), Some(Value::Number(_))) && !is_expression(node) {
            self.kind(node, what, "a number");
        }
    }

    /// One of these words.
    pub(super) fn word(&mut self, node: &Node, what: &str, rule: &'static str, known: &[&str]) {
        let Some(text) = self.text(node, what) else {
            return;
        };
        if !known.contains(&text) {
            let message = format!(
                "{} is no value of {what}; {}",
                shown(text),
                instead(text, known)
            );
            self.error(node, rule, message);
        }
    }

    /// Says what stands there and what should.
    pub(super) fn kind(&mut self, node: &Node, what: &str, expected: &str) {
        let mut message = format!("{what} is {}; expected {expected}", node.kind());
        if let Content::Map { entries, .. } = &node.seen().content
            && entries.iter().any(|entry| entry.key.text().is_none())
        {
            message.push_str(", or was `${{ … }}` meant?");
        }
        self.error(node, "value", message);
    }

    pub(super) fn unknown(&mut self, entry: &Entry, what: &str, known: &[&str]) {
        // A key that is no name was reported with its mapping.
        let Some(key) = entry.key.text() else { return };
        let instead = match key {
            "<<" => "GitHub does not merge mappings; write the keys out".to_owned(),
            _ => instead(key, known),
        };
        let message = format!("unknown key {} in {what}; {instead}", shown(key));
        self.error(&entry.key, "unknown-key", message);
    }

    pub(super) fn required(&mut self, node: &Node, what: &str, keys: &[&str]) {
        for key in keys {
            if node.get(key).is_none() {
                let message = format!("{what} needs `{key}`");
                self.error(node, "missing-key", message);
            }
        }
    }

    /// Two keys of which only one may stand here.
    pub(super) fn either(&mut self, entries: &[Entry], keys: [&str; 2]) {
        let both: Vec<&Entry> = entries
            .iter()
            .filter(|entry| keys.contains(&name(entry)))
            .collect();
        if let [_, second, ..] = &both[..] {
            let message = format!("only one of {} may stand here", one_of(&keys));
            self.error(&second.key, "conflict", message);
        }
    }

    /// An id of a job, a step, an input.
    pub(super) fn id(&mut self, node: &Node, what: &str) {
        let Some(text) = self.text(node, what) else {
            return;
        };
        let first = |c: char| c.is_ascii_alphabetic() || c == '_';
        let other = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !text.starts_with(first) || !text.chars().all(other) {
            let message = format!(
                "{} is no {what}; expected a letter or `_`, then letters, digits, `_` and `-`",
                shown(text)
            );
            self.error(node, "id", message);
        }
    }
}
