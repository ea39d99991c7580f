//! Who may do what, and that other workspaces do not exist (common.md; registry, 13.21).

use super::harness::tenant::{credential, ended, resource, task_path};
use super::harness::{Answer, Api, Journey, Tenant, tenant_journey};
use reqwest::Method;
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(without_a_good_credential_everything_is_401),
        tenant_journey!(a_key_is_carried_in_either_header_and_the_first_counts),
        tenant_journey!(without_the_scope_it_is_403_before_anything_is_looked_up),
        tenant_journey!(write_alone_may_read_tasks),
        tenant_journey!(another_workspace_has_the_same_names_and_nothing_else),
        tenant_journey!(an_operator_sees_only_the_own_workspace),
        tenant_journey!(a_revoked_credential_is_refused_at_once),
        tenant_journey!(only_the_administrator_makes_workspaces),
    ]
}

/// Every route there is: method, path, and the scopes of which one suffices.
fn routes() -> Vec<(Method, String, &'static [&'static str])> {
    let route = |method, path: &str, scopes: &'static [&'static str]| (method, path.to_owned(), scopes);
    let (record, nobody) = (resource("patient/x"), "s_0197a1b2c3d47e5f8a9b0c1d2e3f4a5b");
    vec![
        route(Method::GET, "/catalog/v1/sources", &["registry:read"]),
        route(Method::GET, "/catalog/v1/sources/none", &["registry:read"]),
        route(Method::PUT, "/catalog/v1/sources/none", &["registry:admin"]),
        route(Method::GET, "/sources/none/v1/profiles/none", &["registry:read"]),
        route(Method::PUT, "/sources/none/v1/profiles/none", &["registry:admin"]),
        route(
            Method::GET,
            "/sources/none/v1/collections/none",
            &["registry:read"],
        ),
        route(
            Method::PUT,
            "/sources/none/v1/collections/none",
            &["registry:admin"],
        ),
        route(
            Method::GET,
            "/sources/none/v1/relationship-definitions/none",
            &["registry:read"],
        ),
        route(
            Method::PUT,
            "/sources/none/v1/relationship-definitions/none",
            &["registry:admin"],
        ),
        route(Method::GET, &resource("patient"), &["registry:read"]),
        route(Method::POST, &resource("patient"), &["registry:write"]),
        route(Method::GET, &record, &["registry:read"]),
        route(Method::PUT, &record, &["registry:write"]),
        route(Method::DELETE, &record, &["registry:write"]),
        route(
            Method::GET,
            &task_path(nobody),
            &["registry:read", "registry:write"],
        ),
        route(Method::GET, "/ops/v1/workspaces", &["ops:read"]),
        route(Method::POST, "/ops/v1/workspaces", &["ops:write"]),
        route(Method::GET, "/ops/v1/credentials", &["ops:read"]),
        route(Method::POST, "/ops/v1/credentials", &["ops:write"]),
        route(
            Method::DELETE,
            "/ops/v1/credentials/0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
            &["ops:write"],
        ),
        route(Method::GET, "/ops/v1/tasks", &["ops:read"]),
        route(Method::GET, &format!("/ops/v1/tasks/{nobody}"), &["ops:read"]),
        route(
            Method::POST,
            &format!("/ops/v1/tasks/{nobody}/cancel"),
            &["ops:write"],
        ),
        route(
            Method::POST,
            &format!("/ops/v1/tasks/{nobody}/retry"),
            &["ops:write"],
        ),
        route(Method::GET, "/ops/v1/queues", &["ops:read"]),
        route(
            Method::POST,
            "/ops/v1/queues/registry.write/pause",
            &["ops:write"],
        ),
        route(
            Method::POST,
            "/ops/v1/queues/registry.write/resume",
            &["ops:write"],
        ),
        route(Method::GET, "/ops/v1/patients", &["ops:read"]),
        route(Method::POST, "/ops/v1/patients", &["ops:write"]),
        route(Method::GET, "/ops/v1/patients/100000", &["ops:read"]),
        route(Method::PATCH, "/ops/v1/patients/100000", &["ops:write"]),
        route(Method::GET, "/ops/v1/audit", &["ops:read"]),
    ]
}

#[track_caller]
fn assert_refused(answer: Answer, path: &str, status: u16, kind: &str) {
    if path.starts_with("/ops/") {
        answer.problem(status);
    } else {
        answer.refused(status, kind, &[]);
    }
}

