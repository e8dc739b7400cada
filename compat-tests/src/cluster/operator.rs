//! What an operator can see and ask: by the `nodio` command as a person would, or straight by `/api`.

use anyhow::bail;
use nodio_wire::PartId;
use nodio_wire::api::{Inspect, NodeState, SegmentView, Status};
use nodio_wire::client::{HttpFleet, OperatorApi, http_pool};
use nodio_wire::fleet::Fleet;
use nodio_wire::limits::SEGMENTS_PER_CALL_MAX;

use super::*;
use crate::process::Captured;

const PARTS_PER_PAGE: u32 = 1000;

impl Cluster {
    /// The link of the cluster's operator.
    pub fn operator_link(&self) -> Result<String> {
        let path = self.coordinator_folder().join("operator.link");
        let link = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(link.trim().to_owned())
    }

    pub fn operator(&self) -> Result<OperatorApi> {
        Ok(OperatorApi::new(http_pool()?, &self.operator_link()?.parse()?))
    }

    /// The coordinator as the gateway sees it.
    pub fn fleet(&self) -> Result<HttpFleet> {
        let gateway: toml::Table = toml::from_str(&fs::read_to_string(self.config("gateway"))?)?;
        let link = gateway.get("link").and_then(toml::Value::as_str).context("the gateway has no link yet")?;
        Ok(HttpFleet::new(http_pool()?, &link.parse()?))
    }

    /// `nodio WORDS`, as a person would run it, to its end.
    pub fn run_nodio(&self, words: &[&str], patience: Duration) -> Result<Captured> {
        run_captured(&mut self.nodio(words)?, patience)
    }

    /// `nodio WORDS`, going on beside the test.
    pub fn spawn_nodio(&self, name: &str, words: &[&str]) -> Result<Process> {
        Process::spawn(name, &mut self.nodio(words)?, &self.log(name))
    }

    /// `nodio WORDS` of an operator who also runs the gateway: he knows the coordinator's link and the gateway's folder.
    pub fn run_operator(&self, words: &[&str], patience: Duration) -> Result<Captured> {
        let (link, gateway) = (self.operator_link()?, text(&self.gateway_folder()));
        self.run_nodio(&[words, &["--link", &link, "--data", &gateway]].concat(), patience)
    }

    /// The whole network on one page, as `nodio status --json` prints it.
    pub fn status(&self) -> Result<Status> {
        let words = ["status", "--json", "--link", &self.operator_link()?];
        Ok(serde_json::from_str(&self.run_nodio(&words, COMMAND_PATIENCE)?.ok()?)?)
    }

    /// Waits until the status is as wanted; says what it was last when that doesn't come.
    pub async fn wait_for(&self, what: &str, patience: Duration, wanted: impl Fn(&Status) -> bool) -> Result<Status> {
        wait::until(what, patience, async || {
            let status = self.status()?;
            if wanted(&status) {
                return Ok(status);
            }
            let nodes: Vec<_> = status.nodes.iter().map(|node| (node.node.0, node.state)).collect();
            bail!("{nodes:?} {:?} {:?}", status.segments, status.repair)
        })
        .await
    }

    pub async fn wait_for_donors_up(&self, count: usize) -> Result<()> {
        let up = |status: &Status| status.nodes.iter().filter(|node| node.state == NodeState::Up).count() == count;
        self.wait_for(&format!("{count} donors are up"), START_PATIENCE, up).await.map(drop)
    }

    /// Every part that the shard map knows.
    pub async fn parts(&self) -> Result<Vec<PartId>> {
        let fleet = self.fleet()?;
        let mut parts: Vec<PartId> = Vec::new();
        loop {
            let page = fleet.parts(parts.last().copied(), PARTS_PER_PAGE).await?;
            parts.extend(page.iter().map(|known| known.part));
            if page.len() < PARTS_PER_PAGE as usize {
                return Ok(parts);
            }
        }
    }

    /// Every segment of the shard map.
    pub async fn map(&self) -> Result<Vec<SegmentView>> {
        let operator = self.operator()?;
        let count = SEGMENTS_PER_CALL_MAX as u32;
        let mut map = Vec::new();
        for part in self.parts().await? {
            let mut first = 0;
            loop {
                let page = operator.inspect(&Inspect { part, first, count }).await?;
                first += page.len() as u32;
                let last = page.len() < count as usize;
                map.extend(page);
                if last {
                    break;
                }
            }
        }
        Ok(map)
    }

    /// A link that lets one role join, from `nodio invite`.
    pub(super) fn invite(&self, role: &str) -> Result<String> {
        let mut command = self.nodio(&["invite", "--for", role, "--data", &text(&self.coordinator_folder())])?;
        Ok(run_captured(&mut command, COMMAND_PATIENCE)?.ok()?.trim().to_owned())
    }
}
