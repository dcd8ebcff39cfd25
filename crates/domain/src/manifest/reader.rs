//! Walks a TOML document and keeps its places, so that every fault is reported at once with line, column and key.
//!
//! serde stops at the first fault; this reader goes on. A [`Table`] notes which keys were asked for, and
//! [`Table::finish`] reports the others.
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

use indexmap::IndexMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Problem;
use super::problem::nearest;

/// A parsed document and the problems found in it so far.
pub(super) struct Reader<'s> {
    source: &'s str,
    root: Spanned<DeTable<'s>>,
    whole: bool,
    problems: RefCell<Vec<(usize, Problem)>>,
}

impl<'s> Reader<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        let (root, errors) = DeTable::parse_recoverable(source);
        let reader = Self {
            source,
            root,
            whole: errors.is_empty(),
            problems: RefCell::default(),
        };
        for error in errors {
            let at = error.span().unwrap_or(0..0);
            reader.report(
                at,
                "",
                error.message(),
                "see https://toml.io for the syntax",
            );
        }
        reader
    }

    pub(super) fn source(&self) -> &'s str {
        self.source
    }

    /// Whether the text is TOML throughout. Where it is not, what follows a fault may have been lost with it, so
    /// nothing can be said to be missing.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    pub(super) fn root(&self) -> Table<'_> {
        Table::new(self, String::new(), self.root.span(), self.root.get_ref())
    }

    pub(super) fn report(
        &self,
        at: Range<usize>,
        key: &str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let (line, column) = place(self.source, at.start);
        let problem = Problem {
            line,
            column,
            key: key.to_owned(),
            message: message.into(),
            advice: advice.into(),
        };
        self.problems.borrow_mut().push((at.start, problem));
    }

    /// The problems in the order of the file.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|(at, _)| *at);
        problems.into_iter().map(|(_, problem)| problem).collect()
    }
}

/// Line and column (in characters), both from 1, of a byte offset.
pub(super) fn place(source: &str, offset: usize) -> (u32, u32) {
    let mut end = offset.min(source.len());
    while !source.is_char_boundary(end) {
        end -= 1;
    }
    let before = &source[..end];
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (
        u32::try_from(line).unwrap_or(u32::MAX),
        u32::try_from(column).unwrap_or(u32::MAX),
    )
}

/// A value with its key path and place.
#[derive(Clone)]
pub(super) struct Node<'r> {
    reader: &'r Reader<'r>,
    pub(super) path: String,
    pub(super) span: Range<usize>,
    value: &'r DeValue<'r>,
}

impl<'r> Node<'r> {
    pub(super) fn wrong(&self, message: impl Into<String>, advice: impl Into<String>) {
        self.reader
            .report(self.span.clone(), &self.path, message, advice);
    }

    /// Reports that another type was expected.
    pub(super) fn expected<T>(&self, what: &str) -> Option<T> {
        self.wrong(
            format!("expected {what}, found {}", type_of(self.value)),
            "",
        );
        None
    }

    pub(super) fn text(&self) -> Option<&'r str> {
        self.value
            .as_str()
            .or_else(|| self.expected("a text in quotes"))
    }

    /// The table that this value is, without complaint where it is none.
    pub(super) fn inner(&self) -> Option<Table<'r>> {
        let table = self.value.as_table()?;
        Some(Table::new(
            self.reader,
            self.path.clone(),
            self.span.clone(),
            table,
        ))
    }

    /// The items of the list that this value is, without complaint where it is none.
    pub(super) fn items(&self) -> Option<impl Iterator<Item = Node<'r>>> {
        let (reader, path) = (self.reader, self.path.clone());
        Some(
            self.value
                .as_array()?
                .iter()
                .enumerate()
                .map(move |(index, item)| Node {
                    reader,
                    path: format!("{path}[{index}]"),
                    span: item.span(),
                    value: item.get_ref(),
                }),
        )
    }

    pub(super) fn table(&self) -> Option<Table<'r>> {
        self.inner().or_else(|| self.expected("a table"))
    }
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A type that can be read from a value; reports and gives `None` where it cannot.
pub(super) trait Read: Sized {
    fn read(node: &Node<'_>) -> Option<Self>;
}

/// A table whose keys are taken one by one.
pub(super) struct Table<'r> {
    reader: &'r Reader<'r>,
    pub(super) path: String,
    pub(super) span: Range<usize>,
    table: &'r DeTable<'r>,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'r> Table<'r> {
    fn new(
        reader: &'r Reader<'_>,
        path: String,
        span: Range<usize>,
        table: &'r DeTable<'_>,
    ) -> Self {
        Self {
            reader,
            path,
            span,
            table,
            asked: RefCell::default(),
        }
    }

    fn child(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub(super) fn node(&self, key: &'static str) -> Option<Node<'r>> {
        self.asked.borrow_mut().insert(key);
        self.table.get(key).map(|value| Node {
            reader: self.reader,
            path: self.child(key),
            span: value.span(),
            value: value.get_ref(),
        })
    }

    /// The value under `key`; its absence is a problem.
    pub(super) fn required<T: Read>(&self, key: &'static str, example: &str) -> Option<T> {
        match self.node(key) {
            Some(node) => T::read(&node),
            None => {
                if self.reader.is_whole() {
                    let advice = format!("add `{key} = {example}`");
                    self.reader
                        .report(self.span.clone(), &self.child(key), "is missing", advice);
                }
                None
            }
        }
    }

    /// The value under `key`: outer `None` where it is wrong, inner where it is absent.
    #[allow(clippy::option_option)]
    pub(super) fn optional<T: Read>(&self, key: &'static str) -> Option<Option<T>> {
        match self.node(key) {
            Some(node) => T::read(&node).map(Some),
            None => Some(None),
        }
    }

    /// The value under `key`, or `default` where it is absent.
    pub(super) fn or<T: Read>(&self, key: &'static str, default: T) -> Option<T> {
        self.optional(key).map(|value| value.unwrap_or(default))
    }

    /// Every key with its value, for a table whose keys are names.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Node<'r>, Node<'r>)> {
        self.table.iter().map(|(key, value)| {
            let path = self.child(key.get_ref());
            let named = Node {
                reader: self.reader,
                path: path.clone(),
                span: key.span(),
                value: value.get_ref(),
            };
            (
                named,
                Node {
                    reader: self.reader,
                    path,
                    span: value.span(),
                    value: value.get_ref(),
                },
            )
        })
    }

    /// Reports every key that was not asked for, with the known one that is nearest.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        for key in self
            .table
            .keys()
            .filter(|key| !asked.contains(key.get_ref().as_ref()))
        {
            let advice = match nearest(key.get_ref(), asked.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "known keys here: {}",
                    asked.iter().copied().collect::<Vec<_>>().join(", ")
                ),
            };
            self.reader.report(
                key.span(),
                &self.child(key.get_ref()),
                "is not a known key",
                advice,
            );
        }
    }
}

