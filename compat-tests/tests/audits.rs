//! Donors that lost what they claim to hold are found out by being asked, and what they lost is mended, before anybody wants to read it.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nodio_compat_tests::chaos::verdict;
use nodio_compat_tests::cluster::{Cluster, Options};
use nodio_compat_tests::data::Data;
use nodio_compat_tests::dice::Dice;
use nodio_compat_tests::manners::Manner;
use nodio_compat_tests::s3::S3;
use nodio_compat_tests::shards::{Held, held};
use nodio_compat_tests::wait;
use nodio_wire::api::{AuditAsk, AuditFinding, AuditPoll, AuditResult, NodeStatus, StandingState, Status};
use nodio_wire::{NodeId, PartId, ShardId};

const BUCKET: &str = "audits";
const DONORS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(120);
const COMMAND_PATIENCE: Duration = Duration::from_secs(90);

/// A network whose donors never look at their own disks; shards are asked about as often as `audits_per_day` says.
async fn start(audits_per_day: i64) -> Result<Cluster> {
    let mut coordinator = toml::Table::new();
    coordinator.insert("audits_per_day".into(), toml::Value::Integer(audits_per_day));
    let donor = toml::toml! {
        scrub_days = 0.0
        trash_days = 0.0
    };
    let options = Options { donors: DONORS, coordinator, donor, manners: vec![(0, Manner::Honest)], ..Options::default() };
    let cluster = Cluster::start(options).await?;
    cluster.s3().must_make_bucket(BUCKET).await?;
    Ok(cluster)
}

/// Objects of one segment each.
async fn write(s3: &S3, prefix: &str, count: u64) -> Result<Vec<(String, Data)>> {
    let objects: Vec<_> = (0..count).map(|seed| (format!("{prefix}{seed:03}"), Data::new(seed, 70_000 + seed))).collect();
    for (key, data) in &objects {
        s3.must_put(BUCKET, key, *data).await?;
    }
    Ok(objects)
}

/// The disk gives back zeros for the shard from now on. Its header, and so what the donor believes to hold, stays.
fn lose(shard: &Held) -> Result<()> {
    let spot = shard.byte(0);
    let file = OpenOptions::new().write(true).open(&spot.path)?;
    Ok(file.write_all_at(&vec![0; shard.len as usize], spot.offset)?)
}

async fn at_rest(cluster: &Cluster) -> Result<Status> {
    let operator = cluster.operator()?;
    wait::until("the network is at rest", PATIENCE, async || verdict::settled(&operator).await).await
}

