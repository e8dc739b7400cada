//! One switch that everything in a process watches. It is thrown once and stays thrown.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code after a second signal, as a shell reports a process ended by SIGINT.
const EXIT_HARD: i32 = 130;

/// Cheap to clone; all clones are the same switch.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// A switch that only [`Shutdown::trigger`] throws.
    pub fn new() -> Self {
        Self::default()
    }

    /// A switch thrown by SIGINT or SIGTERM as well. A second signal ends the process at once, with exit code 130. Needs a tokio runtime.
    pub fn on_signals() -> Self {
        let shutdown = Self::new();
        // Registered before this returns: a signal that comes right after it is not missed.
        match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
            (Ok(interrupt), Ok(terminate)) => {
                tokio::spawn(watch(interrupt, terminate, shutdown.clone()));
            }
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!("signals can't be watched, so they end the process at once: {error}")
            }
        }
        shutdown
    }

    /// Begins the shutdown. Doing it again changes nothing.
    pub fn trigger(&self) {
        self.0.cancel();
    }

    pub fn is_triggered(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Returns once the shutdown has begun.
    pub async fn wait(&self) {
        self.0.cancelled().await;
    }
}

async fn watch(mut interrupt: Signal, mut terminate: Signal, shutdown: Shutdown) {
    either(&mut interrupt, &mut terminate).await;
    tracing::info!("stopping; a second signal stops at once");
    shutdown.trigger();
    either(&mut interrupt, &mut terminate).await;
    tracing::warn!("stopped at once");
    std::process::exit(EXIT_HARD);
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    const CHILD: &str = "NODIO_TEST_SIGNAL_CHILD";

    #[tokio::test]
    async fn all_clones_are_one_switch() {
        let shutdown = Shutdown::new();
        let clone = shutdown.clone();
        assert!(!clone.is_triggered());
        let waiting = tokio::spawn(async move { clone.wait().await });
        shutdown.trigger();
        shutdown.trigger();
        waiting.await.unwrap();
        shutdown.wait().await;
        assert!(shutdown.is_triggered());
    }

    /// Not a test of its own: the process that the next test signals.
    #[test]
    #[allow(clippy::print_stdout)]
    fn child_that_waits_for_signals() {
        if std::env::var_os(CHILD).is_none() {
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let shutdown = Shutdown::on_signals();
            println!("\nready");
            shutdown.wait().await;
            println!("\nstopping");
            std::future::pending::<()>().await;
        });
    }

    #[test]
    fn the_first_signal_begins_the_shutdown_and_the_second_ends_the_process() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "shutdown::tests::child_that_waits_for_signals", "--nocapture", "--test-threads=1"])
            .env(CHILD, "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pid = Pid::from_child(&child);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line == "ready"));
        kill_process(pid, Signal::TERM).unwrap();
        assert!(lines.any(|line| line == "stopping"));
        kill_process(pid, Signal::INT).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(EXIT_HARD));
    }
}
