//! The 202 and the task it names (sections 1 and 10).

use crate::e2e::harness::tenant::{SOURCE, ended, pause, resource, task_path};
use crate::e2e::harness::{
    Journey, Tenant, assert_made_id, assert_task_id, instant, members, raw, tenant_journey,
};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(an_accepted_write_is_202_with_task_and_status_only),
        tenant_journey!(receipts_are_there_from_acceptance_on),
        tenant_journey!(a_task_goes_from_pending_to_success_and_its_data_can_be_read),
        tenant_journey!(a_posted_record_has_its_id_before_it_exists),
        tenant_journey!(the_preference_is_one_of_a_list),
        tenant_journey!(receipts_come_in_pages),
    ]
}

/// Section 1: "the body `{taskId, status}` only. When the preference was asked for, the 202 has `Preference-Applied:
/// respond-async`"; "202 has `Location: /sources/{sourceKey}/v1/tasks/{taskId}` and `Retry-After` (whole seconds)".
async fn an_accepted_write_is_202_with_task_and_status_only(tenant: &Tenant) {
    let api = &tenant.api;
    let body = json!({"data": {"n": 1}});
    api.put(&resource("patient/there"), &body).await.is(201);
    for call in [
        api.put(&resource("patient/x"), &body),
        api.post(&resource("patient"), &body),
        api.delete(&resource("patient/there")),
    ] {
        let accepted = call.later().await.is(202);
        let answer = accepted.json();
        assert_eq!(members(&answer), ["status", "taskId"]);
        assert_eq!(answer["status"], "ACCEPTED");
        let task = answer["taskId"].as_str().unwrap();
        assert_task_id(task);
        assert_eq!(accepted.header("location"), task_path(task));
        assert_eq!(accepted.header("preference-applied"), "respond-async");
        assert_eq!(accepted.header("content-type"), "application/json");
        accepted
            .header("retry-after")
            .parse::<u32>()
            .expect("whole seconds");
        assert!(accepted.headers.get("etag").is_none());
        assert_eq!(ended(api, task).await["status"], "SUCCESS");
    }
    // Nothing is said of it where it was not asked for.
    let usual = api.put(&resource("patient/x"), &body).await.is(200);
    assert!(usual.headers.get("preference-applied").is_none());
}

/// Section 10: "all are there from acceptance on, made ids included"; "`completedAt` is absent while PENDING; `error`
/// is there on FAILURE only"; 13.12: "a write is 202 without a record".
async fn receipts_are_there_from_acceptance_on(tenant: &Tenant) {
    let api = &tenant.api;
    pause(api, true).await;
    let body = json!({"data": {}});
    let put = api
        .put(&resource("patient/x"), &body)
        .later()
        .await
        .is(202)
        .task();
    let post = api.post(&resource("patient"), &body).later().await.is(202).task();
    let delete = api.put(&resource("other/x"), &body).await.is(201);
    let deleting = api.delete(delete.header("location")).later().await.is(202).task();
    let mut made = None;
    for (task, action, of) in [
        (&put, "UPSERT", "patient"),
        (&post, "CREATE", "patient"),
        (&deleting, "DELETE", "other"),
    ] {
        let seen = api
            .get(&format!("{}?withReceipts=true", task_path(task)))
            .await
            .is(200)
            .json();
        let receipt = &seen["receipts"][0];
        instant(&receipt["receivedAt"]);
        let id = receipt["id"].clone();
        let receipt = json!({"receivedAt": receipt["receivedAt"], "taskId": task, "action": action, "status": "PENDING",
            "targetType": "RESOURCE", "id": id, "type": of});
        assert_eq!(
            seen,
            json!({"taskId": task, "status": "PENDING", "receipts": [receipt]})
        );
        if action == "CREATE" {
            assert_made_id(id.as_str().unwrap());
            made = Some(id);
        } else {
            assert_eq!(id, "x");
        }
    }
    api.get(&resource("patient/x")).await.error(404, "NOT_FOUND");
    api.get("/sources/northclinic/v1/resources/patient")
        .await
        .error(404, "NOT_FOUND");
    pause(api, false).await;
    for task in [&put, &post, &deleting] {
        let seen = ended(api, task).await;
        assert_eq!(seen["status"], "SUCCESS");
        let receipt = &seen["receipts"][0];
        assert_eq!(
            members(receipt),
            [
                "action",
                "completedAt",
                "id",
                "receivedAt",
                "status",
                "targetType",
                "taskId",
                "type"
            ]
        );
        assert_eq!(receipt["status"], "SUCCESS");
        assert!(instant(&receipt["completedAt"]) >= instant(&receipt["receivedAt"]));
    }
    let made = made.expect("there was a CREATE");
    assert_eq!(
        ended(api, &post).await["receipts"][0]["id"],
        made,
        "13.5: ids never change"
    );
    api.get(&resource(&format!("patient/{}", made.as_str().unwrap())))
        .await
        .is(200);
}

