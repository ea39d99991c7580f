//! Credentials: made, listed without secrets.

use crate::e2e::harness::{Journey, Tenant, assert_made_id, instant, tenant_journey};
use serde_json::json;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(a_secret_is_shown_once_and_never_again),
        tenant_journey!(bad_credentials_are_refused),
    ]
}

/// "`{kind, name, scopes[], workspace?}` gives 201 `{id, kind, name, scopes, secret}`; the secret is shown this once";
/// "list without secrets"; "256-bit random secret".
async fn a_secret_is_shown_once_and_never_again(tenant: &Tenant) {
    let api = &tenant.api;
    let mut secrets = Vec::new();
    for name in ["one", "two"] {
        let draft = json!({"kind": "api_key", "name": name, "scopes": ["registry:read", "ops:read"]});
        let made = api.post("/ops/v1/credentials", draft).await.is(201).json();
        assert_eq!((&made["kind"], &made["name"]), (&json!("api_key"), &json!(name)));
        assert_eq!(made["scopes"], json!(["registry:read", "ops:read"]));
        let id = made["id"].as_str().unwrap();
        assert_made_id(id);
        let secret = made["secret"].as_str().unwrap().to_owned();
        assert!(
            secret.starts_with("ct_") && secret.len() >= 3 + 43,
            "{} characters",
            secret.len()
        );
        let items = api
            .with_key(Some(&secret))
            .get("/ops/v1/credentials")
            .await
            .is(200);
        assert!(
            !items.text.contains("secret") && !items.text.contains(&secret),
            "{}",
            items.text
        );
        let listed = items.json()["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|item| item["id"] == id)
            .cloned()
            .unwrap();
        for member in ["id", "kind", "name", "scopes"] {
            assert_eq!(listed[member], made[member]);
        }
        instant(&listed["createdAt"]);
        secrets.push((id.to_owned(), secret));
    }
    assert_ne!(secrets[0].1, secrets[1].1);
    api.delete(&format!("/ops/v1/credentials/{}", secrets[0].0))
        .await
        .is(204);
    api.with_key(Some(&secrets[0].1))
        .get("/ops/v1/tasks")
        .await
        .problem(401);
    api.with_key(Some(&secrets[1].1))
        .get("/ops/v1/tasks")
        .await
        .is(200);
    let listed = api.get("/ops/v1/credentials").await.is(200).json();
    let revoked = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["id"] == secrets[0].0.as_str())
        .cloned();
    instant(&revoked.expect("it stays in the list")["revokedAt"]);
}

async fn bad_credentials_are_refused(tenant: &Tenant) {
    let long = "x".repeat(201);
    for bad in [
        json!({}),
        json!({"kind": "api_key", "name": "x"}),
        json!({"kind": "api_key", "scopes": []}),
        json!({"kind": "password", "name": "x", "scopes": []}),
        json!({"kind": "api_key", "name": 5, "scopes": []}),
        json!({"kind": "api_key", "name": "", "scopes": []}),
        json!({"kind": "api_key", "name": long, "scopes": []}),
        json!({"kind": "api_key", "name": "x", "scopes": "ops:read"}),
        json!({"kind": "api_key", "name": "x", "scopes": ["ops:*"]}),
        json!({"kind": "api_key", "name": "x", "scopes": [5]}),
        json!({"kind": "api_key", "name": "x", "scopes": [], "secret": "ct_mine"}),
        json!([]),
    ] {
        tenant.api.post("/ops/v1/credentials", &bad).await.problem(400);
    }
    let unknown = json!({"kind": "api_key", "name": "x", "scopes": [], "workspace": "nowhere"});
    let refused = tenant.root.post("/ops/v1/credentials", unknown).await;
    assert!([400, 404, 422].contains(&refused.status), "{}", refused.text);
    for id in ["0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "x"] {
        tenant
            .api
            .delete(&format!("/ops/v1/credentials/{id}"))
            .await
            .problem(404);
    }
    assert_eq!(
        tenant.api.get("/ops/v1/credentials").await.is(200).json()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
