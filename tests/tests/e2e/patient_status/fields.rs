//! The fields of a registration and of an update (section 5), each with what it takes and what it does not.

use super::clinic::{Clinic, hla, with};
use crate::e2e::harness::{Journey, Tenant, tenant_journey};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(every_value_of_the_enumerations_is_taken),
        tenant_journey!(fields_take_what_the_rule_says),
        tenant_journey!(fields_refuse_everything_else),
        tenant_journey!(tissue_types_are_named_or_coded),
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

/// Field, its bad value, and what is named as at fault.
fn bad_values() -> Vec<(&'static str, Value, &'static str)> {
    let text = |length: usize| json!("x".repeat(length));
    let mut bad = Vec::new();
    let mut all = |name: &'static str, field: &'static str, values: Vec<Value>| {
        bad.extend(values.into_iter().map(|value| (name, value, field)));
    };
    let one_of = |values: &[&str]| -> Vec<Value> {
        let mut values: Vec<_> = values.iter().map(|value| json!(value)).collect();
        values.extend([json!(""), json!(5), json!(true), json!([]), json!({})]);
        values
    };
    all(
        "patientId",
        "$.patientId",
        vec![
            json!(""),
            json!("a b"),
            json!("é"),
            json!(5),
            text(18),
            json!("a\tb"),
        ],
    );
    all(
        "legalTerms",
        "$.legalTerms",
        vec![json!("true"), json!(1), json!({})],
    );
    all(
        "dateOfBirth",
        "$.dateOfBirth",
        one_of(&[
            "2023-02-29",
            "1987-13-01",
            "1987-3-14",
            "14.03.1987",
            "1987-03-14T00:00:00Z",
            "19870314",
            "1987-03-00",
        ]),
    );
    all("sex", "$.sex", one_of(&["m", "D", "MF"]));
    all("abo", "$.abo", one_of(&["a", "0", "BA"]));
    all("rhesus", "$.rhesus", one_of(&["p", "+", "POS"]));
    all("ethnicity", "$.ethnicity", one_of(&["caeu", "XX", "CAEU "]));
    all(
        "diseasePhase",
        "$.diseasePhase",
        one_of(&["c1", "C10", "P", "XX"]),
    );
    all(
        "poolCountryCode",
        "$.poolCountryCode",
        one_of(&["nl", "NLD", "N", "N1"]),
    );
    all(
        "transplantCentreId",
        "$.transplantCentreId",
        vec![text(11), json!(5), json!([])],
    );
    all(
        "weight",
        "$.weight",
        vec![
            json!(0),
            json!(1000),
            json!(-1),
            json!(62.5),
            json!("62"),
            json!(true),
            json!({}),
        ],
    );
    all("idm", "$.idm", vec![json!("N"), json!([]), json!(5)]);
    all(
        "idm",
        "$.idm.cmvStatus",
        vec![
            json!({"cmvStatus": "X"}),
            json!({"cmvStatus": "p"}),
            json!({"cmvStatus": 5}),
        ],
    );
    all(
        "diagnosis",
        "$.diagnosis",
        vec![json!("ALL"), json!([]), json!(true)],
    );
    all(
        "diagnosis",
        "$.diagnosis.diagnosisCode",
        vec![
            json!({"diagnosisCode": ""}),
            json!({"diagnosisCode": text(11)}),
            json!({"diagnosisCode": 5}),
        ],
    );
    all(
        "diagnosis",
        "$.diagnosis.diagnosisText",
        vec![json!({"diagnosisText": text(256)}), json!({"diagnosisText": 5})],
    );
    all(
        "diagnosis",
        "$.diagnosis.diagnosisDate",
        vec![
            json!({"diagnosisDate": "2025-02-30"}),
            json!({"diagnosisDate": "today"}),
            json!({"diagnosisDate": 5}),
        ],
    );
    bad
}