/// 13.2: "A task seen SUCCESS implies its data can be read"; 13.3: terminal states never change.
async fn a_task_goes_from_pending_to_success_and_its_data_can_be_read(tenant: &Tenant) {
    let api = &tenant.api;
    let text = r#"{"value": 4.70, "b":1,"a" : [ ] , "ü":"\u00fc@rootId"}"#;
    for n in 0..30 {
        let path = resource(&format!("patient/{n}"));
        let body =
            format!(r#"{{"data":{text},"contained":{{"c":[{{"id":"1","type":"t","data":{text}}}]}}}}"#);
        let task = api.put(&path, &body).later().await.is(202).task();
        let seen = ended(api, &task).await;
        let read = api.get(&path).await.is(200);
        assert_eq!(seen["status"], "SUCCESS");
        assert_eq!(
            raw(&read.text, &["data"]),
            text,
            "data comes back as sent, later too"
        );
        let meta = read.json()["meta"].clone();
        assert_eq!(meta["source"], SOURCE);
        assert_eq!(meta["createdAt"], meta["updatedAt"]);
        api.put(&path, json!({"data": {}})).await.is(200);
        assert_eq!(ended(api, &task).await, seen);
    }
}

/// Section 5: "`@rootId` means the operation's own record", whose id is made at acceptance.
async fn a_posted_record_has_its_id_before_it_exists(tenant: &Tenant) {
    let api = &tenant.api;
    let body = json!({"id": "@rootId", "data": {"self": "@rootId"},
        "contained": {"c": [{"type": "t", "data": {"root": "@rootId"}}]}});
    let task = api.post(&resource("patient"), body).later().await.is(202).task();
    let id = ended(api, &task).await["receipts"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let read = api.get(&resource(&format!("patient/{id}"))).await.is(200).json();
    assert_eq!((&read["id"], &read["data"]["self"]), (&json!(id), &json!(id)));
    assert_eq!(read["contained"]["c"][0]["data"]["root"], json!(id));
    assert_made_id(read["contained"]["c"][0]["id"].as_str().unwrap());
}

/// RFC 7240: a header with a list of preferences, of which others are ignored.
async fn the_preference_is_one_of_a_list(tenant: &Tenant) {
    let put = |prefer: &str| {
        tenant
            .api
            .put(&resource("patient/x"), json!({"data": {}}))
            .header("Prefer", prefer)
    };
    for asked in [
        "respond-async",
        "return=minimal, respond-async",
        "Respond-Async; wait=10",
    ] {
        put(asked).await.is(202);
    }
    for other in ["respond-asynchronously", "return=representation", "wait=5", ""] {
        let answer = put(other).await;
        assert!([200, 201].contains(&answer.status), "{other}: {}", answer.text);
    }
}

/// Section 10: "with `limit` (1 to 10,000) and `cursor` they come in pages, with `next`".
async fn receipts_come_in_pages(tenant: &Tenant) {
    let api = &tenant.api;
    let task = api
        .put(&resource("patient/x"), json!({"data": {}}))
        .await
        .is(201)
        .task();
    let all = ended(api, &task).await;
    let asked = async |query: &str| {
        api.get(&format!("{}?withReceipts=true&{query}", task_path(&task)))
            .await
    };
    for limit in [1, 10_000] {
        let page: Value = asked(&format!("limit={limit}")).await.is(200).json();
        assert_eq!(page, all, "one receipt is one page");
    }
    for limit in ["0", "10001", "-1"] {
        asked(&format!("limit={limit}")).await.error(400, "OUT_OF_RANGE");
    }
    asked("limit=many").await.error(400, "INVALID_ARGUMENT");
    asked("cursor=nonsense").await.error(400, "INVALID_ARGUMENT");
}