impl Read for String {
    fn read(node: &Node<'_>) -> Option<Self> {
        let text = node.text()?;
        if text.contains('\0') {
            node.wrong("holds a NUL character", "remove it");
            return None;
        }
        Some(text.to_owned())
    }
}

impl Read for bool {
    fn read(node: &Node<'_>) -> Option<Self> {
        node.value
            .as_bool()
            .or_else(|| node.expected("true or false"))
    }
}

/// A whole number within `MIN..=MAX`.
pub(super) struct Whole<const MIN: i64, const MAX: i64>(pub(super) i64);

impl<const MIN: i64, const MAX: i64> Read for Whole<MIN, MAX> {
    fn read(node: &Node<'_>) -> Option<Self> {
        let number = match node.value.as_integer() {
            Some(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok(),
            None => return node.expected("a whole number"),
        };
        match number.filter(|number| (MIN..=MAX).contains(number)) {
            Some(number) => Some(Self(number)),
            None => {
                node.wrong(
                    "is out of range",
                    format!("give a whole number from {MIN} to {MAX}"),
                );
                None
            }
        }
    }
}

impl Read for f64 {
    fn read(node: &Node<'_>) -> Option<Self> {
        let number = match (node.value.as_float(), node.value.as_integer()) {
            (Some(float), _) => float.as_str().parse::<f64>().ok(),
            (None, Some(integer)) => i32::from_str_radix(integer.as_str(), integer.radix())
                .ok()
                .map(f64::from),
            (None, None) => return node.expected("a number"),
        };
        match number {
            Some(number) if number.is_finite() && number > 0.0 => Some(number),
            _ => {
                node.wrong("is out of range", "give a number above 0");
                None
            }
        }
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(node: &Node<'_>) -> Option<Self> {
        let Some(items) = node.items() else {
            return node.expected("a list");
        };
        let items: Vec<Option<T>> = items.map(|item| T::read(&item)).collect();
        items.into_iter().collect()
    }
}

/// A name that is parsed from a key.
pub(super) trait Key: Sized + std::hash::Hash + Eq {
    fn parse(text: &str) -> Result<Self, String>;
}

impl Key for String {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Err("a name may not be empty".into())
        } else if text.contains(|c: char| c == '=' || c.is_control()) {
            // Docker and the shell write these as NAME=VALUE.
            Err("a name may not hold `=` or control characters".into())
        } else {
            Ok(text.to_owned())
        }
    }
}

impl<K: Key, T: Read> Read for IndexMap<K, T> {
    fn read(node: &Node<'_>) -> Option<Self> {
        let table = node.table()?;
        let mut entries = Vec::new();
        for (key, value) in table.entries() {
            let name = last_key(&table, &key);
            let name = match K::parse(name) {
                Ok(name) => Some(name),
                Err(message) => {
                    key.wrong(message, "");
                    None
                }
            };
            entries.push(name.zip(T::read(&value)));
        }
        entries.into_iter().collect()
    }
}

fn last_key<'k>(table: &Table<'_>, key: &'k Node<'_>) -> &'k str {
    if table.path.is_empty() {
        &key.path
    } else {
        &key.path[table.path.len() + 1..]
    }
}

/// Implements [`Read`] for types that are parsed from one text by `FromStr`.
macro_rules! read_from_str {
    ($($type:ty),* $(,)?) => {$(
        impl Read for $type {
            fn read(node: &Node<'_>) -> Option<Self> {
                match node.text()?.parse::<$type>() {
                    Ok(value) => Some(value),
                    Err(error) => {
                        node.wrong(error.to_string(), "");
                        None
                    }
                }
            }
        }
    )*};
}
pub(super) use read_from_str;
