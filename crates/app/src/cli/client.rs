//! The HTTP client of the commands that talk to a running server.
//!
//! It promises: one request, one answer or one [`ClientError`]; every error knows its exit code. It never retries, since
//! only the caller knows whether repeating is harmless. The API key is sent to the given server only: redirects are not
//! followed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use reqwest::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};
use serde_json::Value;

use super::Exit;

const API_KEY: HeaderName = HeaderName::from_static("x-clinia-api-key");
/// Where the server's first start leaves the administrator's key.
const DEFAULT_KEY_FILE: &str = "caretrack-admin.key";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the server ever holds a request.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// How to reach the server.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Connection")]
pub struct ClientArgs {
    /// Address of the server
    #[arg(long, value_name = "URL", env = "CARETRACK_SERVER", default_value = "http://127.0.0.1:8080", value_parser = parse_server)]
    pub server: Url,
    // The environment is read by hand: an option must win over a variable of the other kind, which clap cannot say.
    #[arg(
        long,
        value_name = "KEY",
        help = "API key; others on this machine can see it, so prefer a file or the environment [env: CARETRACK_API_KEY]"
    )]
    pub api_key: Option<Secret>,
    #[arg(
        long,
        value_name = "FILE",
        help = "File with the API key; if not given, ./caretrack-admin.key if there is one [env: CARETRACK_API_KEY_FILE]"
    )]
    pub api_key_file: Option<PathBuf>,
    /// Print JSON on one line, for scripts
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// Text that must not end up in a log.
#[derive(Clone)]
pub struct Secret(String);

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("…")
    }
}

fn parse_server(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("expected an address such as http://127.0.0.1:8080".to_owned());
    }
    Ok(url)
}

/// Why there is no answer that the caller can use.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{0}")]
    Usage(String),
    #[error("cannot reach {server}: {reason}")]
    Unreachable { server: String, reason: String },
    #[error("the server refused: {0}")]
    Refused(String),
    #[error("the server could not do it now: {0}")]
    Busy(String),
    #[error("the server answered: {0}")]
    Failed(String),
}

impl ClientError {
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::Refused(_) => Exit::Refused,
            Self::Busy(_) | Self::Failed(_) => Exit::Failed,
        }
    }

    /// Whether the same request may succeed a little later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy(_))
    }
}

/// One server and the key to it. Cheap to clone: clones share the connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    server: Url,
}

impl Client {
    pub fn new(args: &ClientArgs) -> Result<Self, ClientError> {
        let key = api_key(args, Path::new("."), |name| std::env::var(name).ok())?;
        Self::connect(args.server.clone(), &key)
    }

    pub fn connect(server: Url, key: &Secret) -> Result<Self, ClientError> {
        let mut key = HeaderValue::from_str(&key.0)
            .map_err(|_| ClientError::Usage("the API key has characters that no key has".to_owned()))?;
        key.set_sensitive(true);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("caretrack/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter([(API_KEY, key)]))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT);
        if is_loopback(&server) {
            // A proxy of the environment cannot reach this machine's own addresses.
            builder = builder.no_proxy();
        }
        if server.scheme() == "http" {
            // Otherwise a machine without certificates (a minimal container) could not even use plain HTTP.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| {
            ClientError::Usage(format!("cannot set up the client: {}", root_cause(&error)))
        })?;
        Ok(Self { http, server })
    }

