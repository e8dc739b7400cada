//! The couriers: one task per webhook, which takes the oldest event, delivers it, and only then the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nodio_host::shutdown::Shutdown;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::message;
use crate::config::Webhook;
use crate::limits::{EVENT_PAGE, EVENT_POST_MS_MAX, EVENT_RETRY_MS_MAX, EVENT_TRIM_EVERY_MS, EVENT_TRIM_ROWS};
use crate::tables::{TableError, Tables, WaitingEvent};

/// What became of a webhook's events since the start.
#[derive(Debug, Default)]
struct Counts {
    delivered: AtomicU64,
    /// Attempts that failed; the event was tried again.
    failed: AtomicU64,
    /// Events that had to make room.
    dropped: AtomicU64,
}

/// A webhook's figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct EventFigures {
    pub(crate) waiting: u64,
    pub(crate) delivered: u64,
    pub(crate) failed: u64,
    pub(crate) dropped: u64,
}

/// All couriers, as the rest of the gateway sees them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Couriers {
    tables: Tables,
    counts: Arc<BTreeMap<String, Counts>>,
}

/// How the couriers are to behave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Events kept for one webhook.
    pub(crate) queue_max: u64,
    /// Pause after the first failure, milliseconds; it doubles with each further one.
    pub(crate) retry_ms: u64,
}

impl Couriers {
    /// Begins to deliver what waits, over `pool`, until `shutdown`.
    pub(crate) fn start(
        tables: &Tables,
        webhooks: &[Webhook],
        pool: &reqwest::Client,
        pace: Pace,
        shutdown: &Shutdown,
    ) -> (Self, JoinSet<()>) {
        let counts = webhooks.iter().map(|webhook| (webhook.name.clone(), Counts::default())).collect();
        let couriers = Self { tables: tables.clone(), counts: Arc::new(counts) };
        let mut tasks = JoinSet::new();
        for webhook in webhooks {
            let courier = Courier { all: couriers.clone(), webhook: webhook.clone(), pool: pool.clone(), pace };
            tasks.spawn(courier.run(shutdown.clone()));
        }
        (couriers, tasks)
    }

    /// Each webhook's, by name.
    pub(crate) fn figures(&self) -> impl Iterator<Item = (&str, EventFigures)> {
        self.counts.iter().map(|(name, counts)| {
            let waiting = self.tables.queue(name).map_or(0, |queue| queue.waiting());
            let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
            let (delivered, failed, dropped) = (read(&counts.delivered), read(&counts.failed), read(&counts.dropped));
            (name.as_str(), EventFigures { waiting, delivered, failed, dropped })
        })
    }
}

struct Courier {
    all: Couriers,
    webhook: Webhook,
    pool: reqwest::Client,
    pace: Pace,
}

/// What a round came to.
enum Round {
    /// All that was read was delivered.
    Delivered,
    Nothing,
    Failed(String),
    Shutdown,
}

impl Courier {
    async fn run(self, shutdown: Shutdown) {
        let mut failures = 0;
        loop {
            let round = self.round(&shutdown).await;
            let goes_on = match round {
                Round::Delivered => {
                    failures = 0;
                    !shutdown.is_triggered()
                }
                Round::Nothing => self.wait_for_news(&shutdown).await,
                Round::Failed(why) => {
                    tracing::warn!(webhook = self.webhook.name, failures, "an event was not delivered: {why}");
                    failures += 1;
                    self.rest(pause(self.pace.retry_ms, failures, rand::random()), &shutdown).await
                }
                Round::Shutdown => false,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Delivers a page of events, in order, up to the first that isn't taken.
    async fn round(&self, shutdown: &Shutdown) -> Round {
        match self.try_round(shutdown).await {
            Ok(round) => round,
            Err(error) => Round::Failed(error.to_string()),
        }
    }

    async fn try_round(&self, shutdown: &Shutdown) -> Result<Round, TableError> {
        self.trim().await?;
        let events = self.all.tables.oldest_events(&self.webhook.name, EVENT_PAGE).await?;
        if events.is_empty() {
            return Ok(Round::Nothing);
        }
        let mut done = 0;
        let mut round = Round::Delivered;
        for waiting in &events {
            // An attempt that a shutdown cuts off may have been taken: it is made again after the next start.
            let posted = tokio::select! {
                biased;
                () = shutdown.wait() => { round = Round::Shutdown; break }
                posted = self.post(waiting) => posted,
            };
            if let Err(why) = posted {
                self.counts(|counts| &counts.failed, 1);
                round = Round::Failed(why);
                break;
            }
            done += 1;
        }
        self.all.tables.delivered(&self.webhook.name, &events[..done]).await?;
        self.counts(|counts| &counts.delivered, done as u64);
        Ok(round)
    }

    async fn post(&self, waiting: &WaitingEvent) -> Result<(), String> {
        let request = self
            .pool
            .post(&self.webhook.url)
            .timeout(Duration::from_millis(EVENT_POST_MS_MAX))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(message::body(&waiting.event, waiting.sequence));
        let request = match &self.webhook.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("it answered {status}")),
        }
    }

    /// Makes room where there are too many.
    async fn trim(&self) -> Result<(), TableError> {
        let waiting = || self.all.tables.queue(&self.webhook.name).map_or(0, |queue| queue.waiting());
        while let over @ 1.. = waiting().saturating_sub(self.pace.queue_max) {
            let rows = usize::try_from(over).unwrap_or(usize::MAX).min(EVENT_TRIM_ROWS);
            let gone = self.all.tables.drop_events(&self.webhook.name, rows).await?;
            if gone == 0 {
                break;
            }
            self.counts(|counts| &counts.dropped, gone);
            tracing::warn!(webhook = self.webhook.name, events = gone, "the oldest events were dropped: its queue is full");
        }
        Ok(())
    }

    /// False at a shutdown.
    async fn wait_for_news(&self, shutdown: &Shutdown) -> bool {
        let Some(queue) = self.all.tables.queue(&self.webhook.name) else { return false };
        tokio::select! {
            biased;
            () = shutdown.wait() => false,
            () = queue.news() => true,
        }
    }

    /// Waits, and keeps the queue within its bound meanwhile. False at a shutdown.
    async fn rest(&self, pause: Duration, shutdown: &Shutdown) -> bool {
        let until = Instant::now() + pause;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            tokio::select! {
                biased;
                () = shutdown.wait() => return false,
                () = tokio::time::sleep(left.min(Duration::from_millis(EVENT_TRIM_EVERY_MS))) => {}
            }
            if let Err(error) = self.trim().await {
                tracing::warn!(webhook = self.webhook.name, "its queue can't be cut: {error}");
            }
        }
        true
    }

    fn counts(&self, which: impl Fn(&Counts) -> &AtomicU64, more: u64) {
        if let Some(counts) = self.all.counts.get(&self.webhook.name) {
            which(counts).fetch_add(more, Ordering::Relaxed);
        }
    }
}

/// After so many failures one after the other: doubling up to a bound, and of that a random half at least. `random` is in `0.0..1.0`.
pub(super) fn pause(first_ms: u64, failures: u32, random: f64) -> Duration {
    let doubled = first_ms.saturating_mul(1 << failures.saturating_sub(1).min(20));
    Duration::from_millis(doubled.min(EVENT_RETRY_MS_MAX.max(first_ms))).mul_f64(0.5 + random / 2.0)
}
