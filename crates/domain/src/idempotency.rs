//! Asking twice and having it done once: the caller's key, what the request was, what was answered.

use crate::{LocalPatientId, Login, Principal, Refusal};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// What a caller names one request by, so that sending it again is not asking for something else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// 1 to 255 visible ASCII characters.
    pub fn parse(text: &str) -> Option<Self> {
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        ((1..=255).contains(&text.len()) && is_visible).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// SHA-256 of a request and of who made it: what is asked for under one key must stay the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestFingerprint(pub [u8; 32]);

/// A fingerprint in the making; the body may come in pieces and is not kept.
#[derive(Clone)]
pub struct RequestDigest(Sha256);

impl RequestDigest {
    pub fn new(method: &str, path_and_query: &str) -> Self {
        let mut hash = Sha256::new();
        add(&mut hash, method);
        add(&mut hash, path_and_query);
        Self(hash)
    }

    pub fn body(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Nobody else gets the answer that was meant for `who`: from them it is another request.
    pub fn by(self, who: &Principal) -> RequestFingerprint {
        let mut hash = Sha256::new();
        hash.update(self.0.finalize());
        match &who.login {
            Login::ApiKey(id) | Login::Client(id) => hash.update(id.0.as_bytes()),
            Login::Token(token) => {
                let patient = token.patient.as_ref().map(LocalPatientId::expose);
                for part in [
                    Some(token.subject.sub.as_str()),
                    token.subject.client_id.as_deref(),
                    patient,
                ] {
                    add(&mut hash, part.unwrap_or_default());
                }
            }
        }
        RequestFingerprint(hash.finalize().into())
    }
}

/// So that no two sequences of parts run together to the same bytes.
fn add(hash: &mut Sha256, part: &str) {
    hash.update((part.len() as u64).to_be_bytes());
    hash.update(part.as_bytes());
}

impl fmt::Debug for RequestDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// An answer as it was, word by word.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl fmt::Debug for KeptAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body is the caller's data.
        write!(f, "KeptAnswer({}, …)", self.status)
    }
}

/// What is told again to whoever asks again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptOutcome {
    Answered(KeptAnswer),
    Refused(Refusal),
}

/// Which sort of conflict a key met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum KeyConflict {
    #[error("this Idempotency-Key was used for another request")]
    Reused,
    #[error("the first request with this Idempotency-Key is still being carried out")]
    InFlight,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CredentialId, Scopes, WorkspaceId};
    use uuid::Uuid;

    #[test]
    fn keys_are_visible_ascii() {
        let longest = "k".repeat(255);
        for good in ["a", "!", "~", &longest] {
            assert_eq!(IdempotencyKey::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "a\t", "é", &"k".repeat(256)] {
            assert_eq!(IdempotencyKey::parse(bad), None, "{bad:?}");
        }
    }

    fn fingerprint(method: &str, path: &str, body: &[&str], who: u128) -> RequestFingerprint {
        let mut digest = RequestDigest::new(method, path);
        for piece in body {
            digest.body(piece.as_bytes());
        }
        digest.by(&Principal {
            workspace: WorkspaceId(Uuid::nil()),
            login: Login::ApiKey(CredentialId(Uuid::from_u128(who))),
            scopes: Scopes::default(),
            administrator: false,
        })
    }

    #[test]
    fn how_a_body_is_cut_does_not_count_and_all_else_does() {
        let base = fingerprint("PUT", "/a?b", &["{}"], 1);
        assert_eq!(base, fingerprint("PUT", "/a?b", &["{", "", "}"], 1));
        for other in [
            fingerprint("POST", "/a?b", &["{}"], 1),
            fingerprint("PUT", "/a?c", &["{}"], 1),
            fingerprint("PUT", "/a?b", &["{ }"], 1),
            fingerprint("PUT", "/a?b", &["{}"], 2),
            fingerprint("PU", "T/a?b", &["{}"], 1),
            fingerprint("PUT", "/a?b{}", &[], 1),
        ] {
            assert_ne!(base, other);
        }
    }
}
