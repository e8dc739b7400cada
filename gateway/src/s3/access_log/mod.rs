//! Access logs: who asked what of a bucket, one line per request, written as objects into a bucket of its owner.
//!
//! ```text
//!   guard: request, answer, its body's end ─► line ─► batch of its bucket, in memory ─┬─ now and then, or when it is large
//!                                                        │ no room: counted            ▼
//!                                                        ▼                         writer ─► an object in the target bucket
//! ```
//! Promises: no request waits for its line, nor fails for it; what is held is bounded; what the writer puts is itself not logged. A batch
//! that can't be written now is kept for the next time, one that may not be written is dropped and counted. A shutdown writes what is
//! there. You may lose: what came since the last time when the process is killed, which S3 calls best effort.
//!
//! Source: "Amazon S3 server access log format" and "Logging requests with server access logging" in the S3 User Guide.

mod line;
mod watch;
mod writer;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nodio_wire::UnixMs;
use tokio::sync::Notify;

use super::limits::{LOG_BYTES_MAX, LOG_OBJECT_BYTES};
use crate::names::BucketId;
use crate::rows::{BucketRow, LogKeyFormat, Logging};
use crate::tables::Setting;
pub(crate) use watch::Asked;
pub(crate) use writer::{LogWriter, key as log_key, may_deliver};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What goes into one object: the records of one bucket under one configuration, of one day where the days are kept apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Address {
    bucket: BucketId,
    /// The setting as it is stored.
    logging: Vec<u8>,
    day: Option<UnixMs>,
}

/// Records that wait to be written.
#[derive(Debug, Clone)]
struct Batch {
    source: Arc<BucketRow>,
    logging: Logging,
    text: Vec<u8>,
    records: u64,
}

/// Records and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LogFigures {
    pub(crate) waiting: u64,
    pub(crate) written: u64,
    pub(crate) dropped: u64,
}

/// Gathers lines. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct AccessLog(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    large: Notify,
    written: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Default)]
struct State {
    batches: HashMap<Address, Batch>,
    /// Of all batches, also of those being written.
    bytes: usize,
    records: u64,
}

impl AccessLog {
    /// Takes a line about a bucket that logs.
    fn add(&self, source: &Arc<BucketRow>, at: UnixMs, line: &str) {
        let (Ok(Some(logging)), Some(stored)) = (source.setting::<Logging>(), source.settings.get(Logging::NAME)) else { return };
        let day = (logging.key_format == LogKeyFormat::ByEventTime).then_some(at - at % DAY_MS);
        let address = Address { bucket: source.id, logging: stored.clone(), day };
        let mut state = self.state();
        if state.bytes + line.len() > LOG_BYTES_MAX {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.bytes += line.len();
        state.records += 1;
        let batch = state.batches.entry(address);
        let batch = batch.or_insert_with(|| Batch { source: source.clone(), logging, text: Vec::new(), records: 0 });
        let was_small = batch.text.len() < LOG_OBJECT_BYTES;
        batch.text.extend_from_slice(line.as_bytes());
        batch.records += 1;
        if was_small && batch.text.len() >= LOG_OBJECT_BYTES {
            self.0.large.notify_one();
        }
    }

    /// Takes batches out, to be written: all of them, or the large ones.
    fn take(&self, all: bool) -> Vec<(Address, Batch)> {
        let mut state = self.state();
        state.batches.extract_if(|_, batch| all || batch.text.len() >= LOG_OBJECT_BYTES).collect()
    }

    /// A batch can't be written now: it is kept, before what came meanwhile.
    fn put_back(&self, address: Address, mut batch: Batch) {
        let mut state = self.state();
        if let Some(newer) = state.batches.remove(&address) {
            batch.text.extend_from_slice(&newer.text);
            batch.records += newer.records;
        }
        state.batches.insert(address, batch);
    }

    /// A batch was written, or never will be.
    fn done_with(&self, batch: &Batch, written: bool) {
        let mut state = self.state();
        state.bytes = state.bytes.saturating_sub(batch.text.len());
        state.records = state.records.saturating_sub(batch.records);
        let count = if written { &self.0.written } else { &self.0.dropped };
        count.fetch_add(batch.records, Ordering::Relaxed);
    }

    pub(crate) fn figures(&self) -> LogFigures {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        LogFigures { waiting: self.state().records, written: read(&self.0.written), dropped: read(&self.0.dropped) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::names::{BucketName, UserId};
    use crate::rows::Versioning;

    fn bucket(key_format: LogKeyFormat) -> Arc<BucketRow> {
        let name = BucketName::parse("my-bucket").unwrap();
        let mut row = BucketRow {
            id: BucketId([1; 16]),
            name: name.clone(),
            owner: UserId::random(),
            created: 1,
            versioning: Versioning::Off,
            object_lock: false,
            region: "r".into(),
            acl: None,
            settings: BTreeMap::new(),
        };
        row.set(Some(&Logging { target: name, prefix: "l/".into(), grants: Vec::new(), key_format }));
        Arc::new(row)
    }

    #[test]
    fn lines_of_a_bucket_make_one_batch_and_days_are_kept_apart_where_asked_for() {
        for (format, batches) in [(LogKeyFormat::Unsaid, 1), (LogKeyFormat::ByDeliveryTime, 1), (LogKeyFormat::ByEventTime, 2)] {
            let log = AccessLog::default();
            let bucket = bucket(format);
            for at in [1, DAY_MS - 1, DAY_MS] {
                log.add(&bucket, at, "line\n");
            }
            assert!(log.take(false).is_empty(), "none is large");
            let taken = log.take(true);
            assert_eq!(taken.len(), batches, "{format:?}");
            assert_eq!(taken.iter().map(|(_, batch)| batch.records).sum::<u64>(), 3);
            assert!(log.take(true).is_empty());
        }
    }

    #[test]
    fn what_has_no_room_is_counted_and_room_comes_back() {
        let log = AccessLog::default();
        let bucket = bucket(LogKeyFormat::Simple);
        let line = "x".repeat(LOG_BYTES_MAX / 4);
        for _ in 0..6 {
            log.add(&bucket, 1, &line);
        }
        assert_eq!(log.figures(), LogFigures { waiting: 4, written: 0, dropped: 2 });
        let (address, batch) = log.take(false).remove(0);
        log.add(&bucket, 1, "more");
        assert_eq!(log.figures().dropped, 3, "what is being written is still held");
        log.put_back(address, batch);
        let (_, batch) = log.take(true).remove(0);
        log.done_with(&batch, true);
        log.add(&bucket, 1, &line);
        assert_eq!(log.figures(), LogFigures { waiting: 1, written: 4, dropped: 3 });
        assert_eq!(log.take(true).len(), 1);
    }

    #[test]
    fn a_batch_that_is_put_back_comes_before_what_came_meanwhile() {
        let log = AccessLog::default();
        let bucket = bucket(LogKeyFormat::Simple);
        log.add(&bucket, 1, "first\n");
        let (address, batch) = log.take(true).remove(0);
        log.add(&bucket, 2, "second\n");
        log.put_back(address, batch);
        let (_, batch) = log.take(true).remove(0);
        assert_eq!((batch.text.as_slice(), batch.records), (&b"first\nsecond\n"[..], 2));
    }
}
