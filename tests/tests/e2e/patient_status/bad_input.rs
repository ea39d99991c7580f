//! The table of section 9, for what the other journeys have not shown yet.

use super::clinic::{BASE, Clinic, hla};
use crate::e2e::harness::{Journey, Tenant, tenant_journey};
use reqwest::Method;
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(bodies_that_are_none_are_refused),
        tenant_journey!(other_content_types_and_large_bodies_are_refused),
        tenant_journey!(changes_of_status_name_what_is_wrong),
        tenant_journey!(wrong_methods_are_told_the_right_ones),
        tenant_journey!(requests_are_judged_in_order),
    ]
}

/// Every write with a JSON body, and one that is good.
fn writes(patient: i64) -> Vec<(Method, &'static str, Value)> {
    let named = json!({"wmdaId": patient});
    let with = |more: Value| super::clinic::with(named.clone(), &more);
    vec![
        (Method::POST, "/patients", json!({"hla": hla()})),
        (Method::PUT, "/patients", with(json!({"weight": 60}))),
        (Method::PUT, "/patients/status", with(json!({"newStatus": "ACT"}))),
        (Method::PUT, "/patients/user", with(json!({"userName": "j.demo"}))),
        (
            Method::POST,
            "/searches",
            with(json!({"matchEngine": 2, "searchType": "DR"})),
        ),
        (Method::POST, "/searches/refreshAllPatientSearches", named),
    ]
}

/// "malformed JSON, invalid UTF-8, not an object, over 64 levels, a member given twice": `$`.
async fn bodies_that_are_none_are_refused(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.in_status("PRE").await;
    let before = (clinic.entry(patient).await, clinic.history(patient).await);
    for (method, path, good) in writes(patient) {
        let good = good.to_string();
        let open = good.trim_end_matches('}');
        let deep = format!(
            r#"{},"x":{}{}}}"#,
            &good[..good.len() - 1],
            "[".repeat(65),
            "]".repeat(65)
        );
        let twice = format!(r#"{},"x":1,"x":2}}"#, &good[..good.len() - 1]);
        let mut bodies: Vec<Vec<u8>> = vec![
            Vec::new(),
            open.as_bytes().to_vec(),
            format!("{good}x").into_bytes(),
            b"[]".to_vec(),
            b"null".to_vec(),
            b"\"text\"".to_vec(),
            b"5".to_vec(),
            format!("[{good}]").into_bytes(),
        ];
        let mut no_text = good.clone().into_bytes();
        no_text.splice(1..1, *b"\"t\":\"\xff\xfe\",");
        bodies.push(no_text);
        for body in bodies {
            let shown = String::from_utf8_lossy(&body)
                .chars()
                .take(60)
                .collect::<String>();
            let call = clinic.api.call(method.clone(), &format!("{BASE}{path}"));
            let answer = call.body("application/json", body).await;
            assert_eq!(answer.status, 400, "{method} {path} {shown}: {}", answer.text);
            answer.invalid(&["$"]);
        }
        // Here a field may be named.
        for body in [deep, twice] {
            let call = clinic.api.call(method.clone(), &format!("{BASE}{path}"));
            let answer = call.json(body).await.fault(400, "invalidRequest");
            let field = answer.json()["errors"][0]["field"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            assert!(field.starts_with('$'), "{}", answer.text);
        }
    }
    assert_eq!(
        (clinic.entry(patient).await, clinic.history(patient).await),
        before
    );
    assert_eq!(clinic.list("").await["paging"]["totalCount"], 1);
    // 64 levels are allowed: the body itself is one.
    let deep = format!(
        r#"{{"wmdaId":{patient},"weight":60,"x":{}{}}}"#,
        "[".repeat(63),
        "]".repeat(63)
    );
    clinic.api.put(&format!("{BASE}/patients"), deep).await.is(204);
}

/// "body over the limit / other content type": 413, 415.
async fn other_content_types_and_large_bodies_are_refused(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.in_status("PRE").await;
    for (method, path, good) in writes(patient) {
        let path = format!("{BASE}{path}");
        for kind in [
            "text/plain",
            "application/xml",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        ] {
            let call = clinic
                .api
                .call(method.clone(), &path)
                .body(kind, good.to_string());
            call.await.fault(415, "unsupportedMediaType");
        }
        let large = super::clinic::with(good.clone(), &json!({"more": "x".repeat(1 << 20)}));
        let call = clinic.api.call(method.clone(), &path).json(large);
        call.await.fault(413, "payloadTooLarge");
    }
    assert_eq!(clinic.status(patient).await, "PRE");
    assert_eq!(clinic.list("").await["paging"]["totalCount"], 1);
}

/// "required member missing or null, wrong type (`"48213907"`, `1.5`, `true`)"; "`newStatus` NEW, unknown, lower case".
async fn changes_of_status_name_what_is_wrong(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.in_status("PRE").await;
    let put = |body: Value| clinic.put("/patients/status", body);
    for wrong in [
        Value::Null,
        json!(patient.to_string()),
        json!(1.5),
        json!(true),
        json!([]),
        json!({}),
    ] {
        put(json!({"wmdaId": wrong, "newStatus": "ACT"}))
            .await
            .invalid(&["$.wmdaId"]);
    }
    put(json!({"newStatus": "ACT"})).await.invalid(&["$.wmdaId"]);
    for wrong in [
        Value::Null,
        json!("NEW"),
        json!("ANO"),
        json!("act"),
        json!("ACT "),
        json!(""),
        json!(3),
        json!(true),
        json!(["ACT"]),
    ] {
        put(json!({"wmdaId": patient, "newStatus": wrong}))
            .await
            .invalid(&["$.newStatus"]);
    }
    put(json!({"wmdaId": patient})).await.invalid(&["$.newStatus"]);
    for wrong in [
        json!(5),
        json!(true),
        json!(["FND"]),
        json!("FNDX"),
        json!("FN"),
        json!(""),
    ] {
        put(json!({"wmdaId": patient, "newStatus": "ACT", "changeReason": wrong}))
            .await
            .invalid(&["$.changeReason"]);
    }
    put(json!({})).await.invalid(&["$.newStatus", "$.wmdaId"]);
    assert_eq!(clinic.history(patient).await.len(), 2);
    // Numbers that no patient can have are nobody's, or no numbers of patients.
    for number in [json!(0), json!(-5), json!(5_000_000_000_i64)] {
        let answer = put(json!({"wmdaId": number, "newStatus": "ACT"})).await;
        assert!([400, 404].contains(&answer.status), "{number}: {}", answer.text);
    }
}

/// "wrong method on a path": 405 `methodNotAllowed`, `Allow`.
async fn wrong_methods_are_told_the_right_ones(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    for (path, allowed) in [
        ("/patients", vec!["GET", "POST", "PUT"]),
        ("/patients/123456", vec!["GET"]),
        ("/patients/list", vec!["GET", "POST"]),
        ("/patients/status", vec!["PUT"]),
        ("/patients/user", vec!["PUT"]),
        ("/searches", vec!["POST"]),
        ("/searches/5", vec!["GET"]),
        ("/searches/patientSearches/123456", vec!["GET"]),
        ("/searches/refreshAllPatientSearches", vec!["POST"]),
        ("/searches/searchResults/donors", vec!["POST"]),
        ("/searches/searchResults/cbus", vec!["POST"]),
        ("/searches/5/searchResults/adcu", vec!["GET"]),
        ("/searches/5/searchResults/registries", vec!["GET"]),
        ("/searches/5/searchResults/cbbs", vec!["GET"]),
        ("/searches/5/results", vec!["PUT"]),
    ] {
        for base in [BASE, ""] {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                if allowed.contains(&method) {
                    continue;
                }
                let verb = Method::from_bytes(method.as_bytes()).unwrap();
                let answer = clinic.api.call(verb, &format!("{base}{path}")).await;
                let answer = answer.fault(405, "methodNotAllowed");
                let told: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
                for method in &allowed {
                    assert!(told.contains(method), "{path}: {told:?}");
                }
                for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                    assert!(
                        allowed.contains(&method) || !told.contains(&method),
                        "{path}: {told:?}"
                    );
                }
            }
        }
    }
}

