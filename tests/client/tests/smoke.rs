//! The made client against the program under test.
#![expect(clippy::unwrap_used, reason = "a test")]

use caretrack_client::{Client, Error, types};
use reqwest::header::{HeaderMap, HeaderValue};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

const KEY: &str = "ct_client-0123456789-0123456789-0123456789";

/// A server that keeps nothing, and ends with the test.
async fn server() -> (Child, Client) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let program = std::env::var("CARETRACK_BIN").expect("CARETRACK_BIN names the program");
    let folder = std::env::temp_dir();
    let child = Command::new(program)
        .args(["serve", "--listen", &address, "--database-url", "memory:"])
        .env("CARETRACK_BOOTSTRAP_KEY", KEY)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("X-Clinia-API-Key", HeaderValue::from_static(KEY));
    let http = reqwest::Client::builder()
        .no_proxy()
        .default_headers(headers)
        .build()
        .unwrap();
    let client = Client::new_with_client(&format!("http://{address}"), http);
    for _ in 0..100 {
        if client.ready().send().await.is_ok() {
            return (child, client);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server does not get ready");
}

#[tokio::test]
async fn what_is_written_can_be_read() {
    let (_server, client) = server().await;
    let mut data = serde_json::Map::new();
    data.insert("mrn".to_owned(), "100001".into());
    let written = client
        .put_resource()
        .source_key("northclinic")
        .resource_type("patient")
        .id("pt-1001")
        .body(types::ResourceDraft::builder().data(data.clone()))
        .send()
        .await
        .unwrap();
    assert_eq!(written.status(), 201);
    let task = written.into_inner().task_id;

    let read = client
        .find_resource()
        .source_key("northclinic")
        .resource_type("patient")
        .id("pt-1001")
        .send()
        .await
        .unwrap();
    assert!(read.headers().contains_key("etag"));
    assert_eq!(read.into_inner().data, data);

    let seen = client
        .find_source_task()
        .source_key("northclinic")
        .task_id(task.as_str())
        .with_receipts(true)
        .send()
        .await
        .unwrap();
    assert_eq!(seen.status, types::RegistryTaskStatus::Success);
    let receipts = seen.into_inner().receipts;
    assert_eq!(receipts[0].id, "pt-1001");
}

#[tokio::test]
async fn errors_are_typed() {
    let (_server, client) = server().await;
    let missing = client
        .find_resource()
        .source_key("northclinic")
        .resource_type("patient")
        .id("nobody")
        .send()
        .await;
    let Err(Error::ErrorResponse(error)) = missing else {
        panic!("it is not there")
    };
    assert_eq!((error.status().as_u16(), error.code), (404, 404));
    let workspaces = client.list_workspaces().send().await.unwrap();
    assert_eq!(workspaces.items[0].key.as_str(), "default");
}
