//! Repair of a lost donor against plain copying of the same shards. By hand, on a quiet machine:
//!
//! ```text
//!   cargo build --release --workspace --bins && cargo bench -p nodio-compat-tests --bench repair
//!     fill until a donor holds enough ─► kill it ─► "lost" ─── repair ──► all full ─► copy its shards from their new holders to others
//!                                                     └ coordinator's CPU and memory, sampled ┘
//! ```
//! `NODIO_BENCH_BYTES`: what the lost donor holds (default 2 GB; six times as much goes to disk, and twice that copied anew).
//! Moved bytes are those read from donors and those stored: k + 1 shards for a rebuilt one, 2 for a copied one. As many copies are under
//! way at once as donors rebuild at once.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use nodio_compat_tests::chaos::enough_room;
use nodio_compat_tests::cluster::{Cluster, Options};
use nodio_compat_tests::data::Data;
use nodio_compat_tests::process::Usage;
use nodio_compat_tests::wait;
use nodio_wire::api::{NodeState, SegmentView, Status};
use nodio_wire::client::{HttpFleet, HttpTransport, OperatorApi};
use nodio_wire::donor::Transport;
use nodio_wire::fleet::{Fleet, GrantRequest, GrantedDonor, ShardSource};
use nodio_wire::{Code, NodeId, ShardId};

const BUCKET: &str = "repair";
const DONORS: usize = 8;
const OBJECT_BYTES: u64 = 64 << 20;
const UPLOADS_AT_ONCE: usize = 4;
/// Rebuilds at once on each donor.
const REPAIR_SLOTS: usize = 2;
const PATIENCE: Duration = Duration::from_secs(3600);
const SAMPLE_EVERY: Duration = Duration::from_millis(200);
/// Segments granted and copied together.
const BATCH: usize = 64;

#[tokio::main]
async fn main() -> Result<()> {
    let bytes = std::env::var("NODIO_BENCH_BYTES").map_or(Ok(2_000_000_000), |said| said.replace('_', "").parse())?;
    enough_room(&std::env::temp_dir(), bytes * (DONORS as u64 + 4))?;
    let mut cluster = Cluster::start(options()).await?;
    let operator = cluster.operator()?;
    let lost = fill(&cluster, &operator, bytes).await?;
    let map = cluster.map().await?;
    let shards = shards_at(&map, lost);
    let repaired = repair(&mut cluster, &operator, lost).await?;
    let copied = copy(&cluster, &map, &shards).await?;
    Ok(std::io::stdout().write_all(table(&repaired, &copied).as_bytes())?)
}

fn options() -> Options {
    Options {
        donors: DONORS,
        heartbeat_ms: 1000,
        repair_after_ms: 2000,
        coordinator: toml::toml! {
            audits_per_day = 0
            inventory_every_ms = 21_600_000
        },
        donor: toml::toml! {
            capacity = "64 GiB"
            scrub_days = 0.0
            repair_slots = 2
        },
        ..Options::default()
    }
}

/// Writes until some donor holds `bytes`; the one that holds most.
async fn fill(cluster: &Cluster, operator: &OperatorApi, bytes: u64) -> Result<NodeId> {
    let s3 = cluster.s3();
    s3.must_make_bucket(BUCKET).await?;
    let mut number = 0;
    loop {
        let uploads = (number..number + UPLOADS_AT_ONCE as u64)
            .map(|seed| async move { s3.must_put(BUCKET, &seed.to_string(), Data::new(seed, OBJECT_BYTES)).await });
        stream::iter(uploads).buffer_unordered(UPLOADS_AT_ONCE).try_collect::<Vec<()>>().await?;
        number += UPLOADS_AT_ONCE as u64;
        let status = operator.status().await?;
        let most = status.nodes.iter().max_by_key(|node| node.shard_bytes).context("no donors")?;
        if most.shard_bytes >= bytes {
            let name = most.node;
            wait::until("every segment is full", PATIENCE, async || full(&operator.status().await?)).await?;
            return Ok(name);
        }
    }
}

fn full(status: &Status) -> Result<()> {
    let health = status.segments;
    ensure!(health.full > 0 && health.degraded + health.at_risk + health.lost == 0, "{health:?}");
    Ok(())
}

fn shards_at(map: &[SegmentView], node: NodeId) -> Vec<ShardId> {
    let there = map.iter().flat_map(|segment| &segment.shards);
    there.filter(|shard| shard.holders.iter().any(|holder| holder.node == node)).map(|shard| shard.id).collect()
}

/// What it took.
struct Took {
    time: Duration,
    /// Shards made or copied, and their bytes.
    shards: u64,
    bytes: u64,
    moved_bytes: u64,
    coordinator: Option<(Usage, Usage, u64)>,
}

