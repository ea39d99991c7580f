//! One registration of a person for a donor search: what the dialect calls a patient.
//!
//! Its status moves by the machine (`search_status.rs`); what a change brings with it for the registration itself is
//! done here, what it brings for its searches is told in the change's effects. Two of its times, `counter_started_at`
//! and `viewed_at`, also move without a change: such a touch leaves the revision alone.

mod change;
mod codes;
mod details;
mod hla;
mod times;

pub use change::{DetailsChange, Edit};
pub use codes::{Abo, CmvStatus, DiseasePhase, Ethnicity, Rhesus, Sex};
pub use details::{
    DateOfBirth, Day, Diagnosis, DiagnosisCode, DiagnosisText, Idm, PatientDetails, PoolCountryCode,
    TransplantCentreId, UserName, Weight, registered_patient_id,
};
pub use hla::{Hla, HlaValue, Locus, MissingLoci, Typing};

use crate::{
    ChangeReason, Instant, LocalPatientId, OrderingKey, PatientId, PatientRefusal, SearchStatus,
    StatusCommand, StatusEffect, WmdaId, WorkspaceId,
};
use time::Duration;
use times::{next_slot, retention_end};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    pub wmda_id: WmdaId,
    pub workspace: WorkspaceId,
    /// The person's record.
    pub patient: PatientId,
    pub details: PatientDetails,
    pub legal_terms: bool,
    /// The organisation's identifier; kept only while the legal terms are accepted.
    pub patient_id: Option<LocalPatientId>,
    pub assigned_to: Option<UserName>,
    pub status: SearchStatus,
    /// That of the change which led to the status.
    pub reason: Option<ChangeReason>,
    pub registered_at: Instant,
    /// When the status last changed; history never goes back behind it.
    pub changed_at: Instant,
    pub counter_started_at: Instant,
    /// The last retrieval of the patient or of results; lists are in its order, so it is no finer than it is shown.
    pub viewed_at: Instant,
    /// When it was stopped, while it is.
    pub stopped_at: Option<Instant>,
    /// When the searches are next refreshed, while that is done automatically.
    pub refresh_at: Option<Instant>,
    /// What was due and when a task was made of it, unless something has changed since.
    pub handed_over: Option<(Due, Instant)>,
    /// Counted up by every change; the fence of the next one.
    pub revision: i64,
}

/// What time brings.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum Due {
    Stop,
    Refresh,
    Anonymisation,
}

/// One line of the history of a registration's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusEntry {
    pub wmda_id: WmdaId,
    /// The revision of the registration that the change made: what orders its history.
    pub revision: i64,
    /// None in the first.
    pub from: Option<SearchStatus>,
    pub to: SearchStatus,
    pub reason: Option<ChangeReason>,
    pub at: Instant,
    /// The client, the user, or `system`.
    pub by: String,
}

/// What a command comes to. Without a change, `after` is what was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusChange {
    pub after: Registration,
    pub entry: Option<StatusEntry>,
    pub effects: Vec<StatusEffect>,
}

/// Who moves a registration on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mover<'a> {
    /// As history names it.
    pub name: &'a str,
    /// Whether what they do keeps the search from being stopped. What a match engine does, does not.
    pub is_active: bool,
}

impl Mover<'static> {
    pub const SYSTEM: Self = Self {
        name: "system",
        is_active: false,
    };
}

/// An update. What is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistrationChange {
    pub details: DetailsChange,
    pub legal_terms: Option<bool>,
    pub patient_id: Option<LocalPatientId>,
}

impl Registration {
    /// How long nobody need do anything before the search is stopped.
    pub const INACTIVITY: Duration = Duration::days(42);
    const SECOND_LOOK: Duration = Duration::DAY;

