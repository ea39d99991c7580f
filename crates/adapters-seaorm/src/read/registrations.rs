//! Registrations, their history, searches and results.

use super::limited;
use crate::SeaStore;
use crate::error::store_error;
use crate::rows::{bytes, micros, records, registrations as rows};
use crate::sql::{Sql, runs};
use async_trait::async_trait;
use caretrack_domain::{
    Instant, KnownRecord, LocalPatientId, Patient, PatientId, Registration, ResultList, ResultRecord, Search,
    SearchId, SearchStatus, StatusEntry, WmdaId, WorkspaceId,
};
use caretrack_ports::{
    RegistrationFilter, RegistrationRepository, ResultOrder, ResultsQuery, SearchRepository, StoreError,
};
use sea_orm::{QueryResult, Value};

/// The statuses that a list shows.
fn shown(filter: &RegistrationFilter) -> Vec<SearchStatus> {
    let all = [
        SearchStatus::New,
        SearchStatus::Pre,
        SearchStatus::Act,
        SearchStatus::Sus,
        SearchStatus::Stp,
    ];
    let is_shown = |status: &SearchStatus| filter.statuses.is_empty() || filter.statuses.contains(status);
    all.into_iter().filter(is_shown).collect()
}

fn number(row: &QueryResult) -> Result<u64, StoreError> {
    let count: i64 = row.try_get_by_index(0).map_err(store_error)?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// `LIMIT` and `OFFSET`, as the engines count.
fn paged(sql: Sql, limit: usize, offset: u64) -> Sql {
    limited(sql, limit)
        .push(" OFFSET ")
        .bind(i64::try_from(offset).unwrap_or(i64::MAX))
}

impl SeaStore {
    /// The registrations of one status, last viewed first, as far as the page may reach: an index in its order.
    fn of_status(
        sql: Sql,
        workspace: WorkspaceId,
        filter: &RegistrationFilter,
        status: SearchStatus,
        upto: u64,
    ) -> Sql {
        let sql = sql
            .push("SELECT * FROM (SELECT viewed_at, wmda_id FROM registrations WHERE workspace_id = ")
            .bind(workspace.0);
        let sql = match &filter.assigned_to {
            Some(name) => sql
                .push(" AND assignee = ")
                .bind(bytes(rows::assignee(workspace, name).0)),
            None => sql,
        };
        sql.push(" AND status = ")
            .bind(status.to_string())
            .push(" ORDER BY viewed_at DESC, wmda_id DESC LIMIT ")
            .bind(i64::try_from(upto).unwrap_or(i64::MAX))
            .push(") AS ")
            .push(<&str>::from(status))
    }

    /// Whether the search is the workspace's.
    fn is_of(sql: Sql, workspace: WorkspaceId, search: SearchId) -> Sql {
        sql.push(" AND EXISTS (SELECT 1 FROM searches s WHERE s.search_id = ")
            .bind(search.number())
            .push(" AND s.workspace_id = ")
            .bind(workspace.0)
            .push(")")
    }

    async fn number_of(&self, sql: Sql) -> Result<u64, StoreError> {
        Ok(self.read_one(sql, number).await?.unwrap_or(0))
    }
}

#[async_trait]
impl RegistrationRepository for SeaStore {
    async fn find_registration(
        &self,
        workspace: WorkspaceId,
        wmda_id: WmdaId,
    ) -> Result<Option<Registration>, StoreError> {
        let sql = self
            .select(&rows::COLUMNS, "registrations WHERE wmda_id = ")
            .bind(wmda_id.number())
            .push(" AND workspace_id = ")
            .bind(workspace.0);
        self.read_one(sql, rows::read).await
    }

    async fn registrations_of(
        &self,
        workspace: WorkspaceId,
        patient: PatientId,
    ) -> Result<Vec<Registration>, StoreError> {
        let sql = self
            .select(&rows::COLUMNS, "registrations WHERE patient_id = ")
            .bind(patient.0)
            .push(" AND workspace_id = ")
            .bind(workspace.0)
            .push(" ORDER BY registered_at DESC, wmda_id DESC");
        self.read_all(sql, rows::read).await
    }

    async fn list_registrations(
        &self,
        workspace: WorkspaceId,
        filter: &RegistrationFilter,
        limit: usize,
        offset: u64,
    ) -> Result<Vec<Registration>, StoreError> {
        let upto = offset.saturating_add(u64::try_from(limit).unwrap_or(u64::MAX));
        let mut sql = self.sql("WITH shown(viewed_at, wmda_id) AS (");
        for (n, status) in shown(filter).into_iter().enumerate() {
            let joint = if n == 0 { "" } else { " UNION ALL " };
            sql = Self::of_status(sql.push(joint), workspace, filter, status, upto);
        }
        let columns = rows::COLUMNS.map(|column| format!("r.{column}")).join(", ");
        let sql = paged(
            sql.push(
                "), page AS (SELECT viewed_at, wmda_id FROM shown ORDER BY viewed_at DESC, wmda_id DESC",
            ),
            limit,
            offset,
        );
        let sql = sql
            .push(&format!(
                ") SELECT {columns} FROM page p JOIN registrations r ON r.wmda_id = p.wmda_id"
            ))
            .push(" ORDER BY p.viewed_at DESC, p.wmda_id DESC");
        self.read_all(sql, rows::read).await
    }

    async fn count_registrations(
        &self,
        workspace: WorkspaceId,
        filter: &RegistrationFilter,
    ) -> Result<u64, StoreError> {
        let assignee = match &filter.assigned_to {
            Some(name) => bytes(rows::assignee(workspace, name).0),
            None => Value::from(Vec::<u8>::new()),
        };
        let sql = self
            .sql("SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM registration_counts WHERE workspace_id = ")
            .bind(workspace.0)
            .push(" AND assignee = ")
            .bind(assignee)
            .push(" AND status IN (")
            .list(shown(filter).into_iter().map(|status| status.to_string()))
            .push(")");
        self.number_of(sql).await
    }

    async fn due_registrations(&self, now: Instant, limit: usize) -> Result<Vec<Registration>, StoreError> {
        // Every workspace with a registration has counts.
        let sql = self
            .sql(
                "SELECT w.workspace_id FROM (SELECT DISTINCT workspace_id FROM registration_counts) AS w \
                 WHERE EXISTS (SELECT 1 FROM registrations r WHERE r.workspace_id = w.workspace_id \
                 AND r.look_at <= ",
            )
            .bind(micros(now))
            .push(")");
        let workspaces: Vec<uuid::Uuid> = self
            .read_all(sql, |row| row.try_get_by_index(0).map_err(store_error))
            .await?;
        let share = limit.div_ceil(workspaces.len().max(1));
        let mut due = Vec::new();
        for workspace in workspaces {
            let sql = self
                .select(&rows::COLUMNS, "registrations WHERE workspace_id = ")
                .bind(workspace)
                .push(" AND look_at <= ")
                .bind(micros(now))
                .push(" ORDER BY look_at");
            due.extend(self.read_all(limited(sql, share), rows::read).await?);
        }
        Ok(due)
    }

    async fn list_status_entries(
        &self,
        workspace: WorkspaceId,
        wmda_id: WmdaId,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<StatusEntry>, StoreError> {
        let sql = self
            .select(&rows::ENTRY_COLUMNS, "status_entries WHERE wmda_id = ")
            .bind(wmda_id.number())
            .push(" AND revision > ")
            .bind(after.unwrap_or(-1))
            .push(" AND EXISTS (SELECT 1 FROM registrations WHERE wmda_id = ")
            .bind(wmda_id.number())
            .push(" AND workspace_id = ")
            .bind(workspace.0)
            .push(") ORDER BY revision");
        self.read_all(limited(sql, limit), rows::read_entry).await
    }

    async fn find_patient_by_local_id(
        &self,
        workspace: WorkspaceId,
        local_id: &LocalPatientId,
    ) -> Result<Option<Patient>, StoreError> {
        let sql = self
            .select(&records::PATIENT_COLUMNS, "patients WHERE workspace_id = ")
            .bind(workspace.0)
            .push(" AND local_id = ")
            .bind(local_id.expose());
        self.read_one(sql, records::read_patient).await
    }
}

#[async_trait]
impl SearchRepository for SeaStore {
    async fn find_search(&self, workspace: WorkspaceId, id: SearchId) -> Result<Option<Search>, StoreError> {
        let sql = self
            .select(&rows::SEARCH_COLUMNS, "searches WHERE search_id = ")
            .bind(id.number())
            .push(" AND workspace_id = ")
            .bind(workspace.0);
        self.read_one(sql, rows::read_search).await
    }

    async fn searches_of(&self, workspace: WorkspaceId, of: &[WmdaId]) -> Result<Vec<Search>, StoreError> {
        let mut found = Vec::new();
        for run in runs(of) {
            let sql = self
                .select(&rows::SEARCH_COLUMNS, "searches WHERE wmda_id IN (")
                .list(run.iter().map(|id| id.number()))
                .push(") AND workspace_id = ")
                .bind(workspace.0)
                .push(" ORDER BY started_at DESC, search_id DESC");
            found.extend(self.read_all(sql, rows::read_search).await?);
        }
        Ok(found)
    }

    async fn known_records(
        &self,
        workspace: WorkspaceId,
        search: SearchId,
    ) -> Result<Vec<KnownRecord>, StoreError> {
        let sql = self
            .select(&rows::KNOWN_COLUMNS, "search_results WHERE search_id = ")
            .bind(search.number());
        self.read_all(Self::is_of(sql, workspace, search), rows::read_known)
            .await
    }

    async fn list_results(
        &self,
        workspace: WorkspaceId,
        search: SearchId,
        query: &ResultsQuery,
    ) -> Result<Vec<ResultRecord>, StoreError> {
        let sql = self
            .select(&rows::RECORD_COLUMNS, "search_results WHERE search_id = ")
            .bind(search.number())
            .push(" AND list = ")
            .bind(query.list.to_string());
        let sql = match query.updated_from {
            Some(from) => sql.push(" AND flagged_at >= ").bind(micros(from)),
            None => sql,
        };
        let sql = Self::is_of(sql, workspace, search).push(match query.order {
            ResultOrder::Standard => " ORDER BY position",
            ResultOrder::LastUpdated => " ORDER BY flagged_at DESC, position",
        });
        self.read_all(paged(sql, query.limit, query.offset), rows::read_record)
            .await
    }

    async fn count_results(
        &self,
        workspace: WorkspaceId,
        search: SearchId,
        list: ResultList,
        updated_from: Instant,
    ) -> Result<u64, StoreError> {
        let sql = self
            .sql("SELECT COUNT(*) FROM search_results WHERE search_id = ")
            .bind(search.number())
            .push(" AND list = ")
            .bind(list.to_string())
            .push(" AND flagged_at >= ")
            .bind(micros(updated_from));
        self.number_of(Self::is_of(sql, workspace, search)).await
    }
}
