//! Background work, one bounded step at a time.
//!
//! A step does a little and says whether there is [`Progress::More`]. Its state is in durable rows, so a step that failed, panicked or was
//! cut off is simply done again. Steps of one tick never overlap; after a step with more to do the tick rests for a multiple of the
//! step's own time, so that background work gives way to foreground work. A shutdown lets the step in hand finish and starts no other.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio_util::task::TaskTracker;

use crate::blocking::panic_message;
use crate::clock::now_ms;
use crate::limits::{TICK_JITTER_PERCENT, TICK_REST_FACTOR};
use crate::shutdown::Shutdown;

/// What a step says about the work left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do: run again soon.
    More,
    /// Nothing to do until the next period.
    Idle,
}

/// How one tick is doing, for the status page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickStatus {
    pub name: &'static str,
    /// When the last step ended, in Unix milliseconds.
    pub last_run_ms: Option<u64>,
    /// Steps that ended, well or not.
    pub runs: u64,
    /// What the last step that failed said; cleared by the next one that succeeds.
    pub last_error: Option<String>,
}

/// The ticks of one process. Cheap to clone: a clone sees and starts the same ticks.
#[derive(Debug, Clone)]
pub struct Ticks {
    shutdown: Shutdown,
    tasks: TaskTracker,
    status: Arc<Mutex<Vec<TickStatus>>>,
}

impl Ticks {
    pub fn new(shutdown: Shutdown) -> Self {
        Self { shutdown, tasks: TaskTracker::new(), status: Arc::default() }
    }

