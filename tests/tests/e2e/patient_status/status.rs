//! Changing the status (sections 2 and 3).

use super::clinic::{Clinic, UNKNOWN, World};
use super::expect::{ACCEPTED, LIST_REASONS, STOP_REASONS, path};
use crate::e2e::harness::{Engine, Journey, Tenant, journey, members, tenant_journey};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(line_01_the_matrix),
        tenant_journey!(line_02_what_a_change_is_answered),
        journey!(line_04_what_has_no_effect_changes_nothing),
        tenant_journey!(line_05_nobody_is_stopped_without_a_reason),
        tenant_journey!(the_answer_tells_the_reason_that_is_stored),
    ]
}

const TARGETS: [&str; 5] = ["NEW", "PRE", "ACT", "SUS", "STP"];
/// As section 10 has it: `=` is accepted without effect.
const MATRIX: [(&str, [&str; 5]); 6] = [
    ("NEW", ["400", "409", "409", "409", "200"]),
    ("PRE", ["400", "200=", "200", "200", "200"]),
    ("ACT", ["400", "409", "200=", "200", "200"]),
    ("SUS", ["400", "409", "200", "200=", "200"]),
    ("STP", ["400", "409", "200", "200", "200="]),
    ("anonymised", ["400", "404", "404", "404", "404"]),
];

/// "The matrix, by PUT `/patients/status` with a valid body (200= is accepted without effect)".
async fn line_01_the_matrix(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let anonymised = clinic.in_status("STP").await;
    world.advance("P190D").await;
    clinic.until_gone(anonymised).await;
    for (from, row) in MATRIX {
        for (to, expected) in TARGETS.into_iter().zip(row) {
            if from == "anonymised" {
                let answer = clinic.change(anonymised, to, Some("FND")).await;
                assert_eq!(answer.status.to_string(), expected, "anonymised to {to}");
                continue;
            }
            let patient = clinic.in_status(from).await;
            let before = clinic.history(patient).await;
            let answer = clinic.change(patient, to, Some("FND")).await;
            let cell = format!("{from} to {to}: {}", answer.text);
            assert_eq!(
                answer.status.to_string(),
                expected.trim_end_matches('='),
                "{cell}"
            );
            let changed = expected == "200";
            let status = if changed { to } else { from };
            assert_eq!(clinic.status(patient).await, status, "{cell}");
            let after = clinic.history(patient).await;
            assert_eq!(after.len(), before.len() + usize::from(changed), "{cell}");
            match expected {
                "400" => drop(answer.invalid(&["$.newStatus"])),
                "409" => drop(answer.refused_in(from, "transitionRefused")),
                _ => assert_eq!(answer.json()["status"], to, "{cell}"),
            }
        }
    }
}

/// "The success body is exactly `wmdaId`, `status`, `changeReason`; a 409 names the current status and the targets
/// that would be accepted, and only those."
async fn line_02_what_a_change_is_answered(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    for (from, accepted) in ACCEPTED {
        let patient = clinic.in_status(from).await;
        if from != "PRE" {
            // PRE is a target of PRE only: where one refusal names the others.
            let refused = clinic.change(patient, "PRE", None).await;
            refused.refused_in(from, "transitionRefused");
        }
        for to in ["PRE", "ACT", "SUS", "STP"] {
            let patient = clinic.in_status(from).await;
            let answer = clinic.change(patient, to, (to == "STP").then_some("FND")).await;
            let status = if accepted.contains(&to) { 200 } else { 409 };
            assert_eq!(answer.status, status, "{from} to {to}: {}", answer.text);
            if status == 200 {
                let changed = answer.json();
                assert_eq!(
                    members(&changed),
                    ["changeReason", "status", "wmdaId"],
                    "{changed}"
                );
                assert_eq!(
                    (&changed["wmdaId"], &changed["status"]),
                    (&json!(patient), &json!(to))
                );
            }
        }
    }
}

/// What a change could touch and reading the list does not.
async fn state(clinic: &Clinic, patient: i64) -> (Value, Vec<Value>, Vec<Value>) {
    let entry = clinic.entry(patient).await.expect("the patient is listed");
    (
        entry,
        clinic.history(patient).await,
        clinic.searches(patient).await,
    )
}

