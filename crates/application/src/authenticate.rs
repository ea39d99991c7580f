//! Who calls, and whether they may: any credential becomes a principal here, and nowhere else.

use crate::refusals::Side;
use crate::{Application, Needed, Unauthenticated, UseCaseError};
use caretrack_domain::{
    Credential, CredentialKind, Instant, Key, Login, LoginKind, Principal, RequestId, Scope, Scopes,
    SecretHash, TraceParent, WorkspaceId,
};
use caretrack_ports::{Author, Claims, StoreError, TokenError};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// A credential as a request presents it.
#[derive(Clone, Copy)]
pub enum Presented<'a> {
    ApiKey(&'a str),
    Client { username: &'a str, password: &'a str },
    Token(&'a str),
}

impl Presented<'_> {
    fn kind(&self) -> LoginKind {
        match self {
            Self::ApiKey(_) => LoginKind::ApiKey,
            Self::Client { .. } => LoginKind::Client,
            Self::Token(_) => LoginKind::Token,
        }
    }
}

/// A request that wants to be somebody's.
pub struct Attempt<'a> {
    /// The first of an accepted kind counts, and no other.
    pub presented: &'a [Presented<'a>],
    /// The kinds that open what is asked for.
    pub accepted: &'a [LoginKind],
    pub peer: IpAddr,
    pub request_id: RequestId,
    /// Its span, if it is traced.
    pub trace: Option<TraceParent>,
}

/// Who calls, in which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub who: Arc<Principal>,
    pub request_id: RequestId,
    pub trace: Option<TraceParent>,
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

    /// The user whom a token names, if it does.
    pub fn username(&self) -> Option<&str> {
        match &self.who.login {
            Login::Token(token) => token.username.as_deref(),
            Login::ApiKey(_) | Login::Client(_) => None,
        }
    }

    pub(crate) fn author(&self, at: Instant) -> Author {
        Author::principal(&self.who, self.request_id.clone(), at)
    }
}

/// What every API key starts with.
pub const KEY_PREFIX: &str = "ct_";
/// Of any secret that is looked up or judged slowly.
const LONGEST_SECRET: usize = 512;

pub(crate) fn hash(key: &str) -> SecretHash {
    SecretHash(Sha256::digest(key.as_bytes()).into())
}

impl Application {
    /// Whoever a credential stands for. What is known of it may be a second old, unless it was revoked here.
    pub async fn authenticate(&self, attempt: Attempt<'_>) -> Result<Caller, UseCaseError> {
        match self.principal(&attempt).await {
            Ok(who) => self.admitted(who, &attempt).await,
            Err(error) => Err(self.refused(error, None, &attempt.request_id, attempt.peer).await),
        }
    }

    async fn principal(&self, attempt: &Attempt<'_>) -> Result<Arc<Principal>, UseCaseError> {
        let is_accepted = |presented: &&Presented<'_>| attempt.accepted.contains(&presented.kind());
        let Some(presented) = attempt.presented.iter().find(is_accepted) else {
            return Err(UseCaseError::Unauthenticated(if attempt.presented.is_empty() {
                Unauthenticated::Missing
            } else {
                Unauthenticated::Bad
            }));
        };
        let found = match *presented {
            Presented::ApiKey(key) => self.by_api_key(key).await?,
            Presented::Client { username, password } if password.len() <= LONGEST_SECRET => {
                self.by_password(username, password, attempt.peer).await?
            }
            Presented::Client { .. } => None,
            Presented::Token(token) => self.by_token(token).await?,
        };
        found.ok_or(UseCaseError::Unauthenticated(Unauthenticated::Bad))
    }

    async fn admitted(&self, who: Arc<Principal>, attempt: &Attempt<'_>) -> Result<Caller, UseCaseError> {
        let admitted = self.limits.admit(who.workspace, || who.actor());
        let caller = Caller {
            who,
            request_id: attempt.request_id.clone(),
            trace: attempt.trace,
        };
        match admitted {
            Ok(()) => Ok(caller),
            Err(retry_after) => {
                let error = UseCaseError::rate_limited(retry_after);
                Err(self
                    .refused(error, Some(&caller), &attempt.request_id, attempt.peer)
                    .await)
            }
        }
    }

    /// Notes that access was refused; a bad credential too many becomes one too often. Good ones are never refused
    /// for the failures of others who share their address, but for those that are costly to judge.
    async fn refused(
        &self,
        error: UseCaseError,
        caller: Option<&Caller>,
        request_id: &RequestId,
        peer: IpAddr,
    ) -> UseCaseError {
        let is_bad = matches!(
            error,
            UseCaseError::Unauthenticated(Unauthenticated::Bad | Unauthenticated::PartnerKeyBad)
        );
        let error = match is_bad.then(|| self.limits.fail(peer)) {
            Some(Err(wait)) => UseCaseError::rate_limited(wait),
            Some(Ok(())) | None => error,
        };
        if matches!(
            error,
            UseCaseError::Unauthenticated(_) | UseCaseError::RateLimited { .. }
        ) {
            let at = self.now();
            let (side, author) = match caller {
                Some(caller) => (Side::of(&caller.who), caller.author(at)),
                None => (Side::Peer(crate::limits::network(peer)), nobody(request_id, at)),
            };
            self.note_access(side, author, "authenticate", &format!("from {peer}"))
                .await;
        }
        error
    }

