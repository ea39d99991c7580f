//! Who did what: reading it, and noting the refusals that change nothing else.

use crate::{Application, Caller, Page, UseCaseError};
use caretrack_domain::{AuditEntry, AuditOutcome, Scope};
use caretrack_ports::{Admission, Changes};

impl Application {
    /// Newest first, with their numbers.
    pub async fn list_audit(
        &self,
        caller: &Caller,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Page<(i64, AuditEntry)>, UseCaseError> {
        caller.require(Scope::OpsRead)?;
        let entries = self
            .store
            .list_audit(Some(caller.who.workspace), before, limit + 1)
            .await?;
        Ok(Page::of(entries, limit))
    }

    /// Notes that a write was refused. The refusal stands even if it cannot be noted.
    pub async fn note_refusal(&self, caller: &Caller, action: &str, target: &str) {
        let mut changes = Changes::by(caller.author(self.now()), Admission::Continuing);
        changes.audit(action, target, AuditOutcome::Refused);
        if let Err(error) = self.store.commit(changes).await {
            tracing::error!(%error, action, "a refusal could not be noted in the audit log");
        }
    }

    /// Passes `outcome` on, having noted it if it is a refusal.
    pub(crate) async fn audited<T>(
        &self,
        caller: &Caller,
        action: &str,
        target: &str,
        outcome: Result<T, UseCaseError>,
    ) -> Result<T, UseCaseError> {
        match &outcome {
            Err(UseCaseError::Refused(_) | UseCaseError::TaskRefused(_) | UseCaseError::Forbidden(_)) => {
                self.note_refusal(caller, action, target).await;
            }
            Ok(_)
            | Err(UseCaseError::Unauthenticated | UseCaseError::Unavailable(_) | UseCaseError::Internal(_)) =>
                {}
        }
        outcome
    }
}
