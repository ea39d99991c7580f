//! The six rules on `meta` (section 5), each with its path and rule.

use crate::e2e::harness::tenant::resource;
use crate::e2e::harness::{Journey, Tenant, instant, rfc3339, tenant_journey};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(the_times_of_a_new_record_follow_their_rules),
        tenant_journey!(the_times_count_only_at_creation),
        tenant_journey!(identifiers_follow_their_rules_on_every_write),
        tenant_journey!(a_record_has_at_most_a_hundred_identifiers),
    ]
}

type Broken = &'static [(&'static str, &'static str)];

/// What time it is for the server.
async fn now(tenant: &Tenant) -> OffsetDateTime {
    let probe = tenant
        .api
        .post(&resource("probe"), json!({"data": {}}))
        .await
        .is(201)
        .json();
    instant(&probe["resource"]["meta"]["createdAt"])
}

fn with(meta: &Value) -> Value {
    json!({"data": {}, "meta": meta})
}

/// "1. `updatedAt` needs `createdAt`. 2. It is not before `createdAt`. 3. Neither is in the future (60 s
/// tolerance)."
async fn the_times_of_a_new_record_follow_their_rules(tenant: &Tenant) {
    let now = now(tenant).await;
    let soon = rfc3339(now + Duration::minutes(3));
    let early = rfc3339(now - Duration::days(400));
    let late = rfc3339(now - Duration::days(300));
    let broken: Vec<(Value, Broken)> = vec![
        (json!({"updatedAt": early}), &[("$.meta.createdAt", "required")]),
        (
            json!({"createdAt": late, "updatedAt": early}),
            &[("$.meta.updatedAt", "time")],
        ),
        (json!({"createdAt": soon}), &[("$.meta.createdAt", "time")]),
        (
            json!({"createdAt": early, "updatedAt": soon}),
            &[("$.meta.updatedAt", "time")],
        ),
        (
            json!({"createdAt": soon, "updatedAt": soon}),
            &[("$.meta.createdAt", "time"), ("$.meta.updatedAt", "time")],
        ),
        (
            json!({"createdAt": "2026-03-02"}),
            &[("$.meta.createdAt", "type")],
        ),
        (
            json!({"createdAt": "2026-02-30T00:00:00Z"}),
            &[("$.meta.createdAt", "type")],
        ),
        (
            json!({"createdAt": "yesterday", "updatedAt": ""}),
            &[("$.meta.createdAt", "type"), ("$.meta.updatedAt", "type")],
        ),
        (json!({"createdAt": 5}), &[("$.meta.createdAt", "type")]),
    ];
    for (meta, found) in broken {
        tenant
            .api
            .put(&resource("patient/x"), with(&meta))
            .await
            .refused(400, "INVALID_ARGUMENT", found);
        let mut body = with(&meta);
        body["id"] = json!("xx");
        tenant
            .api
            .post(&resource("patient"), body)
            .await
            .refused(400, "INVALID_ARGUMENT", found);
    }
    tenant
        .api
        .get(&resource("patient/x"))
        .await
        .error(404, "NOT_FOUND");

    // `createdAt` alone: `updatedAt` is the time of the write. Ours may be a little behind the caller's.
    let tolerated = rfc3339(now + Duration::seconds(30));
    let stored = async |id: &str, meta: Value| {
        tenant
            .api
            .put(&resource(&format!("patient/{id}")), with(&meta))
            .await
            .is(201)
            .json()["resource"]["meta"]
            .clone()
    };
    let both = stored("both", json!({"createdAt": early, "updatedAt": late})).await;
    assert_eq!(instant(&both["createdAt"]), now - Duration::days(400));
    assert_eq!(instant(&both["updatedAt"]), now - Duration::days(300));
    let one = stored("one", json!({"createdAt": early})).await;
    assert_eq!(instant(&one["createdAt"]), now - Duration::days(400));
    assert!(instant(&one["updatedAt"]) >= now);
    let ahead = stored("ahead", json!({"createdAt": tolerated})).await;
    assert!(
        instant(&ahead["updatedAt"]) >= instant(&ahead["createdAt"]),
        "13.24: never before `createdAt`"
    );
    // Any offset is understood, and shown as UTC.
    let offset = stored("offset", json!({"createdAt": "2024-03-02T11:15:00.5+02:00"})).await;
    assert_eq!(offset["createdAt"], "2024-03-02T09:15:00.500Z");
}

