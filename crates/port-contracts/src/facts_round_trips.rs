//! A task comes back as the machine left it, in every state it has.

use crate::fixture::{Contract, Outcome};
use crate::samples::{
    KIND, OURS, at, changes, complete, facts, fingerprint, hold, key, lease, operation, operations, refuse,
    succeeded, task_id, token,
};
use crate::world::{World, ids, transition};
use caretrack_domain::{
    Actor, CredentialId, Failure, Fence, NewTask, Operation, OrderingKey, PatientId, Problem, Receipt,
    Refusal, RefusalKind, RequestId, Rule, Settled, Task, TaskCommand, TaskFacts, TaskState, TaskStatus,
    TokenSubject, TraceParent,
};
use caretrack_ports::TaskFilter;
use std::sync::Arc;
use time::Duration;
use uuid::Uuid;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("the_facts_of_a_task_come_back", |w| {
        Box::pin(the_facts_of_a_task_come_back(w))
    }),
    ("every_state_comes_back", |w| Box::pin(every_state_comes_back(w))),
    ("every_refusal_comes_back", |w| {
        Box::pin(every_refusal_comes_back(w))
    }),
    ("every_receipt_comes_back", |w| {
        Box::pin(every_receipt_comes_back(w))
    }),
    ("all_attempts_come_back", |w| Box::pin(all_attempts_come_back(w))),
    ("a_performed_task_comes_back_done", |w| {
        Box::pin(a_performed_task_comes_back_done(w))
    }),
    ("a_retry_names_the_broken_task", |w| {
        Box::pin(a_retry_names_the_broken_task(w))
    }),
];

async fn the_facts_of_a_task_come_back(world: World) -> Outcome {
    let full = TaskFacts {
        source: Some(key("northclinic")),
        patient: Some(PatientId(Uuid::from_u128(u128::MAX))),
        ordering_key: Some(OrderingKey("é'\"\u{1F9EC} ".to_owned())),
        submitted_by: Some(Actor::Credential(CredentialId(Uuid::from_u128(1 << 127)))),
        request_id: RequestId::parse(&"~".repeat(128)).expect("it is visible ASCII"),
        trace: TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        due_at: Some(at(0) + Duration::MICROSECOND),
        retry_of: Some(task_id(99)),
        fingerprint: Some(fingerprint(0xFF)),
        ..facts(1, 0)
    };
    let of_a_token = |n: u32, client_id: Option<&str>| TaskFacts {
        submitted_by: Some(Actor::Token(Arc::new(TokenSubject {
            sub: "é'\"\u{1F9EC} ".to_owned(),
            client_id: client_id.map(str::to_owned),
        }))),
        ..facts(n, 0)
    };
    for facts in [
        full,
        facts(2, 0),
        of_a_token(3, None),
        of_a_token(4, Some("mis-7")),
    ] {
        let stored = world.accept(facts.clone()).await?;
        assert_eq!(*stored.facts(), facts);
        let mut claimed = world.take(1, 0x70, at(1)).await?.tasks;
        assert_eq!(*claimed.remove(0).task.facts(), facts);
        let listed = world.list_tasks(OURS, TaskFilter::default(), 1).await?;
        assert_eq!(*listed[0].facts(), facts);
    }
    Ok(())
}

/// What is stored after a step is what the machine made, place included.
async fn steps_as_made(
    world: &World,
    task: &Task,
    command: TaskCommand,
    seconds: i64,
) -> Result<Task, caretrack_ports::StoreError> {
    // A microsecond that milliseconds would lose.
    let now = at(seconds) + Duration::microseconds(1);
    let made = transition(task, command.clone(), now).into_task();
    let stored = world.step(task, command, now).await?;
    assert_eq!(stored, made);
    let filter = TaskFilter {
        status: Some(made.status()),
        ..TaskFilter::default()
    };
    let listed = world.list_tasks(OURS, filter, 99).await?;
    assert!(listed.contains(&made), "{} is not listed as it is", made.status());
    Ok(stored)
}

