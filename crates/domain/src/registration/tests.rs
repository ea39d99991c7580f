//! What a change brings with it, and what time does.

use super::*;
use crate::registration::hla::Hla;
use serde_json::json;
use time::macros::datetime;
use uuid::Uuid;

const HOSPITAL: Mover<'_> = Mover {
    name: "h-17",
    is_active: true,
};

const NOW: Instant = datetime!(2026-03-02 09:15 UTC);

fn registered(patient_id: Option<&str>) -> Registration {
    let hla: Hla = serde_json::from_value(json!({
        "A": {"field1": "01:01"}, "B": {"field1": "08:01"}, "DRB1": {"field1": "03:01"}
    }))
    .unwrap();
    let id = (
        WmdaId::parse(48_213_907).unwrap(),
        WorkspaceId(Uuid::from_u128(1)),
        PatientId(Uuid::from_u128(2)),
    );
    let named = (patient_id.is_some(), patient_id.and_then(LocalPatientId::parse));
    let (registration, entry) = Registration::new(id, PatientDetails::new(hla), named, "h-17", NOW);
    assert_eq!((entry.from, entry.to), (None, SearchStatus::New));
    registration
}

fn moved(before: &Registration, command: StatusCommand, days: i64) -> Registration {
    let change = before.apply(
        command,
        Some(ChangeReason::Fnd),
        HOSPITAL,
        NOW + Duration::days(days),
    );
    change.unwrap().after
}

#[test]
fn whoever_does_nothing_for_42_days_is_stopped() {
    let registration = registered(None);
    let moment = NOW + Duration::days(42);
    assert_eq!(registration.next_due(), Some((Due::Stop, moment)));
    assert_eq!(registration.due(moment - Duration::MICROSECOND), None);
    assert_eq!(registration.due(moment), Some(Due::Stop));
    let seen = registration.viewed(NOW + Duration::days(10));
    assert_eq!(seen.due(moment), None);
    assert_eq!(seen.revision, registration.revision);
}

#[test]
fn a_stop_starts_the_retention_and_a_return_ends_it() {
    let stopped = moved(&registered(None), StatusCommand::SetStp, 1);
    assert_eq!(stopped.last_updated(), NOW + Duration::DAY);
    assert_eq!(
        stopped.viewed(NOW + Duration::days(9)).last_updated(),
        NOW + Duration::DAY
    );
    let end = datetime!(2026-09-03 09:15 UTC);
    assert_eq!(stopped.next_due(), Some((Due::Anonymisation, end)));
    assert_eq!(
        stopped.due(datetime!(2026-09-03 09:15 UTC)),
        Some(Due::Anonymisation)
    );
    let again = stopped.apply(
        StatusCommand::SetStp,
        Some(ChangeReason::Oth),
        HOSPITAL,
        NOW + Duration::days(9),
    );
    let again = again.unwrap();
    assert_eq!((again.after, again.entry), (stopped.clone(), None));
    let back = moved(&stopped, StatusCommand::SetAct, 50);
    assert_eq!(back.last_updated(), NOW + Duration::days(50));
    assert_eq!(back.stopped_at, None);
    assert!(back.refresh_at.is_some_and(|at| at <= NOW + Duration::days(51)));
}

#[test]
fn a_stop_that_is_due_goes_before_a_refresh() {
    let searched = moved(&registered(None), StatusCommand::StartSearch, 0);
    let active = moved(&searched, StatusCommand::SetAct, 0);
    let slot = active.refresh_at.unwrap();
    assert_eq!(active.next_due(), Some((Due::Refresh, slot)));
    // A refresh that waits does not keep the stop waiting.
    let waiting = active.handed_over(Due::Refresh, NOW + Duration::days(41));
    assert_eq!(waiting.look_at(), Some(NOW + Duration::days(42)));
    let waiting = active.handed_over(Due::Refresh, slot);
    assert_eq!(waiting.look_at(), Some(slot + Duration::DAY));
    assert_eq!(active.due(slot), Some(Due::Refresh));
    assert_eq!(active.due(NOW + Duration::days(42)), Some(Due::Stop));
    let refreshed = active.refreshed(slot + Duration::days(3) + Duration::HOUR);
    assert_eq!(refreshed.refresh_at, Some(slot + Duration::days(4)));
    assert_eq!(moved(&refreshed, StatusCommand::SetSus, 5).refresh_at, None);
}

#[test]
fn history_never_goes_back() {
    let stopped = moved(&registered(None), StatusCommand::SetStp, 1);
    let change = stopped.apply(StatusCommand::SetSus, None, HOSPITAL, NOW).unwrap();
    assert_eq!(change.entry.unwrap().at, NOW + Duration::DAY);
}

#[test]
fn the_patient_id_is_set_once_and_goes_with_the_legal_terms() {
    let unnamed = registered(None);
    let change = |legal_terms, id: Option<&str>| RegistrationChange {
        legal_terms,
        patient_id: id.and_then(LocalPatientId::parse),
        ..RegistrationChange::default()
    };
    assert_eq!(unnamed.shown_patient_id().as_deref(), Some("48213907"));
    let (ignored, _) = unnamed
        .update(change(None, Some("98761234P")), HOSPITAL, NOW)
        .unwrap();
    assert_eq!(ignored.patient_id, None);
    let (agreed, _) = unnamed.update(change(Some(true), None), HOSPITAL, NOW).unwrap();
    assert_eq!(agreed.shown_patient_id(), None);
    let (named, _) = agreed
        .update(change(None, Some("98761234P")), HOSPITAL, NOW)
        .unwrap();
    assert_eq!(named.shown_patient_id().as_deref(), Some("98761234P"));
    let same = named
        .update(change(None, Some("98761234P")), HOSPITAL, NOW)
        .unwrap();
    assert_eq!(same.0.patient_id, named.patient_id);
    let other = named.update(change(None, Some("98761234Q")), HOSPITAL, NOW);
    assert_eq!(other.unwrap_err(), PatientRefusal::PatientIdAlreadySet);
    let (withdrawn, _) = named
        .update(change(Some(false), Some("98761234P")), HOSPITAL, NOW)
        .unwrap();
    assert_eq!(withdrawn.shown_patient_id().as_deref(), Some("48213907"));
}

#[test]
fn who_it_was_is_forgotten() {
    let mut stopped = moved(&registered(Some("98761234P")), StatusCommand::SetStp, 1);
    stopped.assigned_to = UserName::parse("j.demo@example.org");
    let change = stopped.apply(
        StatusCommand::Anonymise,
        None,
        Mover::SYSTEM,
        NOW + Duration::days(200),
    );
    let change = change.unwrap();
    assert_eq!(
        (change.after.patient_id, change.after.assigned_to, change.entry),
        (None, None, None)
    );
    assert_eq!(change.after.status, SearchStatus::Ano);
}

#[test]
fn what_an_engine_does_keeps_nobody_alive() {
    let engine = Mover {
        name: "engine",
        is_active: false,
    };
    let later = NOW + Duration::DAY;
    let searched = registered(None)
        .apply(StatusCommand::StartSearch, None, engine, later)
        .unwrap()
        .after;
    assert_eq!(searched.counter_started_at, NOW);
    let (updated, _) = searched
        .update(RegistrationChange::default(), engine, later)
        .unwrap();
    assert_eq!(updated.counter_started_at, NOW);
    let stopped = moved(&searched, StatusCommand::SetStp, 1);
    let back = stopped
        .apply(StatusCommand::SetSus, None, engine, later + Duration::DAY)
        .unwrap()
        .after;
    assert_eq!(back.counter_started_at, later + Duration::DAY);
}
