//! Signed tokens (RFC 7519): HS256 by a shared secret, RS256 and ES256 by the keys of a key set.

use crate::jwks::KeySet;
use async_trait::async_trait;
use caretrack_domain::{Instant, LocalPatientId, Token, TokenSubject};
use caretrack_ports::{Claims, Clock, TokenError, TokenVerifier};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// Bytes that a shared secret must have at least: as many as its hash.
pub const MINIMUM_SECRET: usize = 32;
/// Of a token, in bytes; nobody needs longer ones, and they cost before they can be judged.
const LONGEST: usize = 8 * 1024;
/// Of a claim that is kept, in characters.
const LONGEST_CLAIM: usize = 255;

/// Judges tokens by the system's clock, whatever business time it is.
pub struct JwtVerifier {
    secret: Option<DecodingKey>,
    keys: Option<Arc<KeySet>>,
    clock: Arc<dyn Clock>,
    /// How far the issuer's clock may be off.
    leeway: Duration,
}

impl JwtVerifier {
    pub fn new(
        secret: Option<&[u8]>,
        keys: Option<Arc<KeySet>>,
        clock: Arc<dyn Clock>,
        leeway: Duration,
    ) -> Self {
        Self {
            secret: secret.map(DecodingKey::from_secret),
            keys,
            clock,
            leeway,
        }
    }

    /// The payload, if the signature is good. The header only chooses among keys; what a key is for, the key says.
    async fn payload(&self, token: &str) -> Result<Payload, TokenError> {
        let header = decode_header(token).map_err(refused)?;
        // Extensions that must be understood; we understand none.
        if header.crit.is_some() {
            return Err(TokenError::Refused);
        }
        if header.alg == Algorithm::HS256 {
            let secret = self.secret.as_ref().ok_or(TokenError::Refused)?;
            judged(token, secret, Algorithm::HS256)
        } else {
            self.judged_by_key_set(token, &header).await
        }
    }

    async fn judged_by_key_set(&self, token: &str, header: &Header) -> Result<Payload, TokenError> {
        let id = header.kid.as_deref();
        let set = self.keys.as_ref().ok_or(TokenError::Refused)?;
        let keys = set.keys(|keys| keys.find(id, header.alg).is_some()).await;
        let keys = keys
            .map_err(TokenError::Unavailable)?
            .ok_or(TokenError::Refused)?;
        let key = keys.find(id, header.alg).ok_or(TokenError::Refused)?;
        judged(token, &key.decoding, key.algorithm)
    }

    fn is_now(&self, payload: &Payload) -> bool {
        let (now, leeway) = (seconds(self.clock.now()), self.leeway.as_secs_f64());
        payload.exp > now - leeway && payload.nbf.is_none_or(|nbf| nbf <= now + leeway)
    }
}

#[async_trait]
impl TokenVerifier for JwtVerifier {
    async fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::Refused);
        }
        let payload = self.payload(token).await?;
        if !self.is_now(&payload) {
            return Err(TokenError::Refused);
        }
        payload.claims().ok_or(TokenError::Refused)
    }
}

/// The claims we know; a token that says one of them twice is refused.
#[derive(Deserialize)]
struct Payload {
    sub: String,
    workspace: String,
    /// Seconds since the epoch, with a fraction or without.
    exp: f64,
    nbf: Option<f64>,
    #[serde(default)]
    scope: String,
    client_id: Option<String>,
    #[serde(rename = "patientId")]
    patient_id: Option<String>,
    username: Option<String>,
}

impl Payload {
    fn claims(self) -> Option<Claims> {
        let texts = [Some(&self.sub), self.client_id.as_ref(), self.username.as_ref()];
        if !texts.into_iter().flatten().all(|text| is_name(text)) {
            return None;
        }
        let patient = match self.patient_id {
            Some(id) => Some(LocalPatientId::parse(&id)?),
            None => None,
        };
        Some(Claims {
            workspace: self.workspace,
            scope: self.scope,
            token: Token {
                subject: Arc::new(TokenSubject {
                    sub: self.sub,
                    client_id: self.client_id,
                }),
                patient,
                username: self.username,
                expires_at: instant(self.exp)?,
            },
        })
    }
}

fn is_name(text: &str) -> bool {
    (1..=LONGEST_CLAIM).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// By the one algorithm that the key is for; the claims are judged elsewhere.
fn judged(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Result<Payload, TokenError> {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    // The contract has no audience: a token for another service lacks our workspace or scopes.
    validation.validate_aud = false;
    let decoded = decode(token, key, &validation).map_err(refused)?;
    Ok(decoded.claims)
}

fn refused(_: jsonwebtoken::errors::Error) -> TokenError {
    TokenError::Refused
}

fn seconds(at: Instant) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "an instant of this era, to the microsecond"
    )]
    let nanoseconds = at.unix_timestamp_nanos() as f64;
    nanoseconds / 1e9
}

/// Whole seconds: what is shown of an expiry. None for what is no instant at all.
fn instant(seconds: f64) -> Option<Instant> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it saturates, and that is out of range"
    )]
    let seconds = seconds as i64;
    Instant::from_unix_timestamp(seconds).ok()
}
