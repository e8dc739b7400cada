//! `nodio status`: the network on one page.

use std::path::PathBuf;

use anyhow::{Context, Result};
use nodio_wire::api::{NodeState, NodeStatus, Status};
use nodio_wire::client::{OperatorApi, http_pool};
use nodio_wire::link::Link;

use crate::say::say;
use crate::table::{duration, size, table};

/// Where a coordinator of this machine leaves its operator's link, by `nodio up`'s and `nodio coordinator`'s default folders.
const USUAL_FOLDERS: [&str; 3] = ["nodio-data/coordinator", "data/coordinator", "."];
const OPERATOR_LINK: &str = "operator.link";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The operator's link (made by `nodio invite --for operator`).
    #[arg(long, env = "NODIO_LINK", hide_env_values = true)]
    link: Option<Link>,
    /// The data folder of `nodio up` or of the coordinator, where the link is found.
    #[arg(long, conflicts_with = "link")]
    data: Option<PathBuf>,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let link = match args.link {
        Some(link) => link,
        None => find_link(args.data)?,
    };
    let status = OperatorApi::new(http_pool()?, &link).status().await?;
    let page = if args.json { serde_json::to_string_pretty(&status)? + "\n" } else { render(&status) };
    say(&page);
    Ok(())
}

fn find_link(data: Option<PathBuf>) -> Result<Link> {
    let folders = match data {
        Some(data) => vec![data.join("coordinator"), data],
        None => USUAL_FOLDERS.map(PathBuf::from).to_vec(),
    };
    let path = folders.iter().map(|folder| folder.join(OPERATOR_LINK)).find(|path| path.exists());
    let path = path.with_context(|| {
        let looked: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
        let looked = looked.join(" or ");
        format!("no operator.link in {looked}: say --data DIR, or --link with what `nodio invite --for operator` prints")
    })?;
    let text = std::fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    text.parse().with_context(|| format!("{} holds no link", path.display()))
}

fn render(status: &Status) -> String {
    let mut nodes: Vec<_> = status.nodes.iter().collect();
    nodes.sort_by_key(|node| node.node);
    let rows: Vec<_> = nodes.iter().map(|node| row(node)).collect();
    let head = ["DONOR", "STATE", "USED", "FREE", "SHARDS", "FAULTS", "SEEN", "ADDRESS", "DOMAIN"];
    let donors = if rows.is_empty() { "no donor has joined yet\n".to_owned() } else { table(&head, &rows) };
    format!("{donors}\n{}{}", totals(status), troubles(status))
}

fn row(node: &NodeStatus) -> Vec<String> {
    let bytes = [size(node.used_bytes), size(node.free_bytes)];
    let counts = [node.shards.to_string(), node.faults.to_string()];
    let place = [duration(node.last_seen_ms), node.addr.clone(), node.domain.clone()];
    [node.node.to_string(), state(node.state).to_owned()].into_iter().chain(bytes).chain(counts).chain(place).collect()
}

fn totals(status: &Status) -> String {
    let health = status.segments;
    let repair = status.repair;
    format!(
        "segments  {} full, {} degraded, {} at risk, {} lost\nrepair    {} queued, {} running, {} rebuilt; {} deletions waiting\n",
        health.full, health.degraded, health.at_risk, health.lost, repair.queued, repair.running, repair.rebuilt, repair.deletes
    )
}

/// Background work whose last step failed.
fn troubles(status: &Status) -> String {
    let failed = status.ticks.iter().filter_map(|tick| Some((&tick.name, tick.last_error.as_ref()?)));
    failed.map(|(name, error)| format!("trouble   {name}: {error}\n")).collect()
}

fn state(state: NodeState) -> &'static str {
    match state {
        NodeState::Up => "up",
        NodeState::Suspect => "suspect",
        NodeState::Offline => "offline",
        NodeState::Lost => "lost",
    }
}

#[cfg(test)]
mod tests {
    use nodio_wire::NodeId;
    use nodio_wire::api::{RepairStatus, SegmentHealth, TickStatus};

    use super::*;

    fn node(id: u32, state: NodeState) -> NodeStatus {
        NodeStatus {
            node: NodeId(id),
            addr: format!("http://127.0.0.1:{id}"),
            domain: format!("node-{id}"),
            state,
            last_seen_ms: 2500,
            capacity_bytes: 3 << 30,
            used_bytes: 1 << 30,
            free_bytes: 2 << 30,
            shards: 12,
            faults: 0,
            version: "0.1.0".into(),
        }
    }

    fn page() -> Status {
        Status {
            now: 0,
            nodes: vec![node(2, NodeState::Offline), node(1, NodeState::Up)],
            segments: SegmentHealth { full: 7, degraded: 1, at_risk: 0, lost: 0 },
            repair: RepairStatus { queued: 1, running: 0, rebuilt: 3, deletes: 0 },
            ticks: vec![
                TickStatus { name: "census".into(), last_run: None, runs: 1, last_error: None },
                TickStatus { name: "plan".into(), last_run: Some(1), runs: 1, last_error: Some("no donor".into()) },
            ],
        }
    }

    #[test]
    fn the_page_shows_donors_in_order_health_queue_and_trouble() {
        let lines: Vec<_> = render(&page()).lines().map(str::to_owned).collect();
        assert!(lines[0].starts_with("DONOR  STATE    USED     FREE"));
        assert!(lines[1].starts_with("1      up       1.0 GiB  2.0 GiB  12"));
        assert!(lines[2].starts_with("2      offline"));
        assert_eq!(lines[4], "segments  7 full, 1 degraded, 0 at risk, 0 lost");
        assert_eq!(lines[5], "repair    1 queued, 0 running, 3 rebuilt; 0 deletions waiting");
        assert_eq!(lines[6..], ["trouble   plan: no donor"]);
    }

    #[test]
    fn a_network_without_donors_says_so() {
        let empty = Status { nodes: Vec::new(), ..page() };
        assert!(render(&empty).starts_with("no donor has joined yet\n"));
    }

    #[test]
    fn the_link_is_found_in_either_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert!(find_link(Some(folder.path().into())).unwrap_err().to_string().contains("--link"));
        let secret = nodio_wire::auth::Secret::random();
        let link = Link::for_role("h:1", nodio_wire::auth::Who::Operator, &secret).unwrap();
        std::fs::write(folder.path().join(OPERATOR_LINK), link.to_string()).unwrap();
        assert_eq!(find_link(Some(folder.path().into())).unwrap(), link);
    }
}
