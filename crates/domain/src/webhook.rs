//! Webhooks: where notices go, how they are signed, and where they must never go.
//!
//! Signatures follow the Standard Webhooks scheme: HMAC-SHA256 over `id.timestamp.body`, `v1,` and Base64.

use crate::{EventFilter, Instant, OrderingKey, WebhookId, WorkspaceId};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    pub id: WebhookId,
    pub workspace: WorkspaceId,
    pub url: WebhookUrl,
    pub types: EventFilter,
    pub secret: SigningSecret,
    /// Of every event up to here it is settled whether there is a notice.
    pub position: i64,
    pub created_at: Instant,
    /// Since its receiver said that it is gone for good.
    pub disabled_at: Option<Instant>,
}

impl Webhook {
    /// How many notices of a webhook may be on their way at once.
    pub const LANES: u64 = 8;

    /// Notices about one thing go out in their order, one after the other; those about others do not wait for
    /// them, unless chance put them into the same one of a few lanes.
    pub fn ordering_key(&self, subject: &str) -> OrderingKey {
        let hash = Sha256::digest(subject.as_bytes());
        let lane = u64::from(hash[0]) % Self::LANES;
        OrderingKey(format!("{}{lane}", self.lanes()))
    }

    /// What its ordering keys begin with.
    pub fn lanes(&self) -> String {
        format!("webhook/{}/", self.id)
    }
}

/// The address of a receiver. It may carry a secret of the receiver's, so it never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(String);

impl WebhookUrl {
    pub const LONGEST: usize = 2048;

    /// The error says what it must be. Whether its name leads to a forbidden address shows only when it is
    /// resolved, each time; an address in the URL itself is looked at here.
    pub fn parse(text: &str, allow_private: bool) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "must be an absolute URL")?;
        if text.len() > Self::LONGEST {
            return Err("must be at most 2048 characters");
        }
        match url.scheme() {
            "https" => {}
            "http" if allow_private => {}
            _ => return Err("must begin with https://"),
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err("must have neither user nor fragment");
        }
        let is_public = match url.host() {
            None => return Err("must have a host"),
            Some(Host::Domain(name)) => !name.trim_end_matches('.').ends_with("localhost"),
            Some(Host::Ipv4(address)) => is_public(address.into()),
            Some(Host::Ipv6(address)) => is_public(address.into()),
        };
        if is_public || allow_private {
            Ok(Self(url.into()))
        } else {
            Err("must not lead to a private address")
        }
    }

    /// As it was stored.
    pub fn restore(text: &str) -> Option<Self> {
        Url::parse(text).is_ok().then(|| Self(text.to_owned()))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What a webhook's notices are signed with: 256 random bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SigningSecret(pub [u8; 32]);

impl SigningSecret {
    /// `whsec_...`, as receivers' libraries take it.
    pub fn reveal(&self) -> String {
        format!("whsec_{}", STANDARD.encode(self.0))
    }

    /// The value of `webhook-signature`.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        sign(&self.0, id, timestamp, body)
    }
}

fn sign(key: &[u8], id: &str, timestamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Whether an address is one of the public Internet. All that is not known to be is not: private, loopback,
/// link-local, shared, multicast, documentation and unspecified ones, those that wrap an IPv4 address, and
/// those where clouds answer questions about the machine.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    /// Network and length of its prefix.
    const RESERVED: [([u8; 4], u32); 16] = [
        ([0, 0, 0, 0], 8),
        ([10, 0, 0, 0], 8),
        ([100, 64, 0, 0], 10),
        ([127, 0, 0, 0], 8),
        // A cloud's metadata too.
        ([169, 254, 0, 0], 16),
        ([172, 16, 0, 0], 12),
        ([192, 0, 0, 0], 24),
        ([192, 0, 2, 0], 24),
        ([192, 88, 99, 0], 24),
        ([192, 168, 0, 0], 16),
        ([198, 18, 0, 0], 15),
        ([198, 51, 100, 0], 24),
        ([203, 0, 113, 0], 24),
        ([224, 0, 0, 0], 4),
        ([240, 0, 0, 0], 4),
        // Another cloud's: public by its number only.
        ([168, 63, 129, 16], 32),
    ];
    let bits = address.to_bits();
    !RESERVED
        .iter()
        .any(|(network, length)| (bits ^ u32::from_be_bytes(*network)) >> (32 - length) == 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Only 2000::/3 is given out; of it, the rest is for protocols, documentation, and for wrapping IPv4.
    let given_out = first & 0xe000 == 0x2000;
    let special = first == 0x2001 && (second < 0x0200 || second == 0x0db8)
        || first == 0x2002
        || first == 0x3fff && second < 0x1000;
    given_out && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_has_the_published_signature() {
        // The example of the Standard Webhooks specification and its libraries.
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = sign(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_shows_itself_only_when_asked() {
        let secret = SigningSecret([0; 32]);
        assert_eq!(secret.reveal(), format!("whsec_{}=", "A".repeat(43)));
        assert_eq!(format!("{secret:?}"), "…");
        let url = WebhookUrl::parse("https://example.com/x?token=1", false).unwrap();
        assert_eq!(format!("{url:?}"), "…");
    }

    #[test]
    fn only_public_addresses_are_public() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.1.1",
            "198.17.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "168.63.129.16",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn urls_lead_outside_unless_allowed() {
        for text in [
            "https://example.com/hook",
            "https://example.com:8443/?a=b",
            "https://[2606:4700::1111]/x",
        ] {
            assert!(WebhookUrl::parse(text, false).is_ok(), "{text}");
        }
        for text in [
            "http://example.com/",
            "https://127.0.0.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://[::ffff:10.0.0.1]/",
            "https://localhost/",
            "https://a.localhost./",
            "https://169.254.169.254/",
        ] {
            assert!(WebhookUrl::parse(text, false).is_err(), "{text}");
            assert!(WebhookUrl::parse(text, true).is_ok(), "{text}");
        }
        let long = format!("https://example.com/{}", "x".repeat(2048));
        for text in [
            "",
            "/hook",
            "example.com",
            "ftp://example.com/",
            "https://me@example.com/",
            "https://me:pw@example.com/",
            "https://example.com/#x",
            "file:///etc/passwd",
            long.as_str(),
        ] {
            assert!(WebhookUrl::parse(text, true).is_err(), "{text}");
        }
    }
}
