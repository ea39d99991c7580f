//! What a commit leaves for others to read: events in the outbox, entries in the audit.

use crate::fixture::{Contract, Outcome};
use crate::samples::{
    KIND, OURS, THEIRS, at, changes, complete, facts, hold, patient, resource, task_id, token,
};
use crate::world::{World, assert_conflict, transition};
use caretrack_domain::Event;
use caretrack_domain::{
    Actor, AuditEntry, AuditOutcome, CredentialId, Instant, RequestId, Settled, TaskCommand, TaskStatus,
    TokenSubject,
};
use caretrack_ports::{Admission, Author, Changes, Place};
use std::sync::Arc;
use uuid::Uuid;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("every_change_is_told_in_order", |w| {
        Box::pin(every_change_is_told_in_order(w))
    }),
    ("a_failed_commit_tells_nothing", |w| {
        Box::pin(a_failed_commit_tells_nothing(w))
    }),
    ("events_are_read_on_from_a_number", |w| {
        Box::pin(events_are_read_on_from_a_number(w))
    }),
    ("audit_entries_are_kept_as_written", |w| {
        Box::pin(audit_entries_are_kept_as_written(w))
    }),
    ("concurrent_commits_tell_everything", |w| {
        Box::pin(concurrent_commits_tell_everything(w))
    }),
];

fn told(n: u32, status: TaskStatus) -> Event {
    Event::Task {
        id: task_id(n),
        kind: KIND,
        status,
    }
}

/// The outbox has exactly what was committed, in that order, with the author's instant.
async fn every_change_is_told_in_order(world: World) -> Outcome {
    world.accept(facts(1, 0)).await?;
    let running = world.take_one(at(1)).await?;
    let held = world.step(&running, hold(&running), at(2)).await?;
    world.accept(facts(2, 3)).await?;
    world.step(&held, TaskCommand::Release, at(4)).await?;
    let task = world.task(task_id(2)).await?;
    world.step(&task, TaskCommand::Cancel, at(5)).await?;
    let running = world.take_one(at(6)).await?;
    // Progress is no change of state, nor is being asked to stop.
    let progress = TaskCommand::Progress {
        token: token(&running),
        settled: Settled::default(),
    };
    let running = world.step(&running, progress, at(6)).await?;
    let running = world.step(&running, TaskCommand::Cancel, at(6)).await?;
    let person = patient(1, 200_001, None);
    let done = transition(&running, complete(&running), at(7));
    world
        .write(at(7), |c| {
            c.put_patient(None, person.clone());
            c.record_task(done);
            c.put_resource(OURS, None, Place::AtCommit, resource("r0", "{}", at(7)));
        })
        .await?;
    let entries = world.list_events(OURS, 0, i64::MAX, 99).await?;
    assert!(entries.windows(2).all(|pair| pair[0].number < pair[1].number));
    let events: Vec<(Instant, Event)> = entries.iter().map(|entry| (entry.at, entry.event)).collect();
    let expected = [
        (at(0), told(1, TaskStatus::Queued)),
        (at(2), told(1, TaskStatus::Held)),
        (at(3), told(2, TaskStatus::Queued)),
        (at(4), told(1, TaskStatus::Queued)),
        (at(5), told(2, TaskStatus::Cancelled)),
        (at(7), Event::Patient { id: person.id }),
        (at(7), told(1, TaskStatus::Succeeded)),
    ];
    assert_eq!(events, expected);
    Ok(())
}

/// None for a failed commit, neither event nor audit entry.
async fn a_failed_commit_tells_nothing(world: World) -> Outcome {
    let task = world.accept(facts(1, 0)).await?;
    world.step(&task, TaskCommand::Cancel, at(1)).await?;
    let events = world.list_events(OURS, 0, i64::MAX, 99).await?;
    let late = transition(&task, TaskCommand::Cancel, at(2));
    let failed = world.write(at(2), |c| {
        c.audit("task.cancel", "one", AuditOutcome::Cancelled);
        c.put_patient(None, patient(1, 200_001, None));
        c.record_task(late);
    });
    assert_conflict(failed.await);
    assert_eq!(world.list_events(OURS, 0, i64::MAX, 99).await?, events);
    assert_eq!(world.list_audit(Some(OURS), None, 9).await?, []);
    Ok(())
}

async fn events_are_read_on_from_a_number(world: World) -> Outcome {
    for n in 0..7 {
        world.accept(facts(n, 0)).await?;
        world
            .write_in(THEIRS, at(0), |c| {
                let mut person = patient(u128::from(n), 200_000 + i64::from(n), None);
                person.workspace = THEIRS;
                c.put_patient(None, person);
            })
            .await?;
    }
    let mut read = Vec::new();
    let mut after = 0;
    loop {
        let page = world.list_events(OURS, after, i64::MAX, 3).await?;
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = last.number;
        read.extend(page.into_iter().map(|entry| entry.event));
    }
    let expected: Vec<_> = (0..7).map(|n| told(n, TaskStatus::Queued)).collect();
    assert_eq!(read, expected);
    assert_eq!(world.list_events(OURS, after, i64::MAX, 9).await?, []);
    Ok(())
}

