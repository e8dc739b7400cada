//! Donors that go, of their own will or sent away, and donors that give less: nothing is lost or unreadable on the way.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nodio_compat_tests::chaos::verdict;
use nodio_compat_tests::cluster::{Cluster, Options};
use nodio_compat_tests::data::Data;
use nodio_compat_tests::load::{Load, Reads};
use nodio_compat_tests::s3::S3;
use nodio_compat_tests::wait;
use nodio_wire::NodeId;
use nodio_wire::api::{NodeState, NodeStatus, Receipt, StandingState, Status};

const BUCKET: &str = "leaving";
const MIB: u64 = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(120);
const COMMAND_PATIENCE: Duration = Duration::from_secs(120);

async fn start(coordinator: toml::Table) -> Result<Cluster> {
    let defaults = toml::toml! {
        audits_per_day = 0
        litter_age_s = 30
    };
    let mut settings: toml::Table = defaults;
    settings.extend(coordinator);
    let donor = toml::toml! {
        trash_days = 0.0
    };
    let gateway = toml::toml! {
        release_after_ms = 1000
    };
    let cluster = Cluster::start(Options { donors: 8, coordinator: settings, donor, gateway, ..Options::default() }).await?;
    cluster.s3().must_make_bucket(BUCKET).await?;
    Ok(cluster)
}

fn objects(mib: u64) -> Vec<(String, Data)> {
    let large = (0..mib / 8).map(|seed| (format!("large-{seed}"), Data::new(seed, 8 * MIB)));
    let small = (0..20).map(|seed| (format!("small-{seed}"), Data::new(1000 + seed, 20_000 + seed)));
    large.chain(small).collect()
}

async fn write_all(s3: &S3, objects: &[(String, Data)]) -> Result<()> {
    for (key, data) in objects {
        s3.must_put(BUCKET, key, *data).await?;
    }
    Ok(())
}

async fn read_all(s3: &S3, objects: &[(String, Data)]) -> Result<()> {
    for (key, data) in objects {
        s3.must_read(BUCKET, key, *data).await?;
    }
    Ok(())
}

fn of(status: &Status, node: NodeId) -> Result<&NodeStatus> {
    status.nodes.iter().find(|found| found.node == node).with_context(|| format!("no donor {node}"))
}

async fn at_rest(cluster: &Cluster) -> Result<Status> {
    let operator = cluster.operator()?;
    wait::until("the network is at rest", PATIENCE, async || verdict::settled(&operator).await).await
}

async fn wait_until_released(cluster: &Cluster, node: NodeId) -> Result<()> {
    let operator = cluster.operator()?;
    wait::until("the donor is released", PATIENCE, async || {
        let status = operator.status().await?;
        let found = of(&status, node)?;
        ensure!(found.standing.state == StandingState::Released, "{:?}", found.standing);
        ensure!(found.shards == 0 && found.shard_bytes == 0, "the map still has {} shards there", found.shards);
        Ok(())
    })
    .await
}

