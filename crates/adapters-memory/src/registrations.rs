//! Registrations for donor searches, their searches and results: fences, names, changes, finders.

use crate::MemoryStore;
use crate::state::{ResultRow, State};
use crate::store::{fence, name};
use async_trait::async_trait;
use caretrack_domain::{
    Instant, KnownRecord, LocalPatientId, OrderingKey, Patient, PatientId, Registration, ResultChange,
    ResultKey, ResultList, ResultRecord, Search, SearchId, StatusEntry, Task, WmdaId, WorkspaceId,
};
use caretrack_ports::{
    Parts, PatientWrite, RegistrationFilter, RegistrationRepository, RegistrationTouch, RegistrationWrite,
    ResultOrder, ResultsQuery, ResultsWrite, SearchRepository, SearchWrite, StoreError,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

impl State {
    pub(crate) fn check_registrations(&self, parts: &Parts) -> Result<(), StoreError> {
        let mut steps = BTreeSet::new();
        for RegistrationWrite {
            expected,
            expected_counter,
            after,
            ..
        } in &parts.registrations
        {
            fence(steps.insert(after.wmda_id))?;
            if let Some(expected) = expected {
                let stored = self.registration_of(after.workspace, after.wmda_id);
                fence(stored.is_some_and(|stored| {
                    stored.revision == *expected
                        && expected_counter.is_none_or(|counter| counter == stored.counter_started_at)
                }))?;
            }
        }
        for touch in &parts.touches {
            let stored = self.registration_of(touch.workspace, touch.wmda_id);
            fence(stored.is_some_and(|stored| stored.revision == touch.expected))?;
            fence(!steps.contains(&touch.wmda_id))?;
        }
        let mut steps = BTreeSet::new();
        for SearchWrite { expected, after, .. } in &parts.searches {
            fence(steps.insert(after.id))?;
            if let Some(expected) = expected {
                let stored = self.searches.get(&after.id);
                fence(stored.is_some_and(|stored| {
                    stored.revision == *expected && stored.workspace == after.workspace
                }))?;
            }
        }
        for removal in &parts.removed_patients {
            let stored = self.patients.get(&removal.id);
            fence(stored.is_some_and(|stored| {
                stored.revision == removal.expected && stored.workspace == removal.workspace
            }))?;
        }
        Ok(())
    }

    pub(crate) fn check_registration_names(&self, parts: &Parts) -> Result<(), StoreError> {
        // A person made for a registration has its number, which may have been given before.
        let made_for = |person: &PatientWrite| {
            let mut writes = parts
                .registrations
                .iter()
                .filter(|write| write.expected.is_some());
            writes.any(|write| {
                write.after.wmda_id == person.after.wmda_id && write.after.patient == person.after.id
            })
        };
        let new_patients = parts.patients.iter().filter(|write| write.expected.is_none());
        let new_patients = new_patients.filter(|write| !made_for(write));
        let mut numbers: BTreeSet<WmdaId> = new_patients.map(|write| write.after.wmda_id).collect();
        name(
            !numbers
                .iter()
                .any(|number| self.registrations.contains_key(number)),
        )?;
        for write in parts
            .registrations
            .iter()
            .filter(|write| write.expected.is_none())
        {
            let (number, patient) = (write.after.wmda_id, write.after.patient);
            let is_free = !self.registrations.contains_key(&number) && !self.by_wmda.contains_key(&number);
            // A person that is made with it has the same.
            let person = |write: &PatientWrite| write.after.id == patient && write.after.wmda_id == number;
            let shared = parts.patients.iter().any(person);
            name(is_free && (numbers.insert(number) || shared))?;
        }
        for write in parts.searches.iter().filter(|write| write.expected.is_none()) {
            name(!self.searches.contains_key(&write.after.id))?;
        }
        Ok(())
    }

    pub(crate) fn write_registration(&mut self, write: RegistrationWrite) {
        let mut after = write.after;
        if let Some(before) = self.registrations.get(&after.wmda_id) {
            after.viewed_at = after.viewed_at.max(before.viewed_at);
            after.counter_started_at = after.counter_started_at.max(before.counter_started_at);
        }
        if let Some(left) = write.left {
            let lanes = [
                Registration::ordering_key(after.wmda_id),
                Registration::lane_of_time(after.wmda_id),
            ];
            let is_of = |key: Option<&OrderingKey>| key.is_some_and(|key| lanes.contains(key));
            for row in self.tasks.values_mut() {
                let mut facts = row.task.facts().clone();
                if facts.patient == Some(left) && is_of(facts.ordering_key.as_ref()) {
                    facts.patient = Some(after.patient);
                    row.task = with_facts(&row.task, facts);
                }
            }
        }
        self.registrations.insert(after.wmda_id, after);
    }

    pub(crate) fn touch(&mut self, touch: RegistrationTouch) {
        if let Some(stored) = self.registrations.get_mut(&touch.wmda_id) {
            stored.viewed_at = stored.viewed_at.max(touch.viewed_at);
            stored.counter_started_at = stored.counter_started_at.max(touch.counter_started_at);
        }
    }

    pub(crate) fn write_search(&mut self, write: SearchWrite) {
        match write.results {
            ResultsWrite::Keep => {}
            ResultsWrite::Delete => self.results.retain(|key, _| key.search != write.after.id),
            ResultsWrite::Change(changes) => {
                for change in changes {
                    self.change_result(change);
                }
            }
        }
        self.searches.insert(write.after.id, write.after);
    }

    fn change_result(&mut self, change: ResultChange) {
        match change {
            ResultChange::Put {
                key,
                position,
                content,
                digest,
                flag,
                flagged_at,
            } => {
                let row = ResultRow {
                    position,
                    content,
                    digest,
                    flag,
                    flagged_at,
                };
                self.results.insert(key, row);
            }
            ResultChange::Mark {
                key,
                position,
                flag,
                flagged_at,
            } => {
                if let Some(row) = self.results.get_mut(&key) {
                    row.position = position;
                    row.flag = flag;
                    row.flagged_at = flagged_at;
                }
            }
            ResultChange::Drop { key } => {
                self.results.remove(&key);
            }
        }
    }

    fn registration_of(&self, workspace: WorkspaceId, wmda_id: WmdaId) -> Option<&Registration> {
        let found = self.registrations.get(&wmda_id)?;
        (found.workspace == workspace).then_some(found)
    }

    fn shown<'a>(
        &'a self,
        workspace: WorkspaceId,
        filter: &'a RegistrationFilter,
    ) -> impl Iterator<Item = &'a Registration> {
        self.registrations.values().filter(move |registration| {
            registration.workspace == workspace
                && !registration.is_anonymised()
                && (filter.statuses.is_empty() || filter.statuses.contains(&registration.status))
                && (filter.assigned_to.is_none() || registration.assigned_to == filter.assigned_to)
        })
    }

    fn results_of(
        &self,
        (workspace, search): (WorkspaceId, SearchId),
        list: Option<ResultList>,
    ) -> impl Iterator<Item = (&ResultKey, &ResultRow)> {
        let found = self.searches.get(&search);
        let is_ours = found.is_some_and(|found| found.workspace == workspace);
        let results = self.results.iter().filter(move |_| is_ours);
        results.filter(move |(key, _)| key.search == search && list.is_none_or(|list| key.list == list))
    }
}

