//! What the driver says, as what the port knows.

use caretrack_ports::StoreError;
use rusqlite::ffi::{
    SQLITE_CONSTRAINT_PRIMARYKEY as PRIMARY_KEY, SQLITE_CONSTRAINT_UNIQUE as UNIQUE, SQLITE_FULL as FULL,
    SQLITE_IOERR_FSYNC as IO_FSYNC, SQLITE_IOERR_SHMSIZE as IO_SHMSIZE, SQLITE_IOERR_WRITE as IO_WRITE,
};
use sea_orm::{DbErr, RuntimeErr, SqlErr};

/// Why a whole batch could not be written.
#[derive(Debug)]
pub(crate) enum BatchError {
    /// A unique name is taken; somebody in the batch wants it.
    Unique,
    /// Another server added a record, or a seal, between our look and our insert.
    Raced,
    /// Another transaction got in the way; trying again helps.
    Contention,
    /// No room on the disk.
    Full,
    Other(DbErr),
}

impl From<DbErr> for BatchError {
    fn from(error: DbErr) -> Self {
        if let Some(SqlErr::UniqueConstraintViolation(message)) = error.sql_err() {
            return Self::taken(&message);
        }
        match code(&error).as_deref() {
            // disk_full.
            Some("53100") => Self::Full,
            // serialization_failure, deadlock_detected.
            Some("40001" | "40P01") => Self::Contention,
            Some(_) | None => Self::Other(error),
        }
    }
}

impl From<rusqlite::Error> for BatchError {
    fn from(error: rusqlite::Error) -> Self {
        match (&error, error.sqlite_error().map(|failure| failure.extended_code)) {
            (rusqlite::Error::SqliteFailure(_, message), Some(UNIQUE | PRIMARY_KEY)) => {
                Self::taken(message.as_deref().unwrap_or_default())
            }
            (_, Some(FULL | IO_WRITE | IO_FSYNC | IO_SHMSIZE)) => Self::Full,
            (_, Some(_)) => Self::Other(DbErr::Custom(error.to_string())),
            (_, None) => Self::Other(DbErr::Type(error.to_string())),
        }
    }
}

impl BatchError {
    /// Both engines name the table or its key.
    fn taken(message: &str) -> Self {
        if ["resources", "audit_seals"]
            .iter()
            .any(|table| message.contains(table))
        {
            Self::Raced
        } else {
            Self::Unique
        }
    }
}

impl From<BatchError> for StoreError {
    /// What a read met.
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Other(error) => store_error(error),
            BatchError::Unique | BatchError::Raced | BatchError::Contention | BatchError::Full => {
                unavailable("the store could not be read")
            }
        }
    }
}

impl From<StoreError> for BatchError {
    /// A row of the batch that makes no sense.
    fn from(error: StoreError) -> Self {
        Self::Other(DbErr::Type(error.to_string()))
    }
}

fn code(error: &DbErr) -> Option<String> {
    sqlx_error(error)?.as_database_error()?.code().map(Into::into)
}

fn sqlx_error(error: &DbErr) -> Option<&sea_orm::sqlx::Error> {
    if let DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))
    | DbErr::Conn(RuntimeErr::SqlxError(error)) = error
    {
        Some(error)
    } else {
        None
    }
}

/// A failed read or write; what cannot be decoded is corrupt, all else may work later.
pub(crate) fn store_error(error: DbErr) -> StoreError {
    let undecodable = matches!(error, DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. })
        || matches!(
            sqlx_error(&error),
            Some(sea_orm::sqlx::Error::ColumnDecode { .. } | sea_orm::sqlx::Error::Decode(_))
        );
    if undecodable {
        StoreError::Corrupt(Box::new(error))
    } else {
        StoreError::Unavailable(Box::new(error))
    }
}

/// A row that makes no sense, by table and column.
pub(crate) fn corrupt(table: &str, column: &str, value: impl std::fmt::Debug) -> StoreError {
    StoreError::Corrupt(format!("{table}.{column} holds {value:?}").into())
}

pub(crate) fn unavailable(reason: &'static str) -> StoreError {
    StoreError::Unavailable(reason.into())
}
