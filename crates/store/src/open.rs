//! Opening the store: connections, the lock against a second portal, migrations.
use std::fs::{DirBuilder, File, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};

use crate::db::{Db, rd};
use crate::{Store, StoreError, StoreUrl};

static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
static SQLITE_LOGS: Migrator = sqlx::migrate!("../../migrations/sqlite-logs");
static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");

/// How long a writer waits for another process that holds SQLite's write lock.
const BUSY: Duration = Duration::from_secs(10);
/// How long a portal waits for the lock of the one before: a program that this one was just starting when it was killed
/// holds it for a moment longer.
const OVERLAP: Duration = Duration::from_secs(1);
/// The rights of files that are made here: what is in them is for the portal's account only, whoever may enter the folder.
const OWNERS: u32 = 0o600;
/// How long a call waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(15);

impl Store {
    /// Opens the store for a portal: makes the database where there is none and brings it up to date.
    ///
    /// On SQLite the portal takes a lock file beside the database and keeps it as long as a clone of the store
    /// lives; a second portal waits for a second and is then refused with [`StoreError::InUse`].
    pub async fn open(url: &StoreUrl) -> Result<Self, StoreError> {
        match url {
            StoreUrl::Sqlite(path) => {
                let give_up = Instant::now() + OVERLAP;
                let lock = loop {
                    match Lock::take(path) {
                        Err(StoreError::InUse { .. }) if Instant::now() < give_up => {
                            tokio::time::sleep(OVERLAP / 40).await;
                        }
                        taken => break taken?,
                    }
                };
                open_sqlite(path, Some(lock)).await
            }
            StoreUrl::Postgres(_) => open_postgres(url, true).await,
        }
    }

    /// Opens the store for a command on the portal's machine, beside a portal that may be running.
    ///
    /// The database is used as it is: an older one is refused with [`StoreError::Older`] and not brought up to date
    /// under the portal's feet. On SQLite the lock tells when no portal is there; then it is made or brought up to date.
    pub async fn open_beside(url: &StoreUrl) -> Result<Self, StoreError> {
        match url {
            StoreUrl::Sqlite(path) => match Lock::take(path) {
                Ok(lock) => open_sqlite(path, Some(lock)).await,
                Err(StoreError::InUse { .. }) => open_sqlite(path, None).await,
                Err(other) => Err(other),
            },
            StoreUrl::Postgres(_) => open_postgres(url, false).await,
        }
    }

    /// Opens the store for a command that only looks at what is there. [`StoreError::Absent`] where there is no
    /// database: none is made, and none is brought up to date.
    pub async fn open_existing(url: &StoreUrl) -> Result<Self, StoreError> {
        match url {
            StoreUrl::Sqlite(path) => match path.try_exists() {
                Ok(true) => open_sqlite(path, None).await,
                Ok(false) => Err(StoreError::Absent(path.display().to_string())),
                Err(error) => Err(of_io(path, &error)),
            },
            StoreUrl::Postgres(_) => open_postgres(url, false).await,
        }
    }

    /// Closes every connection, after which the files can be copied. Calls that follow fail.
    pub async fn close(&self) {
        self.main.close().await;
        self.logs.close().await;
    }
}

/// The file that keeps a second portal away from a SQLite database. The lock is the operating system's and goes
/// with the process, however that ends; the text in the file is only for people.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    fn take(database: &Path) -> Result<Self, StoreError> {
        let folder = database.parent().unwrap_or(Path::new("/"));
        // A folder that is made here is for the portal's account only: plans, logs and names are nobody else's business.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| of_io(folder, &error))?;
        let path = beside(database, ".lock");
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(OWNERS)
            .open(&path)
            .map_err(|error| of_io(&path, &error))?;
        match file.try_lock() {
            Ok(()) => {
                let text = format!("process {}", std::process::id());
                file.set_len(0)
                    .and_then(|()| file.write_all(text.as_bytes()))
                    .map_err(|error| of_io(&path, &error))?;
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The text only makes the message better; without it the message still holds.
                let _ = file.take(100).read_to_string(&mut holder);
                Err(StoreError::InUse { path, holder })
            }
            Err(TryLockError::Error(error)) => Err(of_io(&path, &error)),
        }
    }
}

/// `…/fairlead.db` and `.lock` → `…/fairlead.db.lock`.
fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    database.with_file_name(name)
}

/// `…/fairlead.db` → `…/fairlead-logs.db`.
fn logs_of(database: &Path) -> PathBuf {
    let mut name = database.file_stem().unwrap_or_default().to_owned();
    name.push("-logs.");
    name.push(database.extension().unwrap_or("db".as_ref()));
    database.with_file_name(name)
}

