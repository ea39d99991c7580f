//! One registration of a person for a donor search.

mod change;
mod codes;
mod details;
mod hla;

pub use change::{DetailsChange, Edit};
pub use codes::{Abo, CmvStatus, DiseasePhase, Ethnicity, Rhesus, Sex};
pub use details::{
    DateOfBirth, Day, Diagnosis, DiagnosisCode, DiagnosisText, Idm, PatientDetails, PoolCountryCode,
    TransplantCentreId, UserName, Weight, registered_patient_id,
};
pub use hla::{Hla, HlaValue, Locus, MissingLoci, Typing};