fn with_facts(task: &Task, facts: caretrack_domain::TaskFacts) -> Task {
    Task::restore(
        facts,
        task.place(),
        task.revision(),
        task.tally(),
        task.attempts().to_vec(),
        task.state().clone(),
    )
}

#[async_trait]
impl RegistrationRepository for MemoryStore {
    async fn find_registration(
        &self,
        workspace: WorkspaceId,
        wmda_id: WmdaId,
    ) -> Result<Option<Registration>, StoreError> {
        Ok(self.state().registration_of(workspace, wmda_id).cloned())
    }

    async fn registrations_of(
        &self,
        workspace: WorkspaceId,
        patient: PatientId,
    ) -> Result<Vec<Registration>, StoreError> {
        let state = self.state();
        let mut found: Vec<_> = (state.registrations.values())
            .filter(|registration| registration.workspace == workspace && registration.patient == patient)
            .cloned()
            .collect();
        found.sort_by_key(|registration| Reverse((registration.registered_at, registration.wmda_id)));
        Ok(found)
    }

    async fn list_registrations(
        &self,
        workspace: WorkspaceId,
        filter: &RegistrationFilter,
        limit: usize,
        offset: u64,
    ) -> Result<Vec<Registration>, StoreError> {
        let state = self.state();
        let mut shown: Vec<_> = state.shown(workspace, filter).collect();
        shown.sort_by_key(|registration| Reverse((registration.viewed_at, registration.wmda_id)));
        Ok(page(shown.into_iter(), offset, limit).cloned().collect())
    }

    async fn count_registrations(
        &self,
        workspace: WorkspaceId,
        filter: &RegistrationFilter,
    ) -> Result<u64, StoreError> {
        Ok(count(self.state().shown(workspace, filter)))
    }

