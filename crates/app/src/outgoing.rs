//! Notices on their way out: one POST each, to public addresses only.
//!
//! A name is resolved here and now, and the connection goes to one of the addresses that passed the check: there
//! is no second look-up that could answer otherwise. Redirects are not followed and no proxy is asked.

use async_trait::async_trait;
use caretrack_domain::{WebhookUrl, is_public};
use caretrack_ports::{Notice, SendFault, WebhookSender};
use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub struct HttpSender {
    client: Client,
    allow_private: bool,
}

/// A name that leads only where nothing may be sent.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to no public address")]
struct NotPublic;

/// Looks names up, and passes on the public addresses only.
struct PublicOnly<R>(R);

/// The machine's own way of looking names up.
struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

impl<R: Resolve> Resolve for PublicOnly<R> {
    fn resolve(&self, name: Name) -> Resolving {
        let looking = self.0.resolve(name);
        Box::pin(async move {
            let public: Vec<SocketAddr> = looking.await?.filter(|found| is_public(found.ip())).collect();
            if public.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

impl HttpSender {
    pub fn new(timeout: Duration, allow_private: bool) -> reqwest::Result<Self> {
        Self::over(System, timeout, allow_private)
    }

    fn over(names: impl Resolve + 'static, timeout: Duration, allow_private: bool) -> reqwest::Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .user_agent("caretrack")
            .timeout(timeout)
            .connect_timeout(timeout / 2);
        let client = if allow_private {
            client.dns_resolver(Arc::new(names))
        } else {
            client.dns_resolver(Arc::new(PublicOnly(names)))
        };
        Ok(Self {
            client: client.build()?,
            allow_private,
        })
    }
}

#[async_trait]
impl WebhookSender for HttpSender {
    async fn send(&self, notice: Notice) -> Result<u16, SendFault> {
        // An address in the URL itself is never looked up; and what is allowed may have changed.
        let url = notice.url.expose();
        WebhookUrl::parse(url, self.allow_private).map_err(|_| SendFault::Forbidden)?;
        let sent = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
            .header("webhook-id", notice.id)
            .header("webhook-timestamp", notice.timestamp)
            .header("webhook-signature", notice.signature)
            .body(notice.body)
            .send()
            .await;
        match sent {
            // Nothing of the body is wanted, however long it is.
            Ok(response) => Ok(response.status().as_u16()),
            Err(error) if is_not_public(&error) => Err(SendFault::Forbidden),
            Err(error) if error.is_timeout() => Err(SendFault::TimedOut),
            Err(_) => Err(SendFault::Unreachable),
        }
    }
}

fn is_not_public(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const SHORT: Duration = Duration::from_secs(5);

    /// Names whose addresses change from one look-up to the next.
    struct Changing {
        answers: Vec<Vec<&'static str>>,
        asked: Arc<AtomicUsize>,
    }

    impl Resolve for Changing {
        fn resolve(&self, _: Name) -> Resolving {
            let asked = self.asked.fetch_add(1, Ordering::Relaxed);
            let answer = self.answers[asked.min(self.answers.len() - 1)].iter();
            let answer: Vec<SocketAddr> = answer
                .map(|ip| (ip.parse::<std::net::IpAddr>().unwrap(), 0).into())
                .collect();
            Box::pin(async move { Ok(Box::new(answer.into_iter()) as Addrs) })
        }
    }

    fn changing(answers: &[&[&'static str]]) -> (Changing, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let names = Changing {
            answers: answers.iter().map(|answer| answer.to_vec()).collect(),
            asked: Arc::clone(&asked),
        };
        (names, asked)
    }

    fn notice(url: &str) -> Notice {
        Notice {
            url: WebhookUrl::restore(url).unwrap(),
            id: "1".to_owned(),
            timestamp: 1,
            signature: "v1,x".to_owned(),
            body: "{}".to_owned(),
        }
    }

    /// Answers every request with a line of ours, and counts them.
    async fn receiver(answer: &'static str) -> (u16, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (port, count)
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_connected_to() {
        let (port, count) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        for inside in [
            "127.0.0.1",
            "::1",
            "::ffff:127.0.0.1",
            "169.254.169.254",
            "10.0.0.1",
        ] {
            let (names, asked) = changing(&[&[inside]]);
            let sender = HttpSender::over(names, SHORT, false).unwrap();
            let sent = sender
                .send(notice(&format!("https://hook.example:{port}/")))
                .await;
            assert_eq!(sent, Err(SendFault::Forbidden), "{inside}");
            assert_eq!(asked.load(Ordering::Relaxed), 1);
        }
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }

    /// The check and the connection use one answer: a name that changes between two look-ups gains nothing.
    #[tokio::test]
    async fn a_name_that_changes_its_mind_is_asked_once() {
        let (port, count) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        // Public at first (an address where nobody answers), then inside.
        let (names, asked) = changing(&[&["192.31.196.1"], &["127.0.0.1"]]);
        let sender = HttpSender::over(names, Duration::from_millis(300), false).unwrap();
        let sent = sender
            .send(notice(&format!("https://hook.example:{port}/")))
            .await;
        assert!(
            matches!(sent, Err(SendFault::TimedOut | SendFault::Unreachable)),
            "{sent:?}"
        );
        assert_eq!(
            (asked.load(Ordering::Relaxed), count.load(Ordering::Relaxed)),
            (1, 0)
        );
        // Asked again, it leads inside, and is refused.
        let sent = sender
            .send(notice(&format!("https://hook.example:{port}/")))
            .await;
        assert_eq!(sent, Err(SendFault::Forbidden));
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }

    /// Of several addresses the private ones are left out.
    #[tokio::test]
    async fn a_mixed_answer_leaves_only_what_is_public() {
        let (names, _) = changing(&[&["127.0.0.1", "192.31.196.1", "10.0.0.1"]]);
        let name = "hook.example".parse().unwrap();
        let left: Vec<_> = PublicOnly(names).resolve(name).await.unwrap().collect();
        assert_eq!(left, ["192.31.196.1:0".parse().unwrap()]);
    }

    #[tokio::test]
    async fn addresses_in_the_url_are_looked_at_too() {
        let (port, count) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let sender = HttpSender::new(SHORT, false).unwrap();
        for url in [
            format!("https://127.0.0.1:{port}/"),
            format!("http://127.0.0.1:{port}/"),
            format!("https://[::1]:{port}/"),
        ] {
            assert_eq!(
                sender.send(notice(&url)).await,
                Err(SendFault::Forbidden),
                "{url}"
            );
        }
        assert_eq!(count.load(Ordering::Relaxed), 0);
        let allowed = HttpSender::new(SHORT, true).unwrap();
        assert_eq!(
            allowed.send(notice(&format!("http://127.0.0.1:{port}/"))).await,
            Ok(200)
        );
        assert_eq!(
            allowed.send(notice(&format!("http://localhost:{port}/"))).await,
            Ok(200)
        );
    }

    #[tokio::test]
    async fn redirects_are_answers() {
        let (inside, reached) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let answer = format!(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{inside}/\r\ncontent-length: 0\r\n\r\n"
        );
        let (port, _) = receiver(answer.leak()).await;
        let sender = HttpSender::new(SHORT, true).unwrap();
        assert_eq!(
            sender.send(notice(&format!("http://127.0.0.1:{port}/"))).await,
            Ok(302)
        );
        assert_eq!(reached.load(Ordering::Relaxed), 0);
    }
}
