//! A donor's shards against the map, range by range.

use nodio_wire::api::{Contents, Digests, Heartbeat, HeldShard, Inventory, range_bounds, range_of, set_digest};
use nodio_wire::client::ApiError;
use nodio_wire::fleet::Fleet;
use nodio_wire::{NodeId, ShardId};

use crate::cluster::*;

const BITS: u8 = 6;
const OLD_S: u32 = 10 * 24 * 60 * 60;

fn digests(node: NodeId, held: &[HeldShard]) -> Digests {
    let mut ranges = vec![Contents::default(); 1 << BITS];
    held.iter().filter(|shard| !shard.trashed).for_each(|shard| ranges[range_of(BITS, &shard.id) as usize].add(&shard.id));
    Digests { node, bits: BITS, ranges }
}

fn page(node: NodeId, held: &[HeldShard], range: u32, last: bool) -> Inventory {
    let (from, through) = range_bounds(BITS, range);
    let shards = held.iter().filter(|shard| range_of(BITS, &shard.id) == range).copied().collect();
    Inventory { node, from, through, shards, last }
}

fn beat(donor: &Donor, held: &[HeldShard]) -> Heartbeat {
    let ids = || held.iter().filter(|shard| !shard.trashed).map(|shard| shard.id);
    Heartbeat { slots: 0, shards: ids().count() as u64, digest: format!("{:x}", set_digest(ids())), ..donor.heartbeat() }
}

#[tokio::test]
async fn exactly_the_missing_the_surplus_and_the_trashed_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = config(folder.path());
    (settings.inventory_every_ms, settings.inventory_settle_ms) = (200, 0);
    let cluster = Cluster::start_with(settings).await;
    let donors = cluster.donors(4, 1 << 30).await;
    let donor = &donors[0];
    let entered = enter(&cluster, &donors, 40).await;
    let mut held: Vec<HeldShard> =
        entered.iter().map(|commit| HeldShard { id: commit.shards[0].id, age_s: OLD_S, trashed: false }).collect();
    let missing = held.remove(3).id;
    held[10].trashed = true;
    let trashed = held[10].id;
    let (litter, fresh, in_trash) = (ShardId::of(b"litter"), ShardId::of(b"fresh"), ShardId::of(b"in the trash"));
    held.push(HeldShard { id: litter, age_s: OLD_S, trashed: false });
    held.push(HeldShard { id: fresh, age_s: 5, trashed: false });
    held.push(HeldShard { id: in_trash, age_s: OLD_S, trashed: true });
    held.sort_by_key(|shard| shard.id);

    let mut waits = 0;
    while !donor.api.heartbeat(&beat(donor, &held)).await.expect("answered").reconcile_wanted {
        waits += 1;
        assert!(waits < 400, "never asked for");
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    let differing = donor.api.digests(&digests(donor.id, &held)).await.expect("answered").differing;
    let mut want: Vec<u32> = [missing, trashed, litter, fresh].iter().map(|id| range_of(BITS, id)).collect();
    want.sort_unstable();
    want.dedup();
    assert_eq!(differing, want);

    let (mut surplus, mut restore) = (Vec::new(), Vec::new());
    for (at, range) in differing.iter().enumerate() {
        assert!(donor.api.heartbeat(&beat(donor, &held)).await.expect("answered").reconcile_wanted, "until the last page");
        let reply = donor.api.inventory(&page(donor.id, &held, *range, at + 1 == differing.len())).await.expect("answered");
        surplus.extend(reply.surplus);
        restore.extend(reply.restore);
    }
    assert_eq!((surplus, restore), (vec![litter], vec![trashed]));
    let located = cluster.fleet.locate(entered[0].segment.part, 0, 40).await.expect("located");
    let gone: Vec<ShardId> =
        located.iter().filter(|found| found.shards[0].source.is_none()).map(|found| found.shards[0].id).collect();
    assert_eq!(gone, [missing]);

    // The donor does as told, and its fresh shard is the only thing the two still see differently.
    held.retain(|shard| shard.id != litter);
    held.iter_mut().filter(|shard| shard.id == trashed).for_each(|shard| shard.trashed = false);
    let differing = donor.api.digests(&digests(donor.id, &held)).await.expect("answered").differing;
    assert_eq!(differing, [range_of(BITS, &fresh)]);
    held.retain(|shard| shard.id != fresh);
    assert!(donor.api.digests(&digests(donor.id, &held)).await.expect("answered").differing.is_empty());
    assert!(!donor.api.heartbeat(&beat(donor, &held)).await.expect("answered").reconcile_wanted, "both sides agree");
    cluster.stop().await;
}

#[tokio::test]
async fn digests_and_pages_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::start(folder.path()).await;
    let donors = cluster.donors(1, 1 << 30).await;
    let (donor, api) = (donors[0].id, &donors[0].api);
    for (bits, ranges) in [(17, 1 << 17), (200, 1), (3, 7), (0, 0)] {
        let wrong = Digests { node: donor, bits, ranges: vec![Contents::default(); ranges] };
        let answer = api.digests(&wrong).await;
        assert!(matches!(answer, Err(ApiError::Refused { status: 400 | 413, .. })), "{bits}: {answer:?}");
    }
    let (from, through) = (ShardId([9; 32]), ShardId([8; 32]));
    let backwards = Inventory { node: donor, from, through, shards: Vec::new(), last: true };
    assert!(matches!(api.inventory(&backwards).await, Err(ApiError::Refused { status: 400, .. })));
    let shard = HeldShard { id: ShardId([8; 32]), age_s: 0, trashed: false };
    let long = Inventory { from: through, through: from, shards: vec![shard; 50_001], ..backwards };
    assert!(matches!(api.inventory(&long).await, Err(ApiError::Refused { status: 400, .. })));
    cluster.stop().await;
}
