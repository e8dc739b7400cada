//! A network of real processes on this machine: one coordinator, one gateway, as many donors as asked for.
//!
//! ```text
//!   FOLDER/coordinator   FOLDER/gateway   FOLDER/donors/N    data, as each role keeps it
//!   FOLDER/*.toml        FOLDER/*.log                        what each process was given, what it said
//! ```
//! Coordinator and gateway keep their ports over a restart; donors take a new one each time and tell the coordinator, unless a relay
//! stands before them.

mod donors;
mod operator;
mod options;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::options::Options;

use self::donors::Front;
use crate::clients::Access;
use crate::disk::SmallDisk;
use crate::process::{Process, Usage, binary, free_port, run_captured, tail};
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

/// Every process is killed when this is dropped; then its folder goes.
pub struct Cluster {
    coordinator: Option<Process>,
    gateway: Option<Process>,
    donors: Vec<Option<Process>>,
    fronts: Vec<Option<Front>>,
    disks: Vec<Option<SmallDisk>>,
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
        let (donors, fronts, disks) = (Vec::new(), Vec::new(), Vec::new());
        let (coordinator, gateway) = (None, None);
        let mut cluster = Self {
            coordinator,
            gateway,
            donors,
            fronts,
            disks,
            s3,
            coordinator_addr,
            gateway_addr,
            options,
            folder,
            _turn: turn,
        };
        cluster.write_configs()?;
        cluster.start_coordinator().await?;
        for _ in 0..cluster.options.donors {
            cluster.add_donor().await?;
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

    pub fn coordinator_folder(&self) -> PathBuf {
        self.folder.path().join("coordinator")
    }

    pub fn gateway_folder(&self) -> PathBuf {
        self.folder.path().join("gateway")
    }

    fn write_configs(&self) -> Result<()> {
        let coordinator = toml::toml! {
            domain = "node"
            plan_every_ms = 100
            inventory_settle_ms = 1000
            inventory_every_ms = 2000
        };
        let mut coordinator = coordinator;
        coordinator.extend(self.options.coordinator.clone());
        coordinator.insert("data".into(), text(&self.coordinator_folder()).into());
        coordinator.insert("listen".into(), self.coordinator_addr.clone().into());
        coordinator.insert("heartbeat_ms".into(), number(self.options.heartbeat_ms));
        coordinator.insert("repair_after_ms".into(), number(self.options.repair_after_ms));
        self.write_config("coordinator", &coordinator)?;
        let mut gateway = self.options.gateway.clone();
        gateway.insert("data".into(), text(&self.gateway_folder()).into());
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

    /// Processor time and memory of the coordinator so far.
    pub fn coordinator_usage(&self) -> Result<Usage> {
        self.coordinator.as_ref().context("the coordinator does not run")?.usage()
    }

    pub fn gateway_peak_rss_bytes(&self) -> Result<u64> {
        self.gateway.as_ref().context("the gateway does not run")?.peak_rss_bytes()
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