    async fn due_registrations(&self, now: Instant, limit: usize) -> Result<Vec<Registration>, StoreError> {
        let state = self.state();
        let due = state.registrations.values().filter_map(|registration| {
            let at = registration.look_at().filter(|at| *at <= now)?;
            Some((at, registration))
        });
        let mut by_workspace: BTreeMap<WorkspaceId, Vec<_>> = BTreeMap::new();
        for (at, registration) in due {
            let of = by_workspace.entry(registration.workspace).or_default();
            of.push((at, registration.wmda_id, registration));
        }
        let share = limit.div_ceil(by_workspace.len().max(1));
        let shares = by_workspace.into_values().flat_map(|mut of| {
            of.sort_by_key(|(at, number, _)| (*at, *number));
            of.into_iter().take(share)
        });
        Ok(shares.map(|(_, _, registration)| registration.clone()).collect())
    }

    async fn list_status_entries(
        &self,
        workspace: WorkspaceId,
        wmda_id: WmdaId,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<StatusEntry>, StoreError> {
        let state = self.state();
        if state.registration_of(workspace, wmda_id).is_none() {
            return Ok(Vec::new());
        }
        let entries = state
            .status_entries
            .range((wmda_id, i64::MIN)..=(wmda_id, i64::MAX));
        let entries = entries.filter(|((_, revision), _)| after.is_none_or(|after| *revision > after));
        Ok(entries.take(limit).map(|(_, entry)| entry.clone()).collect())
    }

    async fn find_patient_by_local_id(
        &self,
        workspace: WorkspaceId,
        local_id: &LocalPatientId,
    ) -> Result<Option<Patient>, StoreError> {
        let state = self.state();
        let id = state.by_local.get(&(workspace, local_id.clone()));
        Ok(id.and_then(|id| state.patients.get(id)).cloned())
    }
}

#[async_trait]
impl SearchRepository for MemoryStore {
    async fn find_search(&self, workspace: WorkspaceId, id: SearchId) -> Result<Option<Search>, StoreError> {
        let state = self.state();
        let found = state.searches.get(&id);
        Ok(found.filter(|search| search.workspace == workspace).cloned())
    }

    async fn searches_of(&self, workspace: WorkspaceId, of: &[WmdaId]) -> Result<Vec<Search>, StoreError> {
        let state = self.state();
        let mut found: Vec<_> = (state.searches.values())
            .filter(|search| search.workspace == workspace && of.contains(&search.wmda_id))
            .cloned()
            .collect();
        found.sort_by_key(|search| Reverse((search.started_at, search.id)));
        Ok(found)
    }

    async fn known_records(
        &self,
        workspace: WorkspaceId,
        search: SearchId,
    ) -> Result<Vec<KnownRecord>, StoreError> {
        let state = self.state();
        let known = state
            .results_of((workspace, search), None)
            .map(|(key, row)| KnownRecord {
                list: key.list,
                id: key.id.clone(),
                position: row.position,
                digest: row.digest,
                flag: row.flag,
                flagged_at: row.flagged_at,
            });
        Ok(known.collect())
    }

    async fn list_results(
        &self,
        workspace: WorkspaceId,
        search: SearchId,
        query: &ResultsQuery,
    ) -> Result<Vec<ResultRecord>, StoreError> {
        let state = self.state();
        let listed = state
            .results_of((workspace, search), Some(query.list))
            .map(|(_, row)| row);
        let listed = listed.filter(|row| query.updated_from.is_none_or(|from| row.flagged_at >= from));
        let mut listed: Vec<_> = listed.collect();
        match query.order {
            ResultOrder::Standard => listed.sort_by_key(|row| row.position),
            ResultOrder::LastUpdated => listed.sort_by_key(|row| (Reverse(row.flagged_at), row.position)),
        }
        let page = page(listed.into_iter(), query.offset, query.limit);
        Ok(page
            .map(|row| ResultRecord {
                content: row.content.clone(),
                flag: row.flag,
                flagged_at: row.flagged_at,
            })
            .collect())
    }

    async fn count_results(
        &self,
        workspace: WorkspaceId,
        search: SearchId,
        list: ResultList,
        updated_from: Instant,
    ) -> Result<u64, StoreError> {
        let state = self.state();
        let listed = state.results_of((workspace, search), Some(list));
        Ok(count(listed.filter(|(_, row)| row.flagged_at >= updated_from)))
    }
}

fn page<T>(items: impl Iterator<Item = T>, offset: u64, limit: usize) -> impl Iterator<Item = T> {
    items
        .skip(usize::try_from(offset).unwrap_or(usize::MAX))
        .take(limit)
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    u64::try_from(items.count()).unwrap_or(u64::MAX)
}
