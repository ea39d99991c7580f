//! `hla` (section 5).

use super::clinic::{Clinic, hla, with};
use crate::e2e::harness::{Journey, Tenant, tenant_journey};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(tissue_types_are_named_or_coded),
        tenant_journey!(tissue_types_in_other_forms_are_refused),
    ]
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
    for locus in ["c", "drb3", "drb4", "drb5", "dqa1", "dqb1", "dpa1", "dpb1"] {
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
}

async fn tissue_types_in_other_forms_are_refused(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let typed = |locus: &str, value: Value| with(hla(), &json!({locus: value}));
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
