//! Key sets: read from a file or a URL, kept, and read again when they are old or a token names a key they lack.

use crate::keys::Keys;
use reqwest::{Client, Url};
use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Where a key set is.
#[derive(Debug, Clone)]
pub enum KeySource {
    Url(Url),
    File(PathBuf),
}

/// When a key set is read again.
#[derive(Debug, Clone, Copy)]
pub struct Refresh {
    /// It is used up to that age without a look at its source.
    pub max_age: Duration,
    /// Between two looks, whatever tokens say.
    pub min_interval: Duration,
}

/// A source that cannot be read does not end the keys at once, but they do not outlive it for ever: one that was
/// withdrawn would stay good.
const STALE_IF_ERROR: Duration = Duration::from_hours(24);
const LONGEST_SET: usize = 256 * 1024;
const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(5);

type Fault = Box<dyn Error + Send + Sync>;

/// The keys that there were when the source was read last.
pub struct KeySet {
    source: KeySource,
    client: Client,
    refresh: Refresh,
    current: RwLock<Option<Current>>,
    /// When the source was looked at last; held while it is.
    looked_at: Mutex<Option<Instant>>,
}

#[derive(Clone)]
struct Current {
    keys: Arc<Keys>,
    read_at: Instant,
}

impl KeySet {
    pub fn new(source: KeySource, refresh: Refresh) -> Result<Self, Fault> {
        let mut client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .redirect(reqwest::redirect::Policy::none());
        if !matches!(&source, KeySource::Url(url) if url.scheme() == "https") {
            // Otherwise a machine without certificates could not even use plain HTTP, or a file.
            client = client.tls_certs_only([]);
        }
        let client = client.build()?;
        Ok(Self {
            source,
            client,
            refresh,
            current: RwLock::default(),
            looked_at: Mutex::default(),
        })
    }

    /// Reads the source for the first time.
    pub async fn load(&self) -> Result<(), Fault> {
        let mut looked_at = self.looked_at.lock().await;
        *looked_at = Some(Instant::now());
        self.keep(self.read().await?);
        Ok(())
    }

    /// The keys, if `has` finds in them what is wanted. If it does not, or they are old, the source is asked again,
    /// by one caller for all and not too often; that waits only where there is nothing to go on with.
    pub(crate) async fn keys(
        self: &Arc<Self>,
        has: impl Fn(&Keys) -> bool + Send + Sync,
    ) -> Result<Option<Arc<Keys>>, Fault> {
        if let Some(current) = self.current()
            && has(&current.keys)
        {
            if current.read_at.elapsed() >= self.refresh.max_age {
                let set = Arc::clone(self);
                tokio::spawn(async move { set.look_again(current.read_at).await });
            }
            return Ok(Some(current.keys));
        }
        let seen = self.current().map(|current| current.read_at);
        let looked = self.look(seen).await;
        match (self.current(), looked) {
            (Some(current), _) => Ok(Some(current.keys).filter(|keys| has(keys))),
            (None, Err(fault)) => Err(fault),
            (None, Ok(())) => Err("the key set could not be read a moment ago".into()),
        }
    }

    async fn look_again(&self, seen: Instant) {
        // One that is at it already does it for all.
        if self.looked_at.try_lock().is_ok() {
            let _ = self.look(Some(seen)).await;
        }
    }

    /// Reads the source, unless someone has since `seen` was read, or tried to a moment ago.
    async fn look(&self, seen: Option<Instant>) -> Result<(), Fault> {
        let mut looked_at = self.looked_at.lock().await;
        let has_changed = self.current().map(|current| current.read_at) != seen;
        let too_soon = looked_at.is_some_and(|at| at.elapsed() < self.refresh.min_interval);
        if has_changed || too_soon {
            return Ok(());
        }
        *looked_at = Some(Instant::now());
        match self.read().await {
            Ok(keys) => {
                self.keep(keys);
                Ok(())
            }
            Err(fault) => {
                tracing::warn!(error = %fault, "the key set of signed tokens cannot be read");
                Err(fault)
            }
        }
    }

    fn keep(&self, keys: Keys) {
        let current = Current {
            keys: Arc::new(keys),
            read_at: Instant::now(),
        };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(current);
    }

    fn current(&self) -> Option<Current> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let longest = self.refresh.max_age + STALE_IF_ERROR;
        current
            .clone()
            .filter(|current| current.read_at.elapsed() < longest)
    }

    async fn read(&self) -> Result<Keys, Fault> {
        let text = match &self.source {
            KeySource::File(path) => tokio::fs::read(path).await?,
            KeySource::Url(url) => self.fetch(url.clone()).await?,
        };
        let keys = Keys::parse(&text)?;
        if keys.is_empty() {
            return Err("the key set has no key for RS256 or ES256".into());
        }
        Ok(keys)
    }

    async fn fetch(&self, url: Url) -> Result<Vec<u8>, Fault> {
        let mut response = self.client.get(url).send().await?.error_for_status()?;
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if text.len() + chunk.len() > LONGEST_SET {
                return Err("the key set is too long".into());
            }
            text.extend_from_slice(&chunk);
        }
        Ok(text)
    }
}
