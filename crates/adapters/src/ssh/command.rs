//! Command lines. The only place where text becomes shell syntax.

use std::{borrow::Cow, fmt};

/// A program and its arguments. It runs through the account's login shell, so the line is quoted for POSIX shells.
///
/// Arguments are visible to every user of the server (`ps`): a secret goes through standard input or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    program: String,
    args: Vec<String>,
    sudo: bool,
}

impl Command {
    /// A program found by the server's `PATH` or by its full path.
    pub fn new(program: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            sudo: false,
        }
    }

    /// `sh -c BODY sh ARGS`: a fixed script in the C locale (so that messages can be recognised);
    /// what varies comes in as `$1`, `$2`, ….
    pub fn script(body: &'static str) -> Self {
        Self::new("env").args(["LC_ALL=C", "sh", "-c", body, "sh"])
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<T: Into<String>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Runs it as root through `sudo -n`: it fails, instead of asking, where a password would be needed.
    pub fn sudo(mut self) -> Self {
        self.sudo = true;
        self
    }
}

/// The quoted line, as it is sent and as it may be shown.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sudo {
            f.write_str("sudo -n -- ")?;
        }
        f.write_str(&quote(&self.program))?;
        for arg in &self.args {
            write!(f, " {}", quote(arg))?;
        }
        Ok(())
    }
}

/// One word for a POSIX shell. `=` is quoted because a first word with it would be an assignment.
pub(super) fn quote(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./,:@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_shows_what_runs() {
        let command = Command::new("docker")
            .args(["rm", "-f", "pm backend", "it's", "", "A=b", "$HOME"])
            .sudo();
        assert_eq!(
            command.to_string(),
            r"sudo -n -- docker rm -f 'pm backend' 'it'\''s' '' 'A=b' '$HOME'"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_sees_exactly_the_words_that_were_given(args in prop::collection::vec("[^\0]{0,40}", 1..20)) {
            let line = Command::new("printf").arg("%s\\0").args(args.clone()).to_string();
            let out = std::process::Command::new("sh").arg("-c").arg(line).output().unwrap();
            let mut want = args.join("\0").into_bytes();
            want.push(0);
            prop_assert_eq!(out.stdout, want);
        }
    }
}
