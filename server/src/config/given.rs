//! Values as they were given, with their places: so that a fault is reported where it was made, and all at once.
use std::cell::RefCell;
use std::path::Path;

use domain::manifest::Problem;
use toml::Spanned;

use super::{Environment, Fault};

/// A text from the file or from the environment.
pub(super) struct Given {
    pub(super) text: String,
    place: Place,
}

enum Place {
    File { key: String, at: usize },
    Variable(String),
}

/// Reads values and gathers what is wrong with them.
pub(super) struct Reader<'r> {
    path: &'r Path,
    source: &'r str,
    environment: Environment<'r>,
    faults: RefCell<Vec<Fault>>,
}

impl<'r> Reader<'r> {
    pub(super) fn new(path: &'r Path, source: &'r str, environment: Environment<'r>) -> Self {
        Self {
            path,
            source,
            environment,
            faults: RefCell::default(),
        }
    }

    /// The value of a key: from its variable where that is set, else from the file.
    pub(super) fn overridable(&self, key: &str, file: Option<Spanned<String>>) -> Option<Given> {
        let variable = format!("FAIRLEAD_{}", key.replace('.', "_").to_uppercase());
        match (self.environment)(&variable) {
            Some(text) => Some(Given {
                text,
                place: Place::Variable(variable),
            }),
            None => file.map(|text| self.in_file(key, text)),
        }
    }

    /// A value that stands in the file.
    pub(super) fn in_file(&self, key: &str, text: Spanned<String>) -> Given {
        let at = text.span().start;
        Given {
            text: text.into_inner(),
            place: Place::File {
                key: key.to_owned(),
                at,
            },
        }
    }

    /// Parses a value; `None` after a fault was noted.
    pub(super) fn parse<T>(
        &self,
        given: Given,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(&given.text) {
            Ok(value) => Some(value),
            Err(message) => {
                match given.place {
                    Place::File { key, at } => self.fault(at, &key, message),
                    Place::Variable(name) => self
                        .faults
                        .borrow_mut()
                        .push(Fault::Variable { name, message }),
                }
                None
            }
        }
    }

    /// A value that must be there.
    pub(super) fn required(&self, key: &str, given: Option<Given>, example: &str) -> Option<Given> {
        if given.is_none() {
            self.fault(0, key, format!("is missing; add it, as in `{example}`"));
        }
        given
    }

    /// Notes a fault at a byte of the file. `message` may hold its advice after a semicolon.
    pub(super) fn fault(&self, at: usize, key: &str, message: impl Into<String>) {
        let (line, column) = place(self.source, at);
        let problem = Problem {
            line,
            column,
            key: key.to_owned(),
            message: message.into(),
            advice: String::new(),
        };
        self.faults
            .borrow_mut()
            .push(Fault::File(self.path.to_owned(), problem));
    }

    /// What was found wrong, in the order of the file.
    pub(super) fn into_faults(self) -> Vec<Fault> {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|fault| match fault {
            Fault::File(_, problem) => (problem.line, problem.column),
            Fault::Variable { .. } => (u32::MAX, 0),
        });
        faults
    }
}

/// Line and column (in characters), both from 1, of a byte.
fn place(source: &str, at: usize) -> (u32, u32) {
    let before = source.get(..at).unwrap_or(source);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    (
        u32::try_from(line).unwrap_or(u32::MAX),
        u32::try_from(column).unwrap_or(u32::MAX),
    )
}