    /// Runs `step` now and then: soon again after [`Progress::More`], after about `every` otherwise. A step that fails or panics is logged,
    /// shown in the status and tried again after `every`.
    pub fn spawn<Step, Work>(&self, name: &'static str, every: Duration, step: Step)
    where
        Step: FnMut() -> Work + Send + 'static,
        Work: Future<Output = Result<Progress, String>> + Send + 'static,
    {
        let slot = {
            let mut all = lock(&self.status);
            all.push(TickStatus { name, last_run_ms: None, runs: 0, last_error: None });
            all.len() - 1
        };
        self.tasks.spawn(run(self.clone(), slot, every, step));
    }

    /// Every tick's state, in the order they were started.
    pub fn status(&self) -> Vec<TickStatus> {
        lock(&self.status).clone()
    }

    /// Waits until every tick has ended, which they do once the shutdown has begun.
    pub async fn join(self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn record(&self, slot: usize, outcome: &Result<Progress, String>) {
        let mut all = lock(&self.status);
        let status = &mut all[slot];
        status.last_run_ms = Some(now_ms());
        status.runs += 1;
        status.last_error = outcome.as_ref().err().cloned();
        if let Err(error) = outcome {
            tracing::warn!(tick = status.name, "{error}");
        }
    }
}

async fn run<Step, Work>(ticks: Ticks, slot: usize, every: Duration, mut step: Step)
where
    Step: FnMut() -> Work,
    Work: Future<Output = Result<Progress, String>>,
{
    let mut pause = first_pause(every, rand::random());
    while rest(&ticks.shutdown, pause).await {
        let began = Instant::now();
        let outcome = guarded(&mut step).await;
        ticks.record(slot, &outcome);
        pause = match outcome {
            Ok(Progress::More) => (began.elapsed() * TICK_REST_FACTOR).min(every),
            Ok(Progress::Idle) | Err(_) => jittered(every, rand::random()),
        };
    }
}

/// Waits; false when the shutdown came first.
async fn rest(shutdown: &Shutdown, pause: Duration) -> bool {
    tokio::select! {
        biased;
        () = shutdown.wait() => false,
        () = tokio::time::sleep(pause) => true,
    }
}

async fn guarded<Step, Work>(step: &mut Step) -> Result<Progress, String>
where
    Step: FnMut() -> Work,
    Work: Future<Output = Result<Progress, String>>,
{
    // A step keeps its state in durable rows, so one that panicked half-way is no worse than one cut off by a crash.
    let work = AssertUnwindSafe(async { step().await }).catch_unwind();
    work.await.unwrap_or_else(|panic| Err(format!("panicked: {}", panic_message(panic.as_ref()))))
}

/// Soon, but not in step with the other processes that started at the same moment. `random` is in `0.0..1.0`.
fn first_pause(every: Duration, random: f64) -> Duration {
    every.mul_f64(random * f64::from(TICK_JITTER_PERCENT) / 100.0)
}

/// `every`, up to [`TICK_JITTER_PERCENT`] shorter or longer. `random` is in `0.0..1.0`.
fn jittered(every: Duration, random: f64) -> Duration {
    let spread = f64::from(TICK_JITTER_PERCENT) / 100.0;
    every.mul_f64(1.0 - spread + 2.0 * spread * random)
}

fn lock(status: &Mutex<Vec<TickStatus>>) -> MutexGuard<'_, Vec<TickStatus>> {
    status.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn a_step_with_more_runs_again_at_once_and_an_idle_one_after_the_period() {
        let shutdown = Shutdown::new();
        let ticks = Ticks::new(shutdown.clone());
        let (ran, mut runs) = mpsc::channel(1);
        let mut left = 3;
        let began = tokio::time::Instant::now();
        ticks.spawn("sweep", LONG, move || {
            left -= 1;
            let (ran, progress) = (ran.clone(), if left > 0 { Progress::More } else { Progress::Idle });
            async move {
                ran.send(()).await.map_err(|e| e.to_string())?;
                Ok(progress)
            }
        });
        for _ in 0..3 {
            runs.recv().await.unwrap();
        }
        assert!(began.elapsed() < LONG / 5, "the first three came one after the other");
        runs.recv().await.unwrap();
        assert!(began.elapsed() > LONG / 2, "the fourth waited for the period");
        shutdown.trigger();
        drop(runs);
        ticks.join().await;
    }

    #[tokio::test(start_paused = true)]
    async fn errors_and_panics_are_shown_and_do_not_end_the_tick() {
        let shutdown = Shutdown::new();
        let ticks = Ticks::new(shutdown.clone());
        let count = Arc::new(AtomicU64::new(0));
        ticks.spawn("audit", Duration::from_secs(1), move || {
            let run = count.fetch_add(1, Ordering::Relaxed);
            async move {
                match run {
                    0 => Err("no donors".to_owned()),
                    1 => panic!("off by one"),
                    _ => Ok(Progress::Idle),
                }
            }
        });
        assert_eq!(wait_for_runs(&ticks, 1).await.last_error.as_deref(), Some("no donors"));
        assert_eq!(wait_for_runs(&ticks, 2).await.last_error.as_deref(), Some("panicked: off by one"));
        let healthy = wait_for_runs(&ticks, 3).await;
        assert_eq!((healthy.name, healthy.last_error), ("audit", None));
        assert!(healthy.last_run_ms.is_some());
        shutdown.trigger();
        ticks.join().await;
    }

    async fn wait_for_runs(ticks: &Ticks, runs: u64) -> TickStatus {
        loop {
            let status = ticks.status().remove(0);
            if status.runs >= runs {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    #[tokio::test]
    async fn a_shutdown_lets_the_step_in_hand_finish() {
        let shutdown = Shutdown::new();
        let ticks = Ticks::new(shutdown.clone());
        let (began, mut has_begun) = mpsc::channel(1);
        ticks.spawn("mend", Duration::from_millis(1), move || {
            let began = began.clone();
            async move {
                began.send(()).await.map_err(|e| e.to_string())?;
                tokio::time::sleep(Duration::from_millis(30)).await;
                Ok(Progress::More)
            }
        });
        has_begun.recv().await.unwrap();
        shutdown.trigger();
        ticks.clone().join().await;
        assert_eq!(ticks.status()[0].runs, 1);
    }

    #[tokio::test]
    async fn nothing_runs_after_a_shutdown() {
        let shutdown = Shutdown::new();
        shutdown.trigger();
        let ticks = Ticks::new(shutdown);
        ticks.spawn("never", Duration::ZERO, || async { Ok(Progress::More) });
        ticks.clone().join().await;
        assert_eq!(ticks.status()[0].runs, 0);
    }

    #[test]
    fn the_jitter_stays_within_its_bounds() {
        let every = Duration::from_secs(30);
        for random in [0.0, 0.5, 0.999_999] {
            assert!((27.0..=33.0).contains(&jittered(every, random).as_secs_f64()));
            assert!(first_pause(every, random) <= Duration::from_secs(3));
        }
    }
}
