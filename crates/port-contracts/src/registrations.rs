//! Registrations for donor searches: fenced, touched without a fence, listed, counted, due.

use crate::fixture::{Contract, Outcome};
use crate::samples::{OURS, THEIRS, at, changes, patient};
use crate::world::{World, assert_conflict, assert_duplicate};
use caretrack_domain::{
    ChangeReason, Due, Hla, LocalPatientId, Mover, Patient, PatientDetails, PatientId, Registration,
    SearchStatus, StatusCommand, UserName, WmdaId, WorkspaceId,
};
use caretrack_ports::{
    Changes, Committed, PatientRef, PatientRemoval, RegistrationFilter, RegistrationTouch, StoreError,
};
use std::collections::BTreeMap;
use time::Duration;
use uuid::Uuid;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("a_registration_is_kept_as_written", |w| {
        Box::pin(a_registration_is_kept_as_written(w))
    }),
    ("of_two_changes_of_a_registration_one_meets_a_conflict", |w| {
        Box::pin(of_two_changes_one_meets_a_conflict(w))
    }),
    ("retrievals_do_not_stand_in_each_others_way", |w| {
        Box::pin(retrievals_do_not_stand_in_each_others_way(w))
    }),
    ("a_retrieval_comes_before_a_stop_or_meets_a_conflict", |w| {
        Box::pin(a_retrieval_comes_before_a_stop_or_meets_a_conflict(w))
    }),
    ("a_number_is_given_once", |w| Box::pin(a_number_is_given_once(w))),
    ("a_registration_is_its_workspaces_own", |w| {
        Box::pin(a_registration_is_its_workspaces_own(w))
    }),
    ("history_is_kept_in_its_order", |w| {
        Box::pin(history_is_kept_in_its_order(w))
    }),
    ("lists_are_in_the_order_of_views_and_counted", |w| {
        Box::pin(lists_are_in_the_order_of_views_and_counted(w))
    }),
    ("what_is_due_is_found_and_workspaces_share", |w| {
        Box::pin(what_is_due_is_found_and_workspaces_share(w))
    }),
    ("a_person_is_found_by_its_identifiers_and_can_go", |w| {
        Box::pin(a_person_is_found_by_its_identifiers_and_can_go(w))
    }),
];

pub(crate) fn wmda(number: i64) -> WmdaId {
    WmdaId::parse(number).expect("a sample number is in range")
}

fn details() -> PatientDetails {
    let hla = r#"{"A": {"field1": "01:01"}, "B": {"field1": "08:01"}, "DRB1": {"field1": "03:01"}}"#;
    let hla: Hla = serde_json::from_str(hla).expect("a sample typing is one");
    PatientDetails::new(hla)
}

/// Registered after so many seconds.
pub(crate) fn registration(number: i64, workspace: WorkspaceId, seconds: i64) -> Registration {
    let person = PatientId(Uuid::from_u128(number.unsigned_abs().into()));
    let id = (wmda(number), workspace, person);
    let named = (true, LocalPatientId::parse(&format!("P{number}")));
    Registration::new(id, details(), named, "h-17", at(seconds)).0
}

pub(crate) async fn add(world: &World, new: &Registration) -> Outcome {
    world
        .write_in(new.workspace, new.registered_at, |c| {
            c.put_registration(None, new.clone());
        })
        .await?;
    Ok(())
}

async fn change(world: &World, seen: &Registration, after: Registration) -> Result<Committed, StoreError> {
    world
        .write_in(seen.workspace, at(9), |c| c.put_registration(Some(seen), after))
        .await
}

async fn find(world: &World, number: i64) -> Registration {
    let found = world.find_registration(OURS, wmda(number)).await;
    found
        .ok()
        .flatten()
        .unwrap_or_else(|| panic!("{number} is not there"))
}

fn moved(before: &Registration, command: StatusCommand, seconds: i64) -> Registration {
    let reason = Some(ChangeReason::Fnd);
    let mover = Mover {
        name: "h-17",
        is_active: true,
    };
    let change = before.apply(command, reason, mover, at(seconds));
    change
        .unwrap_or_else(|refused| panic!("{command}: {refused:?}"))
        .after
}

fn touch(seen: &Registration, seconds: i64) -> RegistrationTouch {
    RegistrationTouch {
        workspace: seen.workspace,
        wmda_id: seen.wmda_id,
        expected: seen.revision,
        viewed_at: at(seconds),
        counter_started_at: at(seconds),
    }
}

async fn touched(world: &World, touch: RegistrationTouch) -> Result<Committed, StoreError> {
    world.write(at(9), |c| c.touch_registration(touch)).await
}

