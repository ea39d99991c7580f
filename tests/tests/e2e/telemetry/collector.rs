//! A collector of traces on the loopback interface, which keeps what it is sent.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A span as it was sent, ids in hexadecimal.
#[derive(Debug, Clone)]
pub struct Seen {
    pub name: String,
    pub trace: String,
    pub id: String,
    /// Empty for a root.
    pub parent: String,
    pub kind: i32,
    pub failed: bool,
    pub attributes: BTreeMap<String, String>,
}

impl Seen {
    fn of(span: Span) -> Self {
        assert!(span.events.is_empty(), "log lines went along: {:?}", span.events);
        let hex = |bytes: &[u8]| {
            bytes.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
        };
        let text = |value: Option<AnyValue>| match value.and_then(|value| value.value) {
            Some(Value::StringValue(text)) => text,
            other => format!("{other:?}"),
        };
        let attributes = span.attributes.into_iter();
        Self {
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            kind: span.kind,
            failed: span.status.is_some_and(|status| status.code == 2),
            attributes: attributes.map(|pair| (pair.key, text(pair.value))).collect(),
            name: span.name,
        }
    }
}

#[derive(Default)]
struct Kept {
    spans: Vec<Seen>,
    /// All that came, as text, to be searched.
    raw: String,
}

pub struct Collector {
    port: u16,
    kept: Arc<Mutex<Kept>>,
    serving: JoinHandle<()>,
}

impl Collector {
    pub async fn start() -> Self {
        Self::that(true).await
    }

    /// It takes everything and never answers.
    pub async fn silent() -> Self {
        Self::that(false).await
    }

    async fn that(answers: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let kept = Arc::<Mutex<Kept>>::default();
        let keeping = Arc::clone(&kept);
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&keeping), answers));
            }
        });
        Self { port, kept, serving }
    }

    /// What a server is told.
    pub fn setting(&self) -> String {
        format!("telemetry.otlp_endpoint=http://127.0.0.1:{}", self.port)
    }

    pub fn spans(&self) -> Vec<Seen> {
        self.kept.lock().unwrap().spans.clone()
    }

    pub fn of_trace(&self, trace: &str) -> Vec<Seen> {
        let mut spans = self.spans();
        spans.retain(|span| span.trace == trace);
        spans
    }

    pub fn raw(&self) -> String {
        self.kept.lock().unwrap().raw.clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(stream: TcpStream, kept: Arc<Mutex<Kept>>, answers: bool) {
    let mut stream = BufReader::new(stream);
    while let Some((head, body)) = read(&mut stream).await {
        if !answers {
            tokio::time::sleep(Duration::from_mins(2)).await;
            return;
        }
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        let request = ExportTraceServiceRequest::decode(body.as_slice()).expect("it is OTLP");
        {
            let mut kept = kept.lock().unwrap();
            kept.raw.push_str(&head);
            kept.raw.push_str(&String::from_utf8_lossy(&body));
            let scopes = request.resource_spans.into_iter().flat_map(|of| of.scope_spans);
            kept.spans.extend(scopes.flat_map(|of| of.spans).map(Seen::of));
        }
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let from = head.len();
        stream.read_line(&mut head).await.ok().filter(|read| *read > 0)?;
        let line = head[from..].trim_end().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}
