//! `patientId` and `legalTerms` (section 5).

use super::clinic::{Clinic, World, hla, with};
use super::raw;
use crate::e2e::harness::{Engine, Journey, Tenant, journey, tenant_journey};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(line_19_without_legal_terms_no_patient_id_is_stored),
        tenant_journey!(a_patient_id_is_set_once),
        tenant_journey!(withdrawn_terms_remove_the_patient_id),
    ]
}

async fn shown(clinic: &Clinic, patient: i64) -> (Value, Value) {
    let seen = clinic.get(&format!("/patients/{patient}")).await.is(200).json();
    let entry = clinic.entry(patient).await.expect("the patient is listed");
    assert_eq!(entry["patientId"], seen["patientId"]);
    (seen["patientId"].clone(), seen["legalTerms"].clone())
}

/// "Without `legalTerms` true no `patientId` is stored or findable, and the `wmdaId` is shown instead; it can be set once
/// later."
async fn line_19_without_legal_terms_no_patient_id_is_stored(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let secret = "4242NOTSTORED";
    for terms in [
        json!({}),
        json!({"legalTerms": false}),
        json!({"legalTerms": null}),
    ] {
        let body = with(json!({"hla": hla(), "patientId": secret}), &terms);
        let call = clinic
            .post("/patients", body)
            .header("Idempotency-Key", &terms.to_string());
        let patient = call.await.is(201).json()["wmdaId"].as_i64().unwrap();
        let number = json!(patient.to_string());
        assert_eq!(
            shown(clinic, patient).await,
            (number.clone(), json!(false)),
            "{terms}"
        );
        let update = with(json!({"wmdaId": patient, "patientId": secret}), &terms);
        clinic.put("/patients", update).await.is(204);
        assert_eq!(shown(clinic, patient).await, (number, json!(false)), "{terms}");
        let ops = clinic
            .ops
            .get(&format!("/ops/v1/patients/{patient}"))
            .await
            .is(200);
        assert!(!ops.text.contains(secret), "{}", ops.text);
    }
    let nothing: Vec<String> = Vec::new();
    assert_eq!(raw::found(world.server.data(), &[secret]).await, nothing);
    // Nobody holds it: so one may have it, and may set it later.
    let later = clinic.register().await;
    let set = json!({"wmdaId": later, "patientId": secret, "legalTerms": true});
    clinic.put("/patients", set).await.is(204);
    assert_eq!(shown(clinic, later).await, (json!(secret), json!(true)));
    assert!(!raw::found(world.server.data(), &[secret]).await.is_empty());
    let body = json!({"hla": hla(), "patientId": secret, "legalTerms": true});
    clinic.post("/patients", body).await.fault(409, "patientIdInUse");
}

/// "On PUT it can be set only if not set before: the same value again or null leaves it, another value is 409"; "True
/// without a `patientId` reads null".
async fn a_patient_id_is_set_once(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let put = |patient: i64, more: Value| clinic.put("/patients", with(json!({"wmdaId": patient}), &more));
    let patient = clinic.register_with(&json!({"legalTerms": true})).await;
    assert_eq!(shown(&clinic, patient).await, (Value::Null, json!(true)));
    put(patient, json!({"patientId": "11112222A"})).await.is(204);
    for same in [
        json!({"patientId": "11112222A"}),
        json!({"patientId": null}),
        json!({"patientId": "11112222A", "legalTerms": true}),
        json!({"weight": 50}),
    ] {
        put(patient, same).await.is(204);
        assert_eq!(shown(&clinic, patient).await, (json!("11112222A"), json!(true)));
    }
    for other in [
        json!({"patientId": "11112222B"}),
        json!({"patientId": "11112222a", "legalTerms": true}),
    ] {
        put(patient, with(other, &json!({"weight": 99})))
            .await
            .fault(409, "patientIdAlreadySet");
    }
    let seen = clinic.get(&format!("/patients/{patient}")).await.is(200).json();
    assert_eq!(
        (&seen["patientId"], &seen["weight"]),
        (&json!("11112222A"), &json!(50))
    );
    let from_the_start = clinic
        .register_with(&json!({"legalTerms": true, "patientId": "11112222C"}))
        .await;
    assert_eq!(
        shown(&clinic, from_the_start).await,
        (json!("11112222C"), json!(true))
    );
    put(from_the_start, json!({"patientId": "11112222D"}))
        .await
        .fault(409, "patientIdAlreadySet");
    // Of another live patient.
    let third = clinic.register().await;
    let taken = json!({"patientId": "11112222A", "legalTerms": true});
    put(third, taken).await.fault(409, "patientIdInUse");
    assert_eq!(shown(&clinic, third).await.1, json!(false));
}

/// "Setting `legalTerms` to false removes the stored value".
async fn withdrawn_terms_remove_the_patient_id(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    for withdrawn in [json!(false), Value::Null] {
        let named = json!({"legalTerms": true, "patientId": "33334444A"});
        let patient = clinic.register_with(&named).await;
        let body = json!({"wmdaId": patient, "legalTerms": withdrawn});
        clinic.put("/patients", body).await.is(204);
        let number = json!(patient.to_string());
        assert_eq!(shown(&clinic, patient).await, (number, json!(false)));
        let ops = clinic
            .ops
            .get(&format!("/ops/v1/patients/{patient}"))
            .await
            .is(200);
        assert!(!ops.text.contains("33334444A"), "{}", ops.text);
        // Not set: so it can be set, to another value too.
        let body = json!({"wmdaId": patient, "legalTerms": true, "patientId": "33334444B"});
        clinic.put("/patients", body).await.is(204);
        assert_eq!(shown(&clinic, patient).await, (json!("33334444B"), json!(true)));
        let body = json!({"wmdaId": patient, "legalTerms": false, "patientId": "33334444B"});
        clinic.put("/patients", body).await.is(204);
        // And the name is free for others.
        let other = clinic
            .register_with(&json!({"legalTerms": true, "patientId": "33334444B"}))
            .await;
        clinic.changed(other, "STP").await;
    }
}
