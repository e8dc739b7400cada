//! Child processes whose end is certain: killed and reaped when dropped, so also after an error or a signal.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::run::describe;

const POLL: Duration = Duration::from_millis(20);
/// Of a log, where it tells why something went wrong.
const LINES_SHOWN: usize = 20;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on a signal ends every wait here with an error, so that all is dropped in order.
pub(super) fn stop_on_signals() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = {
        let _context = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        INTERRUPTED.store(true, Ordering::Relaxed);
    });
    Ok(())
}

pub(super) struct Guarded {
    line: String,
    child: Child,
}

impl Guarded {
    /// Starts `command` with its output in files. It hears no signal of the terminal's: this process decides when it ends.
    pub(super) fn spawn(command: &mut Command, stdout: &Path, stderr: &Path) -> Result<Self> {
        let line = describe(command);
        let (stdout, stderr) = (File::create(stdout)?, File::create(stderr)?);
        let child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).process_group(0).spawn();
        let child = child.with_context(|| format!("can't run `{line}`"))?;
        Ok(Self { line, child })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `seen` finds what it looks for; `None` once the child has ended by itself before.
    pub(super) fn until<T>(&mut self, patience: Duration, mut seen: impl FnMut() -> Option<T>) -> Result<Option<T>> {
        let deadline = Instant::now() + patience;
        loop {
            let ended = self.child.try_wait()?.is_some();
            if let Some(found) = seen() {
                return Ok(Some(found));
            }
            if ended {
                return Ok(None);
            }
            if INTERRUPTED.load(Ordering::Relaxed) {
                bail!("interrupted");
            }
            if Instant::now() >= deadline {
                bail!("`{}` was not through after {} s", self.line, patience.as_secs());
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits for its end.
    pub(super) fn ended(&mut self, patience: Duration) -> Result<ExitStatus> {
        self.until(patience, || None::<()>)?;
        Ok(self.child.wait()?)
    }

    /// An error that names the command and shows what it said last.
    pub(super) fn failed(&self, log: &Path) -> anyhow::Error {
        let said = fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<_> = said.lines().collect();
        anyhow::anyhow!("`{}` failed:\n{}", self.line, lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n"))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(folder: &Path, script: &str) -> Guarded {
        Guarded::spawn(Command::new("sh").args(["-c", script]), &folder.join("out"), &folder.join("err")).unwrap()
    }

    #[test]
    fn a_child_is_gone_when_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let child = sh(folder.path(), "sleep 600");
        let place = format!("/proc/{}", child.pid());
        assert!(Path::new(&place).exists());
        drop(child);
        assert!(!Path::new(&place).exists());
    }

    #[test]
    fn an_end_is_seen_and_a_late_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = sh(folder.path(), "echo said; echo broken >&2; exit 3");
        assert_eq!(child.ended(Duration::from_secs(60)).unwrap().code(), Some(3));
        assert_eq!(fs::read_to_string(folder.path().join("out")).unwrap(), "said\n");
        assert!(child.failed(&folder.path().join("err")).to_string().ends_with("broken"));
        let mut late = sh(folder.path(), "sleep 600");
        assert!(late.ended(Duration::ZERO).is_err());
        assert_eq!(late.until(Duration::from_secs(60), || Some(5)).unwrap(), Some(5));
    }
}
