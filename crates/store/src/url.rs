//! Where the store is.
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use crate::StoreError;

/// The address of a database. It prints without its password.
#[derive(Clone)]
pub enum StoreUrl {
    /// A SQLite file; the logs lie in a second one beside it.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(Box<PgConnectOptions>),
}

impl StoreUrl {
    /// The address of a SQLite file.
    pub fn sqlite(path: impl AsRef<Path>) -> Self {
        StoreUrl::Sqlite(path.as_ref().to_path_buf())
    }
}

impl FromStr for StoreUrl {
    type Err = StoreError;

    /// Reads `sqlite:///absolute/path` or `postgres://…`. The error never repeats a password.
    fn from_str(text: &str) -> Result<Self, StoreError> {
        let scheme = text.split(':').next().unwrap_or_default();
        let bad =
            || StoreError::BadUrl(format!("{}:…", scheme.chars().take(20).collect::<String>()));
        match scheme {
            "sqlite" => match text.strip_prefix("sqlite://") {
                Some(path) if Path::new(path).is_absolute() => Ok(StoreUrl::sqlite(path)),
                _ => Err(bad()),
            },
            "postgres" | "postgresql" => PgConnectOptions::from_str(text)
                .map(|options| StoreUrl::Postgres(Box::new(options)))
                .map_err(|_| bad()),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::Sqlite(path) => write!(f, "{}", path.display()),
            StoreUrl::Postgres(options) => {
                write!(
                    f,
                    "{} on {}",
                    options.get_database().unwrap_or("of the default name"),
                    options.get_host()
                )
            }
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}
