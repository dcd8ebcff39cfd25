//! The tree of a YAML document. Every node knows where it stands; aliases stay visible.
use std::collections::HashMap;
use std::rc::Rc;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, StructureStyle};

use super::found::{Found, shown};
use super::source::{Mark, Source};

/// GitHub reads no deeper either.
const DEEPEST: usize = 50;
/// How large a document may be once its aliases are written out; every 64 bytes of text count as a node.
const LARGEST: usize = 50_000;

/// A node of the tree.
#[derive(Debug)]
pub(super) struct Node {
    pub start: Mark,
    /// Behind its last character; of a block collection, somewhere before what follows it.
    pub end: Mark,
    pub content: Content,
    size: usize,
    depth: usize,
}

/// What a node holds.
#[derive(Debug)]
pub(super) enum Content {
    Scalar { value: String, style: Style },
    List { items: Vec<Rc<Node>>, flow: bool },
    Map { entries: Vec<Entry>, flow: bool },
    Alias(Rc<Node>),
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Quoted,
    Block,
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub key: Rc<Node>,
    pub value: Rc<Node>,
}

/// What a scalar means, by the core schema of YAML 1.2, which is GitHub's: `on` is a text there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'n> {
    Null,
    Bool(bool),
    Number(f64),
    Text(&'n str),
}

impl Node {
    /// The node itself, or what its alias stands for.
    pub fn seen(&self) -> &Node {
        match &self.content {
            Content::Alias(node) => node.seen(),
            _ => self,
        }
    }

    /// The scalar as it is written.
    pub fn text(&self) -> Option<&str> {
        match &self.seen().content {
            Content::Scalar { value, .. } => Some(value),
            _ => None,
        }
    }

    /// The scalar's meaning.
    pub fn value(&self) -> Option<Value<'_>> {
        let Content::Scalar { value, style } = &self.seen().content else {
            return None;
        };
        if *style != Style::Plain {
            return Some(Value::Text(value));
        }
        Some(match value.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            text => number(text).map_or(Value::Text(text), Value::Number),
        })
    }

    /// Whether nothing was written where a value could stand.
    pub fn is_null(&self) -> bool {
        self.value() == Some(Value::Null)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Content::Map { entries, .. } = &self.seen().content else {
            return None;
        };
        let entry = entries.iter().find(|entry| entry.key.text() == Some(key))?;
        Some(&entry.value)
    }

    /// What it is, for a message.
    pub fn kind(&self) -> &'static str {
        match (&self.seen().content, self.value()) {
            (Content::List { .. }, _) => "a list",
            (Content::Map { .. }, _) => "a mapping",
            (_, Some(Value::Bool(_))) => "a boolean",
            (_, Some(Value::Number(_))) => "a number",
            (_, Some(Value::Null | Value::Text("")) | None) => "empty",
            (_, Some(Value::Text(_))) => "a text",
        }
    }
}

fn number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(hex) = text.strip_prefix("0x") {
        return u32::from_str_radix(hex, 16).ok().map(f64::from);
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Some(f64::INFINITY);
    }
    let starts = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let rest = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    if starts && unsigned.chars().all(rest) {
        text.parse().ok()
    } else {
        None
    }
}

/// A collection that is being read.
struct Open {
    start: Mark,
    anchor: usize,
    flow: bool,
    map: bool,
    nodes: Vec<Rc<Node>>,
}

/// Reads the one document of a file. Keys that stand twice go into `found`; what cannot be read is the error.
pub(super) fn read(source: &Source<'_>, found: &mut Vec<Found>) -> Result<Rc<Node>, Found> {
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST,
    };
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: HashMap<usize, Rc<Node>> = HashMap::new();
    let mut root = None;
    for event in parser(source, options) {
        let (event, span) = event.map_err(|error| syntax(source, &error))?;
        let (start, end) = (source.mark(&span.start), source.mark(&span.end));
        let (node, anchor) = match event {
            Event::DocumentStart(..) if root.is_some() => {
                let message = "a second document begins here; a workflow file holds one";
                return Err(Found::error(start, "syntax", message));
            }
            Event::Scalar(value, style, anchor, _) => {
                (scalar(start, end, value.into_owned(), style), anchor)
            }
            Event::SequenceStart(style, anchor, _) | Event::MappingStart(style, anchor, _) => {
                let in_map = open.last().is_some_and(|parent| parent.map);
                let start = match event {
                    Event::SequenceStart(..) if in_map => hyphen(source, start),
                    _ => start,
                };
                open.push(Open {
                    start,
                    anchor,
                    flow: style == StructureStyle::Flow,
                    map: matches!(event, Event::MappingStart(..)),
                    nodes: Vec::new(),
                });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(ended) = open.pop() else { continue };
                let anchor = ended.anchor;
                (collection(ended, end, found), anchor)
            }
            Event::Alias(id) => {
                let Some(target) = anchors.get(&id).cloned() else {
                    let message = "this alias stands inside of what it stands for";
                    return Err(Found::error(start, "anchors", message));
                };
                (alias(start, end, target), 0)
            }
            _ => continue,
        };
        if node.size > LARGEST || node.depth > DEEPEST {
            let message = format!(
                "this is too large or too deep once its aliases are written out; {LARGEST} nodes and {DEEPEST} levels are the limit"
            );
            return Err(Found::error(start, "limits", message));
        }
        let node = Rc::new(node);
        if anchor != 0 {
            anchors.insert(anchor, node.clone());
        }
        match open.last_mut() {
            Some(parent) => parent.nodes.push(node),
            None => root = Some(node),
        }
    }
    root.ok_or_else(|| {
        let message = "the file is empty; expected `on` and `jobs`";
        Found::error(source.at(0), "syntax", message)
    })
}

