//! Registrations for donor searches, their searches and what these found.

use crate::StoreError;
use async_trait::async_trait;
use caretrack_domain::{
    Instant, KnownRecord, LocalPatientId, Patient, PatientId, Registration, ResultChange, ResultList,
    ResultRecord, Search, SearchId, SearchStatus, StatusEntry, UserName, WmdaId, WorkspaceId,
};
use std::collections::BTreeSet;

/// A registration added (no revision expected) or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationWrite {
    /// The revision that was seen.
    pub expected: Option<i64>,
    /// When its counter had started, if the change stands on that: whoever moved it in between came first.
    pub expected_counter: Option<Instant>,
    /// The person's record that it was linked with before: its tasks come along to the other.
    pub left: Option<PatientId>,
    /// Of its two times of activity the later ones stay, those stored or these.
    pub after: Registration,
}

/// A retrieval: moves two times and nothing else. Those of one registration do not stand in each other's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrationTouch {
    pub workspace: WorkspaceId,
    pub wmda_id: WmdaId,
    /// The revision that was seen.
    pub expected: i64,
    /// Neither time goes back.
    pub viewed_at: Instant,
    pub counter_started_at: Instant,
}

/// A search added (no revision expected) or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchWrite {
    pub expected: Option<i64>,
    pub after: Search,
    pub results: ResultsWrite,
}

/// What becomes of what a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultsWrite {
    Keep,
    Change(Vec<ResultChange>),
    Delete,
}

/// A person's record that goes, for its registration has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatientRemoval {
    pub workspace: WorkspaceId,
    pub id: PatientId,
    pub expected: i64,
}

/// Which registrations a list shows; anonymised ones never.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistrationFilter {
    /// All, if none is named.
    pub statuses: BTreeSet<SearchStatus>,
    pub assigned_to: Option<UserName>,
}

/// In which order results are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ResultOrder {
    /// The engine's.
    #[default]
    Standard,
    /// Those that changed last come first.
    LastUpdated,
}

/// Which records of a search's results are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultsQuery {
    pub list: ResultList,
    /// Flagged then or later.
    pub updated_from: Option<Instant>,
    pub order: ResultOrder,
    pub limit: usize,
    pub offset: u64,
}

#[async_trait]
pub trait RegistrationRepository: Send + Sync {
    async fn find_registration(
        &self,
        workspace: WorkspaceId,
        wmda_id: WmdaId,
    ) -> Result<Option<Registration>, StoreError>;

    /// Of one person, newest first, anonymised ones included.
    async fn registrations_of(
        &self,
        workspace: WorkspaceId,
        patient: PatientId,
    ) -> Result<Vec<Registration>, StoreError>;

    /// Those viewed last come first, then by descending number.
    async fn list_registrations(
        &self,
        workspace: WorkspaceId,
        filter: &RegistrationFilter,
        limit: usize,
        offset: u64,
    ) -> Result<Vec<Registration>, StoreError>;

    /// How many the filter shows; costs the same however many they are.
    async fn count_registrations(
        &self,
        workspace: WorkspaceId,
        filter: &RegistrationFilter,
    ) -> Result<u64, StoreError>;

    /// Those of all workspaces for which something may be due by `now`, the longest due first, the workspaces sharing
    /// the room. That it was put off may show only when it is looked at.
    async fn due_registrations(&self, now: Instant, limit: usize) -> Result<Vec<Registration>, StoreError>;

    /// By ascending revision, after `after`.
    async fn list_status_entries(
        &self,
        workspace: WorkspaceId,
        wmda_id: WmdaId,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<StatusEntry>, StoreError>;

    async fn find_patient_by_local_id(
        &self,
        workspace: WorkspaceId,
        local_id: &LocalPatientId,
    ) -> Result<Option<Patient>, StoreError>;
}

#[async_trait]
pub trait SearchRepository: Send + Sync {
    async fn find_search(&self, workspace: WorkspaceId, id: SearchId) -> Result<Option<Search>, StoreError>;

    /// Of several registrations, newest first.
    async fn searches_of(&self, workspace: WorkspaceId, of: &[WmdaId]) -> Result<Vec<Search>, StoreError>;

    /// All that is listed, in no order.
    async fn known_records(
        &self,
        workspace: WorkspaceId,
        search: SearchId,
    ) -> Result<Vec<KnownRecord>, StoreError>;

    async fn list_results(
        &self,
        workspace: WorkspaceId,
        search: SearchId,
        query: &ResultsQuery,
    ) -> Result<Vec<ResultRecord>, StoreError>;

    /// How many were flagged then or later.
    async fn count_results(
        &self,
        workspace: WorkspaceId,
        search: SearchId,
        list: ResultList,
        updated_from: Instant,
    ) -> Result<u64, StoreError>;
}
