//! What a donor holds against what the map says it holds.

use std::collections::HashSet;

use nodio_meta::{Store, StoreError};
use nodio_wire::api::Inventory;
use nodio_wire::{ShardId, UnixMs};

use super::forget::Fault;
use crate::keyspace;
use crate::limits::PAGE_ROWS;
use crate::tables::{HoldingRow, decode, page};

/// How old things must be to be judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ages {
    /// A held shard that the map doesn't know may belong to a write that is still under way.
    pub litter_age_s: u32,
    /// A shard the map knows may be younger than the list.
    pub settle_ms: u64,
}

/// The two ways to differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    pub surplus: Vec<ShardId>,
    pub missing: Vec<Fault>,
}

/// Compares one page. Shards that are `expected` (being rebuilt there) are no surplus.
pub(crate) async fn compare(
    store: &dyn Store,
    inventory: &Inventory,
    ages: Ages,
    expected: impl Fn(&ShardId) -> bool,
    now: UnixMs,
) -> Result<Difference, StoreError> {
    let held: HashSet<ShardId> = inventory.shards.iter().map(|shard| shard.id).collect();
    let (mut named, mut missing) = (HashSet::new(), Vec::new());
    let mut rest = Some(keyspace::holdings_between(inventory.node, inventory.after, inventory.through));
    while let Some(range) = rest {
        let (rows, left) = page(store, range, PAGE_ROWS).await?;
        for row in rows {
            let key = keyspace::parse_holding(&row.key)?;
            let settled = decode::<HoldingRow>(&row.value)?.since.saturating_add(ages.settle_ms) <= now;
            if held.contains(&key.shard) {
                named.insert(key.shard);
            } else if settled {
                missing.push(Fault { segment: key.segment, shard: key.shard, node: inventory.node, corrupt: false });
            }
        }
        rest = left;
    }
    let litter = inventory.shards.iter().filter(|shard| shard.age_s >= ages.litter_age_s && covers(inventory, &shard.id));
    let surplus = litter.map(|shard| shard.id).filter(|id| !named.contains(id) && !expected(id)).collect();
    Ok(Difference { surplus, missing })
}

/// True if the page's own bounds take in this shard: only then the map was asked about it.
fn covers(inventory: &Inventory, id: &ShardId) -> bool {
    inventory.after.is_none_or(|after| after < *id) && inventory.through.is_none_or(|through| *id <= through)
}

#[cfg(test)]
mod tests {
    use super::super::commit::enter;
    use super::super::testing::{commit_of, segment, shard, store};
    use super::*;
    use nodio_wire::NodeId;
    use nodio_wire::api::HeldShard;

    const AGES: Ages = Ages { litter_age_s: 60, settle_ms: 1000 };

    fn page_of(held: &[(ShardId, u32)]) -> Inventory {
        let shards = held.iter().map(|(id, age_s)| HeldShard { id: *id, age_s: *age_s }).collect();
        Inventory { node: NodeId(1), after: None, through: None, shards }
    }

    #[tokio::test]
    async fn litter_and_losses_are_found_once_they_are_old_enough() {
        let store = store();
        enter(&*store, &[commit_of(0, 2, &[1, 2, 3]), commit_of(1, 2, &[1, 2, 3])], |_| false, 1).await.expect("entered");
        let (old, fresh, coming) = (ShardId([1; 32]), ShardId([2; 32]), ShardId([3; 32]));
        let inventory = page_of(&[(shard(0, 0), 99), (old, 60), (fresh, 59), (coming, 99)]);
        let found = compare(&*store, &inventory, AGES, |id| *id == coming, 5000).await.expect("compared");
        let missing = Fault { segment: segment(1), shard: shard(1, 0), node: NodeId(1), corrupt: false };
        assert_eq!(found, Difference { surplus: vec![old], missing: vec![missing] });
        let early = compare(&*store, &inventory, AGES, |_| false, 900).await.expect("compared");
        assert!(early.missing.is_empty(), "the list may be older than the commit");
    }

    #[tokio::test]
    async fn a_page_says_nothing_about_what_lies_outside_it() {
        let store = store();
        enter(&*store, &[commit_of(0, 2, &[1, 2, 3])], |_| false, 1).await.expect("entered");
        let known = shard(0, 0);
        let mut inventory = page_of(&[]);
        inventory.after = Some(known);
        assert_eq!(compare(&*store, &inventory, AGES, |_| false, 5000).await.expect("compared"), Difference::default());
        inventory = page_of(&[(known, 99)]);
        inventory.after = Some(known);
        assert_eq!(compare(&*store, &inventory, AGES, |_| false, 5000).await.expect("compared"), Difference::default());
    }
}
