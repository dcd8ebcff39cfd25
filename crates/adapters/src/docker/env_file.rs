//! `docker run --env-file`: the same rules, so that a file that works there works here.

use secrecy::SecretString;

/// A line that is no variable. Its content is not repeated: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct EnvFileError {
    /// Counted from 1.
    pub line: usize,
    why: &'static str,
}

/// Reads an env file: `KEY=value` lines, empty lines, and comment lines that start with `#`.
///
/// As with Docker, nothing in a value is special: no quotes, no expansion, and a `#` or a space in it belongs to it.
/// A name without `=` takes the value from Docker's own environment; there is none on a remote host, so it is left out.
pub fn parse_env_file(bytes: &[u8]) -> Result<Vec<(String, SecretString)>, EnvFileError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut variables = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let wrong = |why| EnvFileError {
            line: index + 1,
            why,
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = std::str::from_utf8(line)
            .map_err(|_| wrong("it is not UTF-8 text"))?
            .trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (line, None),
        };
        if name.is_empty() {
            return Err(wrong("there is no name before `=`"));
        }
        if name.contains(char::is_whitespace) {
            return Err(wrong("the name before `=` contains white space"));
        }
        if line.contains('\0') {
            return Err(wrong("it holds a NUL byte"));
        }
        if let Some(value) = value {
            variables.push((name.to_owned(), value.to_owned().into()));
        }
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let variables = parse_env_file(text.as_bytes()).unwrap();
        variables
            .into_iter()
            .map(|(name, value)| (name, value.expose_secret().to_owned()))
            .collect()
    }

    #[test]
    fn values_are_taken_as_they_stand() {
        let pairs = read(
            "\u{feff}# comment\r\n\n  A=1\r\nB=\"quoted\" # kept \nC=\n D=a=b\nFROM_OUTSIDE\nE='x'",
        );
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [
                ("A", "1"),
                ("B", "\"quoted\" # kept "),
                ("C", ""),
                ("D", "a=b"),
                ("E", "'x'")
            ]
        );
    }

    #[test]
    fn a_wrong_line_is_named_without_its_content() {
        for (text, line) in [
            ("A=1\n=hunter2", 2),
            ("export A=hunter2", 1),
            ("A=hunter2\0", 1),
        ] {
            let error = parse_env_file(text.as_bytes()).unwrap_err();
            assert_eq!(error.line, line);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        assert_eq!(parse_env_file(b"A=\xff").unwrap_err().line, 1);
    }
}
