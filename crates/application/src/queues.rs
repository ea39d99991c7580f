//! How each kind of work stands, and switching a kind off and on.

use crate::{Application, Caller, UseCaseError};
use caretrack_domain::{AuditOutcome, Scope, TaskKind};
use caretrack_ports::{Admission, Changes, Pause, QueueFigures};

impl Application {
    pub async fn queue_figures(&self, caller: &Caller) -> Result<Vec<QueueFigures>, UseCaseError> {
        caller.require(Scope::OpsRead)?;
        let workspace = caller.who.workspace;
        Ok(self.store.queue_figures(workspace, self.now()).await?)
    }

    /// Workers stop taking that kind of task of the workspace, or start again; running ones go on.
    pub async fn pause_queue(
        &self,
        caller: &Caller,
        kind: TaskKind,
        paused: bool,
    ) -> Result<(), UseCaseError> {
        let action = if paused { "queue.pause" } else { "queue.resume" };
        let outcome = self.try_pause(caller, kind, paused, action).await;
        self.audited(caller, action, kind.into(), outcome).await
    }

    async fn try_pause(
        &self,
        caller: &Caller,
        kind: TaskKind,
        paused: bool,
        action: &str,
    ) -> Result<(), UseCaseError> {
        caller.require(Scope::OpsWrite)?;
        let mut changes = Changes::by(caller.author(self.now()), Admission::Continuing);
        changes.audit(action, kind.to_string(), AuditOutcome::Done);
        changes.pause(Pause {
            workspace: caller.who.workspace,
            kind,
            paused,
        });
        self.store.commit(changes).await?;
        Ok(())
    }
}
