//! Clients' passwords: judged slowly, few at a time, and remembered for a while without being kept.

use crate::recent::Recent;
use crate::{Application, UseCaseError};
use caretrack_domain::{Credential, CredentialId, Instant, PasswordHash, Principal, StoredSecret};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::Arc;
use time::Duration;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

/// A name with its password, hashed with a key that ends with this process.
type Proof = [u8; 32];

pub(crate) struct Clients {
    key: [u8; 32],
    /// Which hash a password was seen to fit.
    proven: Recent<Proof, PasswordHash>,
    /// As the store has them, revoked ones too.
    stored: Recent<CredentialId, Arc<Credential>>,
    /// What an unknown name's password is judged by, so that it takes as long.
    decoy: OnceCell<PasswordHash>,
    turns: Semaphore,
    waiting: Semaphore,
}

impl Clients {
    /// How long a password need not be judged again; a revocation does not wait for it.
    const PROVEN_FOR: Duration = Duration::minutes(5);
    const MOST_WAITING: usize = 1000;

    pub fn new(key: [u8; 32], at_once: usize) -> Self {
        Self {
            key,
            proven: Recent::living(Self::PROVEN_FOR),
            stored: Recent::default(),
            decoy: OnceCell::new(),
            turns: Semaphore::new(at_once),
            waiting: Semaphore::new(Self::MOST_WAITING),
        }
    }

    pub fn forget(&self) {
        self.proven.forget();
        self.stored.forget();
    }

    fn proof(&self, username: &str, password: &str) -> Proof {
        let mut hasher = Sha256::new_with_prefix(self.key);
        hasher.update(username.len().to_be_bytes());
        hasher.update(username.as_bytes());
        hasher.update(password.as_bytes());
        hasher.finalize().into()
    }

    /// A turn to judge a password; too many that wait for theirs are told so at once.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, UseCaseError> {
        let busy = |_| UseCaseError::Busy("too many passwords wait to be judged".into());
        let _waiting = self.waiting.try_acquire().map_err(busy)?;
        self.turns
            .acquire()
            .await
            .map_err(|closed| UseCaseError::Busy(closed.into()))
    }
}

impl Application {
    /// The client of that name, if the password is its.
    pub(crate) async fn by_password(
        &self,
        username: &str,
        password: &str,
        peer: IpAddr,
    ) -> Result<Option<Arc<Principal>>, UseCaseError> {
        let now = self.system_now();
        let client = match CredentialId::of_username(username) {
            Some(id) => self.client(id, now).await?,
            None => None,
        };
        let stored = client.as_ref().and_then(|client| match &client.secret {
            StoredSecret::Client(hash) => Some(hash),
            StoredSecret::ApiKey(_) | StoredSecret::PartnerKey(_) => None,
        });
        let proof = self.clients.proof(username, password);
        let is_proven =
            || stored.is_some() && self.clients.proven.find(&proof, self.system_now()).as_ref() == stored;
        if !is_proven() {
            self.limits
                .before_costly(peer)
                .map_err(UseCaseError::rate_limited)?;
            let _turn = self.clients.turn().await?;
            // Others may have failed, or have proven the same, while this one waited.
            self.limits
                .before_costly(peer)
                .map_err(UseCaseError::rate_limited)?;
            if !is_proven() {
                let epoch = self.clients.proven.epoch();
                let fits = self.fits(password, stored).await?;
                let Some(hash) = stored.filter(|_| fits) else {
                    return Ok(None);
                };
                self.clients.proven.keep(epoch, proof, hash.clone(), now);
            }
        }
        Ok(client.and_then(|client| client.principal()).map(Arc::new))
    }

    async fn client(&self, id: CredentialId, now: Instant) -> Result<Option<Arc<Credential>>, UseCaseError> {
        let load = async || Ok(self.store.find_client(id).await?.map(Arc::new));
        Ok(self.clients.stored.find_or_load(&id, now, load).await?)
    }

    /// Takes as long whether there is a hash or not.
    async fn fits(&self, password: &str, stored: Option<&PasswordHash>) -> Result<bool, UseCaseError> {
        let hash = match stored {
            Some(hash) => hash.clone(),
            None => self.decoy().await?,
        };
        let fits = self.verifiers.passwords.verify(password.to_owned(), hash).await;
        Ok(fits.map_err(UseCaseError::hashing)? && stored.is_some())
    }

    async fn decoy(&self) -> Result<PasswordHash, UseCaseError> {
        let make = || self.hashed(hex::encode(self.ids.secret()));
        self.clients.decoy.get_or_try_init(make).await.cloned()
    }

    pub(crate) async fn hashed(&self, password: String) -> Result<PasswordHash, UseCaseError> {
        let mut salt = [0; 16];
        salt.copy_from_slice(&self.ids.secret()[..16]);
        let hashed = self.verifiers.passwords.hash(password, salt).await;
        hashed.map_err(UseCaseError::hashing)
    }
}
