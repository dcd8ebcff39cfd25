//! The server's configuration: one TOML file, some of its keys overridden by the process's environment.
//!
//! A key that is not known is a fault, and every fault names its place and what to do. `docs/config.md` describes all
//! keys; a test reads the example in it.
mod builder;
mod file;
mod given;
mod members;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use adapters::secrets::{Source, Sources};
use domain::manifest::{Problem, SecretName, Value};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// What one variable of the process's environment holds; `None` where it is not set.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Everything that `fairlead` is told from outside.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Where the site's files are, unless `LEPTOS_SITE_ROOT` says it.
    pub site_dir: Option<PathBuf>,
    /// Which secret opens `/metrics` to other machines.
    pub metrics_token: Option<SecretName>,
    /// Which secret GitHub signs its webhooks with; without it, none is taken.
    pub webhook_secret: Option<SecretName>,
    /// How the server's own log is written.
    pub log: Log,
    database: Database,
    portal: portal::Config,
}

/// How the server's own log is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// For people or for programs.
    pub format: LogFormat,
    /// What is written, in the words of `tracing_subscriber::EnvFilter`: `info`, `info,server=debug`.
    pub filter: String,
}

/// For people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// A line of words.
    Text,
    /// A line of JSON.
    Json,
}

#[derive(Debug, Clone)]
enum Database {
    Url(SecretString),
    Secret(SecretName),
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {} cannot be read: {source}; name the right file with --config", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file or the environment has faults.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<Fault>),
    /// The secret that holds the database's address is not there.
    #[error(
        "`database_url` names the secret `{0}`, which resolves to nothing; add it to a source of `[secrets]`"
    )]
    NoDatabase(SecretName),
    /// A source of secrets cannot be asked.
    #[error(transparent)]
    Secrets(#[from] adapters::secrets::SecretError),
}

/// One fault of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// In the file.
    File(PathBuf, Problem),
    /// In a variable of the environment.
    Variable {
        /// Its name.
        name: String,
        /// What is wrong and what is expected.
        message: String,
    },
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::File(path, problem) => write!(f, "{}:{problem}", path.display()),
            Fault::Variable { name, message } => {
                write!(f, "environment variable {name}: {message}")
            }
        }
    }
}

impl Config {
    /// Reads the file and the process's environment.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let path = std::path::absolute(path).map_err(unreadable)?;
        Self::parse(&text, &path, &|name| std::env::var(name).ok())
    }

    /// Reads a configuration from its text. Relative paths are relative to the folder of `path`.
    pub fn parse(
        text: &str,
        path: &Path,
        environment: Environment<'_>,
    ) -> Result<Self, ConfigError> {
        file::parse(text, path, environment).map_err(ConfigError::Faults)
    }

    /// Where browsers reach the portal.
    pub fn public_url(&self) -> &Url {
        &self.portal.public_url
    }

    /// Where people use GitHub.
    pub fn github_url(&self) -> &Url {
        &self.portal.github.url
    }

    /// The sources of secrets.
    pub fn secrets(&self) -> Sources {
        Sources::new(self.portal.secrets.clone())
    }

    /// What the portal must be told, the address of the database included.
    pub async fn portal(&self) -> Result<portal::Config, ConfigError> {
        let database = match &self.database {
            Database::Url(url) => url.clone(),
            Database::Secret(name) => {
                let found = self.secrets().get(name.as_str()).await?;
                found.ok_or_else(|| ConfigError::NoDatabase(name.clone()))?
            }
        };
        Ok(portal::Config {
            database,
            ..self.portal.clone()
        })
    }
}

/// The SQLite file in the portal's own folder, as an address.
fn sqlite_in(data_dir: &Path) -> SecretString {
    SecretString::from(format!(
        "sqlite://{}",
        data_dir.join("fairlead.db").display()
    ))
}

/// Where secrets come from, first to last: the environment, then the files in their order.
fn sources(env_prefix: String, files: Vec<PathBuf>) -> Vec<Source> {
    let files = files.into_iter().map(Source::File);
    std::iter::once(Source::Env { prefix: env_prefix })
        .chain(files)
        .collect()
}

impl Database {
    fn of(text: &str) -> Result<Self, String> {
        match text.parse::<Value>()? {
            Value::Secret(name) => Ok(Database::Secret(name)),
            Value::Plain(url) => {
                let url = SecretString::from(url);
                // Tried now, so that the fault has its place.
                url.expose_secret()
                    .parse::<store::StoreUrl>()
                    .map_err(|error| error.to_string())?;
                Ok(Database::Url(url))
            }
        }
    }
}

/// The name of a secret, where nothing but a secret may stand.
fn secret(text: &str) -> Result<SecretName, String> {
    match text.parse::<Value>()? {
        Value::Secret(name) => Ok(name),
        // Not repeated: it may be the value itself.
        Value::Plain(_) => Err(
            "a secret does not stand in this file; write \"secret:NAME\" and put the value \
                                into a source of `[secrets]` under that name"
                .into(),
        ),
    }
}
