//! Who did what: reading it, and noting the refusals that change nothing else.

use crate::{Application, Asker, Caller, Page, UseCaseError};
use caretrack_domain::{AuditEntry, AuditOutcome, KeyConflict, Scope};
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
            not_noted(action, &error);
        }
    }

    /// Passes `outcome` on, having noted it if it is a refusal that nobody was told before.
    pub(crate) async fn audited<T, Q: Asker<T>>(
        &self,
        asker: &Q,
        action: &str,
        target: &str,
        outcome: Result<Q::Answer, UseCaseError>,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        match &outcome {
            Err(_) if asker.keeping().is_some_and(|keeping| keeping.keyed.is_replayed()) => {}
            Err(UseCaseError::Refused(refusal)) => {
                let mut changes = Changes::by(caller.author(self.now()), Admission::Continuing);
                changes.audit(action, target, AuditOutcome::Refused);
                match self.conclude_refused(asker, changes, refusal).await {
                    Ok(None) => {}
                    Ok(Some(told_before)) => return Ok(told_before),
                    Err(other @ (UseCaseError::Refused(_) | UseCaseError::Key(_))) => return Err(other),
                    Err(error) => not_noted(action, &error),
                }
            }
            Err(
                UseCaseError::TaskRefused(_)
                | UseCaseError::Forbidden(_)
                | UseCaseError::Key(KeyConflict::Reused),
            ) => {
                self.note_refusal(caller, action, target).await;
            }
            Ok(_)
            | Err(
                UseCaseError::Unauthenticated
                | UseCaseError::Key(KeyConflict::InFlight)
                | UseCaseError::Unavailable(_)
                | UseCaseError::Internal(_),
            ) => {}
        }
        outcome
    }
}

fn not_noted(action: &str, error: &(dyn std::error::Error + 'static)) {
    tracing::error!(error, action, "a refusal could not be noted in the audit log");
}