async fn a_registration_is_kept_as_written(world: World) -> Outcome {
    let new = registration(500_001, OURS, 1);
    add(&world, &new).await?;
    assert_eq!(find(&world, 500_001).await, new);
    let after = Registration {
        legal_terms: false,
        patient_id: None,
        assigned_to: UserName::parse("j.demo@example.org"),
        status: SearchStatus::Stp,
        reason: Some(ChangeReason::Aut),
        stopped_at: Some(at(3)),
        refresh_at: Some(at(4)),
        handed_over: Some((Due::Refresh, at(5))),
        changed_at: at(6),
        patient: PatientId(Uuid::from_u128(77)),
        revision: 1,
        ..new.clone()
    };
    change(&world, &new, after.clone()).await?;
    assert_eq!(find(&world, 500_001).await, after);
    Ok(())
}

async fn of_two_changes_one_meets_a_conflict(world: World) -> Outcome {
    let new = registration(500_001, OURS, 1);
    add(&world, &new).await?;
    let (one, other) = (
        moved(&new, StatusCommand::StartSearch, 2),
        moved(&new, StatusCommand::SetStp, 2),
    );
    let together = tokio::join!(
        change(&world, &new, one.clone()),
        change(&world, &new, other.clone())
    );
    let stored = find(&world, 500_001).await;
    match together {
        (Ok(_), late) => {
            assert_conflict(late);
            assert_eq!(stored, one);
        }
        (early, late) => {
            assert_conflict(early);
            late?;
            assert_eq!(stored, other);
        }
    }
    assert_conflict(change(&world, &new, one).await);
    Ok(())
}

async fn retrievals_do_not_stand_in_each_others_way(world: World) -> Outcome {
    let new = registration(500_001, OURS, 1);
    add(&world, &new).await?;
    let all = (2..40).map(|seconds| touched(&world, touch(&new, seconds)));
    for outcome in futures::future::join_all(all).await {
        outcome?;
    }
    let seen = find(&world, 500_001).await;
    assert_eq!((seen.viewed_at, seen.counter_started_at), (at(39), at(39)));
    assert_eq!(seen.revision, new.revision);
    // What was decided on the registration before does not bring earlier times back.
    change(&world, &new, new.revised()).await?;
    let after = find(&world, 500_001).await;
    assert_eq!((after.viewed_at, after.counter_started_at), (at(39), at(39)));
    assert_conflict(touched(&world, touch(&new, 50)).await);
    Ok(())
}

async fn a_retrieval_comes_before_a_stop_or_meets_a_conflict(world: World) -> Outcome {
    let new = registration(500_001, OURS, 1);
    add(&world, &new).await?;
    let stopped = moved(&new, StatusCommand::Expire, 9);
    let stop = |seen: Registration, after: Registration| {
        let mut all = changes(OURS, at(9));
        all.expire_registration(&seen, after);
        world.commit(all)
    };
    let together = tokio::join!(
        touched(&world, touch(&new, 5)),
        stop(new.clone(), stopped.clone())
    );
    let stored = find(&world, 500_001).await;
    match together {
        (Ok(_), stop) => {
            assert_conflict(stop);
            assert_eq!(
                (stored.status, stored.counter_started_at),
                (SearchStatus::New, at(5))
            );
        }
        (touch, stop) => {
            assert_conflict(touch);
            stop?;
            assert_eq!(stored, stopped);
        }
    }
    if stored.status == SearchStatus::New {
        assert_conflict(stop(new, stopped.clone()).await);
        stop(stored, stopped).await?;
    }
    Ok(())
}

async fn a_number_is_given_once(world: World) -> Outcome {
    add(&world, &registration(500_001, OURS, 1)).await?;
    assert_duplicate(add(&world, &registration(500_001, THEIRS, 1)).await);
    let person = |n, number| {
        let mut all = changes(OURS, at(1));
        all.put_patient(None, patient(n, number, None));
        world.commit(all)
    };
    assert_duplicate(person(9, 500_001).await);
    person(9, 500_002).await?;
    assert_duplicate(add(&world, &registration(500_002, OURS, 1)).await);
    // A person that is made for a registration has its number.
    let before = find(&world, 500_001).await;
    let made = patient(10, 500_001, None);
    let after = Registration {
        patient: made.id,
        ..before.revised()
    };
    let mut all = changes(OURS, at(2));
    all.put_patient(None, made);
    all.put_registration(Some(&before), after);
    world.commit(all).await?;
    // Nothing of what failed is there, nor counted.
    assert_eq!(world.find_registration(OURS, wmda(500_002)).await?, None);
    let all = RegistrationFilter::default();
    assert_eq!(world.count_registrations(OURS, &all).await?, 1);
    assert_eq!(world.count_registrations(THEIRS, &all).await?, 0);
    Ok(())
}