async fn fields_refuse_everything_else(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    let before = clinic.entry(patient).await;
    for (name, value, field) in bad_values() {
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

/// "A value is a colon-separated name or a MAC code, at most 20 characters ...; for `drb3 drb4 drb5` also `NNNN`".
async fn tissue_types_are_named_or_coded(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let typed = |locus: &str, value: Value| with(hla(), &json!({locus: value}));
    let good = [
        "1",
        "01",
        "9999",
        "01:01",
        "01:0101",
        "01:01:01",
        "01:01:01:01",
        "01:01:01:02N",
        "01:01Q",
        "35:AFGH",
        "08:XX",
        "13:ABCDEF",
        "1:123",
        "1234:1234:1234:1234N",
    ];
    for value in good {
        let body = json!({"hla": typed("a", json!({"field1": value, "field2": value}))});
        let made = clinic.post("/patients", body).await.is(201).json();
        let shown = clinic
            .get(&format!("/patients/{}", made["wmdaId"]))
            .await
            .is(200)
            .json();
        assert_eq!(shown["hla"]["a"], json!({"field1": value, "field2": value}));
    }
    for locus in words("c drb3 drb4 drb5 dqa1 dqb1 dpa1 dpb1") {
        let body = json!({"hla": typed(locus, json!({"field1": "01:01"}))});
        let made = clinic.post("/patients", body).await.is(201).json();
        let shown = clinic
            .get(&format!("/patients/{}", made["wmdaId"]))
            .await
            .is(200)
            .json();
        assert_eq!(shown["hla"][locus], json!({"field1": "01:01", "field2": null}));
        let null = clinic
            .post("/patients", json!({"hla": typed(locus, Value::Null)}))
            .await;
        null.is(201);
        let absent = clinic
            .post(
                "/patients",
                json!({"hla": typed(locus, json!({"field1": "NNNN"}))}),
            )
            .await;
        if locus.starts_with("drb") {
            absent.is(201);
        } else {
            absent.invalid(&[&format!("$.hla.{locus}.field1")]);
        }
    }
    let bad = [
        "",
        "A",
        "A*01:01",
        "01:01/01:02",
        "01:1",
        "01:",
        ":01",
        "01:01:01:01:01",
        "12345",
        "01:A",
        "01:ABCDEFG",
        "01:abcd",
        "01:01n",
        "01:01NN",
        "NNNN",
        "01 :01",
        " 01:01",
        "01:01 ",
        "01:01\n",
    ];
    for value in bad {
        for member in ["field1", "field2"] {
            let mut locus = json!({"field1": "01:01", "field2": null});
            locus[member] = json!(value);
            let body = json!({"hla": typed("b", locus)});
            clinic
                .post("/patients", body)
                .await
                .invalid(&[&format!("$.hla.b.{member}")]);
        }
    }
    let whole = |value: Value| clinic.post("/patients", json!({"hla": value}));
    for (bad, fields) in [
        (Value::Null, vec!["$.hla"]),
        (json!("A2"), vec!["$.hla"]),
        (json!([]), vec!["$.hla"]),
        (json!({}), vec!["$.hla.a", "$.hla.b", "$.hla.drb1"]),
        (typed("a", Value::Null), vec!["$.hla.a"]),
        (typed("drb1", Value::Null), vec!["$.hla.drb1"]),
        (typed("b", json!("08:01")), vec!["$.hla.b"]),
        (typed("b", json!({"field2": "08:01"})), vec!["$.hla.b.field1"]),
        (typed("b", json!({"field1": null})), vec!["$.hla.b.field1"]),
        (typed("b", json!({"field1": 8})), vec!["$.hla.b.field1"]),
        (typed("A", json!({"field1": "08:01"})), vec!["$.hla.A"]),
        (typed("dqb", json!({"field1": "08:01"})), vec!["$.hla.dqb"]),
        (
            typed("c", json!({"field1": "08:01", "field3": "1"})),
            vec!["$.hla.c.field3"],
        ),
        (typed("drb3", json!({"field1": "NNN"})), vec!["$.hla.drb3.field1"]),
    ] {
        let bad: Value = bad;
        whole(bad).await.invalid(&fields);
    }
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
