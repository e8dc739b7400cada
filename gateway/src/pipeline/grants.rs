//! Grants asked for ahead, so that most writes wait for none.
//!
//! They are kept by code and by size class (shard lengths rounded up to a power of two), used one by one, and dropped when old or when a
//! donor named in one has failed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nodio_wire::fleet::{Fleet, FleetError, Grant, GrantRequest};
use nodio_wire::limits::SHARD_BYTES_MAX;
use nodio_wire::{Code, NodeId};
use tokio::sync::Mutex;

use crate::limits::{GRANT_AGE_S_MAX, GRANT_AHEAD_BYTES, GRANT_BATCH, GRANT_SPARES, REPLICA_BYTES_MAX};

pub(super) struct Grants {
    fleet: Arc<dyn Fleet>,
    /// The lock of one class is held while it is refilled: others wait for that answer instead of asking too.
    classes: Mutex<HashMap<(Code, u32), Class>>,
}

/// Grants of one code and size with the time they were had.
type Class = Arc<Mutex<VecDeque<(Instant, Grant)>>>;

/// The size a grant for shards of `bytes` is asked for.
fn class(bytes: usize) -> u32 {
    let small = nodio_codec::seal::sealed_len(REPLICA_BYTES_MAX);
    let rounded = if bytes <= small { small } else { bytes.next_power_of_two() };
    rounded.min(SHARD_BYTES_MAX).max(bytes) as u32
}

/// Many of the small, a few of the large: what waits here reserves space on donors.
fn batch(shard_bytes: u32) -> u16 {
    (GRANT_AHEAD_BYTES / shard_bytes as usize).clamp(4, GRANT_BATCH.into()) as u16
}

impl Grants {
    pub(super) fn new(fleet: Arc<dyn Fleet>) -> Self {
        Self { fleet, classes: Mutex::default() }
    }

    /// Places for one segment with shards of `shard_bytes`.
    pub(super) async fn take(&self, code: Code, shard_bytes: usize) -> Result<Grant, FleetError> {
        let class = class(shard_bytes);
        let queue = self.classes.lock().await.entry((code, class)).or_default().clone();
        let mut queue = queue.lock().await;
        while let Some((at, grant)) = queue.pop_front() {
            if at.elapsed() < Duration::from_secs(GRANT_AGE_S_MAX) {
                return Ok(grant);
            }
        }
        let request =
            GrantRequest { code, shard_bytes: class, segments: batch(class), spares: GRANT_SPARES, holding: Vec::new() };
        let now = Instant::now();
        queue.extend(self.fleet.grant(request).await?.into_iter().map(|grant| (now, grant)));
        let (_, grant) = queue.pop_front().ok_or(FleetError::Unavailable("no grant in the answer".into()))?;
        Ok(grant)
    }

    /// A grant asked for now, for what one segment lacks beside `holding`: for when donors at hand failed, which may be among those granted.
    pub(super) async fn fresh(
        &self,
        code: Code,
        shard_bytes: usize,
        holding: Vec<NodeId>,
        failed: usize,
    ) -> Result<Option<Grant>, FleetError> {
        let spares = GRANT_SPARES.saturating_add(u8::try_from(failed).unwrap_or(u8::MAX));
        let request = GrantRequest { code, shard_bytes: class(shard_bytes), segments: 1, spares, holding };
        Ok(self.fleet.grant(request).await?.pop())
    }

    /// Forgets what is kept: a donor failed, and the coordinator may know of it by now.
    pub(super) async fn forget(&self) {
        self.classes.lock().await.clear();
    }
}
