//! Unique names: taken is `Duplicate`, and a name that is given up is free again.

use crate::fixture::{Contract, Outcome};
use crate::samples::{
    OURS, THEIRS, at, complete, credential, facts, fingerprint, hold, lease, operations, patient, task_id,
    workspace,
};
use crate::world::{World, assert_conflict, assert_duplicate};
use caretrack_domain::{CredentialId, NewTask, Patient, TaskCommand, TaskFacts};
use caretrack_ports::StoreError;
use uuid::Uuid;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("a_workspace_has_its_key_alone", |w| {
        Box::pin(a_workspace_has_its_key_alone(w))
    }),
    ("a_secret_has_one_owner", |w| Box::pin(a_secret_has_one_owner(w))),
    ("a_revoked_credential_stays_revoked", |w| {
        Box::pin(a_revoked_credential_stays_revoked(w))
    }),
    ("a_patient_number_is_unique_everywhere", |w| {
        Box::pin(a_patient_number_is_unique_everywhere(w))
    }),
    ("a_local_patient_id_is_unique_in_its_workspace", |w| {
        Box::pin(a_local_patient_id_is_unique_in_its_workspace(w))
    }),
    ("a_task_is_stored_once", |w| Box::pin(a_task_is_stored_once(w))),
    ("unfinished_tasks_have_different_fingerprints", |w| {
        Box::pin(unfinished_tasks_have_different_fingerprints(w))
    }),
    ("a_fingerprint_is_free_once_its_task_has_ended", |w| {
        Box::pin(a_fingerprint_is_free_once_its_task_has_ended(w))
    }),
];

async fn a_workspace_has_its_key_alone(world: World) -> Outcome {
    world
        .write(at(0), |c| c.insert_workspace(workspace(1, "one")))
        .await?;
    let other_id = workspace(2, "one");
    assert_duplicate(world.write(at(1), |c| c.insert_workspace(other_id)).await);
    let other_key = workspace(1, "two");
    assert_duplicate(world.write(at(1), |c| c.insert_workspace(other_key)).await);
    // Keys are told apart by case.
    world
        .write(at(2), |c| c.insert_workspace(workspace(3, "One")))
        .await?;
    let keys = world.list_workspaces(None, 9).await?;
    assert_eq!(keys, [workspace(3, "One"), workspace(1, "one")]);
    Ok(())
}

/// A secret tells whose it is, so it cannot be anyone else's, in any workspace.
async fn a_secret_has_one_owner(world: World) -> Outcome {
    world
        .write(at(0), |c| c.insert_credential(credential(1, 1)))
        .await?;
    let mut same_secret = credential(2, 1);
    same_secret.workspace = THEIRS;
    assert_duplicate(world.write(at(1), |c| c.insert_credential(same_secret)).await);
    assert_duplicate(
        world
            .write(at(1), |c| c.insert_credential(credential(1, 2)))
            .await,
    );
    // Revoked, it is still known.
    let id = credential(1, 1).id;
    world.write(at(2), |c| c.revoke_credential(OURS, id)).await?;
    assert_duplicate(
        world
            .write(at(3), |c| c.insert_credential(credential(3, 1)))
            .await,
    );
    Ok(())
}

async fn a_revoked_credential_stays_revoked(world: World) -> Outcome {
    let mut own = credential(1, 1);
    world.write(at(0), |c| c.insert_credential(own.clone())).await?;
    world.write(at(1), |c| c.revoke_credential(OURS, own.id)).await?;
    world.write(at(2), |c| c.revoke_credential(OURS, own.id)).await?;
    own.revoked_at = Some(at(1));
    assert_eq!(world.find_credential(OURS, own.id).await?, Some(own.clone()));
    assert_eq!(
        world
            .find_credential_by_secret(own.secret.hash().expect("it has one"))
            .await?,
        Some(own.clone())
    );
    assert_eq!(world.list_credentials(OURS, None, 9).await?, [own.clone()]);

    let unknown = CredentialId(Uuid::from_u128(9));
    assert_conflict(world.write(at(3), |c| c.revoke_credential(OURS, unknown)).await);
    assert_conflict(
        world
            .write_in(THEIRS, at(3), |c| c.revoke_credential(THEIRS, own.id))
            .await,
    );
    Ok(())
}

