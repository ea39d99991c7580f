//! What judges the secrets that are not looked up: signed tokens, and passwords.

use async_trait::async_trait;
use caretrack_domain::{PasswordHash, Token};
use std::error::Error;

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The key of a workspace, which need not exist.
    pub workspace: String,
    /// Space separated, words of other services among them.
    pub scope: String,
    pub token: Token,
}

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Whatever is wrong with it: nobody is told more.
    #[error("the token is refused")]
    Refused,
    /// There is no key to judge it by, for now.
    #[error("the keys of signed tokens are not available: {0}")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

#[async_trait]
pub trait TokenVerifier: Send + Sync {
    /// What the token says, if its signature is that of a known key and its time is now. The time is the system's:
    /// business time may be moved by hand, and whoever issued the token does not follow it.
    async fn verify(&self, token: &str) -> Result<Claims, TokenError>;
}

/// A slow hash could not be made.
#[derive(Debug, thiserror::Error)]
#[error("a password could not be hashed: {0}")]
pub struct HashingError(#[source] pub Box<dyn Error + Send + Sync>);

/// Slow on purpose, and never on a thread that others wait for.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    async fn hash(&self, password: String, salt: [u8; 16]) -> Result<PasswordHash, HashingError>;

    /// Takes as long whether it fits or not.
    async fn verify(&self, password: String, hash: PasswordHash) -> Result<bool, HashingError>;
}