/// The map as it is, and every donor's files as it says. Those of `gone` may hold more.
async fn files_are_as_the_map_says(cluster: &mut Cluster, gone: &[NodeId]) -> Result<()> {
    let map = cluster.map().await?;
    cluster.kill_coordinator();
    for donor in 0..DONORS {
        cluster.stop_donor(donor)?;
    }
    verdict::files(cluster, &map, gone).map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenth_that_went_missing_is_found_without_any_read() -> Result<()> {
    let mut cluster = start(1_000_000).await?;
    write(&cluster.s3().clone(), "o", 120).await?;
    let before = at_rest(&cluster).await?;
    let (liar, mut dice) = (0, Dice::new(4));
    let node = cluster.donor_node(liar).context("it never joined")?;
    let shards = held(&cluster.donor_folder(liar))?;
    let lost: Vec<_> = shards.iter().filter(|_| dice.chance(10)).collect();
    ensure!(lost.len() >= 3, "only {} of {} shards are lost", lost.len(), shards.len());
    lost.iter().try_for_each(|shard| lose(shard))?;
    let found = |status: &Status| {
        let rebuilt = status.repair.rebuilt >= lost.len() as u64;
        let at_fault = status.nodes.iter().filter(|found| found.audits.failed > 0).map(|found| found.node);
        rebuilt && at_fault.eq([node])
    };
    cluster.wait_for("audits find the loss, and nobody else at fault, and it is mended", PATIENCE, found).await?;
    let found = goes_on_losing(&cluster, liar, node, &mut dice).await?;
    ensure!(!found.standing.reason.is_empty(), "{:?}", found.standing);
    let status = at_rest(&cluster).await?;
    ensure!(status.segments.full == before.segments.full, "{:?}", status.segments);
    files_are_as_the_map_says(&mut cluster, &[node]).await
}

/// A tenth lost once may be outweighed by what is passed in between: whether the donor is sent away depends on the order of the audits.
/// One that goes on losing is, whatever the order.
async fn goes_on_losing(cluster: &Cluster, donor: usize, node: NodeId, dice: &mut Dice) -> Result<NodeStatus> {
    let (operator, until) = (cluster.operator()?, Instant::now() + PATIENCE);
    loop {
        let status = operator.status().await?;
        let found = status.nodes.into_iter().find(|found| found.node == node).context("it is gone")?;
        if matches!(found.standing.state, StandingState::Draining | StandingState::Refused) {
            return Ok(found);
        }
        ensure!(Instant::now() < until, "it is not sent away: {:?}", found.standing);
        held(&cluster.donor_folder(donor))?.iter().filter(|_| dice.chance(10)).try_for_each(lose)?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Shards of the map's parts `parts`.
async fn shards_of(cluster: &Cluster, parts: &BTreeSet<PartId>) -> Result<BTreeSet<ShardId>> {
    let map = cluster.map().await?;
    let of_parts = map.iter().filter(|segment| parts.contains(&segment.segment.part));
    Ok(of_parts.flat_map(|segment| &segment.shards).map(|shard| shard.id).collect())
}

/// Damages `count` shards of `of` that are on the disk of `donor`.
fn damage(cluster: &Cluster, donor: usize, of: &BTreeSet<ShardId>, count: usize) -> Result<BTreeSet<(NodeId, ShardId)>> {
    let node = cluster.donor_node(donor).context("it never joined")?;
    let there = held(&cluster.donor_folder(donor))?;
    let chosen: Vec<_> = there.iter().filter(|shard| of.contains(&shard.id)).take(count).collect();
    ensure!(chosen.len() == count, "donor {donor} holds only {} of them", chosen.len());
    chosen.iter().try_for_each(|shard| lose(shard))?;
    Ok(chosen.iter().map(|shard| (node, shard.id)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_audits_a_prefix_repairs_it_and_sees_it_whole() -> Result<()> {
    let mut cluster = start(0).await?;
    let s3 = cluster.s3().clone();
    let asked = write(&s3, "asked/", 12).await?;
    let parts: BTreeSet<_> = cluster.parts().await?.into_iter().collect();
    let spared = write(&s3, "spared/", 12).await?;
    at_rest(&cluster).await?;
    let of_asked = shards_of(&cluster, &parts).await?;
    let others: BTreeSet<_> = cluster.parts().await?.into_iter().filter(|part| !parts.contains(part)).collect();
    let of_spared = shards_of(&cluster, &others).await?;
    // Two each: three failures in a row would cost a newcomer its standing, and that is another test's.
    let mut damaged = damage(&cluster, 1, &of_asked, 2)?;
    damaged.extend(damage(&cluster, 6, &of_asked, 2)?);
    let unasked = damage(&cluster, 2, &of_spared, 2)?;

    let report = cluster.run_operator(&["audit", "--json", "s3://audits/asked/"], COMMAND_PATIENCE)?;
    ensure!(!report.status.success(), "damage is no success: {report:?}");
    let said: Report = serde_json::from_str(&report.stdout).with_context(|| format!("{report:?}"))?;
    ensure!(failures(&said.findings) == damaged, "{:?} instead of {damaged:?}", said.findings);
    cluster.run_operator(&["repair", "s3://audits/asked/"], COMMAND_PATIENCE)?.ok()?;
    at_rest(&cluster).await?;
    let picture = cluster.run_operator(&["inspect", "s3://audits/asked/000"], COMMAND_PATIENCE)?.ok()?;
    ensure!(picture.contains("4/6"), "{picture}");
    let map = cluster.map().await?;
    for segment in map.iter().filter(|segment| parts.contains(&segment.segment.part)) {
        ensure!(segment.live == 6 && segment.shards.iter().all(|shard| shard.holders.len() == 1), "{segment:?}");
    }
    // A second look finds those whole; the damage elsewhere is found exactly, by whoever asks about it.
    ensure!(findings(&cluster, &parts).await?.is_empty(), "damage is left");
    ensure!(findings(&cluster, &others).await? == unasked, "not exactly the damaged shards");
    at_rest(&cluster).await?;
    for (key, data) in asked.iter().chain(&spared) {
        s3.must_read(BUCKET, key, *data).await?;
    }
    files_are_as_the_map_says(&mut cluster, &[]).await
}

/// What is asked of `nodio audit --json`.
#[derive(serde::Deserialize)]
struct Report {
    findings: Vec<AuditFinding>,
}

fn failures(findings: &[AuditFinding]) -> BTreeSet<(NodeId, ShardId)> {
    let failed = findings.iter().filter(|finding| finding.result == AuditResult::Failed);
    failed.map(|finding| (finding.node, finding.shard)).collect()
}

/// What an audit of these parts finds wrong.
async fn findings(cluster: &Cluster, parts: &BTreeSet<PartId>) -> Result<BTreeSet<(NodeId, ShardId)>> {
    let operator = cluster.operator()?;
    let run = operator.audit(&AuditAsk { parts: parts.iter().copied().collect() }).await?.run;
    let ended = wait::until("the audit ends", COMMAND_PATIENCE, async || {
        let run = operator.audit_progress(&AuditPoll { run }).await?;
        ensure!(run.pending == 0, "{run:?}");
        Ok(run)
    });
    let ended = ended.await?;
    ensure!(ended.offline == 0 && ended.passed > 0, "{ended:?}");
    Ok(failures(&ended.findings))
}