async fn every_state_comes_back(world: World) -> Outcome {
    let text = "held: é\u{1F9EC}'\"\n".to_owned();
    let accepted = world.accept(facts(1, 0)).await?;
    assert_eq!(accepted.state(), &TaskState::Queued);
    let running = world.take_one(at(1)).await?;
    assert_eq!(world.task(task_id(1)).await?, running);
    let asked = steps_as_made(&world, &running, TaskCommand::Cancel, 2).await?;
    let held = TaskCommand::Hold {
        token: token(&asked),
        settled: Settled::default(),
        reason: text.clone(),
    };
    let held = steps_as_made(&world, &asked, held, 3).await?;
    assert_eq!(held.state(), &TaskState::Held { reason: text.clone() });
    steps_as_made(&world, &held, TaskCommand::Release, 4).await?;
    let running = world.take_one(at(5)).await?;
    assert!(
        !running.cancel_requested(),
        "what was asked for once is not asked for ever"
    );
    let again = TaskCommand::Reschedule {
        by: Fence::Holder(token(&running)),
        at: at(6) + Duration::microseconds(3),
        error: text.clone(),
    };
    steps_as_made(&world, &running, again, 6).await?;
    let running = world.take_one(at(7)).await?;
    steps_as_made(&world, &running, complete(&running), 8).await?;

    for n in 2..=4 {
        world.accept_with(facts(n, 9), operations(2)).await?;
        let running = world.take_one(at(10)).await?;
        let ending = match n {
            2 => refuse(&running),
            3 => TaskCommand::GiveUp {
                by: Fence::Expiry(at(99)),
                error: text.clone(),
            },
            _ => TaskCommand::Stop {
                token: token(&running),
                settled: Settled::default(),
            },
        };
        let ended = steps_as_made(&world, &running, ending, 99).await?;
        assert!(ended.status().is_terminal());
        assert_eq!(ended.finished_at(), Some(at(99) + Duration::MICROSECOND));
    }
    let broken = world.task(task_id(3)).await?;
    assert!(matches!(
        broken.state(),
        TaskState::Failed { failure: Failure::Broken(error), .. } if *error == text
    ));
    let done = world.task(task_id(1)).await?;
    assert_eq!((done.status(), done.attempts().len()), (TaskStatus::Succeeded, 3));
    Ok(())
}

/// Every kind of refusal with its problems, as a task's failure and as an operation's receipt.
fn refusals() -> Vec<Refusal> {
    let rules = [
        Rule::Required,
        Rule::Type,
        Rule::Min,
        Rule::Max,
        Rule::Enum,
        Rule::Pattern,
        Rule::Unknown,
        Rule::Cardinality,
        Rule::Duplicate,
        Rule::Reference,
        Rule::Immutable,
        Rule::Time,
        Rule::Syntax,
        Rule::Depth,
    ];
    let problem = |rule| Problem {
        path: "$.contained['é'][3]".to_owned(),
        rule,
        message: "must be “otherwise”".to_owned(),
    };
    let mut refusals: Vec<Refusal> = [
        RefusalKind::Invalid,
        RefusalKind::OutOfRange,
        RefusalKind::NotFound,
        RefusalKind::AlreadyExists,
        RefusalKind::FailedPrecondition,
        RefusalKind::ConditionFailed,
    ]
    .map(|kind| Refusal::new(kind, "It's “no”.\n"))
    .into();
    refusals[0].problems = rules.map(problem).into();
    refusals[1].message = String::new();
    refusals
}

async fn every_refusal_comes_back(world: World) -> Outcome {
    for (n, refusal) in (0..).zip(refusals()) {
        world.accept_with(facts(n, 0), operations(2)).await?;
        let running = world.take_one(at(1)).await?;
        let receipt = Receipt::Refused {
            at: at(2),
            refusal: refusal.clone(),
        };
        let refuse = TaskCommand::Refuse {
            token: token(&running),
            settled: Settled::one(&receipt),
            refusal: refusal.clone(),
        };
        let made = transition(&running, refuse, at(2));
        let refused = operation(0).settled(receipt);
        world
            .write(at(2), |c| {
                c.record_receipt(task_id(n), refused.clone());
                c.record_task(made.clone());
            })
            .await?;
        assert_eq!(world.task(task_id(n)).await?, made.into_task());
        let stored = world.operations(OURS, task_id(n), 0, 9).await?;
        let rest = operation(1).settled(Receipt::Cancelled { at: at(2) });
        assert_eq!(stored, [refused, rest]);
    }
    Ok(())
}

