//! Values to write: the same in every run, each with no more to it than its contract needs.

use caretrack_domain::{
    Action, Actor, Credential, CredentialId, Fingerprint, Instant, Key, Lease, LeaseToken, LocalPatientId,
    Operation, OrderingKey, Patient, PatientId, Receipt, RecordId, Refusal, RefusalKind, RequestId, Resource,
    ResourceKey, Scopes, SecretHash, Settled, StoredSecret, Target, TargetKind, Task, TaskCommand, TaskFacts,
    TaskId, TaskKind, TaskState, WmdaId, WorkerId, Workspace, WorkspaceId, WorkspaceOptions,
};
use caretrack_ports::{Admission, Author, Changes};
use indexmap::IndexMap;
use time::Duration;
use time::macros::datetime;
use uuid::Uuid;

pub(crate) const START: Instant = datetime!(2026-03-02 09:15 UTC);
pub(crate) const OURS: WorkspaceId = WorkspaceId(Uuid::from_u128(0xA));
pub(crate) const THEIRS: WorkspaceId = WorkspaceId(Uuid::from_u128(0xB));
pub(crate) const KIND: TaskKind = TaskKind::RegistryWrite;
/// How long a lease lasts here.
pub(crate) const LEASE: Duration = Duration::seconds(30);

/// So many seconds after the start.
pub(crate) fn at(seconds: i64) -> Instant {
    START + Duration::seconds(seconds)
}

pub(crate) fn changes(workspace: WorkspaceId, at: Instant) -> Changes {
    let author = Author {
        workspace: Some(workspace),
        actor: Some(Actor::Credential(CredentialId(Uuid::from_u128(0xC)))),
        request_id: RequestId::generated(Uuid::from_u128(0xD)),
        at,
    };
    Changes::by(author, Admission::New)
}

/// The `n`th task of ours, accepted after so many seconds.
pub(crate) fn facts(n: u32, seconds: i64) -> TaskFacts {
    TaskFacts {
        id: task_id(n),
        workspace: OURS,
        kind: KIND,
        source: None,
        patient: None,
        ordering_key: None,
        submitted_by: None,
        request_id: RequestId::generated(Uuid::from_u128(0xD)),
        trace: None,
        accepted_at: at(seconds),
        due_at: None,
        eta: at(seconds + 1),
        retry_of: None,
        fingerprint: None,
    }
}

/// The same, kept in order with the others of `key`.
pub(crate) fn keyed(n: u32, seconds: i64, key: &str) -> TaskFacts {
    TaskFacts {
        ordering_key: Some(OrderingKey(key.to_owned())),
        ..facts(n, seconds)
    }
}

pub(crate) fn task_id(n: u32) -> TaskId {
    TaskId(Uuid::from_u128(u128::from(n)))
}

pub(crate) fn fingerprint(n: u8) -> Fingerprint {
    Fingerprint([n; 32])
}

pub(crate) fn operation(seq: u32) -> Operation {
    let target = Target {
        kind: TargetKind::Resource,
        of: "patient".to_owned(),
        id: format!("pt-{seq}"),
    };
    Operation::pending(seq, Action::Upsert, target, Some(format!(r#"{{"n": {seq}}}"#)))
}

pub(crate) fn operations(count: u32) -> Vec<Operation> {
    (0..count).map(operation).collect()
}

pub(crate) fn lease(token: u128, now: Instant) -> Lease {
    Lease {
        token: LeaseToken(Uuid::from_u128(token)),
        worker: WorkerId(Uuid::from_u128(0xE)),
        until: now + LEASE,
    }
}

/// The token that a running task is fenced by.
pub(crate) fn token(task: &Task) -> LeaseToken {
    let TaskState::Running { lease, .. } = task.state() else {
        panic!("{:?} does not run", task.id());
    };
    lease.token
}

/// Completes all that is pending.
pub(crate) fn complete(task: &Task) -> TaskCommand {
    TaskCommand::Complete {
        token: token(task),
        settled: Settled {
            succeeded: task.tally().pending(),
            ..Settled::default()
        },
    }
}

pub(crate) fn hold(task: &Task) -> TaskCommand {
    TaskCommand::Hold {
        token: token(task),
        settled: Settled::default(),
        reason: "review".to_owned(),
    }
}

pub(crate) fn refuse(task: &Task) -> TaskCommand {
    TaskCommand::Refuse {
        token: token(task),
        settled: Settled::default(),
        refusal: refusal(),
    }
}

pub(crate) fn refusal() -> Refusal {
    Refusal::new(RefusalKind::NotFound, "There is no patient pt-1.")
}

pub(crate) fn succeeded(operation: Operation, at: Instant) -> Operation {
    operation.settled(Receipt::Succeeded { at })
}

pub(crate) fn key(text: &str) -> Key {
    Key::parse(text).expect("a sample key is well-formed")
}

pub(crate) fn resource_key(id: &str) -> ResourceKey {
    ResourceKey {
        source: key("northclinic"),
        of: key("patient"),
        id: RecordId::for_upsert(id).expect("a sample id is well-formed"),
    }
}

pub(crate) fn resource(id: &str, data: impl Into<String>, at: Instant) -> Resource {
    Resource {
        key: resource_key(id),
        data: data.into(),
        contained: IndexMap::new(),
        identifiers: Vec::new(),
        created_at: at,
        updated_at: at,
    }
}

pub(crate) fn workspace(n: u128, text: &str) -> Workspace {
    Workspace {
        id: WorkspaceId(Uuid::from_u128(n)),
        key: key(text),
        options: WorkspaceOptions::default(),
        created_at: START,
    }
}

pub(crate) fn credential(n: u128, secret: u8) -> Credential {
    Credential {
        id: CredentialId(Uuid::from_u128(n)),
        workspace: OURS,
        name: format!("key {n}"),
        scopes: Scopes::parse(["registry:read", "ops:read"]).expect("sample scopes exist"),
        secret: StoredSecret::ApiKey(SecretHash([secret; 32])),
        administrator: false,
        created_at: START,
        revoked_at: None,
    }
}

pub(crate) fn patient(n: u128, number: i64, local_id: Option<&str>) -> Patient {
    Patient {
        id: PatientId(Uuid::from_u128(n)),
        workspace: OURS,
        wmda_id: WmdaId::parse(number).expect("a sample number is in range"),
        local_id: local_id.and_then(LocalPatientId::parse),
        active: true,
        known_elsewhere: true,
        created_at: START,
        revision: 0,
    }
}
