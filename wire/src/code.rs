//! Erasure codes `k/n`: any `k` of `n` shards rebuild a segment. `1/n` is plain replication and takes the same path.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::{CODE_N_MAX, SHARD_PLAIN_BYTES_MAX};

/// A code that holds: `1 <= k <= n <= CODE_N_MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "(u8, u8)", into = "(u8, u8)")]
pub struct Code {
    k: u8,
    n: u8,
}

/// Text or numbers that are no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a code is K/N with 1 <= K <= N <= {CODE_N_MAX} (such as 4/6), replicas:N or auto; got {0:?}")]
pub struct BadCode(String);

impl Code {
    /// Any 2 of 6 donors may vanish, for half as much again in space.
    pub const DEFAULT: Self = Self { k: 4, n: 6 };

    pub fn new(k: u8, n: u8) -> Result<Self, BadCode> {
        if k == 0 || k > n || n > CODE_N_MAX {
            return Err(BadCode(format!("{k}/{n}")));
        }
        Ok(Self { k, n })
    }

    /// Shards that rebuild a segment.
    pub fn k(self) -> usize {
        self.k.into()
    }

    /// Shards of a segment.
    pub fn n(self) -> usize {
        self.n.into()
    }

    /// Shards that may be lost.
    pub fn parity(self) -> usize {
        self.n() - self.k()
    }

    /// Plaintext bytes of a full segment.
    pub fn segment_bytes(self) -> usize {
        self.k() * SHARD_PLAIN_BYTES_MAX
    }

    /// Shards that must be durable before a segment is committed: one laggard is forgiven where two may be lost.
    pub fn write_quorum(self) -> usize {
        if self.parity() >= 2 { self.n() - 1 } else { self.n() }
    }

    /// The code for small parts: the same tolerance, and one read instead of `k`.
    pub fn replicated(self) -> Self {
        Self { k: 1, n: self.n - self.k + 1 }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.k, self.n)
    }
}

impl FromStr for Code {
    type Err = BadCode;
    fn from_str(text: &str) -> Result<Self, BadCode> {
        let bad = || BadCode(text.to_owned());
        let (k, n) = text.split_once('/').ok_or_else(bad)?;
        Self::new(k.trim().parse().map_err(|_| bad())?, n.trim().parse().map_err(|_| bad())?)
    }
}

impl TryFrom<(u8, u8)> for Code {
    type Error = BadCode;
    fn try_from((k, n): (u8, u8)) -> Result<Self, BadCode> {
        Self::new(k, n)
    }
}

impl From<Code> for (u8, u8) {
    fn from(code: Code) -> Self {
        (code.k, code.n)
    }
}

/// How the code of a new part is chosen: `4/6`, `replicas:5` or `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CodePolicy {
    Fixed(Code),
    /// By the number of failure domains that are up.
    Auto,
}

impl CodePolicy {
    /// The code for a part that starts now, with `domains` failure domains up.
    pub fn resolve(self, domains: usize) -> Code {
        match self {
            Self::Fixed(code) => code,
            Self::Auto => auto_code(domains),
        }
    }
}

/// Wide enough to be cheap, narrow enough that a spare donor or two remain.
fn auto_code(domains: usize) -> Code {
    let (k, n) = match domains {
        0 | 1 => (1, 1),
        2 => (1, 2),
        3 => (1, 3),
        4 => (2, 4),
        5 => (3, 5),
        6..=8 => (4, 6),
        9..=13 => (5, 8),
        14..=19 => (8, 12),
        20..=39 => (10, 16),
        _ => (20, 32),
    };
    Code { k, n }
}

impl fmt::Display for CodePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(code) => code.fmt(f),
            Self::Auto => f.write_str("auto"),
        }
    }
}

impl FromStr for CodePolicy {
    type Err = BadCode;
    fn from_str(text: &str) -> Result<Self, BadCode> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        match text.strip_prefix("replicas:") {
            Some(copies) => Code::new(1, copies.parse().map_err(|_| BadCode(text.to_owned()))?).map(Self::Fixed),
            None => text.parse().map(Self::Fixed),
        }
    }
}

impl TryFrom<String> for CodePolicy {
    type Error = BadCode;
    fn try_from(text: String) -> Result<Self, BadCode> {
        text.parse()
    }
}

impl From<CodePolicy> for String {
    fn from(policy: CodePolicy) -> Self {
        policy.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_parsed_and_bad_ones_named() {
        assert_eq!("4/6".parse(), Code::new(4, 6));
        assert_eq!("replicas:5".parse(), Ok(CodePolicy::Fixed(Code { k: 1, n: 5 })));
        for bad in ["", "6/4", "0/3", "4", "4/129", "a/b", "replicas:0", "Auto"] {
            assert!(bad.parse::<CodePolicy>().is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn quorum_stays_above_k_and_small_parts_keep_the_tolerance() {
        for n in 1..=20 {
            for k in 1..=n {
                let code = Code { k, n };
                assert!(code.write_quorum() >= code.k() && code.write_quorum() <= code.n());
                assert!(code.parity() == 0 || code.write_quorum() > code.k());
                assert_eq!(code.replicated().parity(), code.parity());
            }
        }
    }

    #[test]
    fn auto_never_wants_more_domains_than_there_are() {
        for domains in 1..100 {
            assert!(auto_code(domains).n() <= domains);
        }
    }
}
