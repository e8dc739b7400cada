//! What a donor holds against what the map says it holds.

use std::collections::HashSet;

use nodio_meta::{Row, StoreError};
use nodio_wire::api::Inventory;
use nodio_wire::{NodeId, ShardId, UnixMs};

use super::forget::Fault;
use crate::keyspace;
use crate::tables::{HoldingRow, decode};

/// The shards of a page, in the trash or not: whatever lies there is whole and can be taken out again.
pub(crate) fn held_of(inventory: &Inventory) -> HashSet<ShardId> {
    inventory.shards.iter().map(|shard| shard.id).collect()
}

/// Compares some holdings within a donor's page with what it holds. Adds to `named` those that are held; returns those that are missing,
/// unless they were placed less than `settle_ms` ago: the list may be older.
pub(crate) fn judge_page(
    node: NodeId,
    held: &HashSet<ShardId>,
    rows: &[Row],
    settle_ms: u64,
    now: UnixMs,
    named: &mut HashSet<ShardId>,
) -> Result<Vec<Fault>, StoreError> {
    let mut missing = Vec::new();
    for row in rows {
        let key = keyspace::parse_holding(&row.key)?;
        let settled = decode::<HoldingRow>(&row.value)?.since.saturating_add(settle_ms) <= now;
        if held.contains(&key.shard) {
            named.insert(key.shard);
        } else if settled {
            missing.push(Fault { segment: key.segment, shard: key.shard, node, corrupt: false });
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{segment, shard};
    use super::*;
    use nodio_meta::row;
    use nodio_wire::api::HeldShard;

    fn holding(index: u32) -> Row {
        let value = row::encode(&HoldingRow { position: 0, since: 1, bytes: 1000 });
        Row { key: keyspace::holding(NodeId(1), &shard(index, 0), &segment(index)), value, version: 1 }
    }

    #[test]
    fn what_is_named_is_held_missing_or_too_young_to_tell() {
        let (from, through) = (ShardId([0; 32]), ShardId([255; 32]));
        let trashed = HeldShard { id: shard(0, 0), age_s: 9, trashed: true };
        let page = Inventory { node: NodeId(1), from, through, shards: vec![trashed], last: true };
        let missing = Fault { segment: segment(1), shard: shard(1, 0), node: NodeId(1), corrupt: false };
        for (now, want) in [(5000, vec![missing]), (900, vec![])] {
            let mut named = HashSet::new();
            let rows = [holding(0), holding(1)];
            assert_eq!(judge_page(NodeId(1), &held_of(&page), &rows, 1000, now, &mut named).expect("judged"), want);
            assert_eq!(named, HashSet::from([shard(0, 0)]));
        }
    }
}
