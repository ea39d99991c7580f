//! Clients' passwords: Argon2id, on the threads for blocking work.

use argon2::password_hash::phc;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use async_trait::async_trait;
use caretrack_domain::PasswordHash;
use caretrack_ports::{HashingError, PasswordHasher};
use std::error::Error;

/// With the parameters that OWASP recommends: 19 MiB, two passes, one lane. A hash keeps those it was made with.
pub struct Argon2Hasher;

#[async_trait]
impl PasswordHasher for Argon2Hasher {
    async fn hash(&self, password: String, salt: [u8; 16]) -> Result<PasswordHash, HashingError> {
        let hashed = blocking(move || Argon2::default().hash_password_with_salt(password.as_bytes(), &salt));
        Ok(PasswordHash(hashed.await?.map_err(failed)?.to_string()))
    }

    async fn verify(&self, password: String, hash: PasswordHash) -> Result<bool, HashingError> {
        let hash = phc::PasswordHash::new(&hash.0).map_err(failed)?;
        let verified = blocking(move || Argon2::default().verify_password(password.as_bytes(), &hash));
        match verified.await? {
            Ok(()) => Ok(true),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, HashingError> {
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

fn failed(error: impl Error + Send + Sync + 'static) -> HashingError {
    HashingError(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let salt = [7; 16];
        let hash = Argon2Hasher.hash("right".into(), salt).await.unwrap();
        assert!(
            hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            hash.0
        );
        assert!(!hash.0.contains("right"));
        assert!(Argon2Hasher.verify("right".into(), hash.clone()).await.unwrap());
        assert!(!Argon2Hasher.verify("wrong".into(), hash).await.unwrap());
        let other = Argon2Hasher.hash("right".into(), [8; 16]).await.unwrap();
        assert_ne!(other, Argon2Hasher.hash("right".into(), salt).await.unwrap());
    }

    #[tokio::test]
    async fn what_is_no_hash_is_a_fault_of_ours() {
        for text in ["", "plain", "$argon2id$"] {
            let hash = PasswordHash(text.to_owned());
            assert!(Argon2Hasher.verify("x".into(), hash).await.is_err(), "{text}");
        }
    }
}
