//! API keys: made (their secret is told once), listed, revoked.

use crate::authenticate::hash;
use crate::{Application, Caller, Page, UseCaseError};
use caretrack_domain::{
    AuditOutcome, Credential, CredentialId, Key, Refusal, Rule, Scope, Scopes, StoredSecret, WorkspaceId,
};
use caretrack_ports::{Admission, Changes};

/// What a new API key is to be.
#[derive(Debug, Clone)]
pub struct ApiKeyDraft {
    pub name: String,
    pub scopes: Scopes,
    /// Another workspace than the caller's; the administrator's privilege.
    pub workspace: Option<Key>,
}

/// A new credential with its secret, which is nowhere else.
pub struct NewApiKey {
    pub credential: Credential,
    pub secret: String,
}

impl Application {
    pub async fn add_api_key(&self, caller: &Caller, draft: ApiKeyDraft) -> Result<NewApiKey, UseCaseError> {
        let id = CredentialId(self.ids.id());
        let outcome = self.try_add_api_key(caller, id, draft).await;
        self.audited(caller, "credential.add", &id.to_string(), outcome)
            .await
    }

    async fn try_add_api_key(
        &self,
        caller: &Caller,
        id: CredentialId,
        draft: ApiKeyDraft,
    ) -> Result<NewApiKey, UseCaseError> {
        caller.require(Scope::OpsWrite)?;
        let secret = self.new_key();
        let now = self.now();
        let credential = Credential {
            id,
            workspace: self.workspace_named(caller, draft.workspace).await?,
            name: draft.name,
            scopes: draft.scopes,
            secret: StoredSecret::ApiKey(hash(&secret)),
            administrator: false,
            created_at: now,
            revoked_at: None,
        };
        let mut changes = Changes::by(caller.author(now), Admission::New);
        changes.audit("credential.add", id.to_string(), AuditOutcome::Done);
        changes.insert_credential(credential.clone());
        self.store.commit(changes).await?;
        Ok(NewApiKey { credential, secret })
    }

    async fn workspace_named(&self, caller: &Caller, key: Option<Key>) -> Result<WorkspaceId, UseCaseError> {
        let Some(key) = key else {
            return Ok(caller.who.workspace);
        };
        caller.require_administrator()?;
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
    pub async fn revoke_credential(&self, caller: &Caller, id: CredentialId) -> Result<(), UseCaseError> {
        let outcome = self.try_revoke(caller, id).await;
        self.audited(caller, "credential.revoke", &id.to_string(), outcome)
            .await
    }

    async fn try_revoke(&self, caller: &Caller, id: CredentialId) -> Result<(), UseCaseError> {
        caller.require(Scope::OpsWrite)?;
        let workspace = caller.who.workspace;
        if self.store.find_credential(workspace, id).await?.is_none() {
            return Err(UseCaseError::not_found(format!("There is no credential {id}.")));
        }
        let mut changes = Changes::by(caller.author(self.now()), Admission::Continuing);
        changes.audit("credential.revoke", id.to_string(), AuditOutcome::Done);
        changes.revoke_credential(workspace, id);
        self.store.commit(changes).await?;
        self.principals.forget();
        Ok(())
    }
}
