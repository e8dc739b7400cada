//! One child process: its log in a file, its end certain. Dropping it kills and reaps it, also while a test panics.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Lines of a log shown when a test fails.
const LOG_LINES_SHOWN: usize = 30;

/// Linux counts processor time in hundredths of a second, wherever it is asked from a program.
const MS_PER_TICK: u64 = 10;

/// What a process has taken so far, and holds now.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// In user and system mode, of all its threads.
    pub cpu: Duration,
    pub rss_bytes: u64,
    pub peak_rss_bytes: u64,
}

#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it prints is appended to `log`.
    pub fn spawn(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let output = OpenOptions::new().create(true).append(true).open(log)?;
        let child = command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).spawn();
        let child = child.with_context(|| format!("can't start {name}"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, then waits at most `patience`.
    pub fn terminate(&mut self, patience: Duration) -> Result<ExitStatus> {
        let status = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.pid())]).status()?;
        if !status.success() {
            bail!("{} could not be signalled", self.name);
        }
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("{} did not stop within {patience:?}", self.name)
    }

    /// How it ended, if it did.
    pub fn try_ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Fails with the end of the log when the process has ended by itself.
    pub fn check_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}):\n{}", self.name, self.log_tail()),
        }
    }

    /// Most resident memory so far, bytes (`VmHWM`).
    pub fn peak_rss_bytes(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, line: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let found = status.lines().find_map(|found| found.strip_prefix(line)).with_context(|| format!("no {line}"))?;
        let kib: u64 = found.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib * 1024)
    }

    /// What it has taken of the machine, from `/proc`.
    pub fn usage(&self) -> Result<Usage> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        let (_, fields) = stat.rsplit_once(')').context("no process name")?;
        let ticks = |field: usize| anyhow::Ok(fields.split_whitespace().nth(field).context("too short")?.parse::<u64>()?);
        let cpu = Duration::from_millis((ticks(11)? + ticks(12)?) * MS_PER_TICK);
        Ok(Usage { cpu, rss_bytes: self.memory("VmRSS:")?, peak_rss_bytes: self.memory("VmHWM:")? })
    }

    fn log_tail(&self) -> String {
        tail(&self.log, LOG_LINES_SHOWN)
    }
}

/// The last lines of a log.
pub fn tail(log: &Path, lines_max: usize) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(lines_max)..].join("\n")
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where the workspace's binaries are: beside the folder of the test executable.
pub fn binary(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent).context("the test executable is not in target/PROFILE/deps")?;
    let path = folder.join(name);
    if !path.is_file() {
        bail!("{} is not built: run `cargo build --workspace --bins` first", path.display());
    }
    Ok(path)
}

/// A port nobody listens on, below the range the system gives to outgoing connections, so that a restarted role finds it free again.
pub fn free_port() -> Result<u16> {
    for _ in 0..200 {
        let [low, high] = nodio_wire::auth::random_bytes();
        let port = 12_000 + u16::from_be_bytes([low, high]) % 18_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port found")
}

/// Runs a command to its end with everything it prints captured; kills it after `patience`.
pub fn run_captured(command: &mut Command, patience: Duration) -> Result<Captured> {
    let line = format!("{command:?}");
    let folder = tempfile::tempdir()?;
    let (stdout, stderr) = (folder.path().join("stdout"), folder.path().join("stderr"));
    let child = command.stdin(Stdio::null()).stdout(File::create(&stdout)?).stderr(File::create(&stderr)?).spawn();
    let mut child = child.with_context(|| format!("can't run {line}"))?;
    let status = wait_at_most(&mut child, patience)?.with_context(|| format!("{line} still ran after {patience:?}"));
    let read = |path: &Path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let (stdout, stderr) = (read(&stdout)?, read(&stderr)?);
    Ok(Captured { status: status.with_context(|| stderr.clone())?, line, stdout, stderr })
}

fn wait_at_most(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// What a finished command left.
#[derive(Debug)]
pub struct Captured {
    line: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Captured {
    /// Its standard output, if it ended well.
    pub fn ok(self) -> Result<String> {
        if !self.status.success() {
            bail!("{} failed ({})\n{}\n{}", self.line, self.status, self.stdout.trim(), self.stderr.trim());
        }
        Ok(self.stdout)
    }
}
