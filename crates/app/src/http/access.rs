//! Who a request says it is from: the credentials it presents, and the address it comes from.

use super::Api;
use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use caretrack_application::{Attempt, Caller, KEY_PREFIX, Presented, UseCaseError};
use caretrack_domain::LoginKind;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const API_KEY: HeaderName = HeaderName::from_static("x-clinia-api-key");
const USERNAME: HeaderName = HeaderName::from_static("username");
const PASSWORD: HeaderName = HeaderName::from_static("password");
const PARTNER_KEY: HeaderName = HeaderName::from_static("api-key");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Which credentials open a dialect.
#[derive(Debug, Clone, Copy)]
pub struct Accepts {
    pub kinds: &'static [LoginKind],
    /// Whether a token may stand in `Authorization` without `Bearer`.
    pub bare_tokens: bool,
}

/// What the registry and `/ops` accept.
pub const API_KEYS: Accepts = Accepts {
    kinds: &[LoginKind::ApiKey],
    bare_tokens: false,
};

/// What the patient-status dialect accepts.
pub const TOKENS: Accepts = Accepts {
    kinds: &[LoginKind::Token],
    bare_tokens: false,
};

/// For what may be told to anyone who is known at all.
pub const EVERY_KIND: Accepts = Accepts {
    kinds: &[LoginKind::ApiKey, LoginKind::Token, LoginKind::Client],
    bare_tokens: true,
};

impl Api {
    /// Who calls; checked before the body is read, as is the scope by whoever asks for one.
    pub async fn caller_by(&self, request: &HttpRequest, accepts: Accepts) -> Result<Caller, UseCaseError> {
        let attempt = Attempt {
            presented: &presented(request, accepts.bare_tokens),
            accepted: accepts.kinds,
            peer: self.peer(request),
            request_id: super::request_id::of(request, self),
            trace: super::request_id::trace_of(request),
        };
        self.application.authenticate(attempt).await
    }

    /// Whether there is a good partner key if the caller's workspace demands one beside a token.
    pub async fn require_partner_key(
        &self,
        request: &HttpRequest,
        caller: &Caller,
    ) -> Result<(), UseCaseError> {
        let presented = request.headers().get(&PARTNER_KEY).map(text);
        let peer = self.peer(request);
        self.application
            .require_partner_key(caller, presented, peer)
            .await
    }

    fn peer(&self, request: &HttpRequest) -> IpAddr {
        let peer = request.peer_addr().map(|peer| peer.ip());
        let forwarded = request
            .headers()
            .get_all(&FORWARDED_FOR)
            .map(text)
            .collect::<Vec<_>>();
        origin(
            peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
            &forwarded,
            &self.proxies,
        )
    }
}

/// In the order in which they count.
fn presented(request: &HttpRequest, bare_tokens: bool) -> Vec<Presented<'_>> {
    let header = |name: &HeaderName| request.headers().get(name).map(text);
    let mut presented = Vec::with_capacity(1);
    presented.extend(header(&API_KEY).map(Presented::ApiKey));
    presented.extend(header(&AUTHORIZATION).and_then(|value| authorization(value, bare_tokens)));
    let (username, password) = (header(&USERNAME), header(&PASSWORD));
    if username.is_some() || password.is_some() {
        presented.push(Presented::Client {
            username: username.unwrap_or_default(),
            password: password.unwrap_or_default(),
        });
    }
    presented
}

/// What is no text is no credential, but something was there.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

fn authorization(value: &str, bare_tokens: bool) -> Option<Presented<'_>> {
    let credential = match value.split_once(' ') {
        Some((scheme, credential)) if scheme.eq_ignore_ascii_case("bearer") => credential.trim(),
        // No text at all, or nothing that names a scheme.
        None if bare_tokens || value.is_empty() => value,
        Some(_) | None => return None,
    };
    Some(if credential.starts_with(KEY_PREFIX) {
        Presented::ApiKey(credential)
    } else {
        Presented::Token(credential)
    })
}

/// Where a request set out: the peer, or what trusted proxies say of theirs. The header grows to the right, so the
/// first from there that no proxy of ours wrote down is the one to believe; what is left of it anyone can claim.
fn origin(peer: IpAddr, forwarded: &[&str], proxies: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| proxies.iter().any(|network| network.contains(&address));
    let mut origin = peer.to_canonical();
    let hops = forwarded.iter().rev().flat_map(|line| line.rsplit(','));
    for hop in hops {
        if !is_trusted(origin) {
            break;
        }
        match address(hop.trim()) {
            Some(address) => origin = address,
            None => break,
        }
    }
    origin
}

fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().map(|address: SocketAddr| address.ip());
    let address: IpAddr = text.parse().or_else(|_| with_port()).ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    /// What stands in `headers`, as kind and text.
    fn shown(headers: &[(&str, &str)], bare_tokens: bool) -> Vec<String> {
        let request = headers.iter().fold(TestRequest::get(), |request, (name, value)| {
            request.append_header((*name, *value))
        });
        let request = request.to_http_request();
        let show = |presented: &Presented<'_>| match presented {
            Presented::ApiKey(key) => format!("key {key}"),
            Presented::Token(token) => format!("token {token}"),
            Presented::Client { username, password } => format!("client {username} {password}"),
        };
        presented(&request, bare_tokens).iter().map(show).collect()
    }

    #[test]
    fn credentials_are_told_apart_by_where_they_stand() {
        for (headers, expected) in [
            (vec![], vec![]),
            (vec![("X-Clinia-API-Key", "ct_1")], vec!["key ct_1"]),
            (vec![("Authorization", "Bearer ct_1")], vec!["key ct_1"]),
            (vec![("Authorization", "bearer  a.b.c ")], vec!["token a.b.c"]),
            (vec![("Authorization", "a.b.c")], vec![]),
            (vec![("Authorization", "Basic YTpi")], vec![]),
            (vec![("Authorization", "Bearer \u{e9}")], vec!["token "]),
            (vec![("X-Clinia-API-Key", "\u{e9}")], vec!["key "]),
            (vec![("username", "u"), ("password", "p")], vec!["client u p"]),
            (vec![("username", "u")], vec!["client u "]),
            (vec![("password", "p")], vec!["client  p"]),
            (
                vec![
                    ("Authorization", "Bearer a.b.c"),
                    ("X-Clinia-API-Key", "ct_1"),
                    ("username", "u"),
                ],
                vec!["key ct_1", "token a.b.c", "client u "],
            ),
        ] {
            assert_eq!(shown(&headers, false), expected, "{headers:?}");
        }
        assert_eq!(shown(&[("Authorization", "a.b.c")], true), ["token a.b.c"]);
        assert_eq!(shown(&[("Authorization", "ct_1")], true), ["key ct_1"]);
    }

    #[test]
    fn only_trusted_proxies_say_where_a_request_comes_from() {
        let proxies: Vec<IpNet> = ["10.0.0.0/8", "::1/128"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        for (peer, forwarded, expected) in [
            ("192.0.2.1", vec!["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1", vec!["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", vec!["6.6.6.6, 198.51.100.7"], "198.51.100.7"),
            (
                "10.0.0.1",
                vec!["6.6.6.6", "198.51.100.7, 10.0.0.2"],
                "198.51.100.7",
            ),
            ("::ffff:10.0.0.1", vec!["198.51.100.7:4711"], "198.51.100.7"),
            ("::1", vec!["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["unknown"], "10.0.0.1"),
            ("10.0.0.1", vec!["198.51.100.7, unknown"], "10.0.0.1"),
        ] {
            let found = origin(peer.parse().unwrap(), &forwarded, &proxies);
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
    }
}
