//! Which person's record a registration is linked with.
//!
//! A person is found by the organisation's own identifier. A record that only one registration holds goes with it:
//! it is changed in place, or removed when the registration joins another. One that others hold too, other
//! registrations or other dialects, is left to them.

use crate::{Application, UseCaseError};
use caretrack_domain::{
    Instant, LocalPatientId, Patient, PatientId, PatientRefusal, Registration, WmdaId, WorkspaceId,
};
use caretrack_ports::{Changes, PatientRef, PatientRemoval};

/// Whose a record is, beside a registration's that is linked with it.
enum Record {
    /// Nobody else's.
    Own(Patient),
    /// Another registration's, though it has the number of this one.
    KnownBy(Patient, WmdaId),
    Others,
}

impl Application {
    /// The record for a registration, the one `before` or a new one, which has this identifier from now on.
    pub(crate) async fn person_for(
        &self,
        changes: &mut Changes,
        workspace: WorkspaceId,
        (wmda_id, before): (WmdaId, Option<&Registration>),
        local_id: Option<LocalPatientId>,
        now: Instant,
    ) -> Result<PatientId, UseCaseError> {
        let own = match before {
            Some(registration) => Some(self.record_of(registration).await?),
            None => None,
        };
        let known = match &local_id {
            Some(local_id) => self.store.find_patient_by_local_id(workspace, local_id).await?,
            None => None,
        };
        if let Some(known) = known {
            if before.is_some_and(|registration| registration.patient == known.id) {
                return Ok(known.id);
            }
            self.check_free(&known, local_id.as_ref()).await?;
            // Of several that want to join, each sees those before. It is known by the newest number.
            let is_newest = before.is_none() && !known.known_elsewhere;
            let joined = Patient {
                wmda_id: if is_newest { wmda_id } else { known.wmda_id },
                revision: known.revision + 1,
                ..known.clone()
            };
            changes.put_patient(Some(known.revision), joined);
            if let Some(Record::Own(own)) = own {
                changes.remove_patient(PatientRemoval {
                    workspace,
                    id: own.id,
                    expected: own.revision,
                });
            }
            return Ok(known.id);
        }
        if let Some(Record::Own(own)) = own {
            let renamed = Patient {
                local_id,
                revision: own.revision + 1,
                ..own.clone()
            };
            changes.put_patient(Some(own.revision), renamed);
            return Ok(own.id);
        }
        // Those who stay on the record it leaves do not keep its number.
        let number = match own {
            Some(Record::KnownBy(left, other)) => {
                let renumbered = Patient {
                    wmda_id: other,
                    revision: left.revision + 1,
                    ..left.clone()
                };
                changes.put_patient(Some(left.revision), renumbered);
                WmdaId::drawn(self.ids.number())
            }
            // The registration's number was given to a person before, and each is given once.
            Some(Record::Own(_) | Record::Others) => WmdaId::drawn(self.ids.number()),
            None => wmda_id,
        };
        let id = PatientId(self.ids.id());
        let patient = Patient {
            id,
            workspace,
            wmda_id: number,
            local_id,
            active: true,
            known_elsewhere: false,
            created_at: now,
            revision: 0,
        };
        changes.put_patient(None, patient);
        Ok(id)
    }

    async fn record_of(&self, registration: &Registration) -> Result<Record, UseCaseError> {
        let (workspace, id) = (registration.workspace, registration.patient);
        let person = self.store.find_patient(workspace, PatientRef::Id(id)).await?;
        let Some(person) = person.filter(|person| !person.known_elsewhere) else {
            return Ok(Record::Others);
        };
        let holders = self.store.registrations_of(workspace, id).await?;
        let mut others = holders
            .iter()
            .filter(|holder| holder.wmda_id != registration.wmda_id);
        Ok(match others.next() {
            None => Record::Own(person),
            Some(other) if person.wmda_id == registration.wmda_id => Record::KnownBy(person, other.wmda_id),
            Some(_) => Record::Others,
        })
    }

    /// No registration that is not stopped has the identifier.
    async fn check_free(
        &self,
        person: &Patient,
        local_id: Option<&LocalPatientId>,
    ) -> Result<(), UseCaseError> {
        let holders = self.store.registrations_of(person.workspace, person.id).await?;
        let in_use = holders.iter().any(|holder| {
            let live = !holder.is_stopped() && !holder.is_anonymised();
            live && holder.patient_id.as_ref() == local_id
        });
        if in_use {
            return Err(PatientRefusal::PatientIdInUse.into());
        }
        Ok(())
    }
}
