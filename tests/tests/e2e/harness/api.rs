//! A client of the HTTP interface that shows what was asked when an answer is not the expected one.

use super::check::assert_error;
use super::document::Document;
use futures::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use std::time::Duration;

/// A server and a credential for it: an API key, a signed token, or none.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
    token: Option<String>,
}

impl Api {
    pub fn new(base: &str, key: Option<&str>) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(40))
            .build()
            .unwrap();
        Self {
            http,
            base: base.to_owned(),
            key: key.map(str::to_owned),
            token: None,
        }
    }

    /// The same server with another key, or none.
    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self {
            key: key.map(str::to_owned),
            token: None,
            ..self.clone()
        }
    }

    /// With a signed token beside what there is: each route takes what opens it.
    pub fn and_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// The same server with a signed token.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            key: None,
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// `127.0.0.1:PORT`
    pub fn authority(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }

    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub fn put(&self, path: &str, body: impl Body) -> Call {
        self.call(Method::PUT, path).json(body)
    }

    pub fn post(&self, path: &str, body: impl Body) -> Call {
        self.call(Method::POST, path).json(body)
    }

    pub fn patch(&self, path: &str, body: impl Body) -> Call {
        self.call(Method::PATCH, path).json(body)
    }

    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    pub fn call(&self, method: Method, path: &str) -> Call {
        let what = format!("{method} {path}");
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.header("X-Clinia-API-Key", key);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        Call {
            request,
            method,
            path: path.to_owned(),
            what,
        }
    }
}

/// What can be the text of a JSON body.
pub trait Body {
    fn into_text(self) -> String;
}

impl Body for Value {
    fn into_text(self) -> String {
        self.to_string()
    }
}

impl Body for &Value {
    fn into_text(self) -> String {
        self.to_string()
    }
}

impl Body for &str {
    fn into_text(self) -> String {
        self.to_owned()
    }
}

impl Body for &String {
    fn into_text(self) -> String {
        self.clone()
    }
}

impl Body for String {
    fn into_text(self) -> String {
        self
    }
}

/// One request on its way; awaiting it gives the answer.
pub struct Call {
    request: RequestBuilder,
    method: Method,
    path: String,
    what: String,
}

impl Call {
    pub fn json(self, body: impl Body) -> Self {
        self.body("application/json", body.into_text())
    }

    pub fn body(mut self, kind: &str, body: impl Into<reqwest::Body>) -> Self {
        self.request = self.request.header(CONTENT_TYPE, kind).body(body);
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.what = format!("{} ({name}: {value})", self.what);
        self.request = self.request.header(name, value);
        self
    }

    pub fn later(self) -> Self {
        self.header("Prefer", "respond-async")
    }

    /// The answer's head; its body is still to come.
    pub async fn begin(self) -> reqwest::Response {
        let what = self.what;
        match self.request.send().await {
            Ok(response) => response,
            Err(error) => panic!("{what}: no answer: {error:?}"),
        }
    }

    /// The answer, which is as the document says, or that there was none.
    pub async fn attempt(self) -> Result<Answer, reqwest::Error> {
        let response = self.request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await?;
        let text = String::from_utf8(body.into()).expect("answers are UTF-8");
        let answer = Answer {
            what: self.what,
            status,
            headers,
            text,
        };
        Document::get().check(&self.method, &self.path, &answer);
        Ok(answer)
    }
}

impl IntoFuture for Call {
    type Output = Answer;
    type IntoFuture = BoxFuture<'static, Answer>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let what = self.what.clone();
            match self.attempt().await {
                Ok(answer) => answer,
                Err(error) => panic!("{what}: no answer: {error:?}"),
            }
        })
    }
}

/// What the server said.
#[derive(Clone, Debug)]
pub struct Answer {
    what: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} answered {}", self.what, self.text);
        self
    }

    /// The registry's error object (section 2), with exactly these paths and rules.
    #[track_caller]
    pub fn refused(self, status: u16, kind: &str, details: &[(&str, &str)]) -> Self {
        let answer = self.error(status, kind);
        check_details(&answer, details);
        answer
    }

    /// The registry's error object, whatever its details.
    #[track_caller]
    pub fn error(self, status: u16, kind: &str) -> Self {
        let answer = self.is(status);
        assert_eq!(
            answer.header("content-type"),
            "application/json",
            "{}",
            answer.what
        );
        assert_error(&answer.what, &answer.json(), status, kind);
        answer
    }

    /// A problem of `/ops` (RFC 9457).
    #[track_caller]
    pub fn problem(self, status: u16) -> Self {
        let answer = self.is(status);
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{}",
            answer.what
        );
        let problem = answer.json();
        assert_eq!(problem["status"], status, "{}: {problem}", answer.what);
        for member in ["type", "title", "detail"] {
            let fits = problem.get(member).is_none_or(Value::is_string);
            assert!(fits, "{}: {member} of {problem}", answer.what);
        }
        assert!(problem["title"].is_string(), "{}: {problem}", answer.what);
        answer
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.text) {
            Ok(json) => json,
            Err(error) => panic!("{} answered {}: {error}: {}", self.what, self.status, self.text),
        }
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        match self.headers.get(name) {
            Some(value) => value.to_str().unwrap(),
            None => panic!(
                "{} answered {} without {name}: {:?}",
                self.what, self.status, self.headers
            ),
        }
    }

    /// The ETag, which has to be a strong one.
    #[track_caller]
    pub fn etag(&self) -> String {
        let etag = self.header("etag");
        let strong = etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"');
        assert!(strong, "{}: {etag} is not a strong ETag", self.what);
        etag.to_owned()
    }

    #[track_caller]
    pub fn task(&self) -> String {
        self.json()["taskId"].as_str().expect("a task").to_owned()
    }

    pub fn what(&self) -> &str {
        &self.what
    }
}

#[track_caller]
fn check_details(answer: &Answer, expected: &[(&str, &str)]) {
    let error = answer.json();
    let text = |detail: &Value, name: &str| detail[name].as_str().unwrap_or_default().to_owned();
    let mut found: Vec<_> = error["details"]
        .as_array()
        .unwrap()
        .iter()
        .map(|detail| (text(detail, "path"), text(detail, "rule")))
        .collect();
    let mut expected: Vec<_> = expected
        .iter()
        .map(|(path, rule)| ((*path).to_owned(), (*rule).to_owned()))
        .collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "{}: details of {error}", answer.what);
}
