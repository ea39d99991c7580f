//! `registry.write`: one write of one resource, judged when its turn comes.

use super::Fault;
use crate::Application;
use crate::definitions::Freshness;
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
    freshness: Freshness,
}

impl Application {
    pub(super) async fn look_at_write<'a>(
        &self,
        task: &Task,
        operations: &'a [Operation],
        freshness: Freshness,
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
            freshness,
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
            freshness,
        } = seen;
        let mut changes = Changes::by(Author::of_task(facts, now), Admission::Continuing);

        let overtaken = stored
            .as_ref()
            .is_some_and(|stored| stored.overtakes(task.place()));
        let judged = if overtaken {
            None
        } else {
            Some(
                self.judge(&mut changes, task, &order, stored.as_ref(), now, freshness)
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
        freshness: Freshness,
    ) -> Result<Result<(), Refusal>, StoreError> {
        let workspace = task.facts().workspace;
        let basis = match self.basis_of(workspace, order, now, freshness).await? {
            Ok(basis) => basis,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let decided = self.decide(workspace, order, stored, basis, now).await?;
        Ok(decided.map(|(basis, after)| {
            basis.add_to(changes, order);
            write(changes, workspace, stored, Place::Accepted(task.place()), after);
        }))
    }
}
