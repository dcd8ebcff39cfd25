//! Whether everything is indented by the same number of blanks, lists too.
use super::super::found::Found;
use super::super::source::{Mark, Source};
use super::super::yaml::{Content, Node, Style};

struct Indentation<'s, 't> {
    source: &'s Source<'t>,
    found: &'s mut Vec<Found>,
    /// How many blanks a level is in this file: as many as the first one has.
    step: Option<usize>,
}

pub(super) fn check(source: &Source<'_>, root: &Node, found: &mut Vec<Found>) {
    let mut indentation = Indentation {
        source,
        found,
        step: None,
    };
    if indentation.begins_line(root) {
        indentation.expect(root.start, 0);
    }
    indentation.walk(root);
}

fn column(mark: Mark) -> usize {
    mark.column.saturating_sub(1) as usize
}

impl Indentation<'_, '_> {
    fn walk(&mut self, node: &Node) {
        match &node.content {
            Content::Map {
                entries,
                flow: false,
            } => {
                for entry in entries {
                    self.walk(&entry.key);
                    self.below(column(node.start), &entry.value);
                }
            }
            Content::List { items, flow: false } => {
                for item in items {
                    self.below(column(node.start), item);
                }
            }
            Content::Map { entries, .. } => {
                let nodes = entries
                    .iter()
                    .flat_map(|entry| [&*entry.key, &*entry.value]);
                self.flow(node, &nodes.collect::<Vec<_>>());
            }
            Content::List { items, .. } => {
                self.flow(node, &items.iter().map(|item| &**item).collect::<Vec<_>>());
            }
            Content::Scalar { .. } | Content::Alias(_) => {}
        }
    }

    /// Something that belongs to a key or a hyphen at this column.
    fn below(&mut self, parent: usize, node: &Node) {
        if self.begins_line(node) {
            let is_list = matches!(node.content, Content::List { flow: false, .. });
            let here = column(node.start);
            match self.step {
                None if is_list && here <= parent => {
                    let message = format!(
                        "wrong indentation: expected at least {} but found {here}",
                        here + 1
                    );
                    self.found
                        .push(Found::error(node.start, "indentation", message));
                }
                None => self.step = Some(here.saturating_sub(parent)),
                Some(step) => self.expect(node.start, parent + step),
            }
        }
        self.walk(node);
    }

    /// A collection in brackets or braces: its nodes stand below the first one, or one level in.
    fn flow(&mut self, node: &Node, nodes: &[&Node]) {
        let line = self.source.before(node.start.at);
        let base = line.len() - line.trim_start_matches(' ').len();
        for (index, child) in nodes.iter().enumerate() {
            if self.begins_line(child) {
                let expected = match nodes.first() {
                    Some(first) if index > 0 && first.start.line == node.start.line => {
                        column(first.start)
                    }
                    _ => {
                        let here = column(child.start).saturating_sub(base);
                        base + *self.step.get_or_insert(here)
                    }
                };
                self.expect(child.start, expected);
            }
            self.walk(child);
        }
        let bracket = self.source.at(node.end.at.saturating_sub(1));
        if bracket.line > node.start.line && self.source.begins_line(bracket.at) {
            self.expect(bracket, base);
        }
    }

    /// Whether the node is the first thing on its line. Not so where nothing is written, nor of texts below a `|`.
    fn begins_line(&self, node: &Node) -> bool {
        let (empty, block) = match &node.content {
            Content::Scalar { style, .. } => (node.start.at == node.end.at, *style == Style::Block),
            _ => (false, false),
        };
        !empty && !block && self.source.begins_line(node.start.at)
    }

    fn expect(&mut self, mark: Mark, expected: usize) {
        let here = column(mark);
        if here != expected {
            let message = format!("wrong indentation: expected {expected} but found {here}");
            self.found.push(Found::error(mark, "indentation", message));
        }
    }
}