async fn a_registration_is_its_workspaces_own(world: World) -> Outcome {
    let theirs = registration(500_001, THEIRS, 1);
    add(&world, &theirs).await?;
    assert_eq!(world.find_registration(OURS, theirs.wmda_id).await?, None);
    assert_eq!(world.registrations_of(OURS, theirs.patient).await?, []);
    let all = RegistrationFilter::default();
    assert_eq!(world.list_registrations(OURS, &all, 10, 0).await?, []);
    assert_eq!(world.count_registrations(OURS, &all).await?, 0);
    let ours = Registration {
        workspace: OURS,
        ..theirs.clone()
    };
    assert_conflict(change(&world, &ours, ours.revised()).await);
    assert_conflict(touched(&world, touch(&ours, 5)).await);
    let entries = world.list_status_entries(OURS, theirs.wmda_id, None, 10).await?;
    assert_eq!(entries, []);
    Ok(())
}

async fn history_is_kept_in_its_order(world: World) -> Outcome {
    let id = (wmda(500_001), OURS, PatientId(Uuid::from_u128(1)));
    let (mut now, first) = Registration::new(id, details(), (false, None), "h-17", at(1));
    let mut all = changes(OURS, at(1));
    all.put_registration(None, now.clone());
    all.record_status(first.clone());
    world.commit(all).await?;
    let mut told = vec![first];
    let steps = [
        StatusCommand::StartSearch,
        StatusCommand::SetAct,
        StatusCommand::SetSus,
        StatusCommand::SetStp,
    ];
    for (command, seconds) in steps.into_iter().zip(2..) {
        let mover = Mover::SYSTEM;
        let change = now.apply(command, Some(ChangeReason::Oth), mover, at(seconds));
        let change = change.unwrap_or_else(|refused| panic!("{refused:?}"));
        let mut all = changes(OURS, at(seconds));
        if let Some(entry) = change.entry.clone() {
            all.record_status(entry);
        }
        all.put_registration(Some(&now), change.after.clone());
        world.commit(all).await?;
        told.extend(change.entry);
        now = change.after;
    }
    let whole = world.list_status_entries(OURS, now.wmda_id, None, 10).await?;
    assert_eq!(whole, told);
    let after = world
        .list_status_entries(OURS, now.wmda_id, Some(told[1].revision), 2)
        .await?;
    assert_eq!(after, told[2..4]);
    Ok(())
}

async fn lists_are_in_the_order_of_views_and_counted(world: World) -> Outcome {
    let mut stored = BTreeMap::new();
    for number in 500_000..500_020 {
        let new = registration(number, OURS, number % 7);
        add(&world, &new).await?;
        stored.insert(number, new);
    }
    for number in (500_000..500_020).step_by(2) {
        let before = stored[&number].clone();
        let after = moved(&before, StatusCommand::StartSearch, 9);
        let after = Registration {
            assigned_to: UserName::parse("j.demo@example.org").filter(|_| number % 4 == 0),
            ..after
        };
        change(&world, &before, after.clone()).await?;
        stored.insert(number, after);
    }
    touched(&world, touch(&stored[&500_003], 30)).await?;
    if let Some(viewed) = stored.get_mut(&500_003) {
        *viewed = viewed.viewed(at(30));
    }
    let before = stored[&500_004].clone();
    let stopped = moved(&before, StatusCommand::SetStp, 10);
    change(&world, &before, stopped.clone()).await?;
    let gone = moved(&stopped, StatusCommand::Anonymise, 11);
    change(&world, &stopped, gone).await?;
    stored.remove(&500_004);

    let mine = UserName::parse("j.demo@example.org");
    for (statuses, assigned_to) in [
        (vec![], None),
        (vec![SearchStatus::New], None),
        (vec![SearchStatus::New, SearchStatus::Pre], None),
        (vec![SearchStatus::Stp], None),
        (vec![], mine.clone()),
        (vec![SearchStatus::Pre], mine.clone()),
        (vec![SearchStatus::New], mine),
    ] {
        let filter = RegistrationFilter {
            statuses: statuses.into_iter().collect(),
            assigned_to,
        };
        let is_shown = |one: &&Registration| {
            (filter.statuses.is_empty() || filter.statuses.contains(&one.status))
                && (filter.assigned_to.is_none() || one.assigned_to == filter.assigned_to)
        };
        let mut shown: Vec<_> = stored.values().filter(is_shown).cloned().collect();
        shown.sort_by_key(|one| std::cmp::Reverse((one.viewed_at, one.wmda_id)));
        let total = world.count_registrations(OURS, &filter).await?;
        assert_eq!(total, u64::try_from(shown.len()).unwrap_or(0), "{filter:?}");
        let mut paged = Vec::new();
        for offset in (0..=total).step_by(3) {
            let page = world.list_registrations(OURS, &filter, 3, offset).await?;
            assert!(page.len() <= 3);
            paged.extend(page);
        }
        assert_eq!(paged, shown, "{filter:?}");
    }
    Ok(())
}