/// The start of a list below a key. Where it is not indented, the parser tells the place behind its hyphen.
fn hyphen(source: &Source<'_>, start: Mark) -> Mark {
    let before = source.before(start.at).trim_end_matches(' ');
    match before.strip_suffix('-') {
        Some(blank) if blank.chars().all(|c| c == ' ') => {
            source.at(start.at - source.before(start.at).len() + blank.len())
        }
        _ => start,
    }
}

fn parser<'t>(source: &Source<'t>, options: Options) -> Parser<'t, granit_parser::StrInput<'t>> {
    Parser::new_from_str_with_options(source.text, options)
}

fn scalar(start: Mark, end: Mark, value: String, style: ScalarStyle) -> Node {
    let style = match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        _ => Style::Quoted,
    };
    Node {
        start,
        end,
        size: 1 + value.len() / 64,
        depth: 1,
        content: Content::Scalar { value, style },
    }
}

fn alias(start: Mark, end: Mark, target: Rc<Node>) -> Node {
    Node {
        start,
        end,
        size: target.size,
        depth: target.depth,
        content: Content::Alias(target),
    }
}

fn collection(ended: Open, end: Mark, found: &mut Vec<Found>) -> Node {
    let Open {
        start, flow, nodes, ..
    } = ended;
    let size = nodes
        .iter()
        .fold(1_usize, |sum, node| sum.saturating_add(node.size));
    let depth = 1 + nodes.iter().map(|node| node.depth).max().unwrap_or(0);
    let content = if ended.map {
        let mut nodes = nodes.into_iter();
        let mut entries = Vec::new();
        while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
            entries.push(Entry { key, value });
        }
        duplicates(&entries, found);
        Content::Map { entries, flow }
    } else {
        Content::List { items: nodes, flow }
    };
    Node {
        start,
        end,
        content,
        size,
        depth,
    }
}

fn duplicates(entries: &[Entry], found: &mut Vec<Found>) {
    let mut seen: HashMap<&str, Mark> = HashMap::new();
    for entry in entries {
        let Some(key) = entry.key.text() else {
            continue;
        };
        if let Some(first) = seen.get(key) {
            let message = format!(
                "the key {} stands here a second time; the first is on line {}",
                shown(key),
                first.line
            );
            found.push(Found::error(entry.key.start, "key-duplicates", message));
        } else {
            seen.insert(key, entry.key.start);
        }
    }
}

/// The parser's words, and what usually helps.
fn syntax(source: &Source<'_>, error: &ScanError) -> Found {
    let mark = source.mark(error.marker());
    // The tab may stand on the line behind a text that it seems to continue.
    let lines = source.lines().skip(mark.line.saturating_sub(1) as usize);
    for (start, line, _) in lines.take(2) {
        let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..blanks].find('\t') {
            let message = "a tab is used for indentation; YAML allows only spaces there";
            return Found::error(source.at(start + tab), "syntax", message);
        }
    }
    let said = error.info();
    let advice = [
        ("unknown anchor", "define it with `&` before it is used"),
        (
            "mapping values are not allowed",
            "indent the line like its neighbours, or quote a value that holds `: `",
        ),
        (
            "did not find expected",
            "indent the line like its neighbours",
        ),
        (
            "illegal placement",
            "close the bracket or the brace before it, or quote the value",
        ),
        ("simple key expected", "expected `key: value`"),
        ("unclosed", "close it"),
        ("unexpected character", "quote a value that begins with it"),
        (
            "escape",
            "use single quotes, or write `\\\\` for a backslash",
        ),
        ("tab", "use spaces"),
    ];
    let advice = advice.iter().find(|(sign, _)| said.contains(sign));
    let message = match advice {
        Some((_, advice)) => format!("{said}; {advice}"),
        None => said,
    };
    Found::error(mark, "syntax", message)
}
