//! What a donor does for order by itself: deletes what has lain in the trash long enough, and reads its own shards for rot.
//!
//! Both are bounded steps with rests between. The reading takes a share of the time and not a rate, so that it gives way on a
//! slow disk, and no more of it than a round in the days configured needs.

use std::time::Duration;

use nodio_host::{Progress, Shutdown, Ticks};

use crate::limits::{SCRUB_EVERY_MS, TRASH_EVERY_MS, TRASH_STEP_SHARDS};
use crate::store::{Scrubbed, Scrubber, Store};

/// Empties the trash of what was set aside more than `keep_ms` ago.
pub(crate) fn spawn_trash(ticks: &Ticks, store: Store, keep_ms: u64) {
    let every = (keep_ms / 10).clamp(1000, TRASH_EVERY_MS);
    ticks.spawn("trash", Duration::from_millis(every), move || {
        let store = store.clone();
        async move {
            let before = store.now_ms().saturating_sub(keep_ms);
            let deleted = store.empty_trash(before, TRASH_STEP_SHARDS).await.map_err(|error| error.to_string())?;
            if deleted > 0 {
                tracing::info!(shards = deleted, "deleted surplus shards for good");
            }
            Ok(if deleted >= TRASH_STEP_SHARDS as u64 { Progress::More } else { Progress::Idle })
        }
    });
}

/// How fast the donor reads its own shards.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scrubbing {
    /// Time in which all are read once.
    pub(crate) cycle_ms: u64,
    /// Most of the time spent reading, above 0 and up to 1.
    pub(crate) share: f64,
}

impl Scrubbing {
    /// Reads until the shutdown. A donor that rests for days may be filled meanwhile, so it looks now and then when the next step
    /// is due.
    pub(crate) async fn run(self, store: Store, shutdown: Shutdown) {
        let mut scrubber = Scrubber::new(store);
        let look = Duration::from_millis(SCRUB_EVERY_MS);
        let mut pause = Duration::ZERO;
        loop {
            let wait = scrubber.wait(self.cycle_ms, self.share).max(pause);
            tokio::select! {
                biased;
                () = shutdown.wait() => return,
                () = tokio::time::sleep(wait.min(look)) => {}
            }
            pause = Duration::ZERO;
            if wait > look {
                continue;
            }
            match scrubber.step().await {
                Ok(Scrubbed { wrapped, .. }) if wrapped => tracing::info!("every shard held was read once"),
                Ok(Scrubbed { rotten, mended, .. }) if rotten + mended > 0 => {
                    tracing::info!(rotten, mended, "the disk is losing bits")
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!("this donor's own shards can't be read through: {error}");
                    pause = look;
                }
            }
        }
    }
}
