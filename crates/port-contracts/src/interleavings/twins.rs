//! Two stores that live through the same.

use super::draw::Random;
use crate::fixture::Outcome;
use crate::samples::{
    KIND, OURS, THEIRS, at, changes, complete, facts, fingerprint, hold, lease, operations, refusal, refuse,
    resource, resource_key, task_id, token,
};
use crate::snapshot::snapshot;
use crate::world::World;
use caretrack_adapters_memory::MemoryStore;
use caretrack_domain::{
    Fence, LeaseToken, NewTask, Operation, OrderingKey, Receipt, ResourceKey, Settled, StoredResource, Task,
    TaskCommand, TaskFacts, TaskId, TaskStatus, WorkspaceId,
};
use caretrack_ports::{Changes, Claimed, Committed, Place, Retention, StoreError, TaskFilter};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use time::Duration;
use uuid::Uuid;

const WORKSPACES: [WorkspaceId; 3] = [OURS, THEIRS, WorkspaceId(Uuid::from_u128(0xC))];
const RECORDS: [&str; 5] = ["a", "B", "-", "a_", "ab"];

/// A value of the store under contract, and the model's.
type Pair<T> = (T, T);

pub(crate) struct Twins {
    real: World,
    model: World,
    /// Seconds since the start.
    now: i64,
    tasks: Vec<(WorkspaceId, TaskId)>,
    /// Those that were claimed and have not been seen ended since.
    begun: Vec<(WorkspaceId, TaskId)>,
    claims: u128,
    paused: BTreeSet<WorkspaceId>,
    /// What was read once, and may be acted on when it is stale.
    old_task: Option<Pair<Task>>,
    old_record: Option<(WorkspaceId, Pair<Option<StoredResource>>)>,
}

impl Twins {
    pub(crate) fn new(real: World) -> Self {
        Self {
            real,
            model: World::new(Arc::new(MemoryStore::default())),
            now: 0,
            tasks: Vec::new(),
            begun: Vec::new(),
            claims: 0,
            paused: BTreeSet::new(),
            old_task: None,
            old_record: None,
        }
    }

    pub(crate) fn pass(&mut self, seconds: u32) {
        self.now += i64::from(seconds);
    }

    /// Commits both; both succeed, or fail alike.
    async fn commit(&self, what: &str, changes: Pair<Changes>) -> Result<bool, StoreError> {
        let real = self.real.commit(changes.0).await;
        let model = self.model.commit(changes.1).await;
        let how = |result: &Result<Committed, StoreError>| match result {
            Ok(_) => "done",
            Err(StoreError::Conflict) => "conflict",
            Err(StoreError::Duplicate) => "duplicate",
            Err(StoreError::Unavailable(_)) => "unavailable",
            Err(StoreError::Corrupt(_)) => "corrupt",
        };
        assert_eq!(how(&real), how(&model), "{what} at {}: {real:?}", self.now);
        Ok(real.is_ok())
    }

    pub(crate) async fn accept(&mut self, random: &mut Random) -> Outcome {
        let fresh = u32::try_from(self.tasks.len()).unwrap_or(u32::MAX);
        let n = if random.one_in(40) {
            random.below(fresh + 1)
        } else {
            fresh
        };
        let workspace = random.of(&WORKSPACES);
        let keys = [None, Some("k"), Some("K"), Some("l")];
        let facts = TaskFacts {
            workspace,
            ordering_key: random.of(&keys).map(|key| OrderingKey(key.to_owned())),
            due_at: random
                .one_in(5)
                .then(|| at(self.now + i64::from(random.below(60)))),
            fingerprint: if random.one_in(4) {
                Some(fingerprint(u8::try_from(random.below(6)).unwrap_or(0)))
            } else {
                None
            },
            ..facts(n, self.now)
        };
        let operations = operations(random.below(4));
        let task = if random.one_in(12) {
            NewTask::performed(facts, operations, lease(1, at(self.now)))
        } else {
            NewTask::accepted(facts, operations)
        };
        let mut c = changes(workspace, at(self.now));
        c.insert_task(task);
        if self.commit("accepting", (c.clone(), c)).await? && n == fresh {
            self.tasks.push((workspace, task_id(n)));
        }
        Ok(())
    }

    /// Both give the same tasks of each workspace in the same order; how workspaces take turns is theirs.
    pub(crate) async fn claim(&mut self, random: &mut Random) -> Result<(), StoreError> {
        self.claim_up_to(random.of(&[6, 12])).await?;
        Ok(())
    }

