//! `registry.write`: one write of one resource, judged when its turn comes.

use super::Fault;
use crate::Application;
use crate::order::{ResourceOrder, Undecodable};
use crate::resources::write;
use caretrack_domain::{
    AuditOutcome, Instant, LeaseToken, Operation, Receipt, Refusal, Settled, StoredResource, Task,
    TaskCommand,
};
use caretrack_ports::{Admission, Author, Changes, Place, StoreError};

/// A write that waited, and the record it is about as it is now.
pub(super) struct Seen<'a> {
    operation: &'a Operation,
    order: ResourceOrder,
    stored: Option<StoredResource>,
}

impl Application {
    pub(super) async fn look_at_write<'a>(
        &self,
        task: &Task,
        operations: &'a [Operation],
    ) -> Result<Seen<'a>, Fault> {
        let facts = task.facts();
        // A write is one operation; without it there is nothing to decode.
        let operation = operations.first().ok_or_else(Undecodable::nothing)?;
        let order = ResourceOrder::waited_in(operation, facts.source.as_ref())?;
        let stored = self.store.find_resource(facts.workspace, &order.key).await?;
        Ok(Seen {
            operation,
            order,
            stored,
        })
    }

    pub(super) async fn carry_out_write(
        &self,
        task: &Task,
        token: LeaseToken,
        seen: Seen<'_>,
        now: Instant,
    ) -> Result<Changes, Fault> {
        let facts = task.facts();
        let Seen {
            operation,
            order,
            stored,
        } = seen;
        let mut changes = Changes::by(Author::of_task(facts, now), Admission::Continuing);

        let overtaken = stored
            .as_ref()
            .is_some_and(|stored| stored.overtakes(task.place()));
        let judged = if overtaken {
            None
        } else {
            Some(
                self.judge(&mut changes, task, &order, stored.as_ref(), now)
                    .await?,
            )
        };
        let (receipt, outcome) = match &judged {
            None => (Receipt::Cancelled { at: now }, AuditOutcome::Cancelled),
            Some(Ok(())) => (Receipt::Succeeded { at: now }, AuditOutcome::Done),
            Some(Err(refusal)) => {
                let refusal = refusal.clone();
                (Receipt::Refused { at: now, refusal }, AuditOutcome::Refused)
            }
        };
        let settled = Settled::one(&receipt);
        let command = match judged {
            None => TaskCommand::Stop { token, settled },
            Some(Ok(())) => TaskCommand::Complete { token, settled },
            Some(Err(refusal)) => TaskCommand::Refuse {
                token,
                settled,
                refusal,
            },
        };
        changes.record_receipt(task.id(), operation.clone().settled(receipt));
        changes.record_task(task.clone().apply(command, now)?);
        changes.audit(order.audit_action(), order.path(), outcome);
        Ok(changes)
    }

    /// The same judgement as of a write that is done at once; adds the write to `changes` unless refused.
    async fn judge(
        &self,
        changes: &mut Changes,
        task: &Task,
        order: &ResourceOrder,
        stored: Option<&StoredResource>,
        now: Instant,
    ) -> Result<Result<(), Refusal>, StoreError> {
        let workspace = task.facts().workspace;
        let missing = match self.missing_for(workspace, order, now).await? {
            Ok(missing) => missing,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(order.decide(workspace, stored, now).map(|after| {
            missing.add_to(changes);
            write(changes, workspace, stored, Place::Accepted(task.place()), after);
        }))
    }
}
