//! What the driver says, as what the port knows.

use caretrack_ports::StoreError;
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
            // Both engines name the table or its key.
            return if ["resources", "audit_seals"]
                .iter()
                .any(|table| message.contains(table))
            {
                Self::Raced
            } else {
                Self::Unique
            };
        }
        match code(&error).as_deref() {
            // SQLITE_FULL and the I/O errors of a full disk; disk_full of PostgreSQL.
            Some("13" | "778" | "1034" | "4874" | "53100") => Self::Full,
            // serialization_failure, deadlock_detected.
            Some("40001" | "40P01") => Self::Contention,
            Some(_) | None => Self::Other(error),
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
