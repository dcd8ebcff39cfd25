//! One SQL text for two databases.
//!
//! `sqlx::Any` cannot read a SQLite boolean and breaks the query builder on PostgreSQL, and code that is generic
//! over the database drowns in bounds. So there are two typed pools in an enum, and two macros that write a query's
//! body once for each: [`rd!`] reads through a pool, [`on!`] works within a transaction. What must differ (there are
//! three places) says so in a `match`.
//!
//! SQLite has one connection that writes and four that only read, so readers never wait for the writer and nobody
//! sees `SQLITE_BUSY` from within the process.
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use crate::StoreError;

/// A database.
#[derive(Debug, Clone)]
pub(crate) enum Db {
    Lite { read: SqlitePool, write: SqlitePool },
    Pg(PgPool),
}

/// A transaction. Dropped before [`Open::commit`], it leaves nothing.
#[derive(Debug)]
pub(crate) enum Open {
    Lite(Transaction<'static, Sqlite>),
    Pg(Transaction<'static, Postgres>),
}

/// `rd!(db, |pool| …)`: the body once per database, on a pool to read from.
macro_rules! rd {
    ($db:expr, |$pool:ident| $body:expr) => {
        match $db {
            $crate::db::Db::Lite { read: $pool, .. } => $body,
            $crate::db::Db::Pg($pool) => $body,
        }
    };
}

/// `on!(open, |conn| …)`: the body once per database, on the connection of a transaction.
macro_rules! on {
    ($open:expr, |$conn:ident| $body:expr) => {
        match $open {
            $crate::db::Open::Lite(transaction) => {
                let $conn = &mut **transaction;
                $body
            }
            $crate::db::Open::Pg(transaction) => {
                let $conn = &mut **transaction;
                $body
            }
        }
    };
}

pub(crate) use {on, rd};

impl Db {
    /// Opens a transaction that may write. On SQLite it takes the write lock at once: a plain `BEGIN` that reads
    /// first can fail later when another process wrote in between.
    pub(crate) async fn begin(&self) -> Result<Open, StoreError> {
        Ok(match self {
            Db::Lite { write, .. } => Open::Lite(write.begin_with("BEGIN IMMEDIATE").await?),
            Db::Pg(pool) => Open::Pg(pool.begin().await?),
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Db::Lite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Db::Pg(pool) => pool.close().await,
        }
    }
}

impl Open {
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Open::Lite(transaction) => transaction.commit().await?,
            Open::Pg(transaction) => transaction.commit().await?,
        }
        Ok(())
    }
}