/// Append-only, and every member of an entry is there; an entry of no workspace is no workspace's.
async fn audit_entries_are_kept_as_written(world: World) -> Outcome {
    let author = |workspace, actor, text: &str| Author {
        workspace,
        actor,
        request_id: RequestId::parse(text).expect("a sample request id is visible ASCII"),
        at: at(1),
    };
    let actor = Actor::Credential(CredentialId(Uuid::from_u128(7)));
    let subject = TokenSubject {
        sub: "é'\" ".to_owned(),
        client_id: Some("mis-7".to_owned()),
    };
    let token = Actor::Token(Arc::new(subject));
    let longest = "~".repeat(128);
    let mut c = Changes::by(
        author(Some(OURS), Some(actor.clone()), &longest),
        Admission::Continuing,
    );
    c.audit("resource.put", "northclinic/patient/pt-1", AuditOutcome::Accepted);
    c.audit("resource.put", "", AuditOutcome::Done);
    world.commit(c).await?;
    let mut c = Changes::by(author(Some(OURS), None, "!"), Admission::New);
    c.audit("task.cancel", "ä\u{1F9EC}'\"", AuditOutcome::Cancelled);
    c.audit("task.run", "x", AuditOutcome::Broken);
    world.commit(c).await?;
    let mut c = Changes::by(author(None, None, "nobody"), Admission::New);
    c.audit("authenticate", "x", AuditOutcome::Refused);
    world.commit(c).await?;
    let mut c = Changes::by(author(Some(OURS), Some(token.clone()), "!"), Admission::New);
    c.audit("task.submit", "x", AuditOutcome::Done);
    world.commit(c).await?;
    let mut c = changes(THEIRS, at(1));
    c.audit("credential.revoke", "x", AuditOutcome::Refused);
    world.commit(c).await?;

    let entry = |actor, text: &str, action: &str, target: &str, outcome| AuditEntry {
        at: at(1),
        workspace: Some(OURS),
        actor,
        request_id: RequestId::parse(text).expect("a sample request id is visible ASCII"),
        action: action.to_owned(),
        target: target.to_owned(),
        outcome,
    };
    let expected = [
        entry(Some(token), "!", "task.submit", "x", AuditOutcome::Done),
        entry(None, "!", "task.run", "x", AuditOutcome::Broken),
        entry(None, "!", "task.cancel", "ä\u{1F9EC}'\"", AuditOutcome::Cancelled),
        entry(
            Some(actor.clone()),
            &longest,
            "resource.put",
            "",
            AuditOutcome::Done,
        ),
        entry(
            Some(actor),
            &longest,
            "resource.put",
            "northclinic/patient/pt-1",
            AuditOutcome::Accepted,
        ),
    ];
    let listed = world.list_audit(Some(OURS), None, 99).await?;
    let listed: Vec<_> = listed.into_iter().map(|(_, entry)| entry).collect();
    assert_eq!(listed, expected);
    let theirs = world.list_audit(Some(THEIRS), None, 99).await?;
    assert_eq!(theirs.len(), 1);
    assert_eq!(theirs[0].1.outcome, AuditOutcome::Refused);
    let nobodys = world.list_audit(None, None, 99).await?;
    assert_eq!(nobodys.len(), 1);
    assert_eq!(nobodys[0].1.action, "authenticate");
    assert_eq!(world.list_audit(None, Some(nobodys[0].0), 99).await?, []);
    Ok(())
}

/// Nothing is lost among many, and the events of one commit stay together in their order.
async fn concurrent_commits_tell_everything(world: World) -> Outcome {
    let commits: Vec<_> = (0..60_u32)
        .map(|n| {
            let world = world.clone();
            tokio::spawn(async move {
                world
                    .write(at(0), |c| {
                        let number = 200_000 + i64::from(n);
                        c.put_patient(None, patient(u128::from(n), number, None));
                        c.put_patient(None, patient(u128::from(n + 100), number + 100, None));
                        c.audit("patient.put", n.to_string(), AuditOutcome::Done);
                    })
                    .await
            })
        })
        .collect();
    for commit in commits {
        commit.await.expect("a commit does not panic")?;
    }
    let events = world.list_events(OURS, 0, i64::MAX, 999).await?;
    assert_eq!(events.len(), 120);
    for n in 0..60 {
        let position = |n: u128| {
            let id = patient(n, 200_000, None).id;
            events
                .iter()
                .position(|entry| entry.event == Event::Patient { id })
        };
        assert!(position(n).is_some() && position(n) < position(n + 100), "{n}");
    }
    let audit = world.list_audit(Some(OURS), None, 999).await?;
    let mut targets: Vec<u32> = audit.iter().filter_map(|(_, e)| e.target.parse().ok()).collect();
    targets.sort_unstable();
    assert!(targets.into_iter().eq(0..60));
    Ok(())
}