    async fn claim_up_to(&mut self, limit: usize) -> Result<usize, StoreError> {
        self.claims += 1;
        let token = 0x100 + self.claims;
        let real = self.real.take(limit, token, at(self.now)).await?;
        let model = self.model.take(limit, token, at(self.now)).await?;
        assert_eq!(
            by_workspace(&real),
            by_workspace(&model),
            "claimed at {}",
            self.now
        );
        if real.tasks.len() < limit {
            assert_eq!(real.next_at, model.next_at, "at {}", self.now);
        }
        let claimed = real.tasks.iter().map(|claimed| claimed.task.facts());
        self.begun
            .extend(claimed.map(|facts| (facts.workspace, facts.id)));
        Ok(real.tasks.len())
    }

    async fn read(&self, workspace: WorkspaceId, id: TaskId) -> Result<Option<Pair<Task>>, StoreError> {
        let real = self.real.find_task(workspace, id).await?;
        let model = self.model.find_task(workspace, id).await?;
        let same = real.as_ref().map(unplaced) == model.as_ref().map(unplaced);
        assert!(same, "at {}: {real:?} is not {model:?}", self.now);
        Ok(real.zip(model))
    }

    /// Any command to any task, mostly one that was begun, now and then as it was read long ago.
    pub(crate) async fn command(&mut self, random: &mut Random) -> Outcome {
        let of = if self.begun.is_empty() || random.one_in(5) {
            &self.tasks
        } else {
            &self.begun
        };
        let recent = &of[of.len().saturating_sub(60)..];
        if recent.is_empty() {
            return Ok(());
        }
        let (workspace, id) = random.of(recent);
        let Some(mut pair) = self.read(workspace, id).await? else {
            self.begun.retain(|begun| begun.1 != id);
            return Ok(());
        };
        if pair.0.status().is_terminal() {
            self.begun.retain(|begun| begun.1 != id);
        }
        if random.one_in(8)
            && let Some(old) = self.old_task.replace(pair.clone())
        {
            pair = old;
        }
        let workspace = pair.0.facts().workspace;
        let pending = self.pending(&pair.0).await?;
        let (command, receipts) = self.any_command(&pair.0, &pending, random);
        let step = |task: &Task| {
            let transition = task.clone().apply(command.clone(), at(self.now)).ok()?;
            let mut c = changes(workspace, at(self.now));
            for operation in &receipts {
                c.record_receipt(task.id(), operation.clone());
            }
            c.record_task(transition);
            Some(c)
        };
        // The machine is the same for both, and so are its refusals.
        if let (Some(real), Some(model)) = (step(&pair.0), step(&pair.1)) {
            self.commit("a command", (real, model)).await?;
            self.read(workspace, pair.0.id()).await?;
        }
        Ok(())
    }

    async fn pending(&self, task: &Task) -> Result<Vec<Operation>, StoreError> {
        let workspace = task.facts().workspace;
        let real = self.real.operations(workspace, task.id(), 0, 99).await?;
        let model = self.model.operations(workspace, task.id(), 0, 99).await?;
        assert_eq!(real, model, "operations at {}", self.now);
        let mut pending = real;
        pending.retain(|operation| operation.receipt == Receipt::Pending);
        Ok(pending)
    }

    /// A command that the state allows, with the receipts that go with it.
    fn any_command(
        &self,
        task: &Task,
        pending: &[Operation],
        random: &mut Random,
    ) -> (TaskCommand, Vec<Operation>) {
        match task.status() {
            TaskStatus::Held if !random.one_in(4) => return (TaskCommand::Release, Vec::new()),
            TaskStatus::Running => {}
            // A task that waits is left in peace, mostly: there is more to see when it runs.
            TaskStatus::Queued | TaskStatus::RetryScheduled if !random.one_in(4) => {
                return (TaskCommand::Release, Vec::new());
            }
            TaskStatus::Queued
            | TaskStatus::RetryScheduled
            | TaskStatus::Held
            | TaskStatus::Succeeded
            | TaskStatus::Failed
            | TaskStatus::Cancelled => return (TaskCommand::Cancel, Vec::new()),
        }
        let now = at(self.now);
        let by = if random.one_in(3) {
            Fence::Expiry(now)
        } else {
            Fence::Holder(token(task))
        };
        let error = format!("fault {}", self.now);
        let all = u32::try_from(pending.len()).unwrap_or(0);
        let some = random.below(all + 1);
        let settle = |count: u32, receipt: Receipt| -> Vec<Operation> {
            let chosen = pending.iter().take(count as usize).cloned();
            chosen
                .map(|operation| operation.settled(receipt.clone()))
                .collect()
        };
        let succeeded = |count| settle(count, Receipt::Succeeded { at: now });
        let (token, settled) = (
            token(task),
            Settled {
                succeeded: some,
                ..Settled::default()
            },
        );
        match random.below(13) {
            0..4 => (complete(task), succeeded(all)),
            4 => (refuse(task), Vec::new()),
            5 => (hold(task), Vec::new()),
            6 => {
                let at = at(self.now + i64::from(random.below(30)));
                (TaskCommand::Reschedule { by, at, error }, Vec::new())
            }
            7 => (TaskCommand::GiveUp { by, error }, Vec::new()),
            8 => (TaskCommand::GiveBack { token }, Vec::new()),
            9 => (TaskCommand::Stop { token, settled }, succeeded(some)),
            10 => (TaskCommand::Cancel, Vec::new()),
            11 => (TaskCommand::Progress { token, settled }, succeeded(some)),
            _ => {
                let settled = Settled {
                    failed: some,
                    ..Settled::default()
                };
                let refused = Receipt::Refused {
                    at: now,
                    refusal: refusal(),
                };
                let refuse = TaskCommand::Refuse {
                    token,
                    settled,
                    refusal: refusal(),
                };
                (refuse, settle(some, refused))
            }
        }
    }

