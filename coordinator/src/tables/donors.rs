//! Rows of donors.

use nodio_meta::row::{NoPrevious, Record};
use nodio_wire::UnixMs;
use nodio_wire::api::{AuditCounts, Receipt, StandingState};
use nodio_wire::auth::Secret;
use serde::{Deserialize, Serialize};

use crate::state::record::{Recent, Record as History};
use crate::state::reputation::Cause;

/// A donor as it registered, and what must outlive a restart of its history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct NodeRow {
    pub addr: String,
    /// The donor's half of its secret, and what makes a repeated first registration the same donor.
    pub nonce: [u8; 16],
    pub coordinator_nonce: [u8; 16],
    pub secret: Secret,
    pub capacity_bytes: u64,
    pub operator: Option<String>,
    pub zone: Option<String>,
    pub version: String,
    pub registered: UnixMs,
    /// Shards found missing or corrupt there, ever.
    pub faults: u64,
    pub kept: Kept,
}

/// What is learned of a donor while it is watched. Written now and then; a change of standing at once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Set while the donor is Offline or Lost: since when.
    pub away_since: Option<UnixMs>,
    pub record: History,
    pub recent: Recent,
    pub audits: AuditCounts,
    /// Bytes held, times hours.
    pub byte_hours: f64,
    pub standing: StandingRow,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct StandingRow {
    pub state: StandingState,
    /// Who began a draining.
    pub cause: Option<Cause>,
    pub since: UnixMs,
    pub reason: String,
    pub receipt: Option<Receipt>,
}

/// The first shape of a [`NodeRow`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeRow1 {
    addr: String,
    nonce: [u8; 16],
    coordinator_nonce: [u8; 16],
    secret: Secret,
    capacity_bytes: u64,
    operator: Option<String>,
    zone: Option<String>,
    version: String,
    registered: UnixMs,
    away_since: Option<UnixMs>,
    faults: u64,
}

impl Record for NodeRow {
    const FORMAT: u8 = 2;
    type Previous = NodeRow1;
}

impl From<NodeRow1> for NodeRow {
    /// A donor that nobody watched so far is a stranger.
    fn from(old: NodeRow1) -> Self {
        Self {
            addr: old.addr,
            nonce: old.nonce,
            coordinator_nonce: old.coordinator_nonce,
            secret: old.secret,
            capacity_bytes: old.capacity_bytes,
            operator: old.operator,
            zone: old.zone,
            version: old.version,
            faults: old.faults,
            kept: Kept {
                away_since: old.away_since,
                standing: StandingRow { since: old.registered, ..StandingRow::default() },
                ..Kept::default()
            },
            registered: old.registered,
        }
    }
}

impl Record for NodeRow1 {
    const FORMAT: u8 = 1;
    type Previous = NoPrevious<Self>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::decode;
    use nodio_meta::row;
    use nodio_wire::NodeId;
    use proptest::prelude::*;

    fn node_row(kept: Kept) -> NodeRow {
        NodeRow {
            addr: "url".into(),
            nonce: [4; 16],
            coordinator_nonce: [4; 16],
            secret: Secret::new([7; 32]),
            capacity_bytes: 1024,
            operator: None,
            zone: None,
            version: "v".into(),
            registered: 5,
            faults: 2,
            kept,
        }
    }

    proptest! {
        #[test]
        fn node_rows_read_back(nonce: [u8; 16], secret: [u8; 32], capacity_bytes: u64, zone: Option<String>, away_since: Option<u64>) {
            let row = NodeRow {
                addr: "http://h:1".into(), nonce, coordinator_nonce: nonce, secret: Secret::new(secret), capacity_bytes,
                operator: zone.clone(), zone, version: "1".into(), registered: 5, faults: 2, kept: Kept { away_since, byte_hours: 0.5, ..Kept::default() },
            };
            prop_assert_eq!(decode::<NodeRow>(&row::encode(&row)).expect("decodes"), row);
        }
    }

    #[test]
    fn yesterdays_node_row_still_opens_as_a_strangers() {
        let mut bytes = vec![1, 3, b'u', b'r', b'l'];
        bytes.extend([4; 32]);
        bytes.push(64);
        bytes.extend(b"0707070707070707070707070707070707070707070707070707070707070707");
        bytes.extend([0x80, 0x08, 0, 1, 1, b'z', 1, b'v', 5, 1, 9, 2]);
        let row: NodeRow = decode(&bytes).expect("decodes");
        let kept = Kept { away_since: Some(9), standing: StandingRow { since: 5, ..StandingRow::default() }, ..Kept::default() };
        assert_eq!(row, NodeRow { zone: Some("z".into()), ..node_row(kept) });
    }

    #[test]
    fn todays_node_row_has_these_bytes() {
        let receipt = Receipt { node: NodeId(3), joined: 1, released: 2, gib_hours: 3, audits_passed: 4, mac: "m".into() };
        let standing = StandingRow {
            state: StandingState::Released,
            cause: Some(Cause::Operator),
            since: 6,
            reason: "r".into(),
            receipt: Some(receipt),
        };
        let mut recent = Recent::default();
        [true, false].into_iter().for_each(|passed| recent.audited(passed));
        let kept = Kept {
            away_since: Some(9),
            record: History { passed: 1.0, failed: 2.0, there_ms: 0.5, away_ms: 0.0 },
            recent,
            audits: AuditCounts { passed: 7, failed: 8, offline: 9 },
            byte_hours: 1.0,
            standing,
        };
        let one = 1.0_f64.to_le_bytes();
        let mut want = vec![1, 9];
        [1.0_f64, 2.0, 0.5, 0.0].iter().for_each(|number| want.extend(number.to_le_bytes()));
        want.extend([1, 2, 7, 8, 9]);
        want.extend(one);
        want.extend([4, 1, 2, 6, 1, b'r', 1, 3, 1, 2, 3, 4, 1, b'm']);
        let row = node_row(kept);
        let bytes = row::encode(&row);
        assert_eq!((bytes[0], &bytes[bytes.len() - want.len()..]), (2, &want[..]));
        assert_eq!(decode::<NodeRow>(&bytes).expect("decodes"), row);
    }
}
