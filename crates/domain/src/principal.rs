//! Who acts, and what they may do.

use crate::{CredentialId, Instant, LocalPatientId, WorkspaceId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

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

    /// Those of the words that are scopes: a token may be for other services too.
    pub fn known<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self(words.into_iter().filter_map(|word| word.parse().ok()).collect())
    }
}

/// Who acts: what audit entries and tasks name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// An API key or a client.
    Credential(CredentialId),
    /// Whoever a signed token speaks for.
    Token(Arc<TokenSubject>),
}

impl Actor {
    pub fn credential(&self) -> Option<CredentialId> {
        match self {
            Self::Credential(id) => Some(*id),
            Self::Token(_) => None,
        }
    }

    pub fn subject(&self) -> Option<&TokenSubject> {
        match self {
            Self::Credential(_) => None,
            Self::Token(subject) => Some(subject),
        }
    }
}

/// The claims of a token that say whom it speaks for. May name a person: never printed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenSubject {
    pub sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

impl TokenSubject {
    /// The client (legal entity) that the user `sub` is one of.
    pub fn client(&self) -> &str {
        self.client_id.as_deref().unwrap_or(&self.sub)
    }
}

impl fmt::Debug for TokenSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// By which credential a principal is known.
#[derive(Debug, Clone, PartialEq, Eq, strum::EnumDiscriminants)]
#[strum_discriminants(
    name(LoginKind),
    doc = "The credentials that can be presented, without what they say.",
    derive(Hash, strum::Display, strum::EnumIter, strum::IntoStaticStr),
    strum(serialize_all = "snake_case")
)]
pub enum Login {
    ApiKey(CredentialId),
    Client(CredentialId),
    Token(Token),
}

/// What a good token says beside its workspace and scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub subject: Arc<TokenSubject>,
    /// The one patient it speaks for.
    pub patient: Option<LocalPatientId>,
    pub username: Option<String>,
    pub expires_at: Instant,
}

/// Who acts, once the credential was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub workspace: WorkspaceId,
    pub login: Login,
    pub scopes: Scopes,
    pub administrator: bool,
}

impl Principal {
    pub fn actor(&self) -> Actor {
        match &self.login {
            Login::ApiKey(id) | Login::Client(id) => Actor::Credential(*id),
            Login::Token(token) => Actor::Token(Arc::clone(&token.subject)),
        }
    }
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
        let known = Scopes::known(["registry:*", "ops:read", "ops:READ", ""]);
        assert_eq!(known.words().collect::<Vec<_>>(), ["ops:read"]);
    }

    #[test]
    fn whom_a_token_speaks_for_never_prints() {
        let subject = TokenSubject {
            sub: "dr-jones".into(),
            client_id: None,
        };
        assert_eq!(subject.client(), "dr-jones");
        assert_eq!(format!("{:?}", Actor::Token(Arc::new(subject))), "Token(…)");
    }
}
