//! Who acts, and what they may do.

use crate::{CredentialId, Instant, WorkspaceId};
use std::collections::BTreeSet;
use std::str::FromStr;

/// One exact word of permission; none implies another.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
pub enum Scope {
    #[strum(serialize = "registry:read")]
    RegistryRead,
    #[strum(serialize = "registry:write")]
    RegistryWrite,
    #[strum(serialize = "registry:admin")]
    RegistryAdmin,
    #[strum(serialize = "job:read")]
    JobRead,
    #[strum(serialize = "encounter:write")]
    EncounterWrite,
    #[strum(serialize = "encounter:read")]
    EncounterRead,
    #[strum(serialize = "encounter:cancel")]
    EncounterCancel,
    #[strum(serialize = "episode:write")]
    EpisodeWrite,
    #[strum(serialize = "episode:read")]
    EpisodeRead,
    #[strum(serialize = "condition:read")]
    ConditionRead,
    #[strum(serialize = "observation:read")]
    ObservationRead,
    #[strum(serialize = "allergy_intolerance:read")]
    AllergyIntoleranceRead,
    #[strum(serialize = "immunization:read")]
    ImmunizationRead,
    #[strum(serialize = "risk_assessment:read")]
    RiskAssessmentRead,
    #[strum(serialize = "device:read")]
    DeviceRead,
    #[strum(serialize = "medication_statement:read")]
    MedicationStatementRead,
    #[strum(serialize = "medication_administration:read")]
    MedicationAdministrationRead,
    #[strum(serialize = "diagnostic_report:read")]
    DiagnosticReportRead,
    #[strum(serialize = "diagnostic_report:write")]
    DiagnosticReportWrite,
    #[strum(serialize = "diagnostic_report:cancel")]
    DiagnosticReportCancel,
    #[strum(serialize = "procedure:read")]
    ProcedureRead,
    #[strum(serialize = "composition:create")]
    CompositionCreate,
    #[strum(serialize = "composition:sign")]
    CompositionSign,
    #[strum(serialize = "composition:cancel")]
    CompositionCancel,
    #[strum(serialize = "composition:read")]
    CompositionRead,
    #[strum(serialize = "composition:search")]
    CompositionSearch,
    #[strum(serialize = "patient:read")]
    PatientRead,
    #[strum(serialize = "patient:write")]
    PatientWrite,
    #[strum(serialize = "search:deliver")]
    SearchDeliver,
    #[strum(serialize = "tracker:patient")]
    TrackerPatient,
    #[strum(serialize = "tracker:internal")]
    TrackerInternal,
    #[strum(serialize = "ops:read")]
    OpsRead,
    #[strum(serialize = "ops:write")]
    OpsWrite,
}

/// A set of scopes; its text form is the words, space separated, in the order of the enum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Every scope there is: the bootstrap administrator's.
    pub fn all() -> Self {
        Self(<Scope as strum::IntoEnumIterator>::iter().collect())
    }

    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(Into::into)
    }

    /// Exact words; the error is the first one that is none.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        words
            .into_iter()
            .map(|word| Scope::from_str(word).map_err(|_| word.to_owned()))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// SHA-256 of a 256-bit random secret; what is stored in the secret's place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// A key that may act in a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub id: CredentialId,
    pub workspace: WorkspaceId,
    pub name: String,
    pub scopes: Scopes,
    pub secret: SecretHash,
    /// The bootstrap administrator: may make workspaces, and credentials in any of them.
    pub administrator: bool,
    pub created_at: Instant,
    pub revoked_at: Option<Instant>,
}

impl Credential {
    /// The principal this credential speaks for; none once revoked.
    pub fn principal(&self) -> Option<Principal> {
        self.revoked_at.is_none().then(|| Principal {
            workspace: self.workspace,
            credential: self.id,
            scopes: self.scopes.clone(),
            administrator: self.administrator,
        })
    }
}

/// Who acts, once the credential was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub workspace: WorkspaceId,
    pub credential: CredentialId,
    pub scopes: Scopes,
    pub administrator: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_exact_words() {
        let scopes = Scopes::parse(["registry:write", "ops:read"]).unwrap();
        assert!(scopes.contains(Scope::RegistryWrite) && !scopes.contains(Scope::RegistryRead));
        assert_eq!(scopes.words().collect::<Vec<_>>(), ["registry:write", "ops:read"]);
        assert_eq!(Scopes::parse(["registry:*"]), Err("registry:*".to_owned()));
        assert_eq!(Scopes::parse(Scopes::all().words()), Ok(Scopes::all()));
    }
}