/// "Rules 1 to 3 and the caller's times count only when the record is created; on a replace the times are ignored,
/// `createdAt` stays and `updatedAt` is the time of the write".
async fn the_times_count_only_at_creation(tenant: &Tenant) {
    let now = now(tenant).await;
    let path = resource("patient/x");
    let created =
        json!({"createdAt": rfc3339(now - Duration::days(9)), "updatedAt": rfc3339(now - Duration::days(8))});
    tenant.api.put(&path, with(&created)).await.is(201);
    for ignored in [
        json!({"createdAt": rfc3339(now - Duration::days(2)), "updatedAt": rfc3339(now - Duration::days(1))}),
        json!({"createdAt": rfc3339(now + Duration::days(2))}),
        json!({"updatedAt": rfc3339(now - Duration::days(20))}),
    ] {
        let replaced = tenant.api.put(&path, with(&ignored)).await.is(200).json();
        let meta = &replaced["resource"]["meta"];
        assert_eq!(instant(&meta["createdAt"]), now - Duration::days(9), "{ignored}");
        assert!(instant(&meta["updatedAt"]) >= now && instant(&meta["updatedAt"]) < now + Duration::hours(1));
    }
}

/// "4. Identifiers differ in (`system`, `use`, `value`). 5. `use` is not `source`. 6. `system` is not `mdm`"; "4 to 6
/// hold for every write".
async fn identifiers_follow_their_rules_on_every_write(tenant: &Tenant) {
    let identifier =
        |system: &str, used: &str, value: &str| json!({"system": system, "use": used, "value": value});
    let fine = vec![
        json!({"id": "1", "system": "a", "value": "v", "use": "official",
            "period": {"id": "p", "start": "2020", "end": "2021-03"}}),
        identifier("a", "usual", "v"),
        identifier("b", "official", "v"),
        identifier("a", "official", "w"),
        json!({"system": "a", "value": "v"}),
        json!({"value": "v"}),
        json!({}),
    ];
    let created = tenant
        .api
        .put(&resource("patient/old"), with(&json!({"identifier": fine})))
        .await
        .is(201);
    assert_eq!(
        created.json()["resource"]["meta"]["identifier"],
        json!(fine),
        "they come back as sent"
    );

    let twice = identifier("a", "official", "v");
    let broken: Vec<(Value, Broken)> = vec![
        (json!([twice, twice]), &[("$.meta.identifier[1]", "duplicate")]),
        (
            json!([identifier("a", "source", "v")]),
            &[("$.meta.identifier[0].use", "enum")],
        ),
        (
            json!([{}, identifier("mdm", "official", "v")]),
            &[("$.meta.identifier[1].system", "enum")],
        ),
        (
            json!([
                identifier("mdm", "source", "v"),
                twice,
                identifier("mdm", "source", "v")
            ]),
            &[
                ("$.meta.identifier[0].use", "enum"),
                ("$.meta.identifier[0].system", "enum"),
                ("$.meta.identifier[2]", "duplicate"),
                ("$.meta.identifier[2].use", "enum"),
                ("$.meta.identifier[2].system", "enum"),
            ],
        ),
        (json!({}), &[("$.meta.identifier", "type")]),
        (json!(["x"]), &[("$.meta.identifier[0]", "type")]),
        (json!([{"system": 5}]), &[("$.meta.identifier[0].system", "type")]),
        (
            json!([{"sistem": "a"}]),
            &[("$.meta.identifier[0].sistem", "unknown")],
        ),
        (
            json!([{"period": "2020"}]),
            &[("$.meta.identifier[0].period", "type")],
        ),
        (
            json!([{"period": {"start": 2020}}]),
            &[("$.meta.identifier[0].period.start", "type")],
        ),
        (
            json!([{"period": {"until": "x"}}]),
            &[("$.meta.identifier[0].period.until", "unknown")],
        ),
    ];
    for (identifiers, found) in broken {
        for id in ["patient/new", "patient/old"] {
            let body = with(&json!({"identifier": identifiers}));
            tenant
                .api
                .put(&resource(id), body)
                .await
                .refused(400, "INVALID_ARGUMENT", found);
        }
    }
}

/// Section 2, limits: "100 identifiers a record".
async fn a_record_has_at_most_a_hundred_identifiers(tenant: &Tenant) {
    let body = |count: usize| {
        let identifiers: Vec<_> = (0..count)
            .map(|n| json!({"system": "a", "value": n.to_string()}))
            .collect();
        with(&json!({"identifier": identifiers}))
    };
    tenant.api.put(&resource("patient/x"), body(100)).await.is(201);
    tenant.api.put(&resource("patient/x"), body(101)).await.refused(
        400,
        "INVALID_ARGUMENT",
        &[("$.meta.identifier", "max")],
    );
}
