//! Answers that the HTTP library makes by itself, seen at the socket: what they say of the server, and what guards
//! them (docs/OPERATIONS.md, "Answers without headers").

use super::harness::{Engine, Journey, Server, journey};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub fn journeys() -> Vec<Journey> {
    vec![journey!(no_answer_names_the_server_and_all_that_can_are_guarded).on(&[Engine::Sqlite])]
}

async fn said(server: &Server, text: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.api().authority()).await.unwrap();
    // Whoever has heard enough closes before all is sent.
    let _ = stream.write_all(text).await;
    let mut said = Vec::new();
    let _ = timeout(Duration::from_secs(4), stream.read_to_end(&mut said)).await;
    String::from_utf8_lossy(&said).to_lowercase()
}

/// Ours: by a handler, or by what answers where there is none.
const OURS: &[(&str, &str)] = &[
    (
        "404",
        "GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ),
    ("404", "GET /nowhere HTTP/1.0\r\n\r\n"),
    (
        "405",
        "DELETE /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ),
    (
        "405",
        "NONSENSE /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ),
    ("404", "GET /%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    (
        "404",
        "CONNECT x:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ),
    (
        "401",
        "GET /ops/v1/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ),
];

async fn no_answer_names_the_server_and_all_that_can_are_guarded(engine: Engine) {
    let server = Server::fresh(engine).await;
    for (status, request) in OURS {
        let said = said(&server, request.as_bytes()).await;
        assert!(
            said.starts_with("http/1.") && said[8..].starts_with(&format!(" {status}")),
            "{request}\n{said}"
        );
        for guard in [
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "content-security-policy: ",
            "x-request-id: ",
        ] {
            assert!(said.contains(guard), "{request}\n{said}");
        }
        unnamed(request, &said);
    }
    let long = format!("GET / HTTP/1.1\r\nX-Long: {}\r\n\r\n", "x".repeat(200_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X-Many: x\r\n".repeat(200));
    for request in [
        "nonsense\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /nowhere HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "PUT /sources/a/v1/resources/b/cc HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &long,
        &many,
    ] {
        let said = said(&server, request.as_bytes()).await;
        let start = &request[..request.len().min(60)];
        println!("{start:?}: {said:?}");
        unnamed(start, &said);
        // Nothing but a status: no body that a browser could show, and the connection ends.
        if !said.is_empty() {
            assert!(said.starts_with("http/1.1 4"), "{start}\n{said}");
            assert!(
                said.contains("\r\ncontent-length: 0\r\n") && said.contains("\r\nconnection: close\r\n"),
                "{start}\n{said}"
            );
        }
    }
}

#[track_caller]
fn unnamed(request: &str, said: &str) {
    for name in [
        "\r\nserver:",
        "x-powered-by",
        "\r\nvia:",
        "actix",
        "caretrack",
        "rust",
        "hyper",
    ] {
        assert!(!said.contains(name), "{name} in the answer to {request}\n{said}");
    }
}
