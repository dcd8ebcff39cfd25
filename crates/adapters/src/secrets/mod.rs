//! Where secret values come from: the process's environment and files, asked in order, each time a value is needed.
//!
//! Nothing is kept: a value that is changed in its source is used by the next step that asks. No error, no `Debug`
//! and no log line shows a value or a part of a file's text.
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

mod file;

/// A secret that cannot be looked up.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The name cannot be the name of a secret.
    #[error(
        "a secret cannot have this name: names are letters, digits and `_`, do not start with a digit, and have at most 128 characters"
    )]
    BadName,
    /// An environment variable is not text.
    #[error("the environment variable {variable} is not UTF-8 text: set it again")]
    NotText {
        /// The variable's name.
        variable: String,
    },
    /// A file that the server's configuration names cannot be read.
    #[error("the secrets file {} cannot be read ({source}): create it, or take it out of `files` in the server's configuration", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others on this machine may read or change a file with secrets.
    #[error("the secrets file {} is open to other users (mode {mode:04o}): run `chmod 600 {}`", path.display(), path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file's text is not what it should be.
    #[error("the secrets file {}, line {line}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what is expected. Holds no value.
        problem: String,
    },
}

/// One place that holds secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The process's environment: the variable `<prefix>X` answers for the secret `X`.
    Env {
        /// What the variables' names start with.
        prefix: String,
    },
    /// A file of `KEY=value` lines that only its owner can read.
    ///
    /// `#` starts a comment at the beginning of a line and after a blank. A value in single quotes is taken as it is;
    /// in double quotes `\n`, `\r`, `\t`, `\"`, `\\` and `\$` are escapes; both may run over several lines.
    /// `export KEY=value` is accepted. Nothing is substituted.
    File(PathBuf),
}

impl Source {
    async fn get(&self, name: &str) -> Result<Option<SecretString>, SecretError> {
        match self {
            Self::Env { prefix } => {
                let variable = format!("{prefix}{name}");
                match std::env::var(&variable) {
                    Ok(value) => Ok(Some(SecretString::from(value))),
                    Err(std::env::VarError::NotPresent) => Ok(None),
                    Err(std::env::VarError::NotUnicode(_)) => {
                        Err(SecretError::NotText { variable })
                    }
                }
            }
            Self::File(path) => {
                let text = read_private(path).await?;
                let mut entries =
                    file::parse(text.expose_secret()).map_err(|error| SecretError::Malformed {
                        path: path.clone(),
                        line: error.line,
                        problem: error.problem,
                    })?;
                Ok(entries.remove(name))
            }
        }
    }
}

/// All places that hold secrets, in the order in which they are asked.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Asks these sources, first to last.
    pub fn new(sources: Vec<Source>) -> Self {
        Self(sources)
    }

    /// The first value under this very name. An empty value counts as missing, as it does on GitHub.
    pub async fn get(&self, name: &str) -> Result<Option<SecretString>, SecretError> {
        if !is_name(name) {
            return Err(SecretError::BadName);
        }
        for source in &self.0 {
            let found = source.get(name).await?;
            if let Some(value) = found.filter(|value| !value.expose_secret().is_empty()) {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// What `secret:NAME` means in an environment whose prefix is `DEV_`: the value of `DEV_NAME`, else of `NAME`.
    pub async fn resolve(
        &self,
        prefix: &str,
        name: &str,
    ) -> Result<Option<SecretString>, SecretError> {
        if !prefix.is_empty()
            && let Some(value) = self.get(&format!("{prefix}{name}")).await?
        {
            return Ok(Some(value));
        }
        self.get(name).await
    }
}

fn is_name(name: &str) -> bool {
    let starts_well = name
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    starts_well && name.len() <= 128 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Reads a file that must be its owner's alone. The check is made on the open file, so it cannot be swapped in between.
async fn read_private(path: &Path) -> Result<SecretString, SecretError> {
    use std::os::unix::fs::PermissionsExt as _;
    use tokio::io::AsyncReadExt as _;

    let unreadable = |source| SecretError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let metadata = file.metadata().await.map_err(unreadable)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretError::OpenToOthers {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = String::new();
    file.read_to_string(&mut text).await.map_err(unreadable)?;
    Ok(SecretString::from(text))
}
