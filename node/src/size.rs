//! Sizes as people write them: `50 GiB`, `500GB`, `1.5 TB`, or plain bytes.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Text that is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a size looks like \"50 GiB\" or \"500 GB\"; got {0:?}")]
pub struct BadSize(String);

const UNITS: [(&str, u64); 11] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("pb", 1_000_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

impl FromStr for ByteSize {
    type Err = BadSize;

    fn from_str(text: &str) -> Result<Self, BadSize> {
        let bad = || BadSize(text.to_owned());
        let trimmed = text.trim();
        let split = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(split);
        let unit = unit.trim().to_ascii_lowercase();
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
        bytes(number, *factor).map(Self).ok_or_else(bad)
    }
}

/// `number` times `factor`, exactly; fractions of a byte are cut.
fn bytes(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let fraction = u128::from(fraction.parse::<u64>().ok()?).checked_mul(factor.into())? / scale;
    let whole = u128::from(whole.parse::<u64>().ok()?).checked_mul(factor.into())?;
    u64::try_from(whole + fraction).ok()
}

/// The shortest way to say it in binary units, to two digits.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, factor) = match self.0 {
            0..1024 => return write!(f, "{} B", self.0),
            1024..0x10_0000 => ("KiB", 1u64 << 10),
            0x10_0000..0x4000_0000 => ("MiB", 1 << 20),
            0x4000_0000..0x100_0000_0000 => ("GiB", 1 << 30),
            _ => ("TiB", 1 << 40),
        };
        let hundredths = u128::from(self.0) * 100 / u128::from(factor);
        match (hundredths / 100, hundredths % 100) {
            (whole, 0) => write!(f, "{whole} {name}"),
            (whole, part) => write!(f, "{whole}.{part:02} {name}"),
        }
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = ByteSize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as \"50 GiB\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteSize, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
        Ok(ByteSize(bytes))
    }

    fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
        u64::try_from(bytes).map(ByteSize).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("50 GiB", 50 << 30),
            ("500GB", 500_000_000_000),
            ("1.5 TB", 1_500_000_000_000),
            (" 64mib ", 64 << 20),
            ("1024", 1024),
            ("0.5 KiB", 512),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for bad in ["", "GiB", "50 G", "50 GiBs", "-1 GB", "1.2.3 GB", "1e9", "99999999 TB", ".5 GB", "5. GB"] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn sizes_are_said_shortly() {
        for (bytes, text) in [(0, "0 B"), (1023, "1023 B"), (50 << 30, "50 GiB"), (1536 << 20, "1.50 GiB"), (3 << 40, "3 TiB")] {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
    }
}
