//! Who calls, and whether they may.

use crate::{Application, Needed, UseCaseError};
use caretrack_domain::{Instant, Principal, RequestId, Scope, SecretHash, StoredSecret};
use caretrack_ports::Author;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Who calls, in which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub who: Arc<Principal>,
    pub request_id: RequestId,
}

impl Caller {
    pub fn require(&self, scope: Scope) -> Result<(), UseCaseError> {
        self.require_any(&[scope])
    }

    /// Any one of the scopes suffices; the first is the one named if none is there.
    pub fn require_any(&self, scopes: &[Scope]) -> Result<(), UseCaseError> {
        match scopes.first() {
            Some(first) if !scopes.iter().any(|scope| self.who.scopes.contains(*scope)) => {
                Err(UseCaseError::Forbidden(Needed::Scope(*first)))
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(crate) fn require_administrator(&self) -> Result<(), UseCaseError> {
        if self.who.administrator {
            Ok(())
        } else {
            Err(UseCaseError::Forbidden(Needed::Administrator))
        }
    }

    pub(crate) fn author(&self, at: Instant) -> Author {
        Author::principal(&self.who, self.request_id.clone(), at)
    }
}

/// What every API key starts with.
pub(crate) const KEY_PREFIX: &str = "ct_";
const LONGEST_KEY: usize = 512;

pub(crate) fn hash(key: &str) -> SecretHash {
    SecretHash(Sha256::digest(key.as_bytes()).into())
}

impl Application {
    /// The caller that an API key stands for. The answer may be a second old, unless a key was revoked here.
    pub async fn authenticate(&self, key: &str, request_id: RequestId) -> Result<Caller, UseCaseError> {
        if !key.starts_with(KEY_PREFIX) || key.len() > LONGEST_KEY {
            return Err(UseCaseError::Unauthenticated);
        }
        let secret = hash(key);
        let now = self.system_now();
        let who = match self.principals.find(&secret, now) {
            Some(who) => who,
            None => self.look_up(secret, now).await?,
        };
        Ok(Caller { who, request_id })
    }

    async fn look_up(&self, secret: SecretHash, now: Instant) -> Result<Arc<Principal>, UseCaseError> {
        let epoch = self.principals.epoch();
        let who = self
            .store
            .find_credential_by_secret(&secret)
            .await?
            // The look-up may have compared less than all of it, in whatever time that took.
            .filter(|found| match &found.secret {
                StoredSecret::ApiKey(stored) => stored.0.ct_eq(&secret.0).into(),
                StoredSecret::PartnerKey(_) | StoredSecret::Client(_) => false,
            })
            .and_then(|found| found.principal())
            .ok_or(UseCaseError::Unauthenticated)?;
        let who = Arc::new(who);
        self.principals.keep(epoch, secret, Arc::clone(&who), now);
        Ok(who)
    }
}
