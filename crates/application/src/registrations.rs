//! Patients of donor searches: registered, updated, moved from status to status, retrieved, listed.
//!
//! Each change is judged against what it finds, fenced by its revision, and judged again if something moved.
//! What comes of a change beside the registration itself, the person's record and the searches, is in
//! `persons.rs` and `searches.rs`.

use crate::error::until_settled;
use crate::idempotency::Conclusion;
use crate::{Application, Asker, Caller, Page, UseCaseError};
use caretrack_domain::{
    AuditOutcome, ChangeReason, Instant, LocalPatientId, Login, Mover, PatientDetails, Registration,
    RegistrationChange, Scope, Search, SearchStatus, StatusCommand, StatusEffect, StatusEntry, StatusRequest,
    UserName, WmdaId,
};
use caretrack_ports::{
    Admission, Changes, PatientRef, RegistrationFilter, RegistrationTouch, ResultsWrite, SearchWrite,
};
use std::collections::BTreeMap;

/// A patient as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRegistration {
    pub details: PatientDetails,
    pub legal_terms: bool,
    /// Not kept unless the legal terms are accepted.
    pub patient_id: Option<LocalPatientId>,
}

/// Where a patient stands, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusAnswer {
    pub wmda_id: WmdaId,
    pub status: SearchStatus,
    pub reason: Option<ChangeReason>,
}

/// A page of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationList {
    /// Each with its searches, newest first.
    pub items: Vec<(Registration, Vec<Search>)>,
    /// How many there are on all pages.
    pub total: u64,
}

impl Application {
    /// The numbers are sparse: a few draws that all meet a taken one mean that something else is taken.
    pub(crate) const DRAWS: usize = 5;

    pub async fn register_patient_for_search<Q: Asker<WmdaId>>(
        &self,
        asker: &Q,
        new: NewRegistration,
    ) -> Result<Q::Answer, UseCaseError> {
        asker.caller().require(Scope::PatientWrite)?;
        let work = until_settled(|| self.try_register_for_search(asker, &new));
        let outcome = self.once(asker, work).await;
        self.audited(asker, "patient.register", "", outcome).await
    }

    async fn try_register_for_search<Q: Asker<WmdaId>>(
        &self,
        asker: &Q,
        new: &NewRegistration,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let mut draws = 0;
        loop {
            let now = self.now();
            let wmda_id = WmdaId::drawn(self.ids.number());
            let patient_id = new.patient_id.clone().filter(|_| new.legal_terms);
            let mut changes = Changes::by(caller.author(now), Admission::New);
            changes.audit("patient.register", text(wmda_id), AuditOutcome::Done);
            let person = self
                .person_for(
                    &mut changes,
                    caller.who.workspace,
                    (wmda_id, None),
                    patient_id,
                    now,
                )
                .await?;
            let (registration, entry) = Registration::new(
                (wmda_id, caller.who.workspace, person),
                new.details.clone(),
                (new.legal_terms, new.patient_id.clone()),
                mover(caller).name,
                now,
            );
            changes.put_registration(None, registration);
            changes.record_status(entry);
            draws += 1;
            match self.conclude(asker, changes, Conclusion::of(wmda_id)).await {
                // The number, or a person of that patientId: the next look shows who has it.
                Err(error) if error.is_duplicate() && draws < Self::DRAWS => {}
                concluded => return concluded,
            }
        }
    }

    pub async fn change_registration<Q: Asker<()>>(
        &self,
        asker: &Q,
        wmda_id: WmdaId,
        change: RegistrationChange,
    ) -> Result<Q::Answer, UseCaseError> {
        asker.caller().require(Scope::PatientWrite)?;
        let work = until_settled(|| self.try_change_registration(asker, wmda_id, &change));
        let outcome = self.once(asker, work).await;
        self.audited(asker, "patient.update", &text(wmda_id), outcome)
            .await
    }

