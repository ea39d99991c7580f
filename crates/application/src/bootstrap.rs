//! The first start on an empty store: a workspace and an administrator, so that nobody needs a default password.

use crate::Application;
use crate::authenticate::{KEY_PREFIX, hash};
use caretrack_domain::{
    AuditOutcome, Credential, CredentialId, Key, RequestId, Scopes, StoredSecret, Workspace, WorkspaceId,
    WorkspaceOptions,
};
use caretrack_ports::{Admission, Author, Changes, StoreError};

const WORKSPACE: &str = "default";
/// Characters after the prefix that a key given from outside must have.
const FEWEST: usize = 32;

#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    #[error("the bootstrap key must be `ct_` and at least 32 more visible ASCII characters")]
    BadKey,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Application {
    /// Whether there is no workspace yet.
    pub async fn needs_bootstrap(&self) -> Result<bool, StoreError> {
        Ok(self.store.list_workspaces(None, 1).await?.is_empty())
    }

    /// A fresh API key: 256 random bits.
    pub fn new_key(&self) -> String {
        format!("{KEY_PREFIX}{}", hex::encode(self.ids.secret()))
    }

    /// Makes the workspace `default` and the administrator that `key` stands for; `false` if another process
    /// was first and nothing was made.
    pub async fn bootstrap(&self, key: &str) -> Result<bool, BootstrapError> {
        let rest = key.strip_prefix(KEY_PREFIX).ok_or(BootstrapError::BadKey)?;
        if rest.len() < FEWEST || !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BootstrapError::BadKey);
        }
        let now = self.now();
        let workspace = Workspace {
            id: WorkspaceId(self.ids.id()),
            key: Key::parse(WORKSPACE).map_err(|_| BootstrapError::BadKey)?,
            options: WorkspaceOptions::default(),
            created_at: now,
        };
        let administrator = Credential {
            id: CredentialId(self.ids.id()),
            workspace: workspace.id,
            name: "administrator".to_owned(),
            scopes: Scopes::all(),
            secret: StoredSecret::ApiKey(hash(key)),
            administrator: true,
            created_at: now,
            revoked_at: None,
        };
        let author = Author {
            workspace: Some(workspace.id),
            actor: None,
            request_id: RequestId::generated(self.ids.id()),
            at: now,
        };
        let mut changes = Changes::by(author, Admission::New);
        changes.audit(
            "workspace.bootstrap",
            workspace.id.to_string(),
            AuditOutcome::Done,
        );
        changes.insert_workspace(workspace);
        changes.insert_credential(administrator);
        match self.store.commit(changes).await {
            Ok(_) => Ok(true),
            Err(StoreError::Duplicate | StoreError::Conflict) => Ok(false),
            Err(error @ (StoreError::Unavailable(_) | StoreError::Corrupt(_))) => Err(error.into()),
        }
    }
}
