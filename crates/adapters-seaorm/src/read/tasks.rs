//! Tasks as operators and pollers see them.

use super::limited;
use crate::SeaStore;
use crate::error::store_error;
use crate::rows::{micros, task};
use crate::sql::Sql;
use async_trait::async_trait;
use caretrack_domain::{Instant, Operation, OrderingKey, QueueLoad, Task, TaskId, TaskKind, WorkspaceId};
use caretrack_ports::{Backlog, QueueFigures, StoreError, TaskFilter, TaskRepository};
use std::collections::HashMap;
use time::Duration;

/// How far a look at the work ahead counts.
const FAR_ENOUGH: usize = 10_000;
const MINUTE: Duration = Duration::MINUTE;

#[async_trait]
impl TaskRepository for SeaStore {
    async fn find_task(&self, workspace: WorkspaceId, id: TaskId) -> Result<Option<Task>, StoreError> {
        let found = self.tasks.find(id).await?;
        Ok(found.filter(|task| task.facts().workspace == workspace))
    }

    async fn list_tasks(
        &self,
        workspace: WorkspaceId,
        filter: TaskFilter,
        limit: usize,
    ) -> Result<Vec<Task>, StoreError> {
        let mut sql = self
            .select(&task::COLUMNS, "tasks WHERE workspace_id = ")
            .bind(workspace.0);
        if let Some(status) = filter.status {
            // Written out, so that the index of what did not go well is known to fit.
            sql = sql.push(&format!(" AND status = '{status}'"));
            if status != caretrack_domain::TaskStatus::Succeeded {
                sql = sql.push(" AND status <> 'succeeded'");
            }
        }
        if let Some(kind) = filter.kind {
            sql = sql.push(" AND kind = ").bind(kind.to_string());
        }
        if let Some(patient) = filter.patient {
            sql = sql.push(" AND patient_id = ").bind(patient.0);
        }
        if let Some(since) = filter.accepted_since {
            sql = sql.push(" AND accepted_at >= ").bind(micros(since));
        }
        if let Some(until) = filter.accepted_until {
            sql = sql.push(" AND accepted_at < ").bind(micros(until));
        }
        let sql = sql
            .push(" AND place < ")
            .bind(filter.before.unwrap_or(i64::MAX))
            .push(" ORDER BY place DESC");
        self.read_all(limited(sql, limit), task::read).await
    }

    async fn operations(
        &self,
        workspace: WorkspaceId,
        id: TaskId,
        from: u32,
        limit: usize,
    ) -> Result<Vec<Operation>, StoreError> {
        let sql = self
            .select(&task::OPERATION_COLUMNS, "operations WHERE task_id = ")
            .bind(id.0)
            .push(" AND seq >= ")
            .bind(i64::from(from))
            .push(" AND EXISTS (SELECT 1 FROM tasks WHERE id = ")
            .bind(id.0)
            .push(" AND workspace_id = ")
            .bind(workspace.0)
            .push(") ORDER BY seq");
        self.read_all(limited(sql, limit), |row| Ok(task::read_operation(row.into())?.1))
            .await
    }

    async fn expired_tasks(&self, now: Instant, limit: usize) -> Result<Vec<Task>, StoreError> {
        let sql = self
            .select(&task::COLUMNS, "tasks WHERE lease_until <= ")
            .bind(micros(now))
            .push(" ORDER BY lease_until");
        self.read_all(limited(sql, limit), task::read).await
    }

    async fn count_in_lanes(
        &self,
        workspace: WorkspaceId,
        prefix: &str,
        most: usize,
    ) -> Result<usize, StoreError> {
        let first = task::lane(workspace, &OrderingKey(prefix.to_owned()));
        let sql = self
            .sql("SELECT COUNT(*) FROM (SELECT 1 FROM tasks WHERE lane >= ")
            .bind(first.as_str())
            .push(" AND lane < ")
            .bind(format!("{first}\u{10ffff}"));
        let count = self.count(limited(sql, most).push(") AS waiting")).await?;
        Ok(usize::try_from(count).unwrap_or(most))
    }

    async fn queue_figures(
        &self,
        workspace: WorkspaceId,
        now: Instant,
    ) -> Result<Vec<QueueFigures>, StoreError> {
        let queues = self
            .sql("SELECT kind, paused FROM queues WHERE workspace_id = ")
            .bind(workspace.0)
            .push(" ORDER BY kind");
        let queues: Vec<(String, bool)> = self.read_all(queues, pair).await?;
        let counts = self
            .sql("SELECT kind, status, COUNT(*) FROM tasks WHERE status <> 'succeeded' AND workspace_id = ")
            .bind(workspace.0)
            .push(" GROUP BY kind, status");
        let counts: HashMap<(String, String), u64> = self
            .read_all(counts, |row| {
                let key = pair(row)?;
                let count: i64 = row.try_get_by_index(2).map_err(store_error)?;
                Ok((key, u64::try_from(count).unwrap_or(0)))
            })
            .await?
            .into_iter()
            .collect();
        let mut figures = Vec::with_capacity(queues.len());
        for (kind, paused) in queues {
            let kind: TaskKind = kind
                .parse()
                .map_err(|_| crate::error::corrupt("queues", "kind", &kind))?;
            let count = |status: &str| {
                counts
                    .get(&(kind.to_string(), status.to_owned()))
                    .copied()
                    .unwrap_or(0)
            };
            figures.push(QueueFigures {
                kind,
                paused,
                queued: count("queued"),
                running: count("running"),
                held: count("held"),
                retrying: count("retry_scheduled"),
                failed: count("failed"),
                oldest_accepted_at: self.oldest(workspace, kind).await?,
                ended_last_minute: self.ended_last_minute(workspace, kind, now, usize::MAX).await?.0,
            });
        }
        Ok(figures)
    }