/// "Requests are judged in this order: 401, 403, 413/415, 400, 404, 409".
async fn requests_are_judged_in_order(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let stopped = clinic.in_status("STP").await;
    let path = format!("{BASE}/patients");
    let (nobody, blind) = (clinic.api.with_token("x"), clinic.with_scopes("patient:read"));
    let large = json!({"weight": 0, "more": "x".repeat(1 << 20)});
    nobody.put(&path, &large).await.fault(401, "unauthenticated");
    blind.put(&path, &large).await.fault(403, "forbidden");
    let call = |api: &crate::e2e::harness::Api| api.call(Method::PUT, &path).body("text/plain", "{");
    call(&nobody).await.fault(401, "unauthenticated");
    call(&blind).await.fault(403, "forbidden");
    call(&clinic.api).await.fault(415, "unsupportedMediaType");
    clinic.api.put(&path, &large).await.fault(413, "payloadTooLarge");
    // 400 before 404 and 409.
    for patient in [super::clinic::UNKNOWN, stopped] {
        let bad = json!({"wmdaId": patient, "weight": 0});
        clinic.put("/patients", bad).await.invalid(&["$.weight"]);
        clinic
            .change(patient, "NEW", None)
            .await
            .invalid(&["$.newStatus"]);
        let bad = json!({"wmdaId": patient, "matchEngine": 9, "searchType": "DR"});
        clinic.post("/searches", bad).await.invalid(&["$.matchEngine"]);
    }
    // 404 before 409: whether a name is in use is not told of a record that is not there.
    let named = json!({"patientId": "98761234P", "legalTerms": true});
    clinic.register_with(&named).await;
    let unknown = super::clinic::with(named, &json!({"wmdaId": super::clinic::UNKNOWN}));
    clinic.put("/patients", unknown).await.fault(404, "notFound");
    let bad = json!({"searchId": super::clinic::UNKNOWN, "sortBy": "?"});
    clinic
        .post("/searches/searchResults/donors", bad)
        .await
        .invalid(&["$.sortBy"]);
    let bad = json!({"donors": [{}]});
    clinic
        .deliver(super::clinic::UNKNOWN, bad)
        .await
        .invalid(&["$.donors[0].id"]);
}