async fn repair(cluster: &mut Cluster, operator: &OperatorApi, lost: NodeId) -> Result<Took> {
    let donor = (0..DONORS).find(|donor| cluster.donor_node(*donor) == Some(lost)).context("nobody is the donor")?;
    let code: Code = options().code.parse()?;
    cluster.kill_donor(donor);
    wait::until("the donor counts as lost", PATIENCE, async || {
        let status = operator.status().await?;
        ensure!(status.nodes.iter().any(|node| node.node == lost && node.state == NodeState::Lost));
        Ok(())
    })
    .await?;
    let (begun, before, at_first) = (Instant::now(), operator.status().await?.repair, cluster.coordinator_usage()?);
    let mut rss_max = at_first.rss_bytes;
    loop {
        tokio::time::sleep(SAMPLE_EVERY).await;
        rss_max = rss_max.max(cluster.coordinator_usage()?.rss_bytes);
        let status = operator.status().await?;
        if full(&status).is_ok() {
            let bytes = status.repair.rebuilt_bytes - before.rebuilt_bytes;
            let coordinator = Some((at_first, cluster.coordinator_usage()?, rss_max));
            let shards = status.repair.rebuilt - before.rebuilt;
            return Ok(Took { time: begun.elapsed(), shards, bytes, moved_bytes: bytes * (code.k() as u64 + 1), coordinator });
        }
        ensure!(begun.elapsed() < PATIENCE, "it doesn't come to an end: {status:?}");
    }
}

/// A shard, where it is, and where it shall be copied to.
struct Copy {
    shard: ShardId,
    from: ShardSource,
    to: GrantedDonor,
}

/// GETs each shard and PUTs it to a donor that has nothing of its segment, through the same HTTP path as a repairer.
async fn copy(cluster: &Cluster, map: &[SegmentView], shards: &[ShardId]) -> Result<Took> {
    let (fleet, transport) = (cluster.fleet()?, Arc::new(HttpTransport::default()));
    let wanted: std::collections::BTreeSet<_> = shards.iter().copied().collect();
    let (mut time, mut bytes, mut count) = (Duration::ZERO, 0, 0);
    let concerned: Vec<_> = map.iter().filter(|segment| segment.shards.iter().any(|shard| wanted.contains(&shard.id))).collect();
    for batch in concerned.chunks(BATCH) {
        let copies = plan_copies(&fleet, batch, &wanted).await?;
        count += copies.len() as u64;
        // Tickets are not part of it: a repairer is handed his as well.
        let begun = Instant::now();
        let moved = copies.into_iter().map(|copy| copy_one(transport.clone(), copy));
        let moved = stream::iter(moved).buffer_unordered((DONORS - 1) * REPAIR_SLOTS).try_collect::<Vec<u64>>().await?;
        time += begun.elapsed();
        bytes += moved.iter().sum::<u64>();
    }
    Ok(Took { time, shards: count, bytes, moved_bytes: bytes * 2, coordinator: None })
}

async fn plan_copies(
    fleet: &HttpFleet,
    batch: &[&SegmentView],
    wanted: &std::collections::BTreeSet<ShardId>,
) -> Result<Vec<Copy>> {
    let first = batch.first().context("no segments")?;
    let request = GrantRequest {
        code: first.code,
        shard_bytes: first.shard_bytes,
        segments: batch.len() as u16,
        spares: DONORS as u8,
        holding: Vec::new(),
    };
    let grants = fleet.grant(request).await?;
    let mut copies = Vec::new();
    for (segment, grant) in batch.iter().zip(grants) {
        let id = segment.segment;
        let located = fleet.locate(id.part, id.index, 1).await?.pop().context("a segment is gone")?;
        let holders: Vec<_> = located.shards.iter().filter_map(|shard| shard.source.as_ref()).map(|source| source.node).collect();
        let to = grant.donors.into_iter().find(|donor| !holders.contains(&donor.node));
        let shard = located.shards.into_iter().find(|shard| wanted.contains(&shard.id));
        if let (Some(to), Some(shard)) = (to, shard) {
            copies.push(Copy { shard: shard.id, from: shard.source.context("it isn't rebuilt")?, to });
        }
    }
    Ok(copies)
}

async fn copy_one(transport: Arc<HttpTransport>, copy: Copy) -> Result<u64> {
    let bytes = transport.get(&copy.from.addr, &copy.from.ticket, copy.shard, None).await?;
    let len = bytes.len() as u64;
    transport.put(&copy.to.addr, &copy.to.ticket, copy.shard, bytes).await?;
    Ok(len)
}

fn table(repaired: &Took, copied: &Took) -> String {
    let rate = |took: &Took| took.moved_bytes as f64 / took.time.as_secs_f64() / 1e6;
    let row = |name: &str, took: &Took| {
        let (shards, mb, moved) = (took.shards, took.bytes / 1_000_000, took.moved_bytes / 1_000_000);
        format!("| {name} | {shards} | {mb} | {moved} | {:.1} | {:.1} |\n", took.time.as_secs_f64(), rate(took))
    };
    let mut said = String::from("| | shards | MB of them | MB moved | seconds | MB moved/s |\n|---|---|---|---|---|---|\n");
    said += &row("repair", repaired);
    said += &row("copying", copied);
    said += &format!("\nrepair moves at {:.0} % of plain copying\n", 100.0 * rate(repaired) / rate(copied));
    if let Some((first, last, rss_max)) = &repaired.coordinator {
        let cpu = (last.cpu - first.cpu).as_secs_f64();
        said += &format!(
            "coordinator through the repair: {cpu:.1} s of CPU ({:.0} % of one core), memory {} MiB before, {} MiB at most, {} MiB after\n",
            100.0 * cpu / repaired.time.as_secs_f64(),
            first.rss_bytes >> 20,
            rss_max >> 20,
            last.rss_bytes >> 20
        );
    }
    said
}