/// common.md: "No credential or a bad one: 401", in the error's form of each side; "nothing is stored".
async fn without_a_good_credential_everything_is_401(tenant: &Tenant) {
    let api = &tenant.api;
    let shortened = &api.key()[..api.key().len() - 1];
    let (longer, shouted) = (format!("{}0", api.key()), api.key().to_uppercase());
    let long = format!("ct_{}", "0".repeat(5000));
    let bad = [
        None,
        Some(""),
        Some("ct_"),
        Some(shortened),
        Some(&longer),
        Some(&shouted),
        Some("nonsense"),
        Some(&long),
    ];
    for (method, path, _) in routes() {
        for key in bad {
            let call = api
                .with_key(key)
                .call(method.clone(), &path)
                .json(json!({"data": {}, "type": "registry"}));
            assert_refused(call.await, &path, 401, "UNAUTHENTICATED");
        }
    }
    assert_eq!(
        api.get("/catalog/v1/sources").await.is(200).json(),
        json!({"items": []})
    );
    // Health is for everyone.
    let nobody = api.with_key(None);
    nobody.get("/health/live").await.is(200);
    nobody.get("/health/ready").await.is(200);
}

/// Section 1: "`X-Clinia-API-Key: <key>`; `Authorization: Bearer ct_...` also works. If both are sent the first counts".
async fn a_key_is_carried_in_either_header_and_the_first_counts(tenant: &Tenant) {
    let (path, key) = ("/catalog/v1/sources", tenant.api.key());
    let nobody = tenant.api.with_key(None);
    let bearer = format!("Bearer {key}");
    nobody.get(path).header("Authorization", &bearer).await.is(200);
    nobody
        .get(path)
        .header("Authorization", &format!("bearer {key}"))
        .await
        .is(200);
    tenant
        .api
        .get(path)
        .header("Authorization", "Bearer ct_nonsense")
        .await
        .is(200);
    nobody
        .get(path)
        .header("X-Clinia-API-Key", "ct_nonsense")
        .header("Authorization", &bearer)
        .await
        .error(401, "UNAUTHENTICATED");
    for wrong in [
        key.to_owned(),
        format!("Basic {key}"),
        format!("Token {key}"),
        "Bearer".to_owned(),
        "Bearer x".to_owned(),
    ] {
        nobody
            .get(path)
            .header("Authorization", &wrong)
            .await
            .error(401, "UNAUTHENTICATED");
    }
    // In a query it would be in every log on the way.
    nobody
        .get(&format!("{path}?api_key={key}"))
        .await
        .error(401, "UNAUTHENTICATED");
}

/// Section 1: "No scope implies another. Scope is checked before anything is looked up."
async fn without_the_scope_it_is_403_before_anything_is_looked_up(tenant: &Tenant) {
    for scope in [
        "registry:read",
        "registry:write",
        "registry:admin",
        "ops:read",
        "ops:write",
        "job:read",
    ] {
        let limited = tenant.limited(&[scope]).await;
        for (method, path, enough) in routes() {
            if enough.contains(&scope) {
                continue;
            }
            let bodies: &[Value] = match method {
                Method::GET | Method::DELETE => &[Value::Null],
                // A bad body changes nothing about it.
                _ => &[json!({"data": {}, "type": "registry"}), json!([])],
            };
            for body in bodies {
                let call = limited.call(method.clone(), &path);
                let call = if body.is_null() { call } else { call.json(body) };
                assert_refused(call.await, &path, 403, "PERMISSION_DENIED");
            }
        }
    }
    let none = tenant.limited(&[]).await;
    for (method, path, _) in routes() {
        assert_refused(
            none.call(method, &path).json(json!({})).await,
            &path,
            403,
            "PERMISSION_DENIED",
        );
    }
    assert_eq!(
        tenant.api.get("/catalog/v1/sources").await.is(200).json(),
        json!({"items": []})
    );
}

