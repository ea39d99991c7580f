//! The fields of a registration and of an update (section 5), each with what it takes and what it does not.

use super::clinic::{Clinic, hla, with};
use crate::e2e::harness::{Journey, Tenant, tenant_journey};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(every_value_of_the_enumerations_is_taken),
        tenant_journey!(fields_take_what_the_rule_says),
        tenant_journey!(fields_refuse_everything_else),
        tenant_journey!(every_fault_is_named),
    ]
}

const ETHNICITIES: &str =
    "UK AF AS CA HI AFNA AFSS ASSW ASSO ASCE ASSE ASNE ASOC CAEU CAER CANA CAAU HICA HISA MX OT";
const PHASES: &str = "PF PI AP BC AD SD RD NA C0 C1 C2 C3 C4 C5 C6 C7 C8 C9 P0 P1 P2 P3 P4 P5 P6 P7 P8 P9 \
    R0 R1 R2 R3 R4 R5 R6 R7 R8 R9 N0 N1 N2 N3 N4 N5 N6 N7 N8 N9";

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

async fn keeps(clinic: &Clinic, patient: i64, name: &str, value: &Value) {
    let body = json!({"wmdaId": patient, name: value});
    clinic.put("/patients", body).await.is(204);
    let shown = clinic.get(&format!("/patients/{patient}")).await.is(200).json();
    assert_eq!(&shown[name], value, "{name}");
}

async fn every_value_of_the_enumerations_is_taken(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    assert_eq!((words(ETHNICITIES).len(), words(PHASES).len()), (21, 48));
    for (name, values) in [
        ("ethnicity", words(ETHNICITIES)),
        ("diseasePhase", words(PHASES)),
        ("abo", words("A B O AB")),
        ("rhesus", words("P N")),
        ("sex", words("M F")),
        ("poolCountryCode", words("NL DE ZZ AA")),
    ] {
        for value in values {
            keeps(&clinic, patient, name, &json!(value)).await;
        }
    }
    for value in ["P", "N"] {
        keeps(&clinic, patient, "idm", &json!({"cmvStatus": value})).await;
    }
}

async fn fields_take_what_the_rule_says(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    for (name, value) in [
        ("weight", json!(1)),
        ("weight", json!(999)),
        ("dateOfBirth", json!("2024-02-29")),
        ("dateOfBirth", json!("2999-12-31")),
        ("dateOfBirth", json!("1900-01-01")),
        ("transplantCentreId", json!("TC X")),
        ("transplantCentreId", json!("0123456789")),
        (
            "diagnosis",
            json!({"diagnosisCode": "X", "diagnosisText": "é".repeat(255), "diagnosisDate": "2025-11-02"}),
        ),
        (
            "diagnosis",
            json!({"diagnosisCode": "0123456789", "diagnosisText": null, "diagnosisDate": null}),
        ),
    ] {
        keeps(&clinic, patient, name, &value).await;
    }
    for id in ["x", "12345678901234567", "!#$%&'()*+,-./~", "98761234P"] {
        let patient = clinic
            .register_with(&json!({"patientId": id, "legalTerms": true}))
            .await;
        let shown = clinic.get(&format!("/patients/{patient}")).await.is(200).json();
        assert_eq!(shown["patientId"], id);
    }
    // Null is nothing.
    let mut nothing = json!({"hla": hla(), "legalTerms": null, "patientId": null});
    for name in words(
        "dateOfBirth idm diagnosis diseasePhase ethnicity poolCountryCode transplantCentreId abo rhesus sex weight",
    ) {
        nothing[name] = Value::Null;
    }
    let made = clinic.post("/patients", nothing).await.is(201).json();
    let shown = clinic
        .get(&format!("/patients/{}", made["wmdaId"]))
        .await
        .is(200)
        .json();
    assert_eq!(
        (&shown["idm"], &shown["legalTerms"]),
        (&Value::Null, &json!(false))
    );
}

/// Field, what is named as at fault, and bad values.
type Bad = (&'static str, &'static str, Vec<Value>);

fn bad_words() -> Vec<Bad> {
    let none_of = |words: &[&str]| -> Vec<Value> {
        let mut values: Vec<_> = words.iter().map(|value| json!(value)).collect();
        values.extend([json!(""), json!(5), json!(true), json!([]), json!({})]);
        values
    };
    let dates = [
        "2023-02-29",
        "1987-13-01",
        "1987-3-14",
        "14.03.1987",
        "1987-03-14T00:00:00Z",
        "19870314",
        "1987-03-00",
    ];
    vec![
        ("dateOfBirth", "$.dateOfBirth", none_of(&dates)),
        ("sex", "$.sex", none_of(&["m", "D", "MF"])),
        ("abo", "$.abo", none_of(&["a", "0", "BA"])),
        ("rhesus", "$.rhesus", none_of(&["p", "+", "POS"])),
        ("ethnicity", "$.ethnicity", none_of(&["caeu", "XX", "CAEU "])),
        (
            "diseasePhase",
            "$.diseasePhase",
            none_of(&["c1", "C10", "P", "XX"]),
        ),
        (
            "poolCountryCode",
            "$.poolCountryCode",
            none_of(&["nl", "NLD", "N", "N1"]),
        ),
    ]
}