async fn what_is_due_is_found_and_workspaces_share(world: World) -> Outcome {
    for number in 500_000..500_010 {
        add(&world, &registration(number, OURS, 20 - (number - 500_000))).await?;
    }
    let theirs = registration(600_000, THEIRS, 20);
    add(&world, &theirs).await?;
    let moment = at(20) + Duration::days(42);
    assert_eq!(world.due_registrations(at(9) + Duration::days(42), 10).await?, []);
    let due = world.due_registrations(moment, 4).await?;
    assert!(due.contains(&theirs), "a workspace waits for another");
    let ours: Vec<i64> = (due.iter().filter(|due| due.workspace == OURS))
        .map(|due| due.wmda_id.number())
        .collect();
    assert_eq!(ours, [500_009, 500_008]);

    // What was handed over is looked at a day later, should nothing come of it.
    let is_due = async |number: i64, moment| {
        let due = world.due_registrations(moment, 100).await?;
        Ok::<_, StoreError>(due.iter().any(|due| due.wmda_id == wmda(number)))
    };
    assert!(is_due(500_008, moment).await?);
    let before = find(&world, 500_008).await;
    change(&world, &before, before.handed_over(Due::Stop, moment)).await?;
    assert!(!is_due(500_008, moment).await?);
    assert!(is_due(500_008, moment + Duration::DAY).await?);
    // One that was viewed may be due no more without having been looked at; once it was, it is not.
    touched(&world, touch(&find(&world, 500_009).await, 100)).await?;
    let viewed = find(&world, 500_009).await;
    change(&world, &viewed, viewed.revised()).await?;
    assert!(!is_due(500_009, moment).await?);
    assert!(is_due(500_009, at(100) + Duration::days(42)).await?);
    Ok(())
}

async fn a_person_is_found_by_its_identifiers_and_can_go(world: World) -> Outcome {
    let person = patient(1, 700_000, Some("P-1"));
    let other = patient(2, 700_001, Some("P-2"));
    let mut all = changes(OURS, at(1));
    all.put_patient(None, person.clone());
    all.put_patient(None, other.clone());
    let mut linked = registration(500_001, OURS, 1);
    linked.patient = person.id;
    all.put_registration(None, linked.clone());
    world.commit(all).await?;

    let local = |text: &str| LocalPatientId::parse(text).expect("a sample id is one");
    let by_local = world.find_patient_by_local_id(OURS, &local("P-1")).await?;
    assert_eq!(by_local.as_ref(), Some(&person));
    assert_eq!(world.find_patient_by_local_id(THEIRS, &local("P-1")).await?, None);
    let by_number = PatientRef::Wmda(linked.wmda_id);
    assert_eq!(world.find_patient(OURS, by_number).await?, Some(person.clone()));
    assert_eq!(world.registrations_of(OURS, person.id).await?, [linked.clone()]);

    let joined = Registration {
        patient: other.id,
        ..linked.revised()
    };
    let join = |expected| {
        let mut all: Changes = changes(OURS, at(2));
        all.put_registration(Some(&linked), joined.clone());
        all.remove_patient(PatientRemoval {
            workspace: OURS,
            id: person.id,
            expected,
        });
        world.commit(all)
    };
    assert_conflict(join(person.revision + 1).await);
    join(person.revision).await?;
    assert_eq!(world.find_patient(OURS, PatientRef::Id(person.id)).await?, None);
    assert_eq!(world.find_patient(OURS, by_number).await?, Some(other));
    assert_eq!(world.find_patient_by_local_id(OURS, &local("P-1")).await?, None);
    let again = Patient {
        id: PatientId(Uuid::from_u128(3)),
        wmda_id: wmda(700_002),
        ..person
    };
    world.write(at(3), |c| c.put_patient(None, again)).await?;
    Ok(())
}
