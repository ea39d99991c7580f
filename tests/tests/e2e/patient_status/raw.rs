//! Searching what a store keeps, byte by byte, for what it must not keep.

use super::clinic::PATIENCE;
use crate::e2e::harness::{Data, Server};
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use std::fs;
use std::time::{Duration, Instant};

/// Where one of the values is found: in files of the server's folder (SQLite's database and log, the server's own log), or
/// in PostgreSQL's rows and files.
///
/// What this proves of PostgreSQL: no row of any table holds a value, in whatever column; and once the tables are
/// written anew (`VACUUM FULL`, as a deleted row's bytes may stay in free space until then), no file of the database
/// does. Its write-ahead log and backups are the operator's to expire.
pub async fn found(data: &Data, values: &[&str]) -> Vec<String> {
    let mut found = in_files(data, values);
    if data.url().starts_with("postgres") {
        found.extend(in_postgres(data.url(), values).await);
    }
    found
}

fn in_files(data: &Data, values: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(data.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let held = values.iter().filter(|value| contains(&bytes, value.as_bytes()));
            found.extend(held.map(|value| format!("{value} in {name}")));
        }
    }
    found
}

fn contains(bytes: &[u8], value: &[u8]) -> bool {
    bytes.windows(value.len()).any(|window| window == value)
}

async fn in_postgres(url: &str, values: &[&str]) -> Vec<String> {
    let db = Database::connect(url).await.unwrap();
    let texts = async |sql: &str| -> Vec<String> {
        let rows = db.query_all_raw(Statement::from_string(DbBackend::Postgres, sql));
        let text = |row: &sea_orm::QueryResult| row.try_get_by_index::<String>(0).unwrap();
        rows.await.unwrap().iter().map(text).collect()
    };
    let tables = texts(
        "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables \
         WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')",
    )
    .await;
    assert!(tables.len() > 5, "{tables:?}");
    let mut found = Vec::new();
    for table in &tables {
        for value in values {
            // As text, and as the bytes of it.
            let held = format!(
                "SELECT x::text FROM {table} x WHERE x::text LIKE '%{value}%' \
                 OR x::text LIKE '%' || encode('{value}'::bytea, 'hex') || '%' LIMIT 1"
            );
            found.extend(
                texts(&held)
                    .await
                    .iter()
                    .map(|row| format!("{value} in {table}: {row}")),
            );
        }
    }
    db.execute_unprepared("VACUUM FULL").await.unwrap();
    db.execute_unprepared("CHECKPOINT").await.unwrap();
    for value in values {
        let held = format!(
            "SELECT file FROM (SELECT 'base/' || oid || '/' || pg_ls_dir('base/' || oid) AS file FROM pg_database \
             WHERE datname = current_database()) files \
             WHERE position('{value}'::bytea IN coalesce(pg_read_binary_file(file, 0, 1000000000, true), ''::bytea)) > 0"
        );
        found.extend(texts(&held).await.iter().map(|file| format!("{value} in {file}")));
    }
    db.close().await.unwrap();
    found
}

/// While it runs, soon, and once it has stopped.
pub async fn assert_nowhere(server: &Server, values: &[&str]) {
    let began = Instant::now();
    loop {
        let found = found(server.data(), values).await;
        if found.is_empty() {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "while it runs: {found:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    server.stop(Duration::from_secs(30)).await;
    let left = found(server.data(), values).await;
    assert!(left.is_empty(), "after it has stopped: {left:?}");
}
