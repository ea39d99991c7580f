//! How patients are shown: every member is always there, null where nothing is stored.

use super::parts;
use crate::http::rfc3339;
use caretrack_domain::{
    Abo, CmvStatus, DateOfBirth, Day, Diagnosis, DiseasePhase, Ethnicity, Hla, Idm, Locus, Registration,
    Rhesus, Search, Sex, Typing, Weight,
};
use serde::Serialize;
use utoipa::ToSchema;

/// A patient, whole.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RegisteredPatient)]
pub struct PatientView {
    #[schema(schema_with = parts::wmda_id)]
    wmda_id: i64,
    /// The organisation's own identifier; the `wmdaId` while the legal terms are not accepted.
    #[schema(required)]
    patient_id: Option<String>,
    hla: HlaView,
    #[schema(required)]
    idm: Option<IdmView>,
    #[schema(required, format = Date)]
    date_of_birth: Option<String>,
    #[schema(required)]
    diagnosis: Option<DiagnosisView>,
    #[schema(required)]
    disease_phase: Option<&'static str>,
    #[schema(required)]
    ethnicity: Option<&'static str>,
    #[schema(required)]
    pool_country_code: Option<String>,
    #[schema(required)]
    transplant_centre_id: Option<String>,
    #[schema(required)]
    abo: Option<&'static str>,
    #[schema(required)]
    rhesus: Option<&'static str>,
    #[schema(required)]
    weight: Option<u16>,
    #[schema(required)]
    sex: Option<&'static str>,
    legal_terms: bool,
    #[schema(schema_with = parts::search_status)]
    status: &'static str,
    /// When the 42 days began; once stopped, when that was.
    #[schema(format = DateTime)]
    last_updated: String,
    /// The last retrieval of the patient or of results.
    #[schema(format = DateTime)]
    last_viewed: String,
    #[schema(required)]
    assigned_user_name: Option<String>,
}

/// All loci, null where nothing is typed.
#[derive(Serialize, ToSchema)]
#[schema(as = StoredHla)]
pub struct HlaView {
    #[schema(required)]
    a: Option<TypingView>,
    #[schema(required)]
    b: Option<TypingView>,
    #[schema(required)]
    c: Option<TypingView>,
    #[schema(required)]
    drb1: Option<TypingView>,
    #[schema(required)]
    drb3: Option<TypingView>,
    #[schema(required)]
    drb4: Option<TypingView>,
    #[schema(required)]
    drb5: Option<TypingView>,
    #[schema(required)]
    dqa1: Option<TypingView>,
    #[schema(required)]
    dqb1: Option<TypingView>,
    #[schema(required)]
    dpa1: Option<TypingView>,
    #[schema(required)]
    dpb1: Option<TypingView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = StoredTyping)]
pub struct TypingView {
    field1: String,
    #[schema(required)]
    field2: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StoredIdm)]
pub struct IdmView {
    #[schema(required)]
    cmv_status: Option<&'static str>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StoredDiagnosis)]
#[expect(clippy::struct_field_names, reason = "the names are the contract's")]
pub struct DiagnosisView {
    #[schema(required)]
    diagnosis_code: Option<String>,
    #[schema(required)]
    diagnosis_text: Option<String>,
    #[schema(required, format = Date)]
    diagnosis_date: Option<String>,
}

pub fn patient(registration: &Registration) -> PatientView {
    let details = &registration.details;
    PatientView {
        wmda_id: registration.wmda_id.number(),
        patient_id: registration.shown_patient_id(),
        hla: hla(&details.hla),
        idm: details.idm.as_ref().map(idm),
        date_of_birth: details.date_of_birth.map(DateOfBirth::expose),
        diagnosis: details.diagnosis.as_ref().map(diagnosis),
        disease_phase: details.disease_phase.map(DiseasePhase::as_str),
        ethnicity: details.ethnicity.map(Ethnicity::as_str),
        pool_country_code: details
            .pool_country_code
            .as_ref()
            .map(|code| code.expose().to_owned()),
        transplant_centre_id: details
            .transplant_centre_id
            .as_ref()
            .map(|id| id.expose().to_owned()),
        abo: details.abo.map(Abo::as_str),
        rhesus: details.rhesus.map(Rhesus::as_str),
        weight: details.weight.map(Weight::kilograms),
        sex: details.sex.map(Sex::as_str),
        legal_terms: registration.legal_terms,
        status: registration.status.into(),
        last_updated: rfc3339(registration.last_updated()),
        last_viewed: rfc3339(registration.viewed_at),
        assigned_user_name: registration
            .assigned_to
            .as_ref()
            .map(|user| user.expose().to_owned()),
    }
}

fn hla(hla: &Hla) -> HlaView {
    let of = |locus| hla.of(locus).map(typing);
    HlaView {
        a: of(Locus::A),
        b: of(Locus::B),
        c: of(Locus::C),
        drb1: of(Locus::Drb1),
        drb3: of(Locus::Drb3),
        drb4: of(Locus::Drb4),
        drb5: of(Locus::Drb5),
        dqa1: of(Locus::Dqa1),
        dqb1: of(Locus::Dqb1),
        dpa1: of(Locus::Dpa1),
        dpb1: of(Locus::Dpb1),
    }
}

fn typing(typing: &Typing) -> TypingView {
    TypingView {
        field1: typing.field1.expose().to_owned(),
        field2: typing.field2.as_ref().map(|value| value.expose().to_owned()),
    }
}

fn idm(idm: &Idm) -> IdmView {
    IdmView {
        cmv_status: idm.cmv_status.map(CmvStatus::as_str),
    }
}

fn diagnosis(diagnosis: &Diagnosis) -> DiagnosisView {
    DiagnosisView {
        diagnosis_code: diagnosis.code.as_ref().map(|code| code.expose().to_owned()),
        diagnosis_text: diagnosis.text.as_ref().map(|text| text.expose().to_owned()),
        diagnosis_date: diagnosis.date.map(Day::expose),
    }
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Paging)]
pub struct PagingView {
    pub limit: usize,
    pub offset: u64,
    /// How many there are on all pages.
    pub total_count: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RegisteredPatientList)]
pub struct PatientList {
    pub paging: PagingView,
    pub patients: Vec<ListedPatient>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedPatient {
    #[schema(schema_with = parts::wmda_id)]
    wmda_id: i64,
    #[schema(required)]
    patient_id: Option<String>,
    #[schema(schema_with = parts::search_status)]
    status: &'static str,
    #[schema(required, format = Date)]
    date_of_birth: Option<String>,
    #[schema(required)]
    ethnicity: Option<&'static str>,
    #[schema(format = DateTime)]
    last_updated: String,
    #[schema(format = DateTime)]
    last_viewed: String,
    #[schema(required)]
    assigned_user_name: Option<String>,
    /// Its searches, newest first.
    requests: Vec<super::search_view::ListedRequest>,
}

pub fn listed(registration: &Registration, searches: &[Search]) -> ListedPatient {
    let shown = patient(registration);
    ListedPatient {
        wmda_id: shown.wmda_id,
        patient_id: shown.patient_id,
        status: shown.status,
        date_of_birth: shown.date_of_birth,
        ethnicity: shown.ethnicity,
        last_updated: shown.last_updated,
        last_viewed: shown.last_viewed,
        assigned_user_name: shown.assigned_user_name,
        requests: searches.iter().map(super::search_view::listed).collect(),
    }
}