fn bad_texts_and_numbers() -> Vec<Bad> {
    let text = |length: usize| json!("x".repeat(length));
    let ids = vec![
        json!(""),
        json!("a b"),
        json!("é"),
        json!(5),
        text(18),
        json!("a\tb"),
    ];
    let weights = vec![
        json!(0),
        json!(1000),
        json!(-1),
        json!(62.5),
        json!("62"),
        json!(true),
        json!({}),
    ];
    vec![
        ("patientId", "$.patientId", ids),
        (
            "legalTerms",
            "$.legalTerms",
            vec![json!("true"), json!(1), json!({})],
        ),
        (
            "transplantCentreId",
            "$.transplantCentreId",
            vec![text(11), json!(5), json!([])],
        ),
        ("weight", "$.weight", weights),
    ]
}

fn bad_objects() -> Vec<Bad> {
    let each =
        |name: &str, values: Vec<Value>| values.into_iter().map(|value| json!({name: value})).collect();
    let text = |length: usize| json!("x".repeat(length));
    let dates = vec![json!("2025-02-30"), json!("today"), json!(5)];
    vec![
        ("idm", "$.idm", vec![json!("N"), json!([]), json!(5)]),
        (
            "idm",
            "$.idm.cmvStatus",
            each("cmvStatus", vec![json!("X"), json!("p"), json!(5)]),
        ),
        (
            "diagnosis",
            "$.diagnosis",
            vec![json!("ALL"), json!([]), json!(true)],
        ),
        (
            "diagnosis",
            "$.diagnosis.diagnosisCode",
            each("diagnosisCode", vec![json!(""), text(11), json!(5)]),
        ),
        (
            "diagnosis",
            "$.diagnosis.diagnosisText",
            each("diagnosisText", vec![text(256), json!(5)]),
        ),
        (
            "diagnosis",
            "$.diagnosis.diagnosisDate",
            each("diagnosisDate", dates),
        ),
    ]
}

async fn fields_refuse_everything_else(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    let before = clinic.entry(patient).await;
    let all = [bad_words(), bad_texts_and_numbers(), bad_objects()]
        .into_iter()
        .flatten();
    let each = |(name, field, values): Bad| values.into_iter().map(move |value| (name, value, field));
    for (name, value, field) in all.flat_map(each) {
        let post = with(json!({"hla": hla(), "legalTerms": true}), &json!({name: value}));
        clinic.post("/patients", post).await.invalid(&[field]);
        let put = with(
            json!({"wmdaId": patient, "legalTerms": true}),
            &json!({name: value}),
        );
        clinic.put("/patients", put).await.invalid(&[field]);
    }
    assert_eq!(clinic.entry(patient).await, before);
    assert_eq!(clinic.list("").await["paging"]["totalCount"], 1);
}

/// "`errors` ... lists every fault."
async fn every_fault_is_named(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let body = json!({
        "patientId": "a b", "dateOfBirth": "no", "sex": "X", "weight": 0, "idm": {"cmvStatus": "?"},
        "diagnosis": {"diagnosisCode": "", "diagnosisDate": "?"}, "hla": {"a": {"field1": "?"}, "b": {"field1": "1"}, "x": 1},
    });
    let faults = [
        "$.patientId",
        "$.dateOfBirth",
        "$.sex",
        "$.weight",
        "$.idm.cmvStatus",
        "$.diagnosis.diagnosisCode",
        "$.diagnosis.diagnosisDate",
        "$.hla.a.field1",
        "$.hla.drb1",
        "$.hla.x",
    ];
    clinic.post("/patients", body).await.invalid(&faults);
    clinic
        .put("/patients/status", json!({"newStatus": "x", "changeReason": 5}))
        .await
        .invalid(&["$.changeReason", "$.newStatus", "$.wmdaId"]);
    clinic
        .post(
            "/searches",
            json!({"overallMismatches": 9, "lociToBeConsidered": []}),
        )
        .await
        .invalid(&[
            "$.lociToBeConsidered",
            "$.matchEngine",
            "$.overallMismatches",
            "$.searchType",
            "$.wmdaId",
        ]);
}
