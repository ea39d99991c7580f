//! What all lists and all errors of `/ops` have in common.

use crate::e2e::harness::{Journey, Tenant, members, tenant_journey};
use reqwest::Method;
use serde_json::json;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(every_list_has_the_same_bounds),
        tenant_journey!(every_error_is_a_problem),
    ]
}

const LISTS: &[&str] = &[
    "/ops/v1/tasks",
    "/ops/v1/audit",
    "/ops/v1/credentials",
    "/ops/v1/patients",
];

/// "`?limit=` (1 to 200, default 50) and `?cursor=`; the answer has `items` and, when there is more, `next`."
async fn every_list_has_the_same_bounds(tenant: &Tenant) {
    let api = &tenant.api;
    for n in 0..52 {
        api.put(&format!("/sources/s/v1/resources/t/{n}"), json!({"data": {}}))
            .await
            .is(201);
        api.post("/ops/v1/patients", json!({"patientId": format!("P{n}")}))
            .await
            .is(201);
        let draft = json!({"kind": "api_key", "name": "x", "scopes": []});
        api.post("/ops/v1/credentials", draft).await.is(201);
    }
    for list in LISTS.iter().chain(&["/ops/v1/workspaces"]) {
        let api = if list.ends_with("workspaces") {
            &tenant.root
        } else {
            api
        };
        for limit in ["0", "201", "-1", "ten", "", "1.5", "99999999999999999999"] {
            let problem = api.get(&format!("{list}?limit={limit}")).await.problem(400);
            assert!(problem.text.contains("query.limit"), "{}", problem.text);
        }
        for cursor in ["!", "a.b", "%00", ""] {
            let problem = api.get(&format!("{list}?cursor={cursor}")).await.problem(400);
            assert!(problem.text.contains("query.cursor"), "{}", problem.text);
        }
        assert_eq!(
            api.get(&format!("{list}?limit=1&unknown=x")).await.is(200).json()["items"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
    }
    for list in LISTS {
        let page = api.get(list).await.is(200).json();
        assert_eq!(page["items"].as_array().unwrap().len(), 50, "{list}");
        assert_eq!(members(&page), ["items", "next"], "{list}");
        let all = api.get(&format!("{list}?limit=200")).await.is(200).json();
        let rest = api
            .get(&format!(
                "{list}?limit=200&cursor={}",
                page["next"].as_str().unwrap()
            ))
            .await
            .is(200)
            .json();
        let together: Vec<_> = [&page, &rest]
            .iter()
            .flat_map(|page| page["items"].as_array().unwrap())
            .cloned()
            .collect();
        assert_eq!(json!(together), all["items"], "{list}");
    }
}

/// "`/ops` errors are `application/problem+json` (RFC 9457)."
async fn every_error_is_a_problem(tenant: &Tenant) {
    let api = &tenant.api;
    api.get("/ops/v1/nothing").await.problem(404);
    api.get("/ops/v1").await.problem(404);
    api.with_key(None).get("/ops/v1/tasks").await.problem(401);
    tenant.limited(&[]).await.get("/ops/v1/tasks").await.problem(403);
    let wrong = api.call(Method::DELETE, "/ops/v1/patients").await.problem(405);
    let mut allow: Vec<_> = wrong.header("allow").split(", ").collect();
    allow.sort_unstable();
    assert_eq!(allow, ["GET", "HEAD", "OPTIONS", "POST"]);
    let problem = api
        .post("/ops/v1/patients", json!({"patientId": 5, "x": 1}))
        .await
        .problem(400)
        .json();
    for named in ["$.patientId", "$.x"] {
        assert!(problem.to_string().contains(named), "{problem}");
    }
    assert_eq!(
        api.get("/ops/v1/patients").await.is(200).json(),
        json!({"items": []})
    );
}
