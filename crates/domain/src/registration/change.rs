//! What an update says of a patient's details, member by member.

use super::codes::{Abo, DiseasePhase, Ethnicity, Rhesus, Sex};
use super::details::{
    DateOfBirth, Diagnosis, Idm, PatientDetails, PoolCountryCode, TransplantCentreId, Weight,
};
use super::hla::Hla;

/// What becomes of a member that may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Edit<T> {
    /// It was left out.
    #[default]
    Keep,
    Clear,
    Set(T),
}

impl<T> Edit<T> {
    pub fn of(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Clear => None,
            Self::Set(after) => Some(after),
        }
    }
}

/// Objects are replaced whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DetailsChange {
    /// Cannot be cleared.
    pub hla: Option<Hla>,
    pub idm: Edit<Idm>,
    pub date_of_birth: Edit<DateOfBirth>,
    pub diagnosis: Edit<Diagnosis>,
    pub disease_phase: Edit<DiseasePhase>,
    pub ethnicity: Edit<Ethnicity>,
    pub pool_country_code: Edit<PoolCountryCode>,
    pub transplant_centre_id: Edit<TransplantCentreId>,
    pub abo: Edit<Abo>,
    pub rhesus: Edit<Rhesus>,
    pub weight: Edit<Weight>,
    pub sex: Edit<Sex>,
}

impl DetailsChange {
    pub fn of(self, before: PatientDetails) -> PatientDetails {
        PatientDetails {
            hla: self.hla.unwrap_or(before.hla),
            idm: self.idm.of(before.idm),
            date_of_birth: self.date_of_birth.of(before.date_of_birth),
            diagnosis: self.diagnosis.of(before.diagnosis),
            disease_phase: self.disease_phase.of(before.disease_phase),
            ethnicity: self.ethnicity.of(before.ethnicity),
            pool_country_code: self.pool_country_code.of(before.pool_country_code),
            transplant_centre_id: self.transplant_centre_id.of(before.transplant_centre_id),
            abo: self.abo.of(before.abo),
            rhesus: self.rhesus.of(before.rhesus),
            weight: self.weight.of(before.weight),
            sex: self.sex.of(before.sex),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn left_out_stays_and_null_clears() {
        let before: PatientDetails = serde_json::from_value(json!({
            "hla": {"A": {"field1": "1"}, "B": {"field1": "2"}, "DRB1": {"field1": "3"}},
            "sex": "F", "abo": "A", "diagnosis": {"code": "ALL", "text": "x"},
        }))
        .unwrap();
        assert_eq!(DetailsChange::default().of(before.clone()), before);
        let change = DetailsChange {
            sex: Edit::Clear,
            abo: Edit::Clear,
            rhesus: Edit::Set(Rhesus::parse("P").unwrap()),
            diagnosis: Edit::Set(Diagnosis::default()),
            ..DetailsChange::default()
        };
        let after = change.of(before);
        assert_eq!(
            serde_json::to_value(after).unwrap(),
            json!({
                "hla": {"A": {"field1": "1"}, "B": {"field1": "2"}, "DRB1": {"field1": "3"}},
                "diagnosis": {}, "rhesus": "P",
            })
        );
    }
}
