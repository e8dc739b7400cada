//! [`Durability`] as JSON inside a tagged message: serde buffers such a message, and a buffered map has text for keys.

use std::collections::BTreeMap;

use nodio_wire::fleet::Durability;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

#[derive(Deserialize)]
struct Told {
    segments: u64,
    bytes: u64,
    by_spare: BTreeMap<String, u64>,
    unreadable_now: f64,
    lost_per_year: f64,
    lost_per_year_next_donor: f64,
    lost_per_year_next_parity: f64,
}

pub(super) fn serialize<S: Serializer>(durability: &Durability, serializer: S) -> Result<S::Ok, S::Error> {
    durability.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Durability, D::Error> {
    let told = Told::deserialize(deserializer)?;
    let spares = told.by_spare.into_iter().map(|(spare, count)| Ok((spare.parse().map_err(de::Error::custom)?, count)));
    Ok(Durability {
        segments: told.segments,
        bytes: told.bytes,
        by_spare: spares.collect::<Result<_, _>>()?,
        unreadable_now: told.unreadable_now,
        lost_per_year: told.lost_per_year,
        lost_per_year_next_donor: told.lost_per_year_next_donor,
        lost_per_year_next_parity: told.lost_per_year_next_parity,
    })
}
