//! Telling a webhook.

use async_trait::async_trait;
use caretrack_domain::WebhookUrl;

/// One notice, signed and ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub url: WebhookUrl,
    /// The same, however often it is sent.
    pub id: String,
    /// When this attempt is made, in seconds since the epoch.
    pub timestamp: i64,
    pub signature: String,
    pub body: String,
}

/// Why there was no answer. Nothing of the URL is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendFault {
    /// Its name leads, at this time, only where no notice may go.
    #[error("the address is not a public one")]
    Forbidden,
    #[error("no answer in time")]
    TimedOut,
    #[error("it cannot be reached")]
    Unreachable,
}

#[async_trait]
pub trait WebhookSender: Send + Sync {
    /// Sends it once, follows no redirect, and answers with the status. It never connects where it may not.
    async fn send(&self, notice: Notice) -> Result<u16, SendFault>;
}
