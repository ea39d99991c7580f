//! One schema history for SQLite and PostgreSQL.
//!
//! A migration is one SQL file in which the few words that differ between the engines stand in braces.
//! Expand, then contract: the previous release must run against the new schema. To add one, write
//! `mNNNN_name.sql` and list it in [`Migrator::migrations`]; never change one that was released.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(SqlFile {
                name: "m0001_foundation",
                sql: include_str!("m0001_foundation.sql"),
            }),
            Box::new(SqlFile {
                name: "m0002_credentials",
                sql: include_str!("m0002_credentials.sql"),
            }),
            Box::new(SqlFile {
                name: "m0003_idempotency",
                sql: include_str!("m0003_idempotency.sql"),
            }),
            Box::new(SqlFile {
                name: "m0004_clock",
                sql: include_str!("m0004_clock.sql"),
            }),
            Box::new(SqlFile {
                name: "m0005_telling",
                sql: include_str!("m0005_telling.sql"),
            }),
            Box::new(SqlFile {
                name: "m0006_traces",
                sql: include_str!("m0006_traces.sql"),
            }),
            Box::new(SqlFile {
                name: "m0007_donor_searches",
                sql: include_str!("m0007_donor_searches.sql"),
            }),
            Box::new(SqlFile {
                name: "m0008_definitions",
                sql: include_str!("m0008_definitions.sql"),
            }),
        ]
    }
}

struct SqlFile {
    name: &'static str,
    sql: &'static str,
}

impl MigrationName for SqlFile {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for SqlFile {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = for_engine(self.sql, manager.get_database_backend());
        manager.get_connection().execute_unprepared(&sql).await.map(drop)
    }
}

const POSTGRES: [(&str, &str); 6] = [
    ("{uuid}", "UUID"),
    ("{bytes}", "BYTEA"),
    ("{text}", "TEXT COLLATE \"C\""),
    ("{number}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
    ("{clustered}", ""),
    // A block at a time: one call numbers a whole batch.
    (
        "{numbers}",
        "CREATE SEQUENCE IF NOT EXISTS numbers INCREMENT BY 65536",
    ),
];

const SQLITE: [(&str, &str); 6] = [
    ("{uuid}", "BLOB"),
    ("{bytes}", "BLOB"),
    ("{text}", "TEXT"),
    ("{number}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
    ("{clustered}", "WITHOUT ROWID"),
    (
        "{numbers}",
        "CREATE TABLE IF NOT EXISTS numbers (last BIGINT NOT NULL);
         INSERT INTO numbers SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM numbers)",
    ),
];

/// The SQL of one engine.
fn for_engine(template: &str, backend: DbBackend) -> String {
    // Text is compared byte by byte on both, whatever the database's locale.
    let words = if backend == DbBackend::Postgres {
        POSTGRES
    } else {
        SQLITE
    };
    words.iter().fold(template.to_owned(), |sql, (word, meaning)| {
        sql.replace(word, meaning)
    })
}
