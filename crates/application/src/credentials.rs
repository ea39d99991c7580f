//! Credentials: made (their secret is told once), listed, revoked.

use crate::authenticate::hash;
use crate::idempotency::Conclusion;
use crate::{Application, Asker, Caller, Page, UseCaseError};
use caretrack_domain::{
    AuditOutcome, Credential, CredentialId, CredentialKind, Key, Refusal, RefusalKind, Rule, Scope, Scopes,
    StoredSecret, WorkspaceId,
};
use caretrack_ports::{Admission, Changes};

/// What a new credential is to be.
#[derive(Debug, Clone)]
pub struct CredentialDraft {
    pub kind: CredentialKind,
    pub name: String,
    pub scopes: Scopes,
    /// Another workspace than the caller's; the administrator's privilege.
    pub workspace: Option<Key>,
}

/// A new credential with its secret (a client's password), which is nowhere else.
pub struct MadeCredential {
    pub credential: Credential,
    pub secret: String,
}

const PARTNER_KEY_PREFIX: &str = "cp_";

impl Application {
    /// Its secret is told once: whoever asks again under one idempotency key is told which one was made.
    pub async fn add_credential<Q: Asker<MadeCredential>>(
        &self,
        asker: &Q,
        draft: CredentialDraft,
    ) -> Result<Q::Answer, UseCaseError> {
        let id = CredentialId(self.ids.id());
        let outcome = self.try_add_credential(asker, id, draft).await;
        self.audited(asker, "credential.add", &id.to_string(), outcome)
            .await
    }

    async fn try_add_credential<Q: Asker<MadeCredential>>(
        &self,
        asker: &Q,
        id: CredentialId,
        draft: CredentialDraft,
    ) -> Result<Q::Answer, UseCaseError> {
        asker.caller().require(Scope::OpsWrite)?;
        if draft.workspace.is_some() {
            asker.caller().require_administrator()?;
        }
        self.once(asker, self.make_credential(asker, id, draft)).await
    }

    async fn make_credential<Q: Asker<MadeCredential>>(
        &self,
        asker: &Q,
        id: CredentialId,
        draft: CredentialDraft,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let workspace = self.workspace_named(caller, draft.workspace).await?;
        let (secret, stored) = self.new_secret(draft.kind).await?;
        let now = self.now();
        let credential = Credential {
            id,
            workspace,
            name: draft.name,
            scopes: draft.scopes,
            secret: stored,
            administrator: false,
            created_at: now,
            revoked_at: None,
        };
        let mut changes = Changes::by(caller.author(now), Admission::New);
        changes.audit("credential.add", id.to_string(), AuditOutcome::Done);
        changes.insert_credential(credential.clone());
        let instead = Refusal::new(
            RefusalKind::AlreadyExists,
            format!(
                "This request made the credential {id}; its secret was told once and is not kept. If it was \
                 lost, revoke the credential and make another."
            ),
        );
        let conclusion = Conclusion::told_once(MadeCredential { credential, secret }, instead);
        self.conclude(asker, changes, conclusion).await
    }

    /// 256 random bits, and what is kept of them. The prefix tells what a secret is that turns up somewhere.
    async fn new_secret(&self, kind: CredentialKind) -> Result<(String, StoredSecret), UseCaseError> {
        let random = hex::encode(self.ids.secret());
        Ok(match kind {
            CredentialKind::ApiKey => {
                let key = self.new_key();
                let stored = StoredSecret::ApiKey(hash(&key));
                (key, stored)
            }
            CredentialKind::PartnerKey => {
                let key = format!("{PARTNER_KEY_PREFIX}{random}");
                let stored = StoredSecret::PartnerKey(hash(&key));
                (key, stored)
            }
            CredentialKind::Client => {
                let stored = StoredSecret::Client(self.hashed(random.clone()).await?);
                (random, stored)
            }
        })
    }

    async fn workspace_named(&self, caller: &Caller, key: Option<Key>) -> Result<WorkspaceId, UseCaseError> {
        let Some(key) = key else {
            return Ok(caller.who.workspace);
        };
        let found = self.store.find_workspace_by_key(&key).await?;
        let unknown = || Refusal::problem("$.workspace", Rule::Reference, "names no workspace");
        Ok(found.ok_or_else(unknown)?.id)
    }

    /// By ascending id, revoked ones included.
    pub async fn list_credentials(
        &self,
        caller: &Caller,
        after: Option<CredentialId>,
        limit: usize,
    ) -> Result<Page<Credential>, UseCaseError> {
        caller.require(Scope::OpsRead)?;
        let credentials = self
            .store
            .list_credentials(caller.who.workspace, after, limit + 1)
            .await?;
        Ok(Page::of(credentials, limit))
    }

    /// At once for requests to this process, within a second for those to others.
    pub async fn revoke_credential<Q: Asker<()>>(
        &self,
        asker: &Q,
        id: CredentialId,
    ) -> Result<Q::Answer, UseCaseError> {
        let outcome = async {
            asker.caller().require(Scope::OpsWrite)?;
            self.once(asker, self.try_revoke(asker, id)).await
        };
        self.audited(asker, "credential.revoke", &id.to_string(), outcome.await)
            .await
    }

    async fn try_revoke<Q: Asker<()>>(&self, asker: &Q, id: CredentialId) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let workspace = caller.who.workspace;
        if self.store.find_credential(workspace, id).await?.is_none() {
            return Err(UseCaseError::not_found(format!("There is no credential {id}.")));
        }
        let mut changes = Changes::by(caller.author(self.now()), Admission::Continuing);
        changes.audit("credential.revoke", id.to_string(), AuditOutcome::Done);
        changes.revoke_credential(workspace, id);
        let answer = self.conclude(asker, changes, Conclusion::of(())).await?;
        self.forget_credentials();
        Ok(answer)
    }
}
