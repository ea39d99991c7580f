//! Registering, updating and reading a patient (section 5).

use super::clinic::{Clinic, UNKNOWN, everything, hla, with};
use crate::e2e::harness::{Journey, Tenant, instant, members, tenant_journey};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(line_21_an_update_keeps_what_is_left_out_and_clears_what_is_null),
        tenant_journey!(line_22_a_patient_has_exactly_19_members),
        tenant_journey!(a_registration_with_everything_is_read_back),
        tenant_journey!(a_user_is_assigned_in_every_status),
        tenant_journey!(bodies_may_be_patches_by_name_and_have_unknown_members),
    ]
}

/// "`wmdaId patientId hla idm ... assignedUserName`".
const MEMBERS: [&str; 19] = [
    "abo",
    "assignedUserName",
    "dateOfBirth",
    "diagnosis",
    "diseasePhase",
    "ethnicity",
    "hla",
    "idm",
    "lastUpdated",
    "lastViewed",
    "legalTerms",
    "patientId",
    "poolCountryCode",
    "rhesus",
    "sex",
    "status",
    "transplantCentreId",
    "weight",
    "wmdaId",
];
const LOCI: [&str; 11] = [
    "a", "b", "c", "drb1", "drb3", "drb4", "drb5", "dqa1", "dqb1", "dpa1", "dpb1",
];

async fn read(clinic: &Clinic, patient: i64) -> Value {
    clinic.get(&format!("/patients/{patient}")).await.is(200).json()
}

/// What a client has stored, without the rest.
fn stored(shown: &Value) -> Value {
    let mut stored = shown.clone();
    for name in [
        "lastUpdated",
        "lastViewed",
        "status",
        "wmdaId",
        "assignedUserName",
        "patientId",
    ] {
        stored.as_object_mut().unwrap().shift_remove(name);
    }
    stored
}

/// As it is shown: "`hla` shows all eleven loci, untyped ones null; `idm` and `diagnosis` show all their members".
fn whole_hla(typed: &Value) -> Value {
    let mut whole = json!({});
    for locus in LOCI {
        let given = &typed[locus];
        whole[locus] = if given.is_null() {
            Value::Null
        } else {
            json!({"field1": given["field1"], "field2": given["field2"]})
        };
    }
    whole
}

/// "PUT keeps what is left out, clears what is null, is refused in STP, answers 204 without a body."
async fn line_21_an_update_keeps_what_is_left_out_and_clears_what_is_null(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register_with(&everything()).await;
    let mut expected = stored(&read(&clinic, patient).await);
    let put = async |change: Value| {
        let answer = clinic
            .put("/patients", with(json!({"wmdaId": patient}), &change))
            .await;
        let answer = answer.is(204);
        assert_eq!(answer.text, "");
    };
    put(json!({})).await;
    assert_eq!(stored(&read(&clinic, patient).await), expected);
    let other = json!({
        "dateOfBirth": "2031-01-31", "sex": "M", "abo": "O", "rhesus": "N", "weight": 63, "ethnicity": "MX",
        "diseasePhase": "N9", "poolCountryCode": "ZZ", "transplantCentreId": "TC 9",
    });
    for (name, value) in other.as_object().unwrap() {
        put(json!({name.as_str(): value})).await;
        expected[name] = value.clone();
        assert_eq!(stored(&read(&clinic, patient).await), expected, "{name}");
    }
    // Objects are replaced whole.
    put(json!({"diagnosis": {"diagnosisText": "T"}, "idm": {"cmvStatus": "P"}})).await;
    expected["diagnosis"] = json!({"diagnosisCode": null, "diagnosisText": "T", "diagnosisDate": null});
    expected["idm"] = json!({"cmvStatus": "P"});
    assert_eq!(stored(&read(&clinic, patient).await), expected);
    let typed = json!({"a": {"field1": "02:01"}, "b": {"field1": "07:02"}, "drb1": {"field1": "15:01", "field2": "15:02"}});
    put(json!({"hla": typed})).await;
    expected["hla"] = whole_hla(&typed);
    assert_eq!(stored(&read(&clinic, patient).await), expected);
    for name in other
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .chain(["diagnosis", "idm"])
    {
        put(json!({name: null})).await;
        expected[name] = Value::Null;
        assert_eq!(stored(&read(&clinic, patient).await), expected, "{name}");
    }
    for (bad, field) in [
        (json!({"hla": null}), "$.hla"),
        (json!({"weight": 1, "sex": "X"}), "$.sex"),
    ] {
        let body = with(json!({"wmdaId": patient}), &bad);
        clinic.put("/patients", body).await.invalid(&[field]);
    }
    clinic
        .put("/patients", json!({"weight": 60}))
        .await
        .invalid(&["$.wmdaId"]);
    let unknown = json!({"wmdaId": UNKNOWN, "weight": 60});
    clinic.put("/patients", unknown).await.fault(404, "notFound");
    clinic.changed(patient, "STP").await;
    let before = stored(&read(&clinic, patient).await);
    let refused = clinic.put("/patients", json!({"wmdaId": patient, "weight": 60}));
    refused.await.refused_in("STP", "patientStopped");
    assert_eq!(stored(&read(&clinic, patient).await), before);
}

