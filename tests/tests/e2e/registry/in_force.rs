//! Which definition judges: the one in force (sections 3 and 4; line 18 of "What must hold").

use super::definitions::{patient, profile};
use super::validation::put;
use crate::e2e::harness::tenant::resource;
use crate::e2e::harness::{Journey, Tenant, tenant_journey};
use futures::future::join_all;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(line_18_a_new_definition_alters_no_stored_record),
        tenant_journey!(line_18_a_definition_binds_every_write_that_begins_after_its_answer),
        tenant_journey!(a_put_closes_an_open_type),
    ]
}

/// 18: "A stored record satisfied the definition in force when it was last written; a new definition alters no stored
/// record."
async fn line_18_a_new_definition_alters_no_stored_record(tenant: &Tenant) {
    let of = |name: &str| json!({"type": "ROOT", "properties": {"n": {"type": name, "rules": [{"required": true}]}}});
    tenant.api.put(&profile("patient"), of("symbol")).await.is(201);
    put(tenant, "one", &json!({"n": "1"})).await.is(201);
    let before = tenant.api.get(&resource("patient/one")).await.is(200);
    tenant.api.put(&profile("patient"), of("integer")).await.is(200);
    let after = tenant.api.get(&resource("patient/one")).await.is(200);
    assert_eq!(
        (after.text.as_str(), after.etag()),
        (before.text.as_str(), before.etag())
    );
    let listed = tenant.api.get(&resource("patient")).await.is(200).json();
    assert_eq!(listed["items"][0]["data"], json!({"n": "1"}));
    // "A change binds later writes only", replaces included.
    put(tenant, "one", &json!({"n": "1"}))
        .await
        .refused(400, "INVALID_ARGUMENT", &[("$.data.n", "type")]);
    put(tenant, "one", &json!({"n": 1})).await.is(200);
    tenant.api.delete(&resource("patient/one")).await.is(200);
}

/// 18, while many write at once.
async fn line_18_a_definition_binds_every_write_that_begins_after_its_answer(tenant: &Tenant) {
    const ROUNDS: usize = 8;
    let of = |round: usize| json!({"type": "ROOT", "properties": {"round": {"type": "integer", "rules": [{"min": round}, {"max": round}]}}});
    tenant.api.put(&profile("patient"), of(0)).await.is(201);
    // A round has begun when its definition is answered, and may have when it is sent.
    let (sent, begun) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let puts = async {
        for round in 1..=ROUNDS {
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            sent.store(round, Ordering::SeqCst);
            tenant.api.put(&profile("patient"), of(round)).await.is(200);
            begun.store(round, Ordering::SeqCst);
        }
    };
    let writer = async |writer: usize| {
        let mut written = 0;
        for n in 0.. {
            let (earliest, round) = (begun.load(Ordering::SeqCst), sent.load(Ordering::SeqCst));
            if earliest == ROUNDS && n % 2 == 0 {
                break;
            }
            // Sometimes the last one's, which may still be in force, or not be any more.
            let round = if n % 3 == 0 {
                round.saturating_sub(1)
            } else {
                round
            };
            let answer = put(tenant, &format!("w{writer}-{n}"), &json!({"round": round})).await;
            let latest = sent.load(Ordering::SeqCst);
            match answer.status {
                201 => {
                    written += 1;
                    assert!(
                        round >= earliest,
                        "{round} was written after {earliest} had begun"
                    );
                }
                400 => assert!(
                    round < latest || round > earliest,
                    "{round} was refused, {earliest} to {latest}"
                ),
                other => panic!("{other}: {}", answer.text),
            }
        }
        written
    };
    let ((), written) = futures::join!(puts, join_all((0..4).map(writer)));
    assert!(written.iter().sum::<usize>() > 0);
}

/// Section 3: "A PUT of the definition closes it for later writes."
async fn a_put_closes_an_open_type(tenant: &Tenant) {
    put(tenant, "x", &json!({"any": "thing"})).await.is(201);
    tenant.api.put(&profile("patient"), patient()).await.is(200);
    let read = tenant.api.get(&profile("patient")).await.is(200).json();
    assert!(read.get("open").is_none(), "{read}");
    put(tenant, "x", &json!({"any": "thing"}))
        .await
        .error(400, "INVALID_ARGUMENT");
    assert_eq!(
        tenant.api.get(&resource("patient/x")).await.is(200).json()["data"],
        json!({"any": "thing"})
    );
}