    async fn try_change_registration<Q: Asker<()>>(
        &self,
        asker: &Q,
        wmda_id: WmdaId,
        change: &RegistrationChange,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let before = self.registration(caller, wmda_id).await?;
        let now = self.now();
        let (mut after, refreshes) = before.update(change.clone(), mover(caller), now)?;
        let mut changes = Changes::by(caller.author(now), Admission::New);
        changes.audit("patient.update", text(wmda_id), AuditOutcome::Done);
        if after.patient_id != before.patient_id {
            let patient_id = after.patient_id.clone();
            after.patient = self
                .person_for(
                    &mut changes,
                    before.workspace,
                    (wmda_id, Some(&before)),
                    patient_id,
                    now,
                )
                .await?;
        }
        if refreshes {
            let refresh = self.refresh_task(caller, &after, now).await?;
            changes.insert_task(refresh);
        }
        changes.put_registration(Some(&before), after);
        self.conclude_unless_taken(asker, changes, ()).await
    }

    pub async fn set_search_status<Q: Asker<StatusAnswer>>(
        &self,
        asker: &Q,
        wmda_id: WmdaId,
        request: StatusRequest,
    ) -> Result<Q::Answer, UseCaseError> {
        asker.caller().require(Scope::PatientWrite)?;
        let work = until_settled(|| self.try_set_status(asker, wmda_id, request));
        let outcome = self.once(asker, work).await;
        self.audited(asker, "patient.status", &text(wmda_id), outcome)
            .await
    }

    async fn try_set_status<Q: Asker<StatusAnswer>>(
        &self,
        asker: &Q,
        wmda_id: WmdaId,
        request: StatusRequest,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let before = self.registration(caller, wmda_id).await?;
        let now = self.now();
        let command = StatusCommand::from(request.target());
        let change = before.apply(command, request.reason(), mover(caller), now)?;
        let answer = StatusAnswer {
            wmda_id,
            status: change.after.status,
            reason: change.after.reason,
        };
        let mut changes = Changes::by(caller.author(now), Admission::Continuing);
        changes.audit("patient.status", text(wmda_id), AuditOutcome::Done);
        if let Some(entry) = change.entry {
            changes.record_status(entry);
            if change.effects.contains(&StatusEffect::TerminateSearches) {
                self.terminate_searches(&mut changes, &before, now).await?;
            }
            changes.put_registration(Some(&before), change.after);
        }
        self.conclude(asker, changes, Conclusion::of(answer)).await
    }

    /// Ends every search of the patient, and deletes what they found.
    pub(crate) async fn terminate_searches(
        &self,
        changes: &mut Changes,
        registration: &Registration,
        now: Instant,
    ) -> Result<(), caretrack_ports::StoreError> {
        let of = [registration.wmda_id];
        for search in self.store.searches_of(registration.workspace, &of).await? {
            if let Some(after) = search.terminate(now) {
                changes.put_search(SearchWrite {
                    expected: Some(search.revision),
                    after,
                    results: ResultsWrite::Delete,
                });
            }
        }
        Ok(())
    }

    /// No activity, and allowed whatever the status.
    pub async fn assign_user<Q: Asker<()>>(
        &self,
        asker: &Q,
        wmda_id: WmdaId,
        to: Option<UserName>,
    ) -> Result<Q::Answer, UseCaseError> {
        asker.caller().require(Scope::PatientWrite)?;
        let work = until_settled(|| self.try_assign_user(asker, wmda_id, to.clone()));
        let outcome = self.once(asker, work).await;
        self.audited(asker, "patient.assign", &text(wmda_id), outcome)
            .await
    }

    async fn try_assign_user<Q: Asker<()>>(
        &self,
        asker: &Q,
        wmda_id: WmdaId,
        to: Option<UserName>,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let before = self.registration(caller, wmda_id).await?;
        let mut changes = Changes::by(caller.author(self.now()), Admission::New);
        changes.audit("patient.assign", text(wmda_id), AuditOutcome::Done);
        changes.put_registration(Some(&before), before.assigned(to));
        self.conclude(asker, changes, Conclusion::of(())).await
    }

    /// Retrieves one: an activity. The two times are shown as this sets them.
    pub async fn view_registration(
        &self,
        caller: &Caller,
        wmda_id: WmdaId,
    ) -> Result<Registration, UseCaseError> {
        caller.require(Scope::PatientRead)?;
        until_settled(|| async {
            let registration = self.registration(caller, wmda_id).await?;
            self.touched(caller, registration).await
        })
        .await
    }

