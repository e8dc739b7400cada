//! A network of real processes on this machine: one coordinator, one gateway, as many donors as asked for.
//!
//! ```text
//!   FOLDER/coordinator   FOLDER/gateway   FOLDER/donors/N    data, as each role keeps it
//!   FOLDER/*.toml        FOLDER/*.log                        what each process was given, what it said
//! ```
//! Coordinator and gateway keep their ports over a restart; donors take a new one each time and tell the coordinator.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nodio_wire::api::Status;
use tempfile::TempDir;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clients::Access;
use crate::process::{Process, binary, free_port, run_captured, tail};
use crate::relay::Relay;
use crate::s3::{AccessKey, S3};
use crate::wait;

/// One process may not need longer to answer after its start.
const START_PATIENCE: Duration = Duration::from_secs(30);
const COMMAND_PATIENCE: Duration = Duration::from_secs(30);
/// Lines of each process's log shown when a test fails.
const LOG_LINES_SHOWN: usize = 12;
const REGION: &str = "us-east-1";

/// One network at a time in a process: the machine is small.
static ONE_AT_A_TIME: std::sync::LazyLock<Arc<Semaphore>> = std::sync::LazyLock::new(|| Arc::new(Semaphore::new(1)));

/// What a test may want otherwise.
#[derive(Debug, Clone)]
pub struct Options {
    pub donors: usize,
    pub code: &'static str,
    pub heartbeat_ms: u64,
    /// Time until an offline donor counts as lost.
    pub repair_after_ms: u64,
    /// Everything to and from donors passes a wire tap.
    pub tapped: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { donors: 6, code: "4/6", heartbeat_ms: 500, repair_after_ms: 600_000, tapped: false }
    }
}

/// A relay before a donor's own port.
struct Tap {
    relay: Relay,
    listen: SocketAddr,
}

impl Tap {
    async fn start() -> Result<Self> {
        let listen = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        Ok(Self { relay: Relay::start(listen).await?, listen })
    }
}

/// Every process is killed when this is dropped; then its folder goes.
pub struct Cluster {
    coordinator: Option<Process>,
    gateway: Option<Process>,
    donors: Vec<Option<Process>>,
    taps: Vec<Tap>,
    s3: S3,
    coordinator_addr: String,
    gateway_addr: String,
    options: Options,
    folder: TempDir,
    _turn: OwnedSemaphorePermit,
}

impl Cluster {
    /// Starts everything and waits until every donor is up and the gateway answers.
    pub async fn start(options: Options) -> Result<Self> {
        let turn = ONE_AT_A_TIME.clone().acquire_owned().await?;
        let folder = tempfile::tempdir()?;
        let coordinator_addr = format!("127.0.0.1:{}", free_port()?);
        let gateway_addr = format!("127.0.0.1:{}", free_port()?);
        let key = AccessKey { id: "AKIATESTTESTTESTTEST".into(), secret: "testsecrettestsecrettestsecrettestsecret".into() };
        let s3 = S3::new(format!("http://{gateway_addr}"), REGION, key)?;
        let donors = (0..options.donors).map(|_| None).collect();
        let (coordinator, gateway, taps) = (None, None, Vec::new());
        let mut cluster =
            Self { coordinator, gateway, donors, taps, s3, coordinator_addr, gateway_addr, options, folder, _turn: turn };
        cluster.write_configs()?;
        if cluster.options.tapped {
            for _ in 0..cluster.options.donors {
                cluster.taps.push(Tap::start().await?);
            }
        }
        cluster.start_coordinator().await?;
        for donor in 0..cluster.options.donors {
            cluster.start_donor(donor)?;
        }
        cluster.create_key()?;
        cluster.wait_for_donors_up(cluster.options.donors).await?;
        cluster.start_gateway().await?;
        Ok(cluster)
    }

    pub fn s3(&self) -> &S3 {
        &self.s3
    }

