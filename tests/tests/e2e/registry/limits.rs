//! Sizes and depths (section 2, limits; common.md, bad input).

use crate::e2e::harness::tenant::resource;
use crate::e2e::harness::wait::{LONG, within};
use crate::e2e::harness::{Journey, Tenant, raw, tenant_journey};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(a_body_of_one_mebibyte_fits_and_one_byte_more_does_not),
        tenant_journey!(a_body_without_a_length_is_limited_too),
        tenant_journey!(sixty_four_levels_fit_and_one_more_does_not),
        tenant_journey!(a_hundred_thousand_levels_do_no_harm),
    ]
}

const MEBIBYTE: usize = 1 << 20;

fn body_of(bytes: usize) -> String {
    let frame = r#"{"data":{"text":""}}"#.len();
    format!(r#"{{"data":{{"text":"{}"}}}}"#, "x".repeat(bytes - frame))
}

/// "any other body: 1 MiB"; section 12: "413 `OUT_OF_RANGE`"; "nothing is stored".
async fn a_body_of_one_mebibyte_fits_and_one_byte_more_does_not(tenant: &Tenant) {
    let body = body_of(MEBIBYTE);
    assert_eq!(body.len(), MEBIBYTE);
    let path = resource("patient/large");
    tenant.api.put(&path, &body).await.is(201);
    let read = tenant.api.get(&path).await.is(200);
    assert_eq!(
        raw(&read.text, &["data", "text"]).len(),
        raw(&body, &["data", "text"]).len()
    );
    let over = resource("patient/over");
    tenant
        .api
        .put(&over, body_of(MEBIBYTE + 1))
        .await
        .refused(413, "OUT_OF_RANGE", &[]);
    tenant
        .api
        .put(&over, body_of(MEBIBYTE + 1))
        .later()
        .await
        .refused(413, "OUT_OF_RANGE", &[]);
    tenant
        .api
        .put(&over, body_of(3 * MEBIBYTE))
        .await
        .refused(413, "OUT_OF_RANGE", &[]);
    tenant.api.get(&over).await.error(404, "NOT_FOUND");
    // The next request is not disturbed by what was left of the last one.
    tenant.api.put(&over, body_of(100)).await.is(201);
}

/// The same when the client does not say how long the body will be.
async fn a_body_without_a_length_is_limited_too(tenant: &Tenant) {
    let path = resource("patient/chunked");
    let small = chunked(tenant, &path, 100).await;
    assert!(small.starts_with("HTTP/1.1 201 "), "{small}");
    let large = chunked(tenant, &path, 3 * MEBIBYTE).await;
    assert!(large.starts_with("HTTP/1.1 413 "), "{large}");
    assert!(large.contains(r#""type":"OUT_OF_RANGE""#), "{large}");
    assert_eq!(
        raw(&tenant.api.get(&path).await.is(200).text, &["data", "text"]).len(),
        100 - 18
    );
}

/// Sends a body of about so many bytes in chunks, until the server answers.
async fn chunked(tenant: &Tenant, path: &str, bytes: usize) -> String {
    let stream = TcpStream::connect(tenant.api.authority()).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: x\r\nX-Clinia-API-Key: {}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        tenant.api.key()
    );
    let body = body_of(bytes);
    let sending = async move {
        to.write_all(head.as_bytes()).await?;
        for chunk in body.as_bytes().chunks(4096) {
            to.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await?;
            to.write_all(chunk).await?;
            to.write_all(b"\r\n").await?;
        }
        to.write_all(b"0\r\n\r\n").await?;
        // Kept open, so that the answer is not cut off.
        std::io::Result::Ok(to)
    };
    let sent = tokio::spawn(sending);
    let mut answer = Vec::new();
    // It may end without ceremony once it has answered.
    let _ = within("the answer", LONG, from.read_to_end(&mut answer)).await;
    drop(sent.await);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Containers within containers: `{"data": {"a": ...}}` is two levels already.
fn nested(levels: usize, open: &str, close: &str) -> String {
    let inner = levels - 2;
    format!(
        r#"{{"data":{{"a":{}1{}}}}}"#,
        open.repeat(inner),
        close.repeat(inner)
    )
}

/// "nesting 64 levels"; section 12: "over 64 levels: 400"; section 2: rule `depth`.
async fn sixty_four_levels_fit_and_one_more_does_not(tenant: &Tenant) {
    let path = resource("patient/x");
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deepest = nested(64, open, close);
        assert!(
            [200, 201].contains(&tenant.api.put(&path, &deepest).await.status),
            "{open}"
        );
        assert_eq!(
            raw(&tenant.api.get(&path).await.is(200).text, &["data"]),
            raw(&deepest, &["data"])
        );
        let refused = tenant
            .api
            .put(&path, nested(65, open, close))
            .await
            .error(400, "INVALID_ARGUMENT");
        assert_eq!(refused.json()["details"][0]["rule"], "depth");
        assert_eq!(refused.json()["details"].as_array().unwrap().len(), 1);
    }
    // Brackets within strings are no levels.
    let text = "[{".repeat(1000);
    tenant
        .api
        .put(&path, json!({"data": {"text": text, "esc\"[[": "\\[["}}))
        .await
        .is(200);
}

/// common.md: "deep nesting (over 64 levels): a 4xx in the dialect's own error shape".
async fn a_hundred_thousand_levels_do_no_harm(tenant: &Tenant) {
    let path = resource("patient/x");
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        tenant
            .api
            .put(&path, nested(100_000, open, close))
            .await
            .error(400, "INVALID_ARGUMENT");
        tenant
            .api
            .put(&path, open.repeat(100_000))
            .await
            .error(400, "INVALID_ARGUMENT");
    }
    let everywhere = format!(
        r#"{{"data":{{}},"contained":{}}}"#,
        "[".repeat(50_000) + &"]".repeat(50_000)
    );
    tenant
        .api
        .put(&path, everywhere)
        .await
        .error(400, "INVALID_ARGUMENT");
    tenant.api.put(&path, json!({"data": {}})).await.is(201);
}