    /// The registration as it is after being retrieved.
    pub(crate) async fn touched(
        &self,
        caller: &Caller,
        before: Registration,
    ) -> Result<Registration, UseCaseError> {
        if !mover(caller).is_active {
            return Ok(before);
        }
        let now = self.now();
        let after = before.viewed(now);
        let mut changes = Changes::by(caller.author(now), Admission::New);
        changes.touch_registration(RegistrationTouch {
            workspace: after.workspace,
            wmda_id: after.wmda_id,
            expected: before.revision,
            viewed_at: after.viewed_at,
            counter_started_at: after.counter_started_at,
        });
        self.store.commit(changes).await?;
        Ok(after)
    }

    /// No activity.
    pub async fn list_registrations(
        &self,
        caller: &Caller,
        filter: &RegistrationFilter,
        limit: usize,
        offset: u64,
    ) -> Result<RegistrationList, UseCaseError> {
        caller.require(Scope::PatientRead)?;
        let workspace = caller.who.workspace;
        let total = self.store.count_registrations(workspace, filter).await?;
        let listed = self
            .store
            .list_registrations(workspace, filter, limit, offset)
            .await?;
        let numbers: Vec<WmdaId> = listed.iter().map(|listed| listed.wmda_id).collect();
        let mut searches: BTreeMap<WmdaId, Vec<Search>> = BTreeMap::new();
        for search in self.store.searches_of(workspace, &numbers).await? {
            searches.entry(search.wmda_id).or_default().push(search);
        }
        let items = listed.into_iter().map(|registration| {
            let searches = searches.remove(&registration.wmda_id).unwrap_or_default();
            (registration, searches)
        });
        Ok(RegistrationList {
            items: items.collect(),
            total,
        })
    }

    /// Oldest first, after the entry of that revision; of several registrations of a person, that of the newest.
    pub async fn status_history(
        &self,
        caller: &Caller,
        by: PatientRef,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Page<StatusEntry>, UseCaseError> {
        caller.require(Scope::OpsRead)?;
        let workspace = caller.who.workspace;
        let wmda_id = match by {
            PatientRef::Wmda(wmda_id) => Some(wmda_id),
            PatientRef::Id(id) => {
                let registrations = self.store.registrations_of(workspace, id).await?;
                registrations.first().map(|newest| newest.wmda_id)
            }
        };
        let entries = match wmda_id {
            Some(wmda_id) => {
                self.store
                    .list_status_entries(workspace, wmda_id, after, limit + 1)
                    .await?
            }
            None => Vec::new(),
        };
        if entries.is_empty() {
            // Nobody was registered under that number, or the patient is no donor-search patient: if there is one.
            self.patient(caller, by).await?;
        }
        Ok(Page::of(entries, limit))
    }

    /// One that is there for the dialect: an anonymised one is not.
    pub(crate) async fn registration(
        &self,
        caller: &Caller,
        wmda_id: WmdaId,
    ) -> Result<Registration, UseCaseError> {
        let found = self
            .store
            .find_registration(caller.who.workspace, wmda_id)
            .await?;
        found
            .filter(|found| !found.is_anonymised())
            .ok_or_else(|| UseCaseError::not_found("There is no such patient."))
    }

    /// A name that is taken was free a moment ago: whoever took it is found at the next look.
    async fn conclude_unless_taken<T, Q: Asker<T>>(
        &self,
        asker: &Q,
        changes: Changes,
        outcome: T,
    ) -> Result<Q::Answer, UseCaseError> {
        match self.conclude(asker, changes, Conclusion::of(outcome)).await {
            Err(error) if error.is_duplicate() => Err(caretrack_ports::StoreError::Conflict.into()),
            concluded => concluded,
        }
    }
}

pub(crate) fn text(wmda_id: WmdaId) -> String {
    wmda_id.number().to_string()
}

/// Who moves a patient on. A match engine's daily work keeps nobody's search alive.
pub(crate) fn mover(caller: &Caller) -> Mover<'_> {
    let name = match &caller.who.login {
        Login::Token(token) => token.subject.client(),
        // The dialect takes tokens only.
        Login::ApiKey(_) | Login::Client(_) => Mover::SYSTEM.name,
    };
    Mover {
        name,
        is_active: !caller.who.scopes.contains(Scope::SearchDeliver),
    }
}