    /// What a client needs, with a home folder inside this network's own.
    pub fn access(&self) -> Access {
        Access { s3: self.s3.clone(), home: self.folder.path().to_owned() }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn donor_folder(&self, donor: usize) -> PathBuf {
        self.folder.path().join(format!("donors/{donor}"))
    }

    pub fn coordinator_folder(&self) -> PathBuf {
        self.folder.path().join("coordinator")
    }

    fn write_configs(&self) -> Result<()> {
        let coordinator = toml::toml! {
            domain = "node"
            plan_every_ms = 100
            inventory_settle_ms = 1000
            inventory_every_ms = 2000
        };
        let mut coordinator = coordinator;
        coordinator.insert("data".into(), text(&self.coordinator_folder()).into());
        coordinator.insert("listen".into(), self.coordinator_addr.clone().into());
        coordinator.insert("heartbeat_ms".into(), number(self.options.heartbeat_ms));
        coordinator.insert("repair_after_ms".into(), number(self.options.repair_after_ms));
        self.write_config("coordinator", &coordinator)?;
        let mut gateway = toml::Table::new();
        gateway.insert("data".into(), text(&self.folder.path().join("gateway")).into());
        gateway.insert("listen".into(), self.gateway_addr.clone().into());
        gateway.insert("code".into(), self.options.code.into());
        self.write_config("gateway", &gateway)
    }

    fn write_config(&self, name: &str, table: &toml::Table) -> Result<()> {
        Ok(fs::write(self.config(name), toml::to_string(table)?)?)
    }

    fn config(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.toml"))
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    /// `program WORDS --config NAME.toml`, with no settings but those of the file.
    fn command(&self, program: &str, words: &[&str], config: &str) -> Result<Command> {
        let mut command = Command::new(binary(program)?);
        command.env_clear().env("NODIO_LOG", "info,s3s=off").args(words).arg("--config").arg(self.config(config));
        Ok(command)
    }

    fn nodio(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(binary("nodio")?);
        command.env_clear().args(words);
        Ok(command)
    }

    // ---- coordinator ----

    pub async fn start_coordinator(&mut self) -> Result<()> {
        let mut command = self.command("nodio", &["coordinator"], "coordinator")?;
        self.coordinator = Some(Process::spawn("coordinator", &mut command, &self.log("coordinator"))?);
        wait::until("the coordinator answers", START_PATIENCE, async || {
            self.coordinator.as_mut().context("not started")?.check_alive()?;
            self.status().map(drop)
        })
        .await
    }

    pub fn kill_coordinator(&mut self) {
        self.coordinator = None;
    }

    /// The whole network on one page, as `nodio status --json` prints it.
    pub fn status(&self) -> Result<Status> {
        let link = text(&self.coordinator_folder().join("operator.link"));
        let link = fs::read_to_string(&link).with_context(|| link)?;
        let mut command = self.nodio(&["status", "--json", "--link", link.trim()])?;
        Ok(serde_json::from_str(&run_captured(&mut command, COMMAND_PATIENCE)?.ok()?)?)
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
        let up =
            |status: &Status| status.nodes.iter().filter(|node| node.state == nodio_wire::api::NodeState::Up).count() == count;
        self.wait_for(&format!("{count} donors are up"), START_PATIENCE, up).await.map(drop)
    }

    /// A link that lets one role join, from `nodio invite`.
    fn invite(&self, role: &str) -> Result<String> {
        let mut command = self.nodio(&["invite", "--for", role, "--data", &text(&self.coordinator_folder())])?;
        Ok(run_captured(&mut command, COMMAND_PATIENCE)?.ok()?.trim().to_owned())
    }

    // ---- gateway ----

    fn create_key(&mut self) -> Result<()> {
        let mut gateway: toml::Table = toml::from_str(&fs::read_to_string(self.config("gateway"))?)?;
        gateway.insert("link".into(), self.invite("gateway")?.into());
        self.write_config("gateway", &gateway)?;
        let key = &self.s3.key;
        let words = ["keys", "create", "--user", "tester", "--access-key", &key.id, "--secret-key", &key.secret];
        run_captured(&mut self.command("nodio", &words, "gateway")?, COMMAND_PATIENCE)?.ok().map(drop)
    }

    pub async fn start_gateway(&mut self) -> Result<()> {
        let mut command = self.command("nodio", &["gateway"], "gateway")?;
        self.gateway = Some(Process::spawn("gateway", &mut command, &self.log("gateway"))?);
        wait::until("the gateway answers", START_PATIENCE, async || {
            self.gateway.as_mut().context("not started")?.check_alive()?;
            Ok(reqwest::get(&self.s3.endpoint).await.map(drop)?)
        })
        .await
    }

    pub fn kill_gateway(&mut self) {
        self.gateway = None;
    }

    pub fn gateway_peak_rss_bytes(&self) -> Result<u64> {
        self.gateway.as_ref().context("the gateway does not run")?.peak_rss_bytes()
    }

    // ---- donors ----

    /// Starts donor `donor` on its folder as it is.
    pub fn start_donor(&mut self, donor: usize) -> Result<()> {
        let name = format!("donor-{donor}");
        if !self.config(&name).exists() {
            self.write_donor_config(&name, donor)?;
        }
        let mut command = self.command("nodio-node", &[], &name)?;
        self.donors[donor] = Some(Process::spawn(&name, &mut command, &self.log(&name))?);
        Ok(())
    }

    fn write_donor_config(&self, name: &str, donor: usize) -> Result<()> {
        let mut config = toml::Table::new();
        config.insert("data".into(), text(&self.donor_folder(donor)).into());
        config.insert("listen".into(), "127.0.0.1:0".into());
        config.insert("invite".into(), self.invite("donor")?.into());
        config.insert("capacity".into(), "4 GiB".into());
        if let Some(tap) = self.taps.get(donor) {
            config.insert("listen".into(), tap.listen.to_string().into());
            config.insert("advertise".into(), format!("http://{}", tap.relay.addr).into());
        }
        self.write_config(name, &config)
    }

    /// Bytes that passed the wire taps, and whether `marker` was among them.
    pub fn tapped(&self, marker: &[u8]) -> (usize, bool) {
        let seen = self.taps.iter().map(|tap| tap.relay.seen(marker));
        seen.fold((0, false), |(bytes, found), (more, here)| (bytes + more, found || here))
    }

    pub fn kill_donor(&mut self, donor: usize) {
        self.donors[donor] = None;
    }

    /// Kills the donor, empties its folder and starts another in its place.
    pub fn replace_donor(&mut self, donor: usize) -> Result<()> {
        self.kill_donor(donor);
        fs::remove_dir_all(self.donor_folder(donor))?;
        self.start_donor(donor)
    }

    /// Fails with its log when a process has ended that nobody killed.
    pub fn check_alive(&mut self) -> Result<()> {
        let donors = self.donors.iter_mut().flatten();
        donors.chain(&mut self.coordinator).chain(&mut self.gateway).try_for_each(Process::check_alive)
    }

    // ---- everything ----

    /// SIGKILL for every process, as near to at once as can be.
    pub fn kill_everything(&mut self) {
        self.gateway = None;
        self.coordinator = None;
        self.donors.iter_mut().for_each(|donor| *donor = None);
    }

    pub async fn start_everything(&mut self) -> Result<()> {
        self.start_coordinator().await?;
        for donor in 0..self.donors.len() {
            self.start_donor(donor)?;
        }
        self.wait_for_donors_up(self.donors.len()).await?;
        self.start_gateway().await
    }

    /// Fails when `marker` stands in any file below `folder`.
    pub fn must_not_contain(&self, folder: &Path, marker: &[u8]) -> Result<()> {
        for path in crate::data::all_files(folder)? {
            let bytes = fs::read(&path)?;
            ensure!(!bytes.windows(marker.len()).any(|window| window == marker), "{} holds the marker", path.display());
        }
        Ok(())
    }
}

/// What each process said last, for the test runner to show if the test failed.
impl Drop for Cluster {
    fn drop(&mut self) {
        let logs = fs::read_dir(self.folder.path()).into_iter().flatten().flatten().map(|entry| entry.path());
        for log in logs.filter(|path| path.extension().is_some_and(|extension| extension == "log")) {
            eprintln!("--- end of {}\n{}", log.display(), tail(&log, LOG_LINES_SHOWN));
        }
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn number(value: u64) -> toml::Value {
    toml::Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}