    /// As it is registered, in NEW, with the first line of its history.
    pub fn new(
        id: (WmdaId, WorkspaceId, PatientId),
        details: PatientDetails,
        (legal_terms, patient_id): (bool, Option<LocalPatientId>),
        by: &str,
        now: Instant,
    ) -> (Self, StatusEntry) {
        let (wmda_id, workspace, patient) = id;
        let status = SearchStatus::New;
        let registration = Self {
            wmda_id,
            workspace,
            patient,
            details,
            legal_terms,
            patient_id: patient_id.filter(|_| legal_terms),
            assigned_to: None,
            status,
            reason: None,
            registered_at: now,
            changed_at: now,
            counter_started_at: now,
            viewed_at: as_shown(now),
            stopped_at: None,
            refresh_at: None,
            handed_over: None,
            revision: 0,
        };
        let entry = registration.entry(None, status, None, now, by);
        (registration, entry)
    }

    /// Tasks about it run one at a time.
    pub fn ordering_key(wmda_id: WmdaId) -> OrderingKey {
        OrderingKey(format!("patient/{}", wmda_id.number()))
    }

    /// What time brings does not wait behind other work.
    pub fn lane_of_time(wmda_id: WmdaId) -> OrderingKey {
        OrderingKey(format!("patient/{}/time", wmda_id.number()))
    }

    pub fn is_stopped(&self) -> bool {
        self.status == SearchStatus::Stp
    }

    pub fn is_anonymised(&self) -> bool {
        self.status == SearchStatus::Ano
    }

    /// What stands for the patient's own identifier.
    pub fn shown_patient_id(&self) -> Option<String> {
        if self.legal_terms {
            self.patient_id.as_ref().map(|id| id.expose().to_owned())
        } else {
            Some(self.wmda_id.number().to_string())
        }
    }

    /// When the counter last started; once stopped, when that was.
    pub fn last_updated(&self) -> Instant {
        self.stopped_at.unwrap_or(self.counter_started_at)
    }

    /// What is due by `now`; a stop goes first.
    pub fn due(&self, now: Instant) -> Option<Due> {
        let dues = self.dues().into_iter().flatten();
        dues.filter(|(_, at)| *at <= now).map(|(due, _)| due).next()
    }

    /// What is due next, if nothing happens until then.
    pub fn next_due(&self) -> Option<(Due, Instant)> {
        self.dues().into_iter().flatten().min_by_key(|(_, at)| *at)
    }

    /// When it is to be looked at for what may be due. If nothing came of a task that was to do it, somebody looks again.
    pub fn look_at(&self) -> Option<Instant> {
        let dues = self.dues().into_iter().flatten();
        let looks = dues.map(|(due, at)| match self.handed_over {
            Some((handed_over, then)) if handed_over == due => then + Self::SECOND_LOOK,
            Some(_) | None => at,
        });
        looks.min()
    }

    /// In the order in which they go if several are due.
    fn dues(&self) -> [Option<(Due, Instant)>; 2] {
        match self.status {
            SearchStatus::New | SearchStatus::Pre | SearchStatus::Act | SearchStatus::Sus => [
                Some((Due::Stop, self.counter_started_at + Self::INACTIVITY)),
                self.refresh_at.map(|at| (Due::Refresh, at)),
            ],
            SearchStatus::Stp => {
                let end = self.stopped_at.map(retention_end);
                [end.map(|at| (Due::Anonymisation, at)), None]
            }
            SearchStatus::Ano => [None, None],
        }
    }

    /// Moves the status. Who did it, and why, goes into the history.
    pub fn apply(
        &self,
        command: StatusCommand,
        reason: Option<ChangeReason>,
        by: Mover<'_>,
        now: Instant,
    ) -> Result<StatusChange, PatientRefusal> {
        let transition = self.status.apply(command)?;
        let mut change = StatusChange {
            after: self.clone(),
            entry: None,
            effects: transition.effects(),
        };
        if !transition.is_change() {
            return Ok(change);
        }
        let now = now.max(self.changed_at);
        let after = &mut change.after;
        *after = self.revised();
        after.status = transition.to();
        for effect in &change.effects {
            match effect {
                StatusEffect::WriteHistory => {
                    after.changed_at = now;
                    after.reason = reason;
                    change.entry = Some(self.entry(Some(self.status), transition.to(), reason, now, by.name));
                }
                // A return is a new beginning, whoever asks for it.
                StatusEffect::StartCounter if by.is_active || self.is_stopped() => {
                    after.counter_started_at = now;
                }
                StatusEffect::StartRefresh => after.refresh_at = Some(next_slot(self.wmda_id, now)),
                StatusEffect::StopRefresh => after.refresh_at = None,
                StatusEffect::StartRetention => after.stopped_at = Some(now),
                StatusEffect::EndRetention => after.stopped_at = None,
                StatusEffect::ForgetPerson => after.forget_person(),
                // Not this mover's, or not the registration's own: whoever commits it terminates searches.
                StatusEffect::StartCounter | StatusEffect::TerminateSearches => {}
            }
        }
        Ok(change)
    }