fn joined(cluster: &Cluster, donor: usize) -> Result<NodeId> {
    cluster.donor_node(donor).context("it never joined")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_donor_leaves_under_load_and_gets_its_receipt() -> Result<()> {
    let mut cluster = start(toml::Table::new()).await?;
    let (s3, objects, donor) = (cluster.s3().clone(), objects(96), 3);
    write_all(&s3, &objects).await?;
    at_rest(&cluster).await?;
    let node = joined(&cluster, donor)?;
    let load = Load::start(&s3, BUCKET, 1, 2, Reads::Always);
    let folder = cluster.donor_folder(donor);
    let mut leave = cluster.spawn_nodio("leave", &["node", "leave", "--data", &folder.to_string_lossy()])?;
    read_all(&s3, &objects).await?;
    wait_until_released(&cluster, node).await?;
    let ended = wait::until("`nodio node leave` ends", COMMAND_PATIENCE, async || leave.try_ended()?.context("it runs")).await?;
    ensure!(ended.success(), "{ended}");
    let receipt: Receipt = serde_json::from_slice(&std::fs::read(folder.join("receipt.json"))?)?;
    ensure!(receipt.node == node && receipt.released > receipt.joined && !receipt.mac.is_empty(), "{receipt:?}");
    let map = cluster.map().await?;
    let holders: Vec<_> = map.iter().flat_map(|segment| &segment.shards).flat_map(|shard| &shard.holders).collect();
    ensure!(!holders.is_empty() && holders.iter().all(|holder| holder.node != node), "the map still names the donor");
    cluster.kill_donor(donor);
    read_all(&s3, &objects).await?;
    let book = load.stop().await?;
    for (key, data) in book.acknowledged() {
        s3.must_read(BUCKET, &key, data).await?;
    }
    // Seven are left, and any two may go.
    at_rest(&cluster).await?;
    cluster.kill_donor(0);
    cluster.kill_donor(7);
    read_all(&s3, &objects).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leave_that_is_cancelled_in_the_middle_changes_nothing_for_good() -> Result<()> {
    let slowly = toml::toml! {
        repair_bytes_per_s_per_donor = 1_000_000
    };
    let cluster = start(slowly).await?;
    let (s3, objects, donor) = (cluster.s3().clone(), objects(96), 5);
    write_all(&s3, &objects).await?;
    let before = at_rest(&cluster).await?;
    let node = joined(&cluster, donor)?;
    let had = of(&before, node)?.shards;
    let folder = cluster.donor_folder(donor).to_string_lossy().into_owned();
    cluster.run_nodio(&["node", "leave", "--no-wait", "--data", &folder], COMMAND_PATIENCE)?.ok()?;
    let some_are_gone = |status: &Status| {
        of(status, node).is_ok_and(|found| found.standing.state == StandingState::Draining && found.shards < had)
    };
    let status = cluster.wait_for("some of its shards are gone", PATIENCE, some_are_gone).await?;
    let left = of(&status, node)?.shards;
    ensure!(left > 0, "it was over before it could be cancelled");
    cluster.run_nodio(&["node", "leave", "--cancel", "--data", &folder], COMMAND_PATIENCE)?.ok()?;
    let status = at_rest(&cluster).await?;
    let found = of(&status, node)?;
    ensure!(matches!(found.standing.state, StandingState::Vetting | StandingState::Trusted), "{:?}", found.standing);
    ensure!(found.shards > 0 && status.segments.full == before.segments.full, "{:?}", status.segments);
    // It is given shards again.
    for seed in 0..8 {
        s3.must_put(BUCKET, &format!("later-{seed}"), Data::new(seed, 8 * MIB)).await?;
    }
    let now = at_rest(&cluster).await?;
    ensure!(of(&now, node)?.shards > found.shards, "nothing was placed there any more");
    read_all(&s3, &objects).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sends_donors_away() -> Result<()> {
    let mut cluster = start(toml::Table::new()).await?;
    let (s3, objects) = (cluster.s3().clone(), objects(48));
    write_all(&s3, &objects).await?;
    let before = at_rest(&cluster).await?;
    let (running, dead) = (joined(&cluster, 1)?, joined(&cluster, 2)?);
    let link = cluster.operator_link()?;
    let drain = |node: NodeId| {
        let node = node.to_string();
        cluster.run_nodio(&["drain", &node, "--link", &link], COMMAND_PATIENCE)?.ok()
    };
    drain(running)?;
    wait_until_released(&cluster, running).await?;
    // One that is gone for good is given up at once, without waiting for the hours after which it would count as lost.
    cluster.kill_donor(2);
    let status = |wanted: fn(&NodeStatus) -> bool| move |status: &Status| of(status, dead).is_ok_and(wanted);
    let offline = status(|node| node.state == NodeState::Offline);
    cluster.wait_for("it is offline", PATIENCE, offline).await?;
    let link = cluster.operator_link()?;
    cluster.run_nodio(&["drain", &dead.to_string(), "--link", &link], COMMAND_PATIENCE)?.ok()?;
    let mended = |status: &Status| {
        let nothing_there = of(status, dead).is_ok_and(|node| node.shards == 0);
        nothing_there && status.segments.full == before.segments.full && status.segments.degraded + status.segments.lost == 0
    };
    cluster.wait_for("its shards are elsewhere", PATIENCE, mended).await?;
    cluster.kill_donor(1);
    read_all(&s3, &objects).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_donor_that_gives_less_sheds_what_is_too_much() -> Result<()> {
    let mut cluster = start(toml::Table::new()).await?;
    let (s3, objects, donor) = (cluster.s3().clone(), objects(480), 4);
    write_all(&s3, &objects).await?;
    let before = at_rest(&cluster).await?;
    let node = joined(&cluster, donor)?;
    let smaller = 64 * MIB;
    ensure!(of(&before, node)?.held_bytes > smaller, "it holds only {} bytes", of(&before, node)?.held_bytes);
    cluster.stop_donor(donor)?;
    cluster.start_donor_with(donor, &["--capacity", "64 MiB"])?;
    let shed = |status: &Status| of(status, node).is_ok_and(|node| node.capacity_bytes == smaller && node.held_bytes <= smaller);
    cluster.wait_for("it has shed the surplus", PATIENCE, shed).await?;
    let status = at_rest(&cluster).await?;
    ensure!(status.segments.full == before.segments.full, "{:?}", status.segments);
    ensure!(of(&status, node)?.shards > 0, "it gave away everything");
    read_all(&s3, &objects).await
}