/// "A refused or effectless change leaves status, stored reason, history, counter, results and retention as they
/// were." (Retention: line 12.)
async fn line_04_what_has_no_effect_changes_nothing(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let mut patients = Vec::new();
    for (from, _) in ACCEPTED {
        let patient = clinic.register().await;
        let search = if from == "NEW" {
            None
        } else {
            Some(clinic.delivered(patient).await)
        };
        if !["NEW", "PRE"].contains(&from) {
            clinic.change(patient, from, Some("GCC")).await.is(200);
        }
        patients.push((from, patient, search));
    }
    for (from, patient, search) in patients {
        world.advance("PT1H").await;
        let before = state(clinic, patient).await;
        // Without effect: another valid reason is sent, and the stored one is told.
        if from != "NEW" {
            let stored = if from == "PRE" { Value::Null } else { json!("GCC") };
            let same = clinic.change(patient, from, Some("UNK")).await.is(200).json();
            assert_eq!(same["changeReason"], stored, "{from}");
        }
        for refused in [
            json!({"wmdaId": patient, "newStatus": "NEW"}),
            json!({"wmdaId": patient, "newStatus": "STP"}),
            json!({"wmdaId": patient, "newStatus": "STP", "changeReason": "NPH"}),
            json!({"wmdaId": patient, "newStatus": from, "changeReason": "AUT"}),
            json!({"wmdaId": patient, "newStatus": "stp", "changeReason": "FND"}),
        ] {
            clinic.put("/patients/status", refused).await.is(400);
        }
        if from != "PRE" {
            let refused = clinic.change(patient, "PRE", Some("FND")).await;
            refused.refused_in(from, "transitionRefused");
        }
        assert_eq!(state(clinic, patient).await, before, "{from}");
        let Some(search) = search else { continue };
        let donors = clinic.results("donors", search).await;
        assert_eq!(donors.status, if from == "STP" { 404 } else { 200 }, "{from}");
    }
    clinic.change(UNKNOWN, "ACT", None).await.fault(404, "notFound");
}

/// "Nobody reaches STP without one of the 17 stop reasons, but for the system with `AUT`; no client can set `AUT`."
async fn line_05_nobody_is_stopped_without_a_reason(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    for reason in STOP_REASONS {
        let patient = clinic.register().await;
        let stopped = clinic.change(patient, "STP", Some(reason)).await.is(200).json();
        assert_eq!(stopped["changeReason"], reason);
        let last = clinic.history(patient).await.pop().expect("an entry");
        assert_eq!((&last["to"], &last["reason"]), (&json!("STP"), &json!(reason)));
    }
    let patient = clinic.in_status("PRE").await;
    let none: [Value; 9] = [
        Value::Null,
        json!(""),
        json!("AUT"),
        json!("NPH"),
        json!("NML"),
        json!("RCM"),
        json!("fnd"),
        json!("FND "),
        json!("XYZ"),
    ];
    for reason in none {
        let body = json!({"wmdaId": patient, "newStatus": "STP", "changeReason": reason});
        clinic
            .put("/patients/status", body)
            .await
            .invalid(&["$.changeReason"]);
    }
    let without = json!({"wmdaId": patient, "newStatus": "STP"});
    clinic
        .put("/patients/status", without)
        .await
        .invalid(&["$.changeReason"]);
    // STP on STP still needs a valid one.
    let stopped = clinic.in_status("STP").await;
    for reason in [Value::Null, json!("NPH"), json!("AUT")] {
        let body = json!({"wmdaId": stopped, "newStatus": "STP", "changeReason": reason});
        clinic
            .put("/patients/status", body)
            .await
            .invalid(&["$.changeReason"]);
    }
    for status in ["PRE", "ACT", "SUS", "STP"] {
        for patient in [patient, stopped] {
            let aut = clinic.change(patient, status, Some("AUT")).await;
            aut.invalid(&["$.changeReason"]);
        }
    }
    assert_eq!(clinic.status(patient).await, "PRE");
    assert_eq!(clinic.history(patient).await.len(), 2);
}

/// "A reason sent with PRE, ACT or SUS is checked and stored like any other"; "`changeReason` is the reason stored
/// with the change that led to the current status".
async fn the_answer_tells_the_reason_that_is_stored(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.in_status("PRE").await;
    let told = async |to: &str, reason: Option<&str>| {
        let changed = clinic.change(patient, to, reason).await.is(200).json();
        changed["changeReason"].as_str().map(str::to_owned)
    };
    assert_eq!(told("PRE", Some("GCC")).await, None, "nothing was changed");
    for reason in LIST_REASONS {
        assert_eq!(told("ACT", Some(reason)).await.as_deref(), Some(reason));
        assert_eq!(told("ACT", Some("UNK")).await.as_deref(), Some(reason));
        assert_eq!(told("ACT", None).await.as_deref(), Some(reason));
        assert_eq!(told("SUS", None).await, None);
        assert_eq!(told("SUS", Some(reason)).await, None);
    }
    assert_eq!(told("STP", Some("PDC")).await.as_deref(), Some("PDC"));
    assert_eq!(told("STP", Some("OTH")).await.as_deref(), Some("PDC"));
    assert_eq!(told("SUS", Some("NML")).await.as_deref(), Some("NML"));
    clinic
        .change(patient, "ACT", Some("XYZ"))
        .await
        .invalid(&["$.changeReason"]);
    let (statuses, reasons): (Vec<_>, Vec<_>) = path(&clinic.history(patient).await).into_iter().unzip();
    assert_eq!(
        statuses,
        [
            "NEW", "PRE", "ACT", "SUS", "ACT", "SUS", "ACT", "SUS", "STP", "SUS"
        ]
    );
    let reasons: Vec<_> = reasons.iter().map(Option::as_deref).collect();
    let (nph, nml, rcm) = (Some("NPH"), Some("NML"), Some("RCM"));
    assert_eq!(
        reasons,
        [None, None, nph, None, nml, None, rcm, None, Some("PDC"), nml]
    );
}