    /// Updated: an activity. Says whether its searches are to be refreshed.
    pub fn update(
        &self,
        change: RegistrationChange,
        by: Mover<'_>,
        now: Instant,
    ) -> Result<(Self, bool), PatientRefusal> {
        if self.is_stopped() {
            return Err(PatientRefusal::PatientStopped);
        }
        let legal_terms = change.legal_terms.unwrap_or(self.legal_terms);
        let patient_id = match (legal_terms, &self.patient_id, change.patient_id) {
            (false, _, _) => None,
            (true, Some(stored), Some(sent)) if *stored != sent => {
                return Err(PatientRefusal::PatientIdAlreadySet);
            }
            (true, Some(stored), _) => Some(stored.clone()),
            (true, None, sent) => sent,
        };
        let details = change.details.of(self.details.clone());
        let refreshes = self.has_been_searched() && details.searches_differ(&self.details);
        let after = Self {
            details,
            legal_terms,
            patient_id,
            counter_started_at: if by.is_active {
                now.max(self.counter_started_at)
            } else {
                self.counter_started_at
            },
            ..self.revised()
        };
        Ok((after, refreshes))
    }

    /// With the next refresh after the one that is made now.
    pub fn refreshed(&self, now: Instant) -> Self {
        Self {
            refresh_at: self.refresh_at.map(|_| next_slot(self.wmda_id, now)),
            ..self.revised()
        }
    }

    pub fn assigned(&self, to: Option<UserName>) -> Self {
        Self {
            assigned_to: to,
            ..self.revised()
        }
    }

    /// Changed, be it that nothing of it is seen: a search was started, or what seemed due is not.
    pub fn revised(&self) -> Self {
        Self {
            handed_over: None,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    /// There is a task now that does what is due.
    pub fn handed_over(&self, due: Due, now: Instant) -> Self {
        Self {
            handed_over: Some((due, now)),
            ..self.revised()
        }
    }

    /// Retrieved at `now`.
    pub fn viewed(&self, now: Instant) -> Self {
        Self {
            viewed_at: as_shown(now).max(self.viewed_at),
            counter_started_at: if self.is_stopped() {
                self.counter_started_at
            } else {
                now.max(self.counter_started_at)
            },
            ..self.clone()
        }
    }

    fn has_been_searched(&self) -> bool {
        match self.status {
            SearchStatus::Pre | SearchStatus::Act | SearchStatus::Sus => true,
            SearchStatus::New | SearchStatus::Stp | SearchStatus::Ano => false,
        }
    }

    fn forget_person(&mut self) {
        self.details = self.details.clone().anonymised();
        self.patient_id = None;
        self.assigned_to = None;
    }

    fn entry(
        &self,
        from: Option<SearchStatus>,
        to: SearchStatus,
        reason: Option<ChangeReason>,
        at: Instant,
        by: &str,
    ) -> StatusEntry {
        StatusEntry {
            wmda_id: self.wmda_id,
            revision: from.map_or(0, |_| self.revision + 1),
            from,
            to,
            reason,
            at,
            by: by.to_owned(),
        }
    }
}

/// To the millisecond.
fn as_shown(at: Instant) -> Instant {
    at.truncate_to_millisecond()
}

#[cfg(test)]
mod tests;