fn of_io(path: &Path, error: &std::io::Error) -> StoreError {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        PermissionDenied | ReadOnlyFilesystem => StoreError::ReadOnly(path.display().to_string()),
        StorageFull => StoreError::DiskFull,
        _ => StoreError::Unreachable(format!("{}: {error}", path.display())),
    }
}

async fn open_sqlite(path: &Path, lock: Option<Lock>) -> Result<Store, StoreError> {
    let migrate = lock.is_some();
    let logs = logs_of(path);
    // A commit of the main file is acknowledged to people and acted upon outside, so it must survive a power cut.
    let main = sqlite(path, SqliteSynchronous::Full, migrate, &SQLITE).await?;
    // The last lines of a log may be lost in a power cut, never in a crash of the portal.
    let logs = sqlite(&logs, SqliteSynchronous::Normal, migrate, &SQLITE_LOGS).await?;
    Ok(Store {
        main,
        logs,
        _lock: Arc::new(lock),
    })
}

async fn sqlite(
    path: &Path,
    synchronous: SqliteSynchronous,
    migrate: bool,
    steps: &Migrator,
) -> Result<Db, StoreError> {
    // Asked for here because SQLite itself would open the file for reading, and fail only at the first write.
    for file in [path.to_path_buf(), beside(path, "-wal")] {
        match std::fs::metadata(&file) {
            Ok(metadata) if metadata.permissions().readonly() => {
                return Err(StoreError::ReadOnly(file.display().to_string()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(of_io(&file, &error)),
        }
    }
    let named = |error: StoreError| match error {
        StoreError::ReadOnly(_) => StoreError::ReadOnly(path.display().to_string()),
        StoreError::Unreachable(why) => {
            StoreError::Unreachable(format!("{}: {why}", path.display()))
        }
        other => other,
    };
    if migrate {
        // SQLite itself would let others read it. The files that it puts beside it get the same rights.
        let mut make = File::options();
        let made = make.create(true).truncate(false).write(true).mode(OWNERS);
        made.open(path).map_err(|error| of_io(path, &error))?;
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .synchronous(synchronous)
        .busy_timeout(BUSY)
        .foreign_keys(true);
    let write: SqlitePool = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE)
        .connect_with(options.clone().journal_mode(SqliteJournalMode::Wal))
        .await
        .map_err(|error| named(error.into()))?;
    // Its own connections later: they cannot open a file in WAL mode for reading before a writer has made it.
    let read = SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(ACQUIRE)
        .connect_lazy_with(options.read_only(true));
    let db = Db::Lite {
        read: write.clone(),
        write: write.clone(),
    };
    let (found, known) = versions(&db, steps).await?;
    let place = path.display().to_string();
    if found > known {
        return Err(StoreError::Newer {
            place,
            found,
            known,
        });
    }
    if migrate {
        steps
            .run(&write)
            .await
            .map_err(|error| named(error.into()))?;
    } else if found < known {
        return Err(StoreError::Older {
            place,
            found,
            known,
        });
    }
    Ok(Db::Lite { read, write })
}

async fn open_postgres(url: &StoreUrl, migrate: bool) -> Result<Store, StoreError> {
    let StoreUrl::Postgres(options) = url else {
        return Err(StoreError::BadUrl(url.to_string()));
    };
    let pool: PgPool = PgPoolOptions::new()
        .max_connections(10)
        .acquire_timeout(ACQUIRE)
        .connect_with(options.as_ref().clone().application_name("fairlead"))
        .await?;
    let db = Db::Pg(pool.clone());
    let (found, known) = versions(&db, &POSTGRES).await?;
    if found > known {
        return Err(StoreError::Newer {
            place: url.to_string(),
            found,
            known,
        });
    }
    if migrate {
        POSTGRES.run(&pool).await?;
    } else if found < known {
        return Err(StoreError::Older {
            place: url.to_string(),
            found,
            known,
        });
    }
    Ok(Store {
        main: db.clone(),
        logs: db,
        _lock: Arc::new(None),
    })
}

/// The version that a database is at (0 for a new one), and the newest that this program knows.
async fn versions(db: &Db, steps: &Migrator) -> Result<(i64, i64), StoreError> {
    let known = steps
        .iter()
        .map(|step| step.version)
        .max()
        .unwrap_or_default();
    let there: i64 = match db {
        Db::Lite { write, .. } => {
            sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'")
                .fetch_one(write)
                .await?
        }
        Db::Pg(pool) => {
            sqlx::query_scalar(
                "SELECT COUNT(*) FROM pg_class WHERE oid = to_regclass('_sqlx_migrations')",
            )
            .fetch_one(pool)
            .await?
        }
    };
    if there == 0 {
        return Ok((0, known));
    }
    let found: Option<i64> = rd!(db, |pool| sqlx::query_scalar(
        "SELECT MAX(version) FROM _sqlx_migrations"
    )
    .fetch_one(pool)
    .await?);
    Ok((found.unwrap_or_default(), known))
}