    /// Sends one request; the path is given by segments, so that none of them can break out of it.
    pub async fn send(
        &self,
        method: Method,
        path: &[&str],
        condition: Option<(HeaderName, HeaderValue)>,
        body: Option<String>,
    ) -> Result<Answer, ClientError> {
        let mut request = self.http.request(method, self.url(path));
        if let Some((name, value)) = condition {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = request.send().await.map_err(|error| self.no_answer(&error))?;
        let status = response.status();
        let etag = response.headers().get(ETAG).cloned();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let body = response.bytes().await.map_err(|error| self.no_answer(&error))?;
        Ok(Answer {
            status,
            etag,
            retry_after,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.server.clone();
        // `parse_server` lets only addresses through that have path segments.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    fn no_answer(&self, error: &reqwest::Error) -> ClientError {
        let reason = if error.is_timeout() {
            "no answer in time".to_owned()
        } else {
            root_cause(error)
        };
        ClientError::Unreachable {
            server: self.server.as_str().trim_end_matches('/').to_owned(),
            reason,
        }
    }
}

/// What the server said.
pub struct Answer {
    pub status: StatusCode,
    pub etag: Option<HeaderValue>,
    pub retry_after: Option<Duration>,
    pub body: String,
}

impl Answer {
    /// The body of a success, or the error that the status stands for.
    pub fn success(self) -> Result<String, ClientError> {
        if self.status.is_success() {
            Ok(self.body)
        } else {
            Err(self.error())
        }
    }

    pub fn error(&self) -> ClientError {
        let text = self.explain();
        match self.status {
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::CONFLICT => ClientError::Refused(text),
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => ClientError::Busy(text),
            _ => ClientError::Failed(text),
        }
    }

    /// The status and what the body says about it, on one line: a problem (RFC 9457) or the registry's error object.
    pub fn explain(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let word = |name: &str| {
            body.get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        let mut said: Vec<String> = word("detail")
            .or(word("message"))
            .map(str::to_owned)
            .into_iter()
            .collect();
        for detail in body
            .get("details")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .take(3)
        {
            let part = |name: &str| detail.get(name).and_then(Value::as_str).unwrap_or_default();
            said.push(format!("{} {}", part("path"), part("message")).trim().to_owned());
        }
        let name = word("title")
            .or(word("type"))
            .or(self.status.canonical_reason())
            .unwrap_or("");
        let mut text = format!("{} {name}", self.status.as_u16()).trim_end().to_owned();
        if !said.is_empty() {
            text.push_str(": ");
            text.push_str(&said.join("; "));
        }
        shorten(&text)
    }
}

/// One line of bounded length, without control characters that could confuse a terminal.
fn shorten(text: &str) -> String {
    const LONGEST: usize = 400;
    let mut short: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

/// The innermost error is the one that says what happened ("Connection refused").
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn is_loopback(server: &Url) -> bool {
    let host = server.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Options first, then the environment, then the file that the server's first start left in `folder`.
fn api_key(
    args: &ClientArgs,
    folder: &Path,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Secret, ClientError> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    if let Some(key) = &args.api_key {
        return Ok(key.clone());
    }
    if let Some(file) = &args.api_key_file {
        return read_key(file);
    }
    if let Some(key) = set("CARETRACK_API_KEY") {
        return Ok(Secret::from(key.as_str()));
    }
    if let Some(file) = set("CARETRACK_API_KEY_FILE") {
        return read_key(Path::new(&file));
    }
    let file = folder.join(DEFAULT_KEY_FILE);
    if file.exists() {
        return read_key(&file);
    }
    Err(ClientError::Usage(format!(
        "no API key: give --api-key-file FILE, set CARETRACK_API_KEY, or run this where {DEFAULT_KEY_FILE} is"
    )))
}

fn read_key(file: &Path) -> Result<Secret, ClientError> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| ClientError::Usage(format!("cannot read the API key file {name}: {error}")))?;
    let key = Secret::from(text.as_str());
    if key.0.is_empty() {
        return Err(ClientError::Usage(format!("the API key file {name} is empty")));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> ClientArgs {
        ClientArgs {
            server: parse_server("http://127.0.0.1:8080").expect("an address"),
            api_key: None,
            api_key_file: None,
            json: false,
        }
    }

    fn answer(status: u16, body: &str) -> Answer {
        let status = StatusCode::from_u16(status).expect("a status");
        Answer {
            status,
            etag: None,
            retry_after: None,
            body: body.to_owned(),
        }
    }

    #[test]
    fn an_option_wins_over_the_environment_and_the_environment_over_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("my.key");
        std::fs::write(&file, "ct_file\n").expect("written");
        std::fs::write(folder.path().join(DEFAULT_KEY_FILE), "ct_default\n").expect("written");
        let env = |name: &str| (name == "CARETRACK_API_KEY").then(|| "ct_env".to_owned());
        let key = |args: &ClientArgs, env: &dyn Fn(&str) -> Option<String>| {
            api_key(args, folder.path(), env).expect("a key").0
        };

        assert_eq!(key(&args(), &|_| None), "ct_default");
        assert_eq!(key(&args(), &env), "ct_env");
        let with_file = ClientArgs {
            api_key_file: Some(file),
            ..args()
        };
        assert_eq!(key(&with_file, &env), "ct_file");
        let with_key = ClientArgs {
            api_key: Some(Secret::from("ct_option")),
            ..with_file
        };
        assert_eq!(key(&with_key, &env), "ct_option");
    }

    #[test]
    fn no_key_anywhere_is_wrong_usage() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = api_key(&args(), folder.path(), |_| None).expect_err("no key");
        assert_eq!(error.exit(), Exit::Usage);
    }

    #[test]
    fn the_key_is_not_shown_by_debug() {
        let args = ClientArgs {
            api_key: Some(Secret::from("ct_very_secret")),
            ..args()
        };
        assert!(!format!("{args:?}").contains("secret"));
    }

    #[test]
    fn only_http_addresses_are_servers() {
        for bad in ["127.0.0.1:8080", "ftp://host", "mailto:a@b", ""] {
            assert!(parse_server(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn segments_stay_inside_the_path_and_a_base_path_is_kept() {
        let server = parse_server("http://localhost/base/").expect("an address");
        let client = Client::connect(server, &Secret::from("ct_x")).expect("a client");
        let url = client.url(&["ops", "a/../b?c"]);
        assert_eq!(url.as_str(), "http://localhost/base/ops/a%2F..%2Fb%3Fc");
    }

    #[test]
    fn both_error_shapes_are_explained() {
        let problem = answer(
            409,
            r#"{"type":"about:blank","title":"Conflict","status":409,"detail":"It has ended."}"#,
        );
        assert_eq!(problem.explain(), "409 Conflict: It has ended.");
        assert_eq!(problem.error().exit(), Exit::Refused);
        let registry = answer(
            400,
            r#"{"code":400,"type":"INVALID_ARGUMENT","message":"The request has 1 problem.","details":[{"path":"$.data.x","rule":"type","message":"must be a date"}]}"#,
        );
        assert_eq!(
            registry.explain(),
            "400 INVALID_ARGUMENT: The request has 1 problem.; $.data.x must be a date"
        );
        assert_eq!(answer(502, "<html>").explain(), "502 Bad Gateway");
        assert!(answer(503, "").error().is_passing());
    }

    #[test]
    fn loopback_is_recognised() {
        for (address, expected) in [
            ("http://localhost:1", true),
            ("http://127.0.0.2", true),
            ("http://[::1]:8080", true),
            ("http://db", false),
        ] {
            assert_eq!(
                is_loopback(&parse_server(address).expect("an address")),
                expected,
                "{address}"
            );
        }
    }

    #[tokio::test]
    async fn a_closed_port_is_unreachable() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = format!("http://{}", listener.local_addr().expect("an address"));
        drop(listener);
        let server = parse_server(&server).expect("an address");
        let client = Client::connect(server, &Secret::from("ct_x")).expect("a client");
        let error = client
            .send(Method::GET, &["x"], None, None)
            .await
            .err()
            .expect("no answer");
        assert_eq!(error.exit(), Exit::Unreachable);
    }
}
