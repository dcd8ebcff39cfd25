//! The text of a secrets file. The crates that read such files substitute `$VAR` inside values, which breaks
//! passwords, and quote the broken line in their errors, which shows them; hence this small parser.
use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;

use secrecy::SecretString;

/// What is wrong, and on which line (from 1). Never holds any of the file's text but a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ParseError {
    pub line: usize,
    pub problem: String,
}

/// Reads all entries.
pub(super) fn parse(text: &str) -> Result<HashMap<String, SecretString>, ParseError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        chars: text.chars().peekable(),
        line: 1,
    };
    let mut entries = HashMap::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    while reader.skip_to_entry() {
        let line = reader.line;
        let key = reader.key()?;
        let value = reader.value(&key)?;
        if let Some(first) = seen.insert(key.clone(), line) {
            return Err(ParseError {
                line,
                problem: format!(
                    "{key} is given a second time, first on line {first}: keep one of them"
                ),
            });
        }
        entries.insert(key, SecretString::from(value));
    }
    Ok(entries)
}

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    line: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn error<T>(&self, problem: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError {
            line: self.line,
            problem: problem.into(),
        })
    }

    /// Goes past blank lines and comments; `false` at the end.
    fn skip_to_entry(&mut self) -> bool {
        loop {
            match self.chars.peek() {
                None => return false,
                Some('#') => self.skip_line(),
                Some(c) if c.is_whitespace() => {
                    self.next();
                }
                Some(_) => return true,
            }
        }
    }

    fn skip_line(&mut self) {
        while self.chars.peek().is_some_and(|c| *c != '\n') {
            self.next();
        }
    }

    fn key(&mut self) -> Result<String, ParseError> {
        let mut key = String::new();
        while let Some(c) = self.chars.next_if(|c| !matches!(c, '=' | '\n')) {
            key.push(c);
        }
        if self.chars.next_if_eq(&'=').is_none() {
            // What stands here may well be a value, such as the rest of a key without quotes: it is not repeated.
            return self.error(
                "there is no `=`: expected KEY=value (a value of several lines needs quotes)",
            );
        }
        let key = key.trim();
        let key = key.strip_prefix("export ").map_or(key, str::trim_start);
        if !super::is_name(key) {
            return self.error("what stands before `=` is not a name: use letters, digits and `_`, not starting with a digit");
        }
        Ok(key.to_owned())
    }

    fn value(&mut self, key: &str) -> Result<String, ParseError> {
        while self.chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        match self.chars.peek() {
            Some(quote @ ('"' | '\'')) => {
                let quote = *quote;
                let value = self.quoted(key, quote)?;
                self.nothing_more(key)?;
                Ok(value)
            }
            _ => Ok(self.bare()),
        }
    }

    fn bare(&mut self) -> String {
        let mut value = String::new();
        // `KEY= # comment` has no value.
        let mut after_blank = true;
        while let Some(c) = self.chars.next_if(|c| *c != '\n') {
            if c == '#' && after_blank {
                self.skip_line();
                break;
            }
            after_blank = c.is_whitespace();
            value.push(c);
        }
        value.trim().to_owned()
    }

    fn quoted(&mut self, key: &str, quote: char) -> Result<String, ParseError> {
        let start = self.line;
        self.next();
        let mut value = String::new();
        loop {
            match self.next() {
                None => {
                    return Err(ParseError {
                        line: start,
                        problem: format!("the value of {key} has no closing {quote}"),
                    });
                }
                Some(c) if c == quote => return Ok(value),
                Some('\\') if quote == '"' => match self.next() {
                    Some('n') => value.push('\n'),
                    Some('r') => value.push('\r'),
                    Some('t') => value.push('\t'),
                    Some(c @ ('"' | '\\' | '$')) => value.push(c),
                    _ => {
                        return self.error(format!(
                            "the value of {key} has a backslash that is no escape: write `\\\\` for a backslash, or use single quotes"
                        ));
                    }
                },
                Some(c) => value.push(c),
            }
        }
    }

    fn nothing_more(&mut self, key: &str) -> Result<(), ParseError> {
        while self
            .chars
            .next_if(|c| matches!(c, ' ' | '\t' | '\r'))
            .is_some()
        {}
        match self.chars.peek() {
            None | Some('\n') => Ok(()),
            Some('#') => {
                self.skip_line();
                Ok(())
            }
            Some(_) => self.error(format!("more text follows the closing quote of {key}: escape quotes inside the value as `\\\"`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn value(text: &str) -> String {
        parse(text)
            .unwrap()
            .remove("KEY")
            .map(|value| value.expose_secret().to_owned())
            .unwrap()
    }

    #[test]
    fn values_are_read_as_people_write_them() {
        for (text, expected) in [
            ("KEY=a", "a"),
            ("\u{feff}# first\n\n  KEY = a b \r\nOTHER=1\n", "a b"),
            ("export KEY=a", "a"),
            ("KEY=a#b$c\\n", "a#b$c\\n"),
            ("KEY=a # why", "a"),
            ("KEY= # nothing", ""),
            ("KEY=", ""),
            ("KEY=a=b==", "a=b=="),
            (
                "KEY=\"a # \\\"b\\\"\\n\\t\\\\ \\$x\" # why",
                "a # \"b\"\n\t\\ $x",
            ),
            ("KEY='a \\n \"b\"'", "a \\n \"b\""),
            ("KEY=\"line 1\nline 2\n\"\nOTHER=1", "line 1\nline 2\n"),
            ("KEY=it's", "it's"),
        ] {
            assert_eq!(value(text), expected, "{text:?}");
        }
    }

    #[test]
    fn errors_name_the_line_and_never_the_value() {
        for (text, line) in [
            ("A=1\nhunter2\n", 2),
            ("A=1\n\nB C=hunter2", 3),
            ("A=\"hunter2\n\n", 1),
            ("A=\"x\ny\"\nB=\"hunter2\" hunter2", 3),
            ("A=hunter2\nA=hunter2", 2),
            ("A=\"hunter2\\q\"", 1),
            ("=hunter2", 1),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text:?}: {}", error.problem);
            assert!(!error.problem.contains("hunter2"), "{}", error.problem);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn any_value_survives_double_quotes(value in "[^\\r]{0,60}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let entries = parse(&format!("A=1\nKEY=\"{quoted}\"\nB=2\n")).unwrap();
            proptest::prop_assert_eq!(entries["KEY"].expose_secret(), &value);
            proptest::prop_assert_eq!(entries.len(), 3);
        }
    }
}
