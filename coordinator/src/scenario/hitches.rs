//! What hitches in the coordinator itself do to the work of donors: requests that are cut off, rows that can't be read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use nodio_meta::{Commit, CommitError, Direction, KeyRange, Row, Store, StoreError, Version, Versioned, Write};
use nodio_wire::SegmentId;
use nodio_wire::fleet::Fleet;

use super::{BEAT_MS, LOST_MS, Network, code, config, part};
use crate::keyspace;
use crate::state::repair::urgency;

const LOST_BEATS: usize = (LOST_MS / BEAT_MS) as usize + 6;

/// A store whose commits take for ever while it is told to.
struct Hanging {
    store: Arc<dyn Store>,
    hangs: Arc<AtomicBool>,
}

#[async_trait]
impl Store for Hanging {
    async fn get(&self, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        self.store.get(key).await
    }

    async fn scan(&self, range: KeyRange, limit: usize, direction: Direction) -> Result<Vec<Row>, StoreError> {
        self.store.scan(range, limit, direction).await
    }

    async fn commit(&self, commit: Commit) -> Result<Version, CommitError> {
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        self.store.commit(commit).await
    }
}

#[tokio::test]
async fn a_report_that_was_cut_off_counts_when_it_is_sent_again() {
    let mut network = Network::new(8, config()).await;
    let hangs = Arc::new(AtomicBool::new(false));
    network.store = Arc::new(Hanging { store: network.store.clone(), hangs: hangs.clone() });
    network.restart().await;
    network.run(2).await;
    network.put(part(1), code(4, 6), 1).await.expect("written");
    network.lose(SegmentId { part: part(1), index: 0 }, code(4, 6), &[0]).await;
    network.half_beat().await;
    let at = network.donors.iter().position(|donor| !donor.reports.is_empty()).expect("somebody rebuilt it");
    let (id, report) = (network.donors[at].id, network.donors[at].reports[0].clone());
    hangs.store(true, Ordering::Relaxed);
    let taken = network.coordinator.complete_task(id, report.clone()).now_or_never();
    assert!(taken.is_none(), "the donor hangs up in mid-commit");
    hangs.store(false, Ordering::Relaxed);
    network.coordinator.complete_task(id, report).await.expect("taken");
    assert_eq!(network.status().await.repair.rebuilt, 1);
    network.run(2).await;
    network.assert_settled().await;
}

#[tokio::test]
async fn rows_that_cannot_be_read_do_not_keep_others_from_being_mended() {
    let mut network = Network::new(8, config()).await;
    network.put(part(1), code(4, 6), 3).await.expect("written");
    let spoilt = SegmentId { part: part(1), index: 0 };
    let junk = Bytes::from_static(&[255, 1, 2]);
    let writes = vec![
        Write::Put(keyspace::segment(&spoilt), junk.clone()),
        Write::Put(keyspace::mend(urgency::UNJUDGED, &spoilt), Bytes::from_static(&[1, 9])),
        Write::Put(keyspace::mend(urgency::FORCED, &SegmentId { part: part(7), index: 0 }), junk),
    ];
    network.store.commit(Commit { checks: Vec::new(), writes }).await.expect("spoilt");
    let other = SegmentId { part: part(1), index: 1 };
    network.lose(other, code(4, 6), &[0, 1]).await;
    assert_eq!(network.holders(other).await[..2], [0, 0]);
    network.run(4).await;
    assert!(network.holders(other).await.iter().all(|holder| *holder > 0), "it was mended");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_keeps_nobody_from_being_found_counted_or_released() {
    let mut network = Network::new(9, config()).await;
    network.put(part(1), code(2, 6), 12).await.expect("written");
    network.put(part(2), code(2, 6), 1).await.expect("written");
    let spoilt = SegmentId { part: part(1), index: 0 };
    let lost = network.holders(spoilt).await[0];
    let junk = Write::Put(keyspace::segment(&spoilt), Bytes::from_static(&[255, 1, 2]));
    network.store.commit(Commit { checks: Vec::new(), writes: vec![junk] }).await.expect("spoilt");
    network.donor(lost).up = false;
    network.run(LOST_BEATS).await;
    let status = network.status().await;
    assert_eq!((status.segments.full, status.segments.degraded), (12, 0), "found by the walk over its holdings: {status:?}");
    network.release(part(1)).await;
    network.release(part(2)).await;
    network.run(4).await;
    assert!(network.coordinator.locate(part(2), 0, 1).await.expect("located").is_empty(), "behind it in the line");
    assert_eq!(network.status().await.segments.full, 0);
}
