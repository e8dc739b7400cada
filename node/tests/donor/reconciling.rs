//! The shards held against the map's, range by range.

use futures::stream::{self, StreamExt};
use nodio_wire::ShardId;
use nodio_wire::api::{range_bounds, range_of};
use nodio_wire::donor::Transport;

use crate::coordinator::{Coordinator, Said};
use crate::{Donor, shard, transport};

/// Enough for two ranges.
const SHARDS: u64 = 600;

async fn filled(coordinator: &Coordinator) -> (Donor, Vec<ShardId>) {
    let donor = Donor::join(coordinator).await;
    let transport = transport();
    let puts = stream::iter(0..SHARDS).map(async |seed| {
        let (id, data) = shard(seed, 40);
        transport.put(donor.url(), &donor.put_ticket(), id, data).await.unwrap();
        id
    });
    let mut ids: Vec<ShardId> = puts.buffer_unordered(64).collect().await;
    ids.sort_unstable();
    (donor, ids)
}

fn compared(times: usize) -> impl FnMut(&Said) -> Option<()> {
    move |said| (said.digests.len() >= times && !said.reconcile_wanted).then_some(())
}

#[tokio::test]
async fn where_both_agree_nothing_but_digests_is_told() {
    let coordinator = Coordinator::start().await;
    let (donor, ids) = filled(&coordinator).await;
    {
        let mut said = coordinator.said();
        said.mapped = ids;
        said.reconcile_wanted = true;
    }
    coordinator.until("digests", compared(1)).await;
    let told = coordinator.said().digests[0].clone();
    assert_eq!((told.bits, told.ranges.len()), (1, 2));
    let beats = coordinator.said().beats.len();
    coordinator.until("beats after that", |said| (said.beats.len() > beats + 1).then_some(())).await;
    assert!(coordinator.said().inventories.is_empty());
    donor.stop().await;
}

/// One shard more here than in the map: its range alone is told, the shard is set aside, and comes back when it is needed after all.
#[tokio::test]
async fn only_the_range_that_differs_is_told_and_surplus_can_come_back() {
    let coordinator = Coordinator::start().await;
    let (donor, ids) = filled(&coordinator).await;
    let surplus = ids[SHARDS as usize - 1];
    let elsewhere = ids[0];
    {
        let mut said = coordinator.said();
        said.mapped = ids.iter().copied().filter(|id| *id != surplus).collect();
        // Told in another page, or in none: not to be touched.
        said.surplus = vec![surplus, elsewhere, ShardId::of(b"never held")];
        said.reconcile_wanted = true;
    }
    let left = |count: u64| move |said: &Said| said.beats.last().filter(|beat| beat.shards == count).cloned();
    let beat = coordinator.until("the surplus set aside", left(SHARDS - 1)).await;
    assert_eq!((beat.trash.shards, beat.trash.bytes), (1, 40));
    {
        let said = coordinator.said();
        let page = &said.inventories[0];
        let (low, high) = range_bounds(1, 1);
        assert_eq!((said.inventories.len(), page.from, page.through, page.last), (1, low, high, true));
        let held: Vec<ShardId> = page.shards.iter().map(|held| held.id).collect();
        let expected: Vec<ShardId> = ids.iter().copied().filter(|id| range_of(1, id) == 1).collect();
        assert_eq!(held, expected);
        assert!(page.shards.iter().all(|held| held.age_s < 60 && !held.trashed));
    }
    {
        let mut said = coordinator.said();
        said.mapped = ids.clone();
        said.surplus.clear();
        said.restore = vec![surplus, elsewhere];
        said.reconcile_wanted = true;
    }
    let beat = coordinator.until("the shard restored", left(SHARDS)).await;
    assert_eq!((beat.trash.shards, beat.trash.bytes), (0, 0));
    assert!(coordinator.said().inventories[1].shards.iter().any(|held| held.id == surplus && held.trashed));
    assert!(transport().get(donor.url(), &donor.get_ticket(surplus), surplus, None).await.is_ok());
    donor.stop().await;
}
