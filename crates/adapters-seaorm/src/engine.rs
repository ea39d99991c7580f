//! Connections of those who have one to themselves: the committing task, and the look-ups that share queries.
//!
//! PostgreSQL is spoken to through the pool's driver. SQLite has no server: its calls return when the work is
//! done, and the driver of the pool makes them on a thread of its own, so that every statement costs two wake-ups
//! of some 50 µs each. Here whoever has the connection has a thread of its own instead, and calls SQLite itself.

use crate::error::{BatchError, store_error, unavailable};
use crate::open::{self, Role};
use crate::rows::{Found, Stored};
use caretrack_ports::StoreError;
use rusqlite::CachedStatement;
use rusqlite::types::{ToSqlOutput, ValueRef};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Statement, TransactionTrait,
    Value,
};
use std::sync::{Mutex, PoisonError};
use tokio::runtime::Handle;

pub(crate) enum Engine {
    Sqlite(Own),
    Postgres(DatabaseConnection),
}

impl Engine {
    pub async fn open(url: &str, role: Role) -> Result<Self, StoreError> {
        match open::sqlite_file(url) {
            Some(file) => Own::open(&file, role).map(Self::Sqlite).map_err(|error| {
                tracing::debug!(%error, "SQLite could not be opened");
                unavailable("the database file could not be opened")
            }),
            None => open::connect(url, 1, role).await.map(Self::Postgres),
        }
    }

    pub async fn begin(&self) -> Result<Open<'_>, BatchError> {
        match self {
            Self::Sqlite(own) => {
                // A deferred one that reads and then writes fails at once when another process writes.
                own.execute("BEGIN IMMEDIATE", &[])?;
                Ok(Open::Sqlite(own))
            }
            Self::Postgres(pool) => Ok(Open::Postgres(Box::new(pool.begin().await?))),
        }
    }

    pub fn backend(&self) -> DbBackend {
        match self {
            Self::Sqlite(_) => DbBackend::Sqlite,
            Self::Postgres(_) => DbBackend::Postgres,
        }
    }

    /// Outside a transaction.
    pub async fn query(&self, statement: Statement) -> Result<Vec<Found>, StoreError> {
        match self {
            Self::Sqlite(own) => Ok(own.query(&statement.sql, values(&statement))?),
            Self::Postgres(pool) => {
                let rows = pool.query_all_raw(statement).await.map_err(store_error)?;
                Ok(rows.into_iter().map(Found::Pooled).collect())
            }
        }
    }

    /// Whether its calls return only when the work is done.
    pub fn blocks(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    pub async fn close(self) {
        if let Self::Postgres(connection) = self
            && let Err(error) = connection.close().await
        {
            tracing::debug!(%error, "a failed connection did not close well");
        }
    }
}

/// Runs a task; one that `blocks` on a thread of its own.
pub(crate) fn spawn(
    name: &str,
    blocks: bool,
    task: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    if blocks {
        let runtime = Handle::current();
        let thread = std::thread::Builder::new().name(name.to_owned());
        thread.spawn(move || runtime.block_on(task))?;
    } else {
        tokio::spawn(task);
    }
    Ok(())
}

/// A transaction under way. One that is not committed ends with its connection.
pub(crate) enum Open<'a> {
    Sqlite(&'a Own),
    Postgres(Box<DatabaseTransaction>),
}

impl Open<'_> {
    pub fn backend(&self) -> DbBackend {
        match self {
            Self::Sqlite(_) => DbBackend::Sqlite,
            Self::Postgres(_) => DbBackend::Postgres,
        }
    }

    pub async fn run(&self, statement: Statement) -> Result<u64, BatchError> {
        match self {
            Self::Sqlite(own) => own.execute(&statement.sql, values(&statement)),
            Self::Postgres(transaction) => Ok(transaction.execute_raw(statement).await?.rows_affected()),
        }
    }

    pub async fn query(&self, statement: Statement) -> Result<Vec<Found>, BatchError> {
        match self {
            Self::Sqlite(own) => own.query(&statement.sql, values(&statement)),
            Self::Postgres(transaction) => {
                let rows = transaction.query_all_raw(statement).await?;
                Ok(rows.into_iter().map(Found::Pooled).collect())
            }
        }
    }

    pub async fn commit(self) -> Result<(), BatchError> {
        match self {
            Self::Sqlite(own) => own.execute("COMMIT", &[]).map(drop),
            Self::Postgres(transaction) => Ok(transaction.commit().await?),
        }
    }
}

fn values(statement: &Statement) -> &[Value] {
    statement.values.as_ref().map_or(&[], |values| &values.0)
}

/// SQLite, called by whoever asks. Nobody ever waits for the lock: the connection has one user.
pub(crate) struct Own(Mutex<rusqlite::Connection>);

impl Own {
    fn open(file: &std::path::Path, role: Role) -> rusqlite::Result<Self> {
        let connection = rusqlite::Connection::open(file)?;
        connection.busy_timeout(open::BUSY)?;
        connection.set_prepared_statement_cache_capacity(open::STATEMENTS);
        for (pragma, value) in open::pragmas(role) {
            connection.pragma_update(None, pragma, value)?;
        }
        Ok(Self(Mutex::new(connection)))
    }

    fn execute(&self, text: &str, values: &[Value]) -> Result<u64, BatchError> {
        self.with(text, values, |statement| {
            Ok(u64::try_from(statement.raw_execute()?).unwrap_or(0))
        })
    }

    fn query(&self, text: &str, values: &[Value]) -> Result<Vec<Found>, BatchError> {
        self.with(text, values, |statement| {
            let columns = statement.column_count();
            let mut rows = statement.raw_query();
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let cells = (0..columns).map(|n| row.get::<_, Stored>(n));
                found.push(Found::Own(cells.collect::<Result<_, _>>()?));
            }
            Ok(found)
        })
    }

    fn with<T>(
        &self,
        text: &str,
        values: &[Value],
        run: impl FnOnce(&mut CachedStatement<'_>) -> Result<T, BatchError>,
    ) -> Result<T, BatchError> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(text)?;
        for (n, value) in values.iter().enumerate() {
            statement.raw_bind_parameter(n + 1, bound(value)?)?;
        }
        run(&mut statement)
    }
}

/// What stands in a column for a value; as the driver of the pool has it.
#[expect(clippy::wildcard_enum_match_arm, reason = "the types of all databases")]
fn bound(value: &Value) -> Result<ToSqlOutput<'_>, DbErr> {
    let stored = match value {
        Value::Bool(value) => value.map(|value| ToSqlOutput::Owned(i64::from(value).into())),
        Value::Int(value) => value.map(|value| ToSqlOutput::Owned(i64::from(value).into())),
        Value::BigInt(value) => value.map(|value| ToSqlOutput::Owned(value.into())),
        Value::Double(value) => value.map(|value| ToSqlOutput::Owned(value.into())),
        Value::String(value) => value
            .as_ref()
            .map(|value| ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes()))),
        Value::Bytes(value) => value
            .as_ref()
            .map(|value| ToSqlOutput::Borrowed(ValueRef::Blob(value))),
        Value::Uuid(value) => value
            .as_ref()
            .map(|value| ToSqlOutput::Borrowed(ValueRef::Blob(value.as_bytes()))),
        // What it holds is not for a message.
        _ => return Err(DbErr::Type("no column holds such a value".to_owned())),
    };
    Ok(stored.unwrap_or(ToSqlOutput::Borrowed(ValueRef::Null)))
}
