//! A client of server-sent events that takes the format literally.

use crate::e2e::harness::Api;
use crate::e2e::harness::wait::within;
use serde_json::Value;
use std::time::Duration;

pub struct Listener {
    response: reqwest::Response,
    text: String,
    /// What a client would send as `Last-Event-ID`.
    pub last_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    pub id: String,
    pub event: String,
    pub data: Value,
}

impl Heard {
    /// The task or patient it is about, and what became of it.
    pub fn brief(&self) -> (String, String) {
        let text = |name: &str| self.data[name].as_str().unwrap_or_default().to_owned();
        (text("id"), text("type"))
    }
}

impl Listener {
    pub async fn open(api: &Api, query: &str, last_id: Option<&str>) -> Self {
        let mut call = api.get(&format!("/ops/v1/events{query}"));
        if let Some(id) = last_id {
            call = call.header("Last-Event-ID", id);
        }
        let response = call.begin().await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let mut listener = Self {
            response,
            text: String::new(),
            last_id: last_id.map(str::to_owned),
        };
        // The position it begins at comes first, before anything happens: from here on nothing is missed.
        while listener.last_id.is_none() {
            listener.block().await.expect("it begins");
        }
        listener
    }

    /// The next event, or the end.
    pub async fn next(&mut self) -> Option<Heard> {
        loop {
            let (id, event, data) = self.block().await?;
            if let Some(data) = data {
                return Some(Heard {
                    id: id.expect("every event has an id"),
                    event: event.expect("every event has a name"),
                    data: serde_json::from_str(&data).expect("data is JSON"),
                });
            }
        }
    }

    pub async fn take(&mut self, count: usize) -> Vec<Heard> {
        let mut heard = Vec::new();
        while heard.len() < count {
            let next = within("the next event comes", Duration::from_secs(20), self.next()).await;
            heard.push(next.unwrap_or_else(|| panic!("it ended after {heard:?}")));
        }
        heard
    }

    /// Fields up to an empty line.
    async fn block(&mut self) -> Option<(Option<String>, Option<String>, Option<String>)> {
        while !self.text.contains("\n\n") {
            let chunk = self.response.chunk().await.ok().flatten()?;
            self.text.push_str(std::str::from_utf8(&chunk).expect("ASCII"));
        }
        let (block, rest) = self.text.split_once("\n\n").expect("there is one");
        let (block, rest) = (block.to_owned(), rest.to_owned());
        let (mut id, mut event, mut data) = (None, None, None);
        for line in block.lines().filter(|line| !line.starts_with(':')) {
            let (name, value) = line.split_once(": ").expect("a field");
            let value = Some(value.to_owned());
            match name {
                "id" => id = value,
                "event" => event = value,
                "data" => data = value,
                other => panic!("the field {other}"),
            }
        }
        self.text = rest;
        if id.is_some() {
            self.last_id.clone_from(&id);
        }
        Some((id, event, data))
    }
}
