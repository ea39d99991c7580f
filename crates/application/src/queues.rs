//! How each kind of work stands, and switching a kind off and on.

use crate::idempotency::Conclusion;
use crate::{Application, Asker, Caller, UseCaseError};
use caretrack_domain::{AuditOutcome, Scope, TaskKind};
use caretrack_ports::{Admission, Backlog, Changes, Pause, QueueFigures, StoreError};

impl Application {
    /// Of all workspaces together: for the figures of the engine, not for anyone's eyes alone.
    pub async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        self.store.backlog(self.now()).await
    }

    pub async fn queue_figures(&self, caller: &Caller) -> Result<Vec<QueueFigures>, UseCaseError> {
        caller.require(Scope::OpsRead)?;
        let workspace = caller.who.workspace;
        Ok(self.store.queue_figures(workspace, self.now()).await?)
    }

    /// Workers stop taking that kind of task of the workspace, or start again; running ones go on.
    pub async fn pause_queue<Q: Asker<()>>(
        &self,
        asker: &Q,
        kind: TaskKind,
        paused: bool,
    ) -> Result<Q::Answer, UseCaseError> {
        let action = if paused { "queue.pause" } else { "queue.resume" };
        let outcome = async {
            asker.caller().require(Scope::OpsWrite)?;
            self.once(asker, self.try_pause(asker, kind, paused, action))
                .await
        };
        self.audited(asker, action, kind.into(), outcome.await).await
    }

    async fn try_pause<Q: Asker<()>>(
        &self,
        asker: &Q,
        kind: TaskKind,
        paused: bool,
        action: &str,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let mut changes = Changes::by(caller.author(self.now()), Admission::Continuing);
        changes.audit(action, kind.to_string(), AuditOutcome::Done);
        changes.pause(Pause {
            workspace: caller.who.workspace,
            kind,
            paused,
        });
        self.conclude(asker, changes, Conclusion::of(())).await
    }
}
