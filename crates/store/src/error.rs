//! What can go wrong in the store, told so that a person knows what to do next.
use std::path::PathBuf;

use domain::audit::Broken;
use domain::run::IllegalTransition;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

/// Why the store did not do what it was asked to do. Nothing of a failed call is kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else was first; what was read before is out of date.
    #[error("{0}; load the page again and decide anew")]
    Conflict(&'static str),
    /// There is no such thing.
    #[error("the store knows no such {0}")]
    NotFound(&'static str),
    /// A newer Fairlead has written here.
    #[error(
        "the database {place} is at version {found}, and this Fairlead knows versions up to {known}; start the newer Fairlead, or restore the backup that was made before it"
    )]
    Newer {
        /// Which database.
        place: String,
        /// The version that it is at.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// A command wants to use a database that the portal has not yet brought up to date.
    #[error(
        "the database {place} is at version {found}, while this Fairlead wants version {known}; start the portal with this Fairlead first, which brings it up to date"
    )]
    Older {
        /// Which database.
        place: String,
        /// The version that it is at.
        found: i64,
        /// The version that this program needs.
        known: i64,
    },
    /// A command wants to read a database that nobody has made.
    #[error(
        "there is no database at {0}; see that `data_dir` and `database_url` are those of the portal"
    )]
    Absent(String),
    /// Another portal works on the same SQLite file.
    #[error("{} is in use by another portal ({holder}); stop that one, or give this one another `data_dir`", .path.display())]
    InUse {
        /// The lock file.
        path: PathBuf,
        /// What the lock file says about who holds it.
        holder: String,
    },
    /// The database may not be written.
    #[error(
        "the database {0} is read-only; give the account that runs Fairlead the right to write it and its folder (`chown`, `chmod u+w`), or remount the disk for writing"
    )]
    ReadOnly(String),
    /// The disk is full. Nothing was half-written.
    #[error(
        "the disk of the database is full; nothing was half-written, free some space and try again"
    )]
    DiskFull,
    /// Another portal drives the run now, so this one must not write about it any more.
    #[error("another portal drives run #{run} now; this one leaves it alone")]
    LostLease {
        /// The run.
        run: domain::RunId,
    },
    /// The event does not fit the run's state.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// The change is about something else than the permission for it.
    #[error("the permission is for {granted}, and does not cover {wanted}; ask for one that does")]
    OutsideGrant {
        /// What the permission is for.
        granted: String,
        /// What was to be changed.
        wanted: String,
    },
    /// Something in the database is not what Fairlead wrote.
    #[error("{what} in the database is damaged ({why}); restore the last good backup")]
    Corrupt {
        /// What.
        what: &'static str,
        /// How that was noticed.
        why: String,
    },
    /// The audit trail was tampered with.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The database does not answer.
    #[error(
        "the database does not answer ({0}); see that it runs and that `database_url` is right, then try again"
    )]
    Unreachable(String),
    /// What was given as address of a database is none.
    #[error(
        "`{0}` is no address of a database; expected `sqlite:///absolute/path/fairlead.db` or `postgres://user@host/database`"
    )]
    BadUrl(String),
    /// Anything else that the database refuses.
    #[error("the database refused: {0}; the portal's log and the database's own say more")]
    Other(String),
}

impl StoreError {
    pub(crate) fn corrupt(what: &'static str, why: impl ToString) -> Self {
        StoreError::Corrupt {
            what,
            why: why.to_string(),
        }
    }

    /// Whether the same call may succeed a little later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, StoreError::Unreachable(_) | StoreError::DiskFull)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error::{
            ColumnDecode, Database, Decode, Io, PoolClosed, PoolTimedOut, Protocol, RowNotFound,
            Tls,
        };
        match error {
            RowNotFound => StoreError::NotFound("row"),
            Database(refusal) => match refusal.try_downcast_ref::<SqliteError>() {
                Some(lite) => of_sqlite(lite),
                None => match refusal.try_downcast_ref::<PgDatabaseError>() {
                    Some(pg) => of_postgres(pg),
                    None => StoreError::Other(refusal.to_string()),
                },
            },
            Io(why) => StoreError::Unreachable(why.to_string()),
            Tls(why) => StoreError::Unreachable(why.to_string()),
            Protocol(why) => StoreError::Unreachable(why),
            PoolTimedOut => StoreError::Unreachable("no connection became free in time".into()),
            PoolClosed => StoreError::Unreachable("the store was closed".into()),
            ColumnDecode { index, source } => {
                StoreError::corrupt("a column", format!("{index}: {source}"))
            }
            Decode(why) => StoreError::corrupt("a value", why),
            other => StoreError::Other(other.to_string()),
        }
    }
}

/// By SQLite's primary result code, which is the low byte (<https://www.sqlite.org/rescode.html>).
fn of_sqlite(error: &SqliteError) -> StoreError {
    use sqlx::error::DatabaseError as _;
    let code = error
        .code()
        .and_then(|code| code.parse::<u32>().ok())
        .unwrap_or_default();
    match code & 0xff {
        5 | 6 => StoreError::Unreachable("another process keeps the database locked".into()),
        8 => StoreError::ReadOnly("file".into()),
        11 | 26 => StoreError::corrupt("the file", error.message()),
        13 => StoreError::DiskFull,
        14 => StoreError::Unreachable(error.message().into()),
        _ => StoreError::Other(error.message().into()),
    }
}

/// By SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn of_postgres(error: &PgDatabaseError) -> StoreError {
    let message = || error.message().to_owned();
    match error.code() {
        "53100" => StoreError::DiskFull,
        "25006" => StoreError::ReadOnly("server".into()),
        "40001" | "40P01" => StoreError::Conflict("two changes met and this one gave way"),
        "XX001" | "XX002" => StoreError::corrupt("a table", message()),
        code if ["08", "28", "3D", "53", "57"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            StoreError::Unreachable(message())
        }
        _ => StoreError::Other(message()),
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            MigrateError::VersionMismatch(number) => StoreError::corrupt(
                "the list of migrations",
                format!("number {number} was another one when it was applied"),
            ),
            other => StoreError::corrupt("the list of migrations", other),
        }
    }
}
