//! Signed requests between roles: who asks, when, and an HMAC-SHA256 over method, path, time and body.
//!
//! The secret itself never travels, a request can't be altered or sent elsewhere, and an old one is refused after
//! [`CLOCK_SKEW_MS_MAX`]. Every request is idempotent, so one replayed inside that window changes nothing.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::ids::{NodeId, UnixMs};
use crate::limits::CLOCK_SKEW_MS_MAX;

/// The header a signed request carries.
pub const HEADER: &str = "x-nodio-auth";

/// `N` bytes from the operating system. Without randomness nothing here is safe, so its absence ends the process.
#[allow(clippy::expect_used)]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    bytes
}

/// A 32-byte shared secret. Printed only on purpose, by [`Secret::to_hex`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub fn random() -> Self {
        Self(random_bytes())
    }

    /// Reads 64 hex digits, surrounding white space allowed.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes).ok()?;
        Some(Self(bytes))
    }

    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// A secret for one purpose, from which this one can't be had back.
    pub fn derive(&self, purpose: &[&[u8]]) -> Self {
        Self(self.mac(purpose))
    }

    /// HMAC-SHA256 over the fields, each preceded by its length so that no two lists of fields collide.
    pub fn mac(&self, fields: &[&[u8]]) -> [u8; 32] {
        #[allow(clippy::expect_used)]
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        for field in fields {
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("a secret must be 64 hex digits"))
    }
}

/// The secret a donor and the coordinator share from registration on; both compute it, it never travels.
pub fn node_secret(join: &Secret, node_nonce: &[u8; 16], coordinator_nonce: &[u8; 16]) -> Secret {
    join.derive(&[b"node", node_nonce, coordinator_nonce])
}

/// On whose behalf a request is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// A donor that registers for the first time, with the join secret.
    Joining,
    Node(NodeId),
    Gateway,
    Operator,
}

impl Who {
    /// The secret of this role, from the coordinator's own; `None` for a donor, which has one by itself.
    pub fn role_secret(self, cluster: &Secret) -> Option<Secret> {
        let purpose: &[u8] = match self {
            Self::Joining => b"join",
            Self::Gateway => b"gateway",
            Self::Operator => b"operator",
            Self::Node(_) => return None,
        };
        Some(cluster.derive(&[b"role", purpose]))
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joining => f.write_str("joining"),
            Self::Node(id) => write!(f, "node-{id}"),
            Self::Gateway => f.write_str("gateway"),
            Self::Operator => f.write_str("operator"),
        }
    }
}

fn parse_who(text: &str) -> Option<Who> {
    match text {
        "joining" => Some(Who::Joining),
        "gateway" => Some(Who::Gateway),
        "operator" => Some(Who::Operator),
        _ => text.strip_prefix("node-")?.parse().ok().map(Who::Node),
    }
}

/// What is signed beside who and when.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Path and query, as sent.
    pub path: &'a str,
    pub body: &'a [u8],
}

impl Request<'_> {
    fn mac(&self, secret: &Secret, who: Who, at: UnixMs) -> [u8; 32] {
        let body = blake3::hash(self.body);
        let who = who.to_string();
        secret.mac(&[who.as_bytes(), self.method.as_bytes(), self.path.as_bytes(), &at.to_be_bytes(), body.as_bytes()])
    }

    /// The value of [`HEADER`] for this request.
    pub fn sign(&self, secret: &Secret, who: Who, now: UnixMs) -> String {
        format!("{who}.{now}.{}", hex::encode(self.mac(secret, who, now)))
    }
}

/// Why a signed request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error("the request is not signed")]
    Missing,
    #[error("the signature header is malformed")]
    Malformed,
    #[error("the request's clock is more than 5 minutes off")]
    Skewed,
    #[error("the signature does not match")]
    Mismatch,
}

/// A header that was read but not yet believed.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    pub who: Who,
    at: UnixMs,
    mac: [u8; 32],
}

impl Claim {
    pub fn parse(header: Option<&str>) -> Result<Self, AuthError> {
        let mut fields = header.ok_or(AuthError::Missing)?.splitn(3, '.');
        let mut next = || fields.next().ok_or(AuthError::Malformed);
        let who = parse_who(next()?).ok_or(AuthError::Malformed)?;
        let at = next()?.parse().map_err(|_| AuthError::Malformed)?;
        let mut mac = [0; 32];
        hex::decode_to_slice(next()?, &mut mac).map_err(|_| AuthError::Malformed)?;
        Ok(Self { who, at, mac })
    }

    /// Believes the claim if `secret` made it for this request within the last minutes.
    pub fn check(&self, secret: &Secret, request: &Request<'_>, now: UnixMs) -> Result<Who, AuthError> {
        if self.at.abs_diff(now) > CLOCK_SKEW_MS_MAX {
            return Err(AuthError::Skewed);
        }
        let want = request.mac(secret, self.who, self.at);
        if bool::from(want.ct_eq(&self.mac)) { Ok(self.who) } else { Err(AuthError::Mismatch) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_request_is_believed_only_as_it_was_signed() {
        let secret = Secret::random();
        let request = Request { method: "POST", path: "/api/x?y=1", body: b"{}" };
        let header = request.sign(&secret, Who::Node(NodeId(7)), 1_000_000);
        let claim = Claim::parse(Some(&header)).expect("own header parses");
        assert_eq!(claim.check(&secret, &request, 1_000_500), Ok(Who::Node(NodeId(7))));
        for other in
            [Request { method: "GET", ..request }, Request { path: "/api/x?y=2", ..request }, Request { body: b"{ }", ..request }]
        {
            assert_eq!(claim.check(&secret, &other, 1_000_000), Err(AuthError::Mismatch));
        }
        assert_eq!(claim.check(&Secret::random(), &request, 1_000_000), Err(AuthError::Mismatch));
        assert_eq!(claim.check(&secret, &request, 1_000_001 + CLOCK_SKEW_MS_MAX), Err(AuthError::Skewed));
    }

    #[test]
    fn roles_have_secrets_of_their_own() {
        let cluster = Secret::random();
        let roles = [Who::Joining, Who::Gateway, Who::Operator].map(|who| who.role_secret(&cluster).map(|s| s.to_hex()));
        assert!(roles[0] != roles[1] && roles[1] != roles[2] && roles[0] != roles[2]);
        assert!(Who::Node(NodeId(1)).role_secret(&cluster).is_none());
    }

    #[test]
    fn malformed_headers_are_refused() {
        for bad in ["", "gateway", "gateway.1", "gateway.x.00", "nobody.1.00", "gateway.1.zz", "node-x.1.00"] {
            assert!(Claim::parse(Some(bad)).is_err(), "{bad} was taken");
        }
        assert_eq!(Claim::parse(None).err(), Some(AuthError::Missing));
    }
}