    async fn seen(
        &mut self,
        workspace: WorkspaceId,
        key: &ResourceKey,
        random: &mut Random,
    ) -> Result<(WorkspaceId, Pair<Option<StoredResource>>), StoreError> {
        let real = self.real.find_resource(workspace, key).await?;
        let model = self.model.find_resource(workspace, key).await?;
        let known = |stored: &Option<StoredResource>| stored.clone().map(|stored| stored.resource);
        assert_eq!(known(&real), known(&model), "{key:?} at {}", self.now);
        let seen = (workspace, (real, model));
        if random.one_in(6)
            && let Some(old) = self.old_record.replace(seen.clone())
        {
            return Ok(old);
        }
        Ok(seen)
    }

    /// When it commits, or that of a task.
    async fn place(&self, random: &mut Random) -> Result<Pair<Place>, StoreError> {
        if self.tasks.is_empty() || random.one_in(2) {
            return Ok((Place::AtCommit, Place::AtCommit));
        }
        let (workspace, id) = random.of(&self.tasks);
        let of = |task: &Task| Place::Accepted(task.place());
        let read = self.read(workspace, id).await?;
        Ok(read.map_or((Place::AtCommit, Place::AtCommit), |pair| {
            (of(&pair.0), of(&pair.1))
        }))
    }

    pub(crate) async fn write_record(&mut self, random: &mut Random) -> Outcome {
        let id = random.of(&RECORDS);
        let workspace = random.of(&WORKSPACES);
        let (workspace, seen) = self.seen(workspace, &resource_key(id), random).await?;
        let place = self.place(random).await?;
        let after = resource(id, format!("[{}]", self.now), at(self.now));
        let write = |seen: Option<&StoredResource>, place| {
            let mut c = changes(workspace, at(self.now));
            c.put_resource(workspace, seen, place, after.clone());
            c
        };
        let pair = (write(seen.0.as_ref(), place.0), write(seen.1.as_ref(), place.1));
        self.commit("putting a record", pair).await?;
        Ok(())
    }

    pub(crate) async fn delete_record(&mut self, random: &mut Random) -> Outcome {
        let id = random.of(&RECORDS);
        let workspace = random.of(&WORKSPACES);
        let (workspace, seen) = self.seen(workspace, &resource_key(id), random).await?;
        let place = self.place(random).await?;
        if let (Some(real), Some(model)) = seen {
            let delete = |seen: &StoredResource, place| {
                let mut c = changes(workspace, at(self.now));
                c.delete_resource(workspace, seen, place);
                c
            };
            let pair = (delete(&real, place.0), delete(&model, place.1));
            self.commit("deleting a record", pair).await?;
        }
        Ok(())
    }

    pub(crate) async fn pause_or_resume(&mut self, random: &mut Random) -> Outcome {
        let workspace = random.of(&WORKSPACES);
        let pause = self.paused.insert(workspace);
        if !pause {
            self.paused.remove(&workspace);
        }
        for store in [&self.real, &self.model] {
            store.set_paused(workspace, pause, at(self.now)).await?;
        }
        Ok(())
    }

