//! The public keys of those who issue tokens, each with the one algorithm it is for.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// A key, and what it may be used for.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    id: Option<String>,
    pub algorithm: Algorithm,
    pub decoding: DecodingKey,
}

/// The keys of one key set (RFC 7517) that we can judge tokens by.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys(Vec<Key>);

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl Keys {
    /// What is no key to us is skipped: a set may hold keys for other purposes, and of kinds yet to come.
    pub fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        let set: Set = serde_json::from_slice(text)?;
        Ok(Self(set.keys.into_iter().filter_map(key).collect()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key of that id. A token need not name it where there is just one it could mean.
    pub fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        if id.is_some() {
            return self.0.iter().find(|key| key.id.as_deref() == id);
        }
        let mut fitting = self.0.iter().filter(|key| key.algorithm == algorithm);
        fitting.next().filter(|_| fitting.next().is_none())
    }
}

fn key(value: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let common = &jwk.common;
    let signs = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
    let verifies = |operations: &Vec<KeyOperations>| operations.contains(&KeyOperations::Verify);
    if !signs || !common.key_operations.as_ref().is_none_or(verifies) {
        return None;
    }
    Some(Key {
        algorithm: algorithm(&jwk)?,
        decoding: DecodingKey::from_jwk(&jwk).ok()?,
        id: jwk.common.key_id,
    })
}

/// What the key is for, as its type and curve tell; should it say so itself, it must say the same. A symmetric key
/// in a set that anyone can read is no secret and no key.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let (algorithm, name) = if let AlgorithmParameters::RSA(_) = &jwk.algorithm {
        (Algorithm::RS256, KeyAlgorithm::RS256)
    } else if let AlgorithmParameters::EllipticCurve(key) = &jwk.algorithm
        && key.curve == EllipticCurve::P256
    {
        (Algorithm::ES256, KeyAlgorithm::ES256)
    } else {
        return None;
    };
    jwk.common
        .key_algorithm
        .is_none_or(|said| said == name)
        .then_some(algorithm)
}