/// "GET one shows exactly the 19 members; ... the list moves neither `lastUpdated` nor `lastViewed`." (That `lastUpdated`
/// plus 42 days is the automatic stop: line 9.)
async fn line_22_a_patient_has_exactly_19_members(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    for status in ["NEW", "PRE", "ACT", "SUS", "STP"] {
        let patient = clinic.in_status(status).await;
        let seen = read(&clinic, patient).await;
        assert_eq!(members(&seen), MEMBERS);
        assert_eq!(
            (&seen["status"], &seen["wmdaId"]),
            (&json!(status), &json!(patient))
        );
        assert_eq!(seen["hla"], whole_hla(&hla()));
        for name in ["lastUpdated", "lastViewed"] {
            instant(&seen[name]);
        }
        for name in [
            "assignedUserName",
            "dateOfBirth",
            "abo",
            "rhesus",
            "sex",
            "weight",
            "ethnicity",
            "diseasePhase",
        ] {
            assert_eq!(seen[name], Value::Null, "{name}");
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let before = clinic.entry(patient).await.expect("listed");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        clinic
            .post("/patients/list", json!({"limit": 1000}))
            .await
            .is(200);
        clinic.get("/patients?limit=1000").await.is(200);
        let after = clinic.entry(patient).await.expect("listed");
        assert_eq!(before, after);
        for name in ["lastUpdated", "lastViewed"] {
            assert_eq!(after[name], seen[name], "{name}");
        }
        assert_eq!(
            members(&after),
            [
                "assignedUserName",
                "dateOfBirth",
                "ethnicity",
                "lastUpdated",
                "lastViewed",
                "patientId",
                "requests",
                "status",
                "wmdaId"
            ]
        );
    }
}

async fn a_registration_with_everything_is_read_back(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let sent = with(
        everything(),
        &json!({"patientId": "98761234P", "legalTerms": true}),
    );
    let made = clinic.post("/patients", sent.clone()).await.is(201).json();
    assert_eq!(members(&made), ["wmdaId"]);
    let patient = made["wmdaId"].as_i64().unwrap();
    let seen = read(&clinic, patient).await;
    for (name, value) in sent.as_object().unwrap() {
        let expected = if name == "hla" { &whole_hla(value) } else { value };
        assert_eq!(&seen[name], expected, "{name}");
    }
    assert_eq!(seen["assignedUserName"], Value::Null);
    let entry = clinic.entry(patient).await.expect("listed");
    for name in [
        "patientId",
        "dateOfBirth",
        "ethnicity",
        "assignedUserName",
        "status",
        "wmdaId",
    ] {
        assert_eq!(entry[name], seen[name], "{name}");
    }
    assert_eq!(entry["requests"], json!([]));
}

/// "`userName` is required, 4 to 100 characters or null (unassigns) ... Allowed in every status".
async fn a_user_is_assigned_in_every_status(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let put = |patient: i64, user: Value| {
        clinic.put("/patients/user", json!({"wmdaId": patient, "userName": user}))
    };
    for status in ["NEW", "PRE", "ACT", "SUS", "STP"] {
        let patient = clinic.in_status(status).await;
        for user in [
            json!("j.demo@example.org"),
            json!("four"),
            json!("x".repeat(100)),
            json!("é".repeat(100)),
            Value::Null,
        ] {
            let before = clinic.entry(patient).await.expect("listed");
            let answer = put(patient, user.clone()).await.is(200).json();
            assert_eq!(answer, json!({"succeeded": true, "message": null}));
            let mut expected = before;
            expected["assignedUserName"] = user.clone();
            assert_eq!(
                clinic.entry(patient).await.expect("listed"),
                expected,
                "and nothing else"
            );
        }
        put(patient, json!("somebody")).await.is(200);
        for bad in [
            json!("abc"),
            json!("x".repeat(101)),
            json!(""),
            json!(5),
            json!(true),
        ] {
            put(patient, bad).await.invalid(&["$.userName"]);
        }
        let without = json!({"wmdaId": patient});
        clinic
            .put("/patients/user", without)
            .await
            .invalid(&["$.userName"]);
        assert_eq!(read(&clinic, patient).await["assignedUserName"], "somebody");
    }
    put(UNKNOWN, json!("somebody")).await.fault(404, "notFound");
    clinic
        .put("/patients/user", json!({}))
        .await
        .invalid(&["$.userName", "$.wmdaId"]);
}

/// "Request bodies: one JSON object as `application/json` or `application/json-patch+json` (a plain object in both
/// cases)"; "Unknown members are ignored"; "Member names are case-sensitive".
async fn bodies_may_be_patches_by_name_and_have_unknown_members(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let body = with(
        everything(),
        &json!({"Weight": 99, "unknown": {"a": [1]}, "status": "STP", "wmdaId": 5}),
    );
    let path = format!("{}/patients", super::clinic::BASE);
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "application/json-patch+json",
        "Application/JSON",
    ] {
        let call = clinic
            .api
            .call(reqwest::Method::POST, &path)
            .body(kind, body.to_string());
        let made = call.await.is(201).json();
        let seen = read(&clinic, made["wmdaId"].as_i64().unwrap()).await;
        assert_eq!(
            (&seen["weight"], &seen["status"]),
            (&json!(62), &json!("NEW")),
            "{kind}"
        );
    }
    let misspelt = json!({"Hla": hla()});
    clinic.post("/patients", misspelt).await.invalid(&["$.hla"]);
}