    pub(crate) async fn renew(&mut self, random: &mut Random) -> Outcome {
        let mut held = Vec::new();
        for (workspace, id) in self.tasks.iter().rev().take(20) {
            let task = self.model.find_task(*workspace, *id).await?;
            let wrong = random.one_in(5);
            match task {
                Some(task) if task.status() == TaskStatus::Running && !wrong => {
                    held.push((*id, token(&task)));
                }
                Some(_) | None => held.push((*id, LeaseToken(Uuid::from_u128(7)))),
            }
        }
        let until = at(self.now + 20 + i64::from(random.below(40)));
        let real: BTreeSet<_> = self.real.renew(held.clone(), until).await?.into_iter().collect();
        let model: BTreeSet<_> = self.model.renew(held, until).await?.into_iter().collect();
        assert_eq!(real, model, "renewed at {}", self.now);
        Ok(())
    }

    /// What the rescuer does with tasks whose worker is silent.
    pub(crate) async fn rescue(&mut self, random: &mut Random) -> Outcome {
        let real = self.real.expired_tasks(at(self.now), 1_000).await?;
        let model = self.model.expired_tasks(at(self.now), 1_000).await?;
        let ids = |tasks: &[Task]| tasks.iter().map(Task::id).collect::<BTreeSet<_>>();
        assert_eq!(ids(&real), ids(&model), "expired at {}", self.now);
        let Some(task) = (!real.is_empty()).then(|| random.of(&real)) else {
            return Ok(());
        };
        let workspace = task.facts().workspace;
        let command = TaskCommand::Reschedule {
            by: Fence::Expiry(at(self.now)),
            at: at(self.now + 5),
            error: "the worker is gone".to_owned(),
        };
        let rescued = |task: Task| {
            let mut c = changes(workspace, at(self.now));
            c.record_task(crate::world::transition(&task, command.clone(), at(self.now)));
            c
        };
        if let Some(pair) = self.read(workspace, task.id()).await? {
            self.commit("a rescue", (rescued(pair.0), rescued(pair.1)))
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn prune(&mut self) -> Outcome {
        let retention = Retention {
            ended_before: at(self.now - 300),
            expired_by: at(self.now - 300),
        };
        let real = self.real.prune(retention, 10_000).await?;
        let model = self.model.prune(retention, 10_000).await?;
        assert_eq!(real, model, "pruned at {}", self.now);
        Ok(())
    }

    /// Claims all there is, and checks that it was all, and that no two of one key run.
    pub(crate) async fn drain(&mut self) -> Outcome {
        while self.claim_up_to(12).await? > 0 {}
        for workspace in WORKSPACES {
            let mut lanes: BTreeMap<OrderingKey, Vec<Task>> = BTreeMap::new();
            for task in self
                .real
                .list_tasks(workspace, TaskFilter::default(), 100_000)
                .await?
            {
                let due = task.status() == TaskStatus::Queued && task.claimable_at() <= Some(at(self.now));
                match task.facts().ordering_key.clone() {
                    Some(key) if task.status().occupies_key() => lanes.entry(key).or_default().push(task),
                    None if due && !self.paused.contains(&workspace) => panic!("{task:?} was left behind"),
                    Some(_) | None => {}
                }
            }
            for (key, lane) in lanes {
                let runs = |task: &&Task| task.status() == TaskStatus::Running;
                let running = lane.iter().filter(runs).count();
                // A head that waits for its time holds up the others, and a pause holds up all.
                let waits = |task: &Task| task.claimable_at() > Some(at(self.now));
                let excused = self.paused.contains(&workspace) || lane.iter().any(waits);
                assert!(
                    running == 1 || (running == 0 && excused),
                    "lane {key:?} at {}: {lane:?}",
                    self.now
                );
            }
        }
        Ok(())
    }

    /// Everything that can be read of both.
    pub(crate) async fn compare(&self) -> Outcome {
        let keys = RECORDS.map(resource_key);
        // Between two instants of the history, so that nothing hangs on what is just on the edge.
        let now = at(self.now) + Duration::milliseconds(500);
        let real = snapshot(&*self.real, &WORKSPACES, &keys, now).await?.ranked();
        let model = snapshot(&*self.model, &WORKSPACES, &keys, now).await?.ranked();
        real.assert_is(&model, &format!("{KIND} at {}", self.now));
        Ok(())
    }
}

/// The task without its place, which is a number of its store.
fn unplaced(task: &Task) -> Task {
    Task::restore(
        task.facts().clone(),
        0,
        task.revision(),
        task.tally(),
        task.attempts().to_vec(),
        task.state().clone(),
    )
}

fn by_workspace(claimed: &Claimed) -> BTreeMap<WorkspaceId, Vec<(Task, Vec<Operation>)>> {
    let mut of: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for claimed in &claimed.tasks {
        let task = unplaced(&claimed.task);
        let operations = claimed.operations.clone();
        of.entry(task.facts().workspace)
            .or_default()
            .push((task, operations));
    }
    of
}
