//! Those who issue signed tokens, and where they publish their keys.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What servers that accept tokens by a secret are given.
pub const SECRET: &str = "e2e-hs256-secret-0123456789-0123456789";

pub struct Issuer {
    id: &'static str,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Issuer {
    pub fn rsa(id: &'static str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
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

    pub fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = self.id.into();
        jwk
    }

    pub fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.id.to_owned());
        encode(&header, claims, &self.key).unwrap()
    }
}

pub fn hmac(secret: &[u8], claims: &Value) -> String {
    encode(
        &Header::new(Algorithm::HS256),
        claims,
        &EncodingKey::from_secret(secret),
    )
    .unwrap()
}

/// Seconds since the epoch, so many from now.
#[expect(
    clippy::disallowed_methods,
    reason = "a token ends by the time of this machine"
)]
pub fn from_now(seconds: i64) -> i64 {
    OffsetDateTime::now_utc().unix_timestamp() + seconds
}

pub fn claims(workspace: &str) -> Value {
    json!({
        "sub": "user-1", "client_id": "mis-7", "workspace": workspace, "scope": "job:read registry:read other",
        "exp": from_now(300),
    })
}

/// A web server on this machine that has a key set, until it is told otherwise.
pub struct Published {
    pub url: String,
    /// The answer to everyone; none closes the connection.
    answer: Arc<Mutex<Option<String>>>,
    pub asked: Arc<AtomicUsize>,
}

impl Published {
    pub async fn of(issuers: &[&Issuer]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let published = Self {
            url: format!("http://{}/keys", listener.local_addr().unwrap()),
            answer: Arc::default(),
            asked: Arc::default(),
        };
        published.publish(issuers);
        let (answer, asked) = (Arc::clone(&published.answer), Arc::clone(&published.asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                asked.fetch_add(1, Ordering::Relaxed);
                let answer = answer.lock().unwrap().clone();
                let _ = respond(stream, answer).await;
            }
        });
        published
    }

    pub fn publish(&self, issuers: &[&Issuer]) {
        let keys: Vec<_> = issuers.iter().map(|issuer| issuer.jwk()).collect();
        *self.answer.lock().unwrap() = Some(json!({"keys": keys}).to_string());
    }

    pub fn fail(&self) {
        *self.answer.lock().unwrap() = None;
    }
}

async fn respond(mut stream: TcpStream, answer: Option<String>) -> std::io::Result<()> {
    let mut request = [0; 4096];
    stream.read(&mut request).await.map(drop)?;
    if let Some(body) = answer {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
    }
    stream.shutdown().await
}