    async fn by_api_key(&self, key: &str) -> Result<Option<Arc<Principal>>, UseCaseError> {
        if !key.starts_with(KEY_PREFIX) || key.len() > LONGEST_SECRET {
            return Ok(None);
        }
        let secret = hash(key);
        let load = async || {
            let found = self.owner(&secret, CredentialKind::ApiKey).await?;
            Ok(found.and_then(|found| found.principal()).map(Arc::new))
        };
        let now = self.system_now();
        Ok(self.principals.find_or_load(&secret, now, load).await?)
    }

    /// The credential of that kind whose secret has that hash.
    async fn owner(
        &self,
        secret: &SecretHash,
        kind: CredentialKind,
    ) -> Result<Option<Credential>, StoreError> {
        let found = self.store.find_credential_by_secret(secret).await?;
        // The look-up may have compared less than all of it, in whatever time that took.
        let is_whole = |stored: &SecretHash| bool::from(stored.0.ct_eq(&secret.0));
        Ok(found.filter(|found| found.kind() == kind && found.secret.hash().is_some_and(is_whole)))
    }

    async fn by_token(&self, token: &str) -> Result<Option<Arc<Principal>>, UseCaseError> {
        let Some(verifier) = &self.verifiers.tokens else {
            return Ok(None);
        };
        let Claims {
            workspace,
            scope,
            token,
        } = match verifier.verify(token).await {
            Ok(claims) => claims,
            Err(TokenError::Refused) => return Ok(None),
            Err(TokenError::Unavailable(source)) => return Err(UseCaseError::Busy(source)),
        };
        let Some(workspace) = self.workspace_of_key(&workspace).await? else {
            return Ok(None);
        };
        Ok(Some(Arc::new(Principal {
            workspace,
            login: Login::Token(token),
            scopes: Scopes::known(scope.split(' ')),
            administrator: false,
        })))
    }

    async fn workspace_of_key(&self, text: &str) -> Result<Option<WorkspaceId>, UseCaseError> {
        let Ok(key) = Key::parse(text) else {
            return Ok(None);
        };
        let load = async || {
            let found = self.store.find_workspace_by_key(&key).await?;
            Ok(found.map(|workspace| workspace.id))
        };
        let now = self.system_now();
        Ok(self.workspace_keys.find_or_load(&key, now, load).await?)
    }

    /// Whether a partner key is there if the caller's workspace demands one beside a token.
    pub async fn require_partner_key(
        &self,
        caller: &Caller,
        presented: Option<&str>,
        peer: IpAddr,
    ) -> Result<(), UseCaseError> {
        match self.check_partner_key(caller.who.workspace, presented).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.refused(error, Some(caller), &caller.request_id, peer).await),
        }
    }

    async fn check_partner_key(
        &self,
        workspace: WorkspaceId,
        presented: Option<&str>,
    ) -> Result<(), UseCaseError> {
        if !self.demands_partner_key(workspace).await? {
            return Ok(());
        }
        let missing = UseCaseError::Unauthenticated(Unauthenticated::PartnerKeyMissing);
        let key = presented.ok_or(missing)?;
        if self.is_partner_key(workspace, key).await? {
            Ok(())
        } else {
            Err(UseCaseError::Unauthenticated(Unauthenticated::PartnerKeyBad))
        }
    }

    async fn demands_partner_key(&self, workspace: WorkspaceId) -> Result<bool, UseCaseError> {
        let Some(workspace) = self.workspace(workspace).await? else {
            return Ok(false);
        };
        let listed = || self.settings.partner_key_workspaces.contains(&workspace.key);
        Ok(workspace.options.partner_key_required.unwrap_or_else(listed))
    }

    async fn is_partner_key(&self, workspace: WorkspaceId, key: &str) -> Result<bool, UseCaseError> {
        if key.len() > LONGEST_SECRET {
            return Ok(false);
        }
        let secret = hash(key);
        let load = async || {
            let found = self.owner(&secret, CredentialKind::PartnerKey).await?;
            let good = found.filter(|found| found.revoked_at.is_none());
            Ok(good.map(|found| found.workspace))
        };
        let now = self.system_now();
        let owner = self.partner_keys.find_or_load(&secret, now, load).await?;
        Ok(owner == Some(workspace))
    }

    /// Credentials that were read a moment ago are read again.
    pub(crate) fn forget_credentials(&self) {
        self.principals.forget();
        self.partner_keys.forget();
        self.clients.forget();
    }
}

/// Somebody who could not be told.
fn nobody(request_id: &RequestId, at: Instant) -> Author {
    Author {
        workspace: None,
        actor: None,
        request_id: request_id.clone(),
        at,
    }
}
