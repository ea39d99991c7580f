//! The audit in the order of its chain: for sealing it, and for checking it without a server.

use crate::error::store_error;
use crate::open::{self, Role};
use crate::read::{limited, select};
use crate::rows::told;
use crate::settled::Horizon;
use crate::sql::Sql;
use async_trait::async_trait;
use caretrack_domain::{AuditEntry, AuditSeal};
use caretrack_ports::{AuditTrail, Settled, StoreError};
use sea_orm::{DatabaseConnection, QueryResult};

/// The trail alone; it reads, and neither writes nor migrates.
pub struct SeaTrail {
    reader: DatabaseConnection,
    horizon: Horizon,
}

impl SeaTrail {
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Ok(Self {
            reader: open::connect(url, 1, Role::Reader).await?,
            horizon: Horizon::of("audit"),
        })
    }
}

#[async_trait]
impl AuditTrail for SeaTrail {
    async fn read_audit(&self, after: i64, limit: usize) -> Result<Settled<(i64, AuditEntry)>, StoreError> {
        read_audit(&self.reader, &self.horizon, after, limit).await
    }

    async fn list_seals(&self, after: i64, limit: usize) -> Result<Vec<AuditSeal>, StoreError> {
        list_seals(&self.reader, after, limit).await
    }

    async fn last_seal(&self) -> Result<Option<AuditSeal>, StoreError> {
        last_seal(&self.reader).await
    }
}

pub(crate) async fn read_audit(
    db: &DatabaseConnection,
    horizon: &Horizon,
    after: i64,
    limit: usize,
) -> Result<Settled<(i64, AuditEntry)>, StoreError> {
    let settled = horizon.settled(db).await?;
    let sql = select(
        db.get_database_backend(),
        &told::AUDIT_COLUMNS,
        "audit WHERE number > ",
    )
    .bind(after)
    .push(" AND number <= ")
    .bind(settled)
    .push(" ORDER BY number");
    let entries = all(db, limited(sql, limit), told::read_audit).await?;
    let upto = entries.last().map_or(after, |(number, _)| *number);
    Ok(Settled { entries, upto })
}

pub(crate) async fn list_seals(
    db: &DatabaseConnection,
    after: i64,
    limit: usize,
) -> Result<Vec<AuditSeal>, StoreError> {
    let sql = select(
        db.get_database_backend(),
        &told::SEAL_COLUMNS,
        "audit_seals WHERE number > ",
    )
    .bind(after);
    all(db, limited(sql.push(" ORDER BY number"), limit), told::read_seal).await
}

pub(crate) async fn last_seal(db: &DatabaseConnection) -> Result<Option<AuditSeal>, StoreError> {
    let sql = select(
        db.get_database_backend(),
        &told::SEAL_COLUMNS,
        "audit_seals ORDER BY number DESC",
    );
    Ok(all(db, limited(sql, 1), told::read_seal).await?.pop())
}

async fn all<T>(
    db: &DatabaseConnection,
    sql: Sql,
    read: fn(&QueryResult) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    use sea_orm::ConnectionTrait;
    let rows = db.query_all_raw(sql.statement()).await.map_err(store_error)?;
    rows.iter().map(read).collect()
}
