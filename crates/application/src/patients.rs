//! Patients: one record each, known by three identifiers.

use crate::error::until_settled;
use crate::idempotency::Conclusion;
use crate::{Application, Asker, Caller, Page, UseCaseError};
use caretrack_domain::{
    AuditOutcome, LocalPatientId, Patient, PatientId, Refusal, RefusalKind, Registration, Scope, Task, WmdaId,
};
use caretrack_ports::{Admission, Changes, PatientRef, TaskFilter};

/// A patient with what there is about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatientRecord {
    pub patient: Patient,
    /// For donor searches, newest first.
    pub registrations: Vec<Registration>,
    /// Newest first.
    pub recent_tasks: Vec<Task>,
}

impl Application {
    const RECENT: usize = 10;

    pub async fn register_patient<Q: Asker<Patient>>(
        &self,
        asker: &Q,
        local_id: Option<LocalPatientId>,
    ) -> Result<Q::Answer, UseCaseError> {
        let id = PatientId(self.ids.id());
        let outcome = async {
            asker.caller().require(Scope::OpsWrite)?;
            self.once(asker, self.try_register(asker, id, local_id)).await
        };
        self.audited(asker, "patient.register", &id.to_string(), outcome.await)
            .await
    }

    async fn try_register<Q: Asker<Patient>>(
        &self,
        asker: &Q,
        id: PatientId,
        local_id: Option<LocalPatientId>,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let now = self.now();
        for _ in 0..Self::DRAWS {
            let patient = Patient {
                id,
                workspace: caller.who.workspace,
                wmda_id: WmdaId::drawn(self.ids.number()),
                local_id: local_id.clone(),
                active: true,
                known_elsewhere: true,
                created_at: now,
                revision: 0,
            };
            let mut changes = Changes::by(caller.author(now), Admission::New);
            changes.audit("patient.register", id.to_string(), AuditOutcome::Done);
            changes.put_patient(None, patient.clone());
            match self.conclude(asker, changes, Conclusion::of(patient)).await {
                Err(error) if error.is_duplicate() => {}
                concluded => return concluded,
            }
        }
        // The identifier itself is personal data, and the caller knows it.
        Err(Refusal::new(
            RefusalKind::AlreadyExists,
            "There is a patient with that patientId already.",
        )
        .into())
    }

    pub async fn find_patient(&self, caller: &Caller, by: PatientRef) -> Result<PatientRecord, UseCaseError> {
        caller.require(Scope::OpsRead)?;
        let patient = self.patient(caller, by).await?;
        let filter = TaskFilter {
            patient: Some(patient.id),
            ..TaskFilter::default()
        };
        let recent_tasks = self
            .store
            .list_tasks(caller.who.workspace, filter, Self::RECENT)
            .await?;
        let registrations = self
            .store
            .registrations_of(caller.who.workspace, patient.id)
            .await?;
        Ok(PatientRecord {
            patient,
            registrations,
            recent_tasks,
        })
    }

    /// By ascending id.
    pub async fn list_patients(
        &self,
        caller: &Caller,
        after: Option<PatientId>,
        limit: usize,
    ) -> Result<Page<Patient>, UseCaseError> {
        caller.require(Scope::OpsRead)?;
        let patients = self
            .store
            .list_patients(caller.who.workspace, after, limit + 1)
            .await?;
        Ok(Page::of(patients, limit))
    }

    pub async fn set_patient_active<Q: Asker<Patient>>(
        &self,
        asker: &Q,
        by: PatientRef,
        active: bool,
    ) -> Result<Q::Answer, UseCaseError> {
        let target = match by {
            PatientRef::Id(id) => id.to_string(),
            PatientRef::Wmda(number) => number.number().to_string(),
        };
        let outcome = async {
            asker.caller().require(Scope::OpsWrite)?;
            let work = until_settled(|| self.try_set_active(asker, by, active));
            self.once(asker, work).await
        };
        self.audited(asker, "patient.change", &target, outcome.await)
            .await
    }

    async fn try_set_active<Q: Asker<Patient>>(
        &self,
        asker: &Q,
        by: PatientRef,
        active: bool,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let before = self.patient(caller, by).await?;
        let patient = Patient {
            active,
            revision: before.revision + 1,
            ..before.clone()
        };
        let mut changes = Changes::by(caller.author(self.now()), Admission::New);
        changes.audit("patient.change", patient.id.to_string(), AuditOutcome::Done);
        changes.put_patient(Some(before.revision), patient.clone());
        self.conclude(asker, changes, Conclusion::of(patient)).await
    }

    pub(crate) async fn patient(&self, caller: &Caller, by: PatientRef) -> Result<Patient, UseCaseError> {
        let found = self.store.find_patient(caller.who.workspace, by).await?;
        found.ok_or_else(|| UseCaseError::not_found("There is no such patient."))
    }
}
