//! Those who sign tokens, well and badly.

use super::now;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

pub struct Issuer {
    id: &'static str,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Issuer {
    pub fn rsa(id: &'static str) -> Self {
        let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        // What signs wants the RSA key alone, which PKCS #8 wraps in 26 bytes at this size.
        let key = EncodingKey::from_rsa_der(&pkcs8.as_ref()[26..]);
        let algorithm = Algorithm::RS256;
        Self { id, algorithm, key }
    }

    pub fn ec(id: &'static str) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let key = EncodingKey::from_ec_der(pkcs8.unwrap().as_ref());
        let algorithm = Algorithm::ES256;
        Self { id, algorithm, key }
    }

    /// The public key, as a key set has it.
    pub fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = self.id.into();
        jwk
    }

    /// The public exponent and modulus as a verifier holds them.
    pub fn public_bytes(&self) -> Vec<u8> {
        let jwk: Jwk = serde_json::from_value(self.jwk()).unwrap();
        let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
        match key.kind() {
            jsonwebtoken::DecodingKeyKind::SecretOrDer(bytes) => bytes.clone(),
            jsonwebtoken::DecodingKeyKind::RsaModulusExponent { n, .. } => n.clone(),
        }
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(claims, self.algorithm, Some(self.id))
    }

    pub fn sign_with(&self, claims: &Value, algorithm: Algorithm, id: Option<&str>) -> String {
        let mut header = Header::new(algorithm);
        header.kid = id.map(str::to_owned);
        encode(&header, claims, &self.key).unwrap()
    }

    /// Under any header at all.
    pub fn sign_header(&self, claims: &Value, header: &Value) -> String {
        self.signed(&part(header), &part(claims))
    }

    /// Of any text for claims.
    pub fn sign_text(&self, claims: &str) -> String {
        let header = json!({"alg": self.algorithm, "kid": self.id});
        self.signed(&part(&header), &base64(claims.as_bytes()))
    }

    fn signed(&self, header: &str, claims: &str) -> String {
        let message = format!("{header}.{claims}");
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm);
        format!("{message}.{}", signature.unwrap())
    }
}

pub fn claims() -> Value {
    json!({"sub": "user-1", "workspace": "default", "scope": "job:read other", "exp": now() + 60})
}

/// The key set of these issuers.
pub fn set(issuers: &[&Issuer]) -> String {
    let keys: Vec<_> = issuers.iter().map(|issuer| issuer.jwk()).collect();
    json!({"keys": keys}).to_string()
}

pub fn hmac(secret: &[u8], claims: &Value) -> String {
    hmac_with(Algorithm::HS256, secret, claims)
}

pub fn hmac_with(algorithm: Algorithm, secret: &[u8], claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret)).unwrap()
}

pub fn hmac_named(id: &str, secret: &[u8], claims: &Value) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(id.to_owned());
    encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

pub fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}.", part(header), part(claims))
}

pub fn part(value: &Value) -> String {
    base64(value.to_string().as_bytes())
}

/// base64url without padding (RFC 4648), as tokens are written.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = |group: &[u8]| {
        let bits = group
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        (0..=group.len()).map(move |n| DIGITS[(bits >> (18 - 6 * n) & 63) as usize] as char)
    };
    bytes.chunks(3).flat_map(digits).collect()
}