async fn every_receipt_comes_back(world: World) -> Outcome {
    let now = at(2) + Duration::MICROSECOND;
    let receipts = [
        Receipt::Succeeded { at: now },
        Receipt::Refused {
            at: now,
            refusal: refusals().remove(0),
        },
        Receipt::Broken { at: now },
        Receipt::Cancelled { at: now },
    ];
    world.accept_with(facts(1, 0), operations(5)).await?;
    let mut c = changes(OURS, now);
    // The first one stays pending.
    let mut expected: Vec<Operation> = operations(1);
    for (seq, receipt) in (1..).zip(receipts) {
        let settled = operation(seq).settled(receipt);
        c.record_receipt(task_id(1), settled.clone());
        expected.push(settled);
    }
    world.commit(c).await?;
    assert_eq!(world.operations(OURS, task_id(1), 0, 9).await?, expected);
    Ok(())
}

/// Each run with its worker, its times and its error.
async fn all_attempts_come_back(world: World) -> Outcome {
    world.accept(facts(1, 0)).await?;
    let mut expected = None;
    for n in 1..=5_i64 {
        let running = world.take_one(at(n * 10)).await?;
        let error = format!("fault {n}: é'\"\u{1F9EC}\n");
        let command = if n == 3 {
            hold(&running)
        } else {
            TaskCommand::Reschedule {
                by: Fence::Holder(token(&running)),
                at: at(n * 10 + 2),
                error,
            }
        };
        let after = steps_as_made(&world, &running, command, n * 10 + 1).await?;
        if n == 3 {
            world.step(&after, TaskCommand::Release, at(39)).await?;
        }
        expected = Some(after);
    }
    let expected = expected.map(|task| task.attempts().to_vec()).unwrap_or_default();
    let stored = world.task(task_id(1)).await?;
    assert_eq!(stored.attempts(), expected);
    assert_eq!((stored.attempts().len(), stored.broken_attempts()), (5, 4));
    Ok(())
}

/// A synchronous write that is a task all the same: stored ended, in one commit, and never claimed.
async fn a_performed_task_comes_back_done(world: World) -> Outcome {
    let performed = NewTask::performed(facts(1, 0), operations(2), lease(1, at(0)));
    world.write(at(0), |c| c.insert_task(performed.clone())).await?;
    let stored = world.task(task_id(1)).await?;
    assert_eq!(stored.state(), performed.task().state());
    assert_eq!(stored.attempts(), performed.task().attempts());
    assert_eq!((stored.tally(), stored.revision()), (performed.task().tally(), 0));
    let settled: Vec<_> = operations(2).into_iter().map(|o| succeeded(o, at(0))).collect();
    assert_eq!(world.operations(OURS, task_id(1), 0, 9).await?, settled);
    assert_eq!(world.take_ids(at(1)).await?, []);
    let events = world.list_events(OURS, 0, i64::MAX, 9).await?;
    assert_eq!(events.len(), 1);
    assert_eq!(
        events[0].event,
        caretrack_domain::Event::Task {
            id: task_id(1),
            kind: KIND,
            status: TaskStatus::Succeeded,
        }
    );
    Ok(())
}

/// A broken task's payloads are kept, so that a new one can do what it left undone.
async fn a_retry_names_the_broken_task(world: World) -> Outcome {
    world.accept_with(facts(1, 0), operations(3)).await?;
    let running = world.take_one(at(1)).await?;
    let settled = Settled {
        succeeded: 1,
        ..Settled::default()
    };
    let progress = TaskCommand::Progress {
        token: token(&running),
        settled,
    };
    let progress = transition(&running, progress, at(2));
    world
        .write(at(2), |c| {
            c.record_task(progress);
            c.record_receipt(task_id(1), succeeded(operation(0), at(2)));
        })
        .await?;
    let running = world.task(task_id(1)).await?;
    let give_up = TaskCommand::GiveUp {
        by: Fence::Holder(token(&running)),
        error: "the disk is full".to_owned(),
    };
    let broken = world.step(&running, give_up, at(3)).await?;
    let left = world.operations(OURS, task_id(1), 0, 9).await?;
    let retry = NewTask::retrying(&broken, left, facts(2, 4)).expect("a broken task can be tried again");
    world.write(at(4), |c| c.insert_task(retry.clone())).await?;
    let stored = world.task(task_id(2)).await?;
    assert_eq!(stored.facts().retry_of, Some(task_id(1)));
    assert_eq!(
        world.operations(OURS, task_id(2), 0, 9).await?,
        retry.operations()
    );
    let payloads: Vec<_> = retry.operations().iter().map(|o| o.payload.clone()).collect();
    assert_eq!(payloads, [operation(1).payload, operation(2).payload]);
    let listed = world.list_tasks(OURS, TaskFilter::default(), 9).await?;
    assert_eq!(ids(&listed), [task_id(2), task_id(1)]);
    Ok(())
}
