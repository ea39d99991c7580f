//! A client that costs next to nothing: it shares the machine with the server it measures.
//!
//! Requests are bytes made beforehand, of an answer only the status and the length of the body are looked at.
//! HTTP/1.1 with connections kept; a chunked answer is an error here, not something to guess at.

use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What is replaced by a number in a [`Template`].
pub const NUMBER: &str = "#########";

/// A request in which a number is filled in, time and again, in place.
#[derive(Debug, Clone)]
pub struct Template {
    bytes: Vec<u8>,
    places: Vec<usize>,
}

impl Template {
    pub fn new(text: &str) -> Self {
        Self {
            bytes: text.as_bytes().to_vec(),
            places: text.match_indices(NUMBER).map(|(at, _)| at).collect(),
        }
    }

    pub fn fill(&mut self, number: u64) -> &[u8] {
        for at in &self.places {
            let mut rest = number;
            for digit in self.bytes[*at..at + NUMBER.len()].iter_mut().rev() {
                // A remainder of ten fits.
                *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
                rest /= 10;
            }
        }
        &self.bytes
    }
}

pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Answer<'_> {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A text member of a JSON body: the first of that name.
    pub fn member(&self, name: &str) -> Option<&str> {
        member(std::str::from_utf8(self.body).ok()?, name)
    }

    /// The start of the body, to be shown.
    pub fn excerpt(&self) -> String {
        String::from_utf8_lossy(&self.body[..self.body.len().min(200)]).into_owned()
    }
}

pub fn member<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let quoted = format!("\"{name}\"");
    let after = &body[body.find(&quoted)? + quoted.len()..];
    let value = after.trim_start().strip_prefix(':')?.trim_start();
    value.strip_prefix('"')?.split('"').next()
}

pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(8 << 10),
        })
    }

    pub async fn request(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            self.read_some().await?;
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break Head::parse(&self.buffer[..end], end + 4)?;
            }
        };
        let end = head.length + head.body_at;
        while self.buffer.len() < end {
            self.read_some().await?;
        }
        if self.buffer.len() > end {
            bail!("the answer is longer than its content-length");
        }
        Ok(Answer {
            status: head.status,
            body: &self.buffer[head.body_at..],
        })
    }

    async fn read_some(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

struct Head {
    status: u16,
    length: usize,
    body_at: usize,
}

impl Head {
    fn parse(head: &[u8], body_at: usize) -> Result<Self> {
        let head = std::str::from_utf8(head).context("the answer's head is no text")?;
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok())
            .context("the answer has no status line")?;
        let mut length = if status == 204 || status == 304 {
            Some(0)
        } else {
            None
        };
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse().context("the content-length is no number")?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                bail!("the answer is chunked");
            }
        }
        Ok(Self {
            status,
            length: length.context("the answer has no content-length")?,
            body_at,
        })
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_at_every_place_and_again() {
        let mut template = Template::new(&format!("a{NUMBER}b{NUMBER}"));
        assert_eq!(template.fill(120), b"a000000120b000000120");
        assert_eq!(template.fill(7), b"a000000007b000000007");
    }

    #[test]
    fn a_head_is_read_whatever_the_case_of_its_names() -> Result<()> {
        let head = Head::parse(b"HTTP/1.1 201 Created\r\nContent-Length: 17\r\nDate: now", 60)?;
        assert_eq!((head.status, head.length), (201, 17));
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", 60).is_err());
        assert!(Head::parse(b"HTTP/1.1 200 OK", 19).is_err());
        Ok(())
    }

    #[test]
    fn a_member_is_found_with_and_without_spaces() {
        assert_eq!(
            member(r#"{"taskId":"s_1","status":"PENDING"}"#, "status"),
            Some("PENDING")
        );
        assert_eq!(member(r#"{ "status" : "SUCCESS" }"#, "status"), Some("SUCCESS"));
        assert_eq!(member(r#"{"status": 7}"#, "status"), None);
    }
}