    async fn backlog(&self, now: Instant) -> Result<Vec<Backlog>, StoreError> {
        // Both read an index only, of what has not ended well and of what could start.
        let counts = self.sql(
            "SELECT kind, status, COUNT(*) FROM tasks WHERE status <> 'succeeded' \
             AND status IN ('queued', 'running', 'held', 'retry_scheduled') GROUP BY kind, status",
        );
        let counts: HashMap<(String, String), u64> = self
            .read_all(counts, |row| {
                let count: i64 = row.try_get_by_index(2).map_err(store_error)?;
                Ok((pair(row)?, u64::try_from(count).unwrap_or(0)))
            })
            .await?
            .into_iter()
            .collect();
        let oldest = self
            .sql("SELECT kind, MIN(ready_at) FROM tasks WHERE ready_at <= ")
            .bind(micros(now))
            .push(" GROUP BY kind");
        let oldest: HashMap<String, i64> = self.read_all(oldest, pair).await?.into_iter().collect();
        let of = |kind: TaskKind| {
            let name = kind.to_string();
            let count = |status: &str| {
                counts
                    .get(&(name.clone(), status.to_owned()))
                    .copied()
                    .unwrap_or(0)
            };
            let oldest = oldest.get(&name).copied().and_then(crate::rows::from_micros);
            Backlog {
                kind,
                queued: count("queued"),
                running: count("running"),
                held: count("held"),
                retrying: count("retry_scheduled"),
                oldest_ready: oldest.map(|at| now - at),
            }
        };
        Ok(<TaskKind as strum::IntoEnumIterator>::iter().map(of).collect())
    }

    async fn queue_load(
        &self,
        workspace: WorkspaceId,
        kind: TaskKind,
        now: Instant,
    ) -> Result<QueueLoad, StoreError> {
        let ahead = self
            .sql(
                "SELECT COUNT(*) FROM (SELECT 1 FROM tasks WHERE status IN ('queued', 'running', \
                 'retry_scheduled') AND status <> 'succeeded' AND workspace_id = ",
            )
            .bind(workspace.0)
            .push(" AND kind = ")
            .bind(kind.to_string());
        let ahead = self.count(limited(ahead, FAR_ENOUGH).push(") AS ahead")).await?;
        let (ended, oldest) = self.ended_last_minute(workspace, kind, now, FAR_ENOUGH).await?;
        let seconds = match oldest {
            // More than were counted: they ended within a shorter time.
            Some(oldest) if ended >= FAR_ENOUGH as u64 => (now - oldest).as_seconds_f64().max(0.001),
            Some(_) | None => MINUTE.as_seconds_f64(),
        };
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let per_second = ended as f64 / seconds;
        Ok(QueueLoad { ahead, per_second })
    }
}

impl SeaStore {
    async fn count(&self, sql: Sql) -> Result<u64, StoreError> {
        let count = self
            .read_one(sql, |row| row.try_get_by_index::<i64>(0).map_err(store_error))
            .await?;
        Ok(u64::try_from(count.unwrap_or(0)).unwrap_or(0))
    }

    async fn oldest(&self, workspace: WorkspaceId, kind: TaskKind) -> Result<Option<Instant>, StoreError> {
        let mut oldest: Option<Instant> = None;
        for status in ["queued", "retry_scheduled"] {
            let sql = self
                .sql(&format!(
                    "SELECT accepted_at FROM tasks WHERE status = '{status}' AND status <> 'succeeded'"
                ))
                .push(" AND workspace_id = ")
                .bind(workspace.0)
                .push(" AND kind = ")
                .bind(kind.to_string())
                .push(" ORDER BY place");
            let found = self.read_one(limited(sql, 1), instant).await?.flatten();
            oldest = [oldest, found].into_iter().flatten().min();
        }
        Ok(oldest)
    }

    /// How many tasks ended within the last minute, counting the latest, and the first of those counted.
    async fn ended_last_minute(
        &self,
        workspace: WorkspaceId,
        kind: TaskKind,
        now: Instant,
        most: usize,
    ) -> Result<(u64, Option<Instant>), StoreError> {
        let sql = self
            .sql("SELECT MIN(finished_at), COUNT(*) FROM (SELECT finished_at FROM tasks WHERE finished_at > ")
            .bind(micros(now - MINUTE))
            .push(" AND workspace_id = ")
            .bind(workspace.0)
            .push(" AND kind = ")
            .bind(kind.to_string())
            .push(" ORDER BY finished_at DESC");
        let sql = limited(sql, most).push(") AS ended");
        let row = self.query(sql).await?;
        let Some(row) = row.first() else {
            return Ok((0, None));
        };
        let count: i64 = row.try_get_by_index(1).map_err(store_error)?;
        Ok((u64::try_from(count).unwrap_or(0), instant(row)?))
    }
}

fn pair<T: sea_orm::TryGetable>(row: &sea_orm::QueryResult) -> Result<(String, T), StoreError> {
    Ok((
        row.try_get_by_index(0).map_err(store_error)?,
        row.try_get_by_index(1).map_err(store_error)?,
    ))
}

fn instant(row: &sea_orm::QueryResult) -> Result<Option<Instant>, StoreError> {
    let micros: Option<i64> = row.try_get_by_index(0).map_err(store_error)?;
    Ok(micros.and_then(crate::rows::from_micros))
}
