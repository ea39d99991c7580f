//! The credentials that are kept: what is stored of them, and whom they speak for.

use crate::{CredentialId, Instant, Login, Principal, Scopes, WorkspaceId};
use std::fmt;
use uuid::Uuid;

/// SHA-256 of a 256-bit random secret; what is stored in the secret's place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A password's slow hash with its salt and parameters, as a PHC string.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What is kept of a secret, by what the secret is for.
#[derive(Debug, Clone, PartialEq, Eq, strum::EnumDiscriminants)]
#[strum_discriminants(
    name(CredentialKind),
    doc = "The kinds of credentials that are kept.",
    derive(
        Hash,
        strum::Display,
        strum::EnumString,
        strum::EnumIter,
        strum::IntoStaticStr
    ),
    strum(serialize_all = "snake_case")
)]
pub enum StoredSecret {
    ApiKey(SecretHash),
    Client(PasswordHash),
    /// Opens nothing by itself: shown beside a token where the workspace demands it.
    PartnerKey(SecretHash),
}

impl StoredSecret {
    /// What a secret that tells whose it is can be found by.
    pub fn hash(&self) -> Option<&SecretHash> {
        match self {
            Self::ApiKey(hash) | Self::PartnerKey(hash) => Some(hash),
            Self::Client(_) => None,
        }
    }
}

/// A secret that may act in a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub id: CredentialId,
    pub workspace: WorkspaceId,
    pub name: String,
    pub scopes: Scopes,
    pub secret: StoredSecret,
    /// The bootstrap administrator: may make workspaces, and credentials in any of them.
    pub administrator: bool,
    pub created_at: Instant,
    pub revoked_at: Option<Instant>,
}

impl Credential {
    pub fn kind(&self) -> CredentialKind {
        (&self.secret).into()
    }

    /// The principal this credential speaks for; none once revoked.
    pub fn principal(&self) -> Option<Principal> {
        let login = match self.secret {
            StoredSecret::ApiKey(_) => Login::ApiKey(self.id),
            StoredSecret::Client(_) => Login::Client(self.id),
            StoredSecret::PartnerKey(_) => return None,
        };
        self.revoked_at.is_none().then(|| Principal {
            workspace: self.workspace,
            login,
            scopes: self.scopes.clone(),
            administrator: self.administrator,
        })
    }
}

const USERNAME_PREFIX: &str = "cl_";

impl CredentialId {
    /// The name a client logs in with; unique everywhere, as the id is.
    pub fn username(self) -> String {
        format!("{USERNAME_PREFIX}{}", self.0.simple())
    }

    /// The one spelling that [`Self::username`] gives.
    pub fn of_username(text: &str) -> Option<Self> {
        let id = Self(Uuid::try_parse(text.strip_prefix(USERNAME_PREFIX)?).ok()?);
        (id.username() == text).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_has_one_spelling() {
        let id = CredentialId(Uuid::from_u128(0xAB << 100));
        assert_eq!(CredentialId::of_username(&id.username()), Some(id));
        let long = format!("{USERNAME_PREFIX}{}", id.0);
        let loud = id.username().to_uppercase();
        for other in ["", "cl_", "ct_0", &long, &loud, &id.0.to_string()] {
            assert_eq!(CredentialId::of_username(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_kept_of_a_secret_never_prints() {
        let kept = StoredSecret::Client(PasswordHash("$argon2id$x".to_owned()));
        assert_eq!(format!("{kept:?}"), "Client(…)");
        assert_eq!(
            format!("{:?}", StoredSecret::ApiKey(SecretHash([1; 32]))),
            "ApiKey(…)"
        );
    }
}
