//! The way to the model crate: the words that its types know, and a last look with the whole of it.
use std::cell::Cell;
use std::fmt;

use github_actions_models::workflow::job::{NormalJob, ReusableWorkflowCallJob};
use github_actions_models::workflow::{Trigger, Workflow};
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserialize, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::super::found::Found;
use super::super::source::Mark;
use super::super::yaml::{Content, Node, Value};

/// The words that an enum of the model knows.
pub(super) fn words<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let known = Cell::new(&[][..]);
    let _ = T::deserialize(Words(&known));
    known.get()
}

/// Reads nothing, but hears which words are expected.
struct Words<'k>(&'k Cell<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Words<'_> {
    type Error = Fault;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Fault> {
        self.0.set(variants);
        Err(serde::de::Error::custom(""))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Fault> {
        Err(serde::de::Error::custom(""))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// Says what the model does not take although nothing else is wrong. A warning: the model may lag behind GitHub.
pub(super) fn check(root: &Node) -> Option<Found> {
    // Part by part first: the model tells no places within what can be one thing or another.
    let on = root.get("on").and_then(look::<Trigger>);
    let jobs = || match &root.get("jobs")?.seen().content {
        Content::Map { entries, .. } => entries.iter().find_map(|entry| {
            let job = &*entry.value;
            match job.get("uses") {
                Some(_) => look::<ReusableWorkflowCallJob>(job),
                None => look::<NormalJob>(job),
            }
        }),
        _ => None,
    };
    on.or_else(jobs).or_else(|| look::<Workflow>(root))
}

fn look<'de, T: Deserialize<'de>>(node: &'de Node) -> Option<Found> {
    let fault = T::deserialize(node).err()?;
    let mark = fault.mark.unwrap_or(node.start);
    let message = format!(
        "GitHub may refuse this; the model of its workflows says: {}",
        fault.message
    );
    Some(Found::warning(mark, "model", message))
}

/// What the model says, and where.
#[derive(Debug)]
pub(in super::super) struct Fault {
    mark: Option<Mark>,
    message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            mark: None,
            message: message.to_string(),
        }
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let read = match &self.seen().content {
            Content::List { items, .. } => {
                visitor.visit_seq(SeqDeserializer::new(items.iter().map(|item| &**item)))
            }
            Content::Map { entries, .. } => {
                let entries = entries.iter();
                visitor.visit_map(MapDeserializer::new(
                    entries.map(|entry| (entry.key.text().unwrap_or(""), &*entry.value)),
                ))
            }
            _ => match self.value() {
                Some(Value::Bool(value)) => visitor.visit_bool(value),
                Some(Value::Number(value)) if value.fract() == 0.0 && value.abs() < 1e15 => {
                    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
                    let whole = value as i64;
                    visitor.visit_i64(whole)
                }
                Some(Value::Number(value)) => visitor.visit_f64(value),
                Some(Value::Text(value)) => visitor.visit_borrowed_str(value),
                Some(Value::Null) | None => visitor.visit_unit(),
            },
        };
        // The innermost node that was refused is the place.
        read.map_err(|fault: Fault| Fault {
            mark: fault.mark.or(Some(self.start)),
            ..fault
        })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    /// Where a text is wanted, GitHub takes whatever is written.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.text() {
            Some(text) => visitor.visit_borrowed_str(text),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(self.text().unwrap_or("").into_deserializer())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Fault> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