/// The donor registry's number is unique across all workspaces.
async fn a_patient_number_is_unique_everywhere(world: World) -> Outcome {
    let add = |patient: Patient| world.write(at(0), |c| c.put_patient(None, patient));
    add(patient(1, 200_001, None)).await?;
    assert_duplicate(add(patient(2, 200_001, None)).await);
    let theirs = Patient {
        workspace: THEIRS,
        ..patient(2, 200_001, None)
    };
    assert_duplicate(add(theirs).await);
    // The id is taken as well; whether that is a name or a version is for the adapter to say.
    let again = add(patient(1, 200_002, None)).await;
    assert!(
        matches!(again, Err(StoreError::Duplicate | StoreError::Conflict)),
        "{again:?}"
    );
    // Nor can a patient change to a number that is taken.
    add(patient(3, 200_003, None)).await?;
    let mut moved = patient(3, 200_001, None);
    moved.revision = 1;
    assert_duplicate(world.write(at(1), |c| c.put_patient(Some(0), moved)).await);
    Ok(())
}

async fn a_local_patient_id_is_unique_in_its_workspace(world: World) -> Outcome {
    let add = |patient: Patient| world.write(at(0), |c| c.put_patient(None, patient));
    add(patient(1, 200_001, Some("98761234P"))).await?;
    assert_duplicate(add(patient(2, 200_002, Some("98761234P"))).await);
    add(patient(2, 200_002, Some("98761234p"))).await?;
    add(Patient {
        workspace: THEIRS,
        ..patient(3, 200_003, Some("98761234P"))
    })
    .await?;
    // Having none is nothing to share.
    add(patient(4, 200_004, None)).await?;
    add(patient(5, 200_005, None)).await?;
    // Given up, it is free; taken up, it is not.
    let mut without = patient(1, 200_001, None);
    without.revision = 1;
    world.write(at(1), |c| c.put_patient(Some(0), without)).await?;
    let mut with = patient(4, 200_004, Some("98761234P"));
    with.revision = 1;
    world.write(at(2), |c| c.put_patient(Some(0), with)).await?;
    assert_duplicate(add(patient(6, 200_006, Some("98761234P"))).await);
    Ok(())
}

async fn a_task_is_stored_once(world: World) -> Outcome {
    let stored = world.accept_with(facts(1, 0), operations(1)).await?;
    let again = NewTask::accepted(facts(1, 1), operations(2));
    assert_duplicate(world.write(at(1), |c| c.insert_task(again)).await);
    let theirs = TaskFacts {
        workspace: THEIRS,
        ..facts(1, 1)
    };
    let theirs = NewTask::accepted(theirs, operations(2));
    assert_duplicate(world.write_in(THEIRS, at(1), |c| c.insert_task(theirs)).await);
    assert_eq!(world.task(task_id(1)).await?, stored);
    assert_eq!(world.operations(OURS, task_id(1), 0, 9).await?, operations(1));
    Ok(())
}

fn alike(n: u32) -> TaskFacts {
    TaskFacts {
        fingerprint: Some(fingerprint(1)),
        ..facts(n, 0)
    }
}

/// Equal submissions meet in one unfinished task, whatever state it is in.
async fn unfinished_tasks_have_different_fingerprints(world: World) -> Outcome {
    let again = || world.accept(alike(2));
    let queued = world.accept(alike(1)).await?;
    assert_duplicate(again().await);
    let running = world.take_one(at(1)).await?;
    assert_duplicate(again().await);
    let held = world.step(&running, hold(&running), at(2)).await?;
    assert_duplicate(again().await);
    assert_eq!(queued.facts().fingerprint, held.facts().fingerprint);
    // Another one, none at all, or another's.
    for (n, print) in [(3, Some(fingerprint(2))), (4, None), (5, None)] {
        let facts = TaskFacts {
            fingerprint: print,
            ..facts(n, 0)
        };
        world.accept(facts).await?;
    }
    let theirs = TaskFacts {
        workspace: THEIRS,
        ..alike(6)
    };
    world.accept(theirs).await?;
    // Two alike in one commit are no better.
    let other = |n| TaskFacts {
        fingerprint: Some(fingerprint(7)),
        ..facts(n, 0)
    };
    let both = world.write(at(1), |c| {
        c.insert_task(NewTask::accepted(other(7), Vec::new()));
        c.insert_task(NewTask::accepted(other(8), Vec::new()));
    });
    assert_duplicate(both.await);
    Ok(())
}

/// Only unfinished tasks have a fingerprint for themselves.
async fn a_fingerprint_is_free_once_its_task_has_ended(world: World) -> Outcome {
    world.accept(alike(1)).await?;
    let running = world.take_one(at(1)).await?;
    world.step(&running, complete(&running), at(2)).await?;
    let second = world.accept(alike(2)).await?;
    world.step(&second, TaskCommand::Cancel, at(3)).await?;
    // One that was carried out before it was stored never takes it.
    let performed = |n| NewTask::performed(alike(n), operations(1), lease(1, at(0)));
    world.write(at(4), |c| c.insert_task(performed(3))).await?;
    world.accept(alike(4)).await?;
    world.write(at(5), |c| c.insert_task(performed(5))).await?;
    assert_duplicate(world.accept(alike(6)).await);
    Ok(())
}