/// Section 1: "`registry:write` alone may also read tasks".
async fn write_alone_may_read_tasks(tenant: &Tenant) {
    let writer = tenant.limited(&["registry:write"]).await;
    let now = writer
        .put(&resource("patient/x"), json!({"data": {}}))
        .await
        .is(201)
        .task();
    let later = writer
        .put(&resource("patient/x"), json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    for task in [now, later] {
        assert_eq!(ended(&writer, &task).await["status"], "SUCCESS");
    }
    writer
        .get(&resource("patient/x"))
        .await
        .error(403, "PERMISSION_DENIED");
    let reader = tenant.limited(&["registry:read"]).await;
    reader.get(&resource("patient/x")).await.is(200);
    reader
        .put(&resource("patient/x"), json!({"data": {}}))
        .later()
        .await
        .error(403, "PERMISSION_DENIED");
}

/// 13.21: "To one workspace, another's sources, records, tasks and executions are not distinguishable from none."
async fn another_workspace_has_the_same_names_and_nothing_else(tenant: &Tenant) {
    let (here, there) = (&tenant.api, &Tenant::on(&tenant.root, json!({})).await.api);
    let path = resource("patient/x");
    let secret =
        json!({"data": {"whose": "theirs"}, "meta": {"identifier": [{"system": "s", "value": "v"}]}});
    let now = there.put(&path, &secret).await.is(201);
    let later = there.put(&path, &secret).later().await.is(202).task();
    ended(there, &later).await;
    let missing = resource("patient/missing");
    // Word for word what is said of something that never was.
    let says = async |theirs: &str, never: &str, method: Method| {
        let theirs_answer = here.call(method.clone(), theirs).await.error(404, "NOT_FOUND");
        let never_answer = here.call(method, never).await.error(404, "NOT_FOUND");
        let expected = never_answer.text.replace(
            never.rsplit('/').next().unwrap(),
            theirs.rsplit('/').next().unwrap(),
        );
        assert_eq!(theirs_answer.text, expected);
    };
    says(&path, &missing, Method::GET).await;
    says(&path, &missing, Method::DELETE).await;
    says(
        "/catalog/v1/sources/northclinic",
        "/catalog/v1/sources/southclinic",
        Method::GET,
    )
    .await;
    let nobody = "s_0197a1b2c3d47e5f8a9b0c1d2e3f4a5b";
    for task in [&now.task(), &later] {
        let answer = here.get(&task_path(task)).await.error(404, "NOT_FOUND").json();
        let never = here.get(&task_path(nobody)).await.error(404, "NOT_FOUND").json();
        let digits = |text: &Value| {
            text.as_str()
                .unwrap()
                .chars()
                .filter(|c| !c.is_ascii_hexdigit())
                .collect::<String>()
        };
        assert_eq!(digits(&answer["message"]), digits(&never["message"]));
    }
    assert_eq!(
        here.get("/catalog/v1/sources").await.is(200).json(),
        json!({"items": []})
    );

    // The same names are free here, and each side keeps its own.
    let mine = json!({"data": {"whose": "mine"}});
    here.post(&resource("patient"), json!({"id": "x0", "data": {}}))
        .await
        .is(201);
    here.put(&path, &mine).header("If-None-Match", "*").await.is(201);
    here.put(&path, &mine)
        .header("If-Match", &now.etag())
        .await
        .error(412, "FAILED_PRECONDITION");
    assert_eq!(there.get(&path).await.is(200).json()["data"], secret["data"]);
    here.delete(&path).await.is(200);
    there.get(&path).await.is(200);
}

/// common.md, promise 6: "Nothing of one workspace is visible from another".
async fn an_operator_sees_only_the_own_workspace(tenant: &Tenant) {
    let (here, there) = (&tenant.api, &Tenant::on(&tenant.root, json!({})).await.api);
    let task = there
        .put(&resource("patient/x"), json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    ended(there, &task).await;
    let patient = there
        .post("/ops/v1/patients", json!({"patientId": "P-1"}))
        .await
        .is(201)
        .json();
    let credentials = there.get("/ops/v1/credentials").await.is(200).json();
    for path in ["/ops/v1/tasks", "/ops/v1/patients", "/ops/v1/queues"] {
        let items = here.get(path).await.is(200).json()["items"].clone();
        let busy = items
            .as_array()
            .unwrap()
            .iter()
            .any(|item| item["queued"] != 0 || item["endedLastMinute"] != 0);
        assert!(
            items == json!([]) || path.ends_with("queues") && !busy,
            "{path}: {items}"
        );
    }
    assert!(
        !here
            .get("/ops/v1/audit?limit=200")
            .await
            .is(200)
            .text
            .contains(&patient["id"].to_string())
    );
    here.get(&format!("/ops/v1/tasks/{task}")).await.problem(404);
    here.call(Method::POST, &format!("/ops/v1/tasks/{task}/cancel"))
        .await
        .problem(404);
    here.call(Method::POST, &format!("/ops/v1/tasks/{task}/retry"))
        .await
        .problem(404);
    for id in [&patient["id"], &patient["wmdaId"]] {
        let path = format!("/ops/v1/patients/{}", id.to_string().trim_matches('"'));
        here.get(&path).await.problem(404);
        here.patch(&path, json!({"active": false})).await.problem(404);
        let by_patient = format!("/ops/v1/tasks?patient={}", id.to_string().trim_matches('"'));
        assert_eq!(here.get(&by_patient).await.is(200).json(), json!({"items": []}));
    }
    let theirs = credentials["items"][0]["id"].as_str().unwrap();
    here.delete(&format!("/ops/v1/credentials/{theirs}"))
        .await
        .problem(404);
    assert!(
        !here
            .get("/ops/v1/credentials")
            .await
            .is(200)
            .text
            .contains(theirs)
    );
    there.get("/ops/v1/tasks").await.is(200);
    // The local identifier is free here: it is unique within a workspace.
    here.post("/ops/v1/patients", json!({"patientId": "P-1"}))
        .await
        .is(201);
    // A pause here does not stop the work there.
    super::harness::tenant::pause(here, true).await;
    let task = there
        .put(&resource("patient/x"), json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    assert_eq!(ended(there, &task).await["status"], "SUCCESS");
}

/// common.md: "GET `/credentials`, DELETE `/credentials/{id}`: list without secrets, revoke at once".
async fn a_revoked_credential_is_refused_at_once(tenant: &Tenant) {
    let made = credential(
        &tenant.root,
        &tenant.workspace,
        &["registry:read", "registry:write"],
    )
    .await;
    let revoked: Api = tenant.api.with_key(made["secret"].as_str());
    // In use up to the last moment, so that nobody can lean on what was remembered of it.
    revoked
        .put(&resource("patient/x"), json!({"data": {}}))
        .await
        .is(201);
    let running = revoked
        .put(&resource("patient/x"), json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    let id = made["id"].as_str().unwrap();
    tenant
        .api
        .delete(&format!("/ops/v1/credentials/{id}"))
        .await
        .is(204);
    for _ in 0..5 {
        revoked
            .get(&resource("patient/x"))
            .await
            .refused(401, "UNAUTHENTICATED", &[]);
        revoked
            .put(&resource("patient/x"), json!({"data": {}}))
            .await
            .refused(401, "UNAUTHENTICATED", &[]);
    }
    assert_eq!(
        ended(&tenant.api, &running).await["status"],
        "SUCCESS",
        "what was accepted ends"
    );
    tenant.api.get(&resource("patient/x")).await.is(200);
}

/// common.md: "POST `/workspaces`, GET `/workspaces`: the bootstrap administrator only, who may also name a `workspace`
/// when making credentials".
async fn only_the_administrator_makes_workspaces(tenant: &Tenant) {
    let api = &tenant.api;
    api.post("/ops/v1/workspaces", json!({"key": "mine"}))
        .await
        .problem(403);
    api.get("/ops/v1/workspaces").await.problem(403);
    let named = json!({"kind": "api_key", "name": "x", "scopes": ["ops:read"], "workspace": "default"});
    api.post("/ops/v1/credentials", &named).await.problem(403);
    let key = format!("extra-{}", tenant.workspace);
    let made = tenant
        .root
        .post("/ops/v1/workspaces", json!({"key": key}))
        .await
        .is(201)
        .json();
    assert_eq!(made["key"], json!(key));
    tenant
        .root
        .post("/ops/v1/workspaces", json!({"key": key}))
        .await
        .problem(409);
    for bad in [
        json!({}),
        json!({"key": "_x"}),
        json!({"key": 5}),
        json!({"key": "x", "name": "y"}),
        json!({"key": "x", "options": {"nope": 1}}),
        json!({"key": "x", "options": {"registry.open_profiles": "no"}}),
    ] {
        tenant.root.post("/ops/v1/workspaces", &bad).await.problem(400);
    }
    let listed = tenant.root.get("/ops/v1/workspaces?limit=200").await.is(200);
    assert!(
        listed.text.contains(&format!("\"{key}\"")) && listed.text.contains("\"default\""),
        "{}",
        listed.text
    );
}
