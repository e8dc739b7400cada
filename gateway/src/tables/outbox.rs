//! Events on their way to webhooks: written with the change they tell of, read and removed by whoever delivers them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use nodio_meta::row::decode;
use nodio_meta::{Direction, KeyRange, Outcome, Step, Version};
use nodio_wire::UnixMs;
use tokio::sync::Notify;

use super::plan::Plan;
use super::{Setting, TableError, Tables, keyspace};
use crate::names::{BucketName, ObjectKey, VersionId};
use crate::rows::{BucketRow, Cause, ChangeEvent, EventKind, EventRow, Notifications, ObjectRow, TestEvent, Versioning};

/// What is told of a change, and whose doing it is.
#[derive(Debug, Clone)]
pub(crate) struct Telling {
    pub(crate) kind: EventKind,
    pub(crate) at: UnixMs,
    pub(crate) cause: Cause,
}

/// A webhook's queue, as far as it is in memory.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: AtomicU64,
    bell: Notify,
}

impl Queue {
    /// Events in the queue, about while commits are under way.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Returns when something may have come since the last time.
    pub(crate) async fn news(&self) {
        self.bell.notified().await;
    }
}

/// The queues of all webhooks that are configured. Events for others are not written: nobody would ever take them.
pub(super) type Outbox = Arc<BTreeMap<String, Queue>>;

/// The webhook that a commit wrote an event for.
#[must_use]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Told(Option<String>);

/// An event, and where it lies.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    key: Bytes,
    pub(crate) event: EventRow,
    /// The number of its commit.
    pub(crate) sequence: Version,
}

impl EventKind {
    /// What a delete is when it leaves a marker.
    fn of_marker(self) -> Self {
        match self {
            Self::RemovedDelete => Self::RemovedMarker,
            Self::ExpirationDelete => Self::ExpirationMarker,
            other => other,
        }
    }
}

impl BucketRow {
    /// Whether changes are told to anybody.
    pub(crate) fn tells(&self) -> bool {
        self.settings.contains_key(Notifications::NAME)
    }
}

impl Tables {
    /// The same tables, which deliver events to these webhooks.
    #[must_use]
    pub(crate) fn with_webhooks<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let queues = names.into_iter().map(|name| (name.to_owned(), Queue::default())).collect();
        Self { outbox: Arc::new(queues), ..self }
    }

    /// The same tables, whose next changes are told of like this, where their bucket wants that.
    #[must_use]
    pub(crate) fn telling(&self, telling: Telling) -> Self {
        Self { telling: Some(Arc::new(telling)), ..self.clone() }
    }

    pub(crate) fn has_webhook(&self, name: &str) -> bool {
        self.outbox.contains_key(name)
    }

    pub(crate) fn queue(&self, webhook: &str) -> Option<&Queue> {
        self.outbox.get(webhook)
    }

    /// Plans the event about `row`, which is written, changed or removed by the same plan.
    pub(super) fn plan_event(
        &self,
        plan: &mut Plan,
        place: (&BucketRow, &ObjectKey),
        row: &ObjectRow,
    ) -> Result<Told, TableError> {
        self.telling.as_ref().map_or(Ok(Told::default()), |telling| self.plan_told(plan, telling, telling.kind, place, row))
    }

    /// The same about a delete marker that is made.
    pub(super) fn plan_marker_event(
        &self,
        plan: &mut Plan,
        place: (&BucketRow, &ObjectKey),
        row: &ObjectRow,
    ) -> Result<Told, TableError> {
        let told = |telling: &Arc<Telling>| self.plan_told(plan, telling, telling.kind.of_marker(), place, row);
        self.telling.as_ref().map_or(Ok(Told::default()), told)
    }

    fn plan_told(
        &self,
        plan: &mut Plan,
        telling: &Telling,
        kind: EventKind,
        (bucket, key): (&BucketRow, &ObjectKey),
        row: &ObjectRow,
    ) -> Result<Told, TableError> {
        let Some(rules) = bucket.setting::<Notifications>()? else { return Ok(Told::default()) };
        let Some(rule) = rules.about(kind, key.as_str()).filter(|rule| self.has_webhook(&rule.webhook)) else {
            return Ok(Told::default());
        };
        let versioned = bucket.versioning != Versioning::Off || row.version != VersionId::Null;
        let (is_new, is_there) = sort(kind);
        let event = ChangeEvent {
            kind,
            at: telling.at,
            region: bucket.region.clone(),
            bucket: bucket.name.clone(),
            bucket_owner: bucket.owner.clone(),
            rule: rule.id.clone(),
            key: key.as_str().to_owned(),
            version: versioned.then_some(row.version),
            size: row.live().filter(|_| is_new).map(|live| live.size),
            etag: row.live().filter(|_| is_there).map(|live| live.etag),
            cause: telling.cause.clone(),
        };
        plan.append(keyspace::events(&rule.webhook), &EventRow::Change(Box::new(event)));
        Ok(Told(Some(rule.webhook.clone())))
    }

    /// Says that what was told was committed.
    pub(super) fn ring(&self, told: &Told) {
        if let Some(queue) = told.0.as_ref().and_then(|webhook| self.outbox.get(webhook)) {
            queue.waiting.fetch_add(1, Ordering::Relaxed);
            queue.bell.notify_one();
        }
    }

    /// Sets or removes a bucket's rules; each webhook that they name gets `test`, if there is one.
    ///
    /// # Errors
    /// [`TableError::NoSuchBucket`].
    pub(crate) async fn set_notifications(
        &self,
        name: &BucketName,
        rules: Option<&Notifications>,
        test: Option<&TestEvent>,
    ) -> Result<(), TableError> {
        let rows = rules.filter(|_| test.is_some()).map_or(&[][..], |rules| &rules.rules);
        let mut webhooks: Vec<&String> = rows.iter().map(|rule| &rule.webhook).collect();
        webhooks.sort();
        webhooks.dedup();
        self.change(|| async {
            let key = keyspace::bucket(name);
            let (mut row, version) = self.row::<BucketRow>(&key).await?.ok_or(TableError::NoSuchBucket)?;
            row.set(rules);
            let mut plan = Plan::default();
            plan.at(key.clone(), version);
            plan.put(key, &row);
            for (webhook, test) in webhooks.iter().zip(std::iter::repeat(test).flatten()) {
                plan.append(keyspace::events(webhook), &EventRow::Test(test.clone()));
            }
            Ok(Outcome::Commit(plan.into_commit(), ()))
        })
        .await?;
        webhooks.into_iter().for_each(|webhook| self.ring(&Told(Some(webhook.clone()))));
        Ok(())
    }

    /// The oldest events for a webhook, at most `limit`.
    pub(crate) async fn oldest_events(&self, webhook: &str, limit: usize) -> Result<Vec<Waiting>, TableError> {
        let range = KeyRange::prefix(&keyspace::events(webhook));
        let rows = self.store.scan(range, limit, Direction::Ascending).await?;
        let waiting = |row: nodio_meta::Row| Ok(Waiting { event: decode(&row.value)?, key: row.key, sequence: row.version });
        rows.into_iter().map(waiting).collect()
    }

    /// Removes events that were delivered. Only one may do so for a webhook.
    pub(crate) async fn delivered(&self, webhook: &str, events: &[Waiting]) -> Result<(), TableError> {
        self.remove_events(webhook, events.iter().map(|waiting| waiting.key.clone()).collect()).await
    }

    /// Removes the oldest events, at most `limit`, whatever they are; the number that went.
    pub(crate) async fn drop_events(&self, webhook: &str, limit: usize) -> Result<u64, TableError> {
        let range = KeyRange::prefix(&keyspace::events(webhook));
        let rows = self.store.scan(range, limit, Direction::Ascending).await?;
        let keys: Vec<Bytes> = rows.into_iter().map(|row| row.key).collect();
        let gone = keys.len() as u64;
        self.remove_events(webhook, keys).await?;
        Ok(gone)
    }

    async fn remove_events(&self, webhook: &str, keys: Vec<Bytes>) -> Result<(), TableError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.change(|| async {
            let mut plan = Plan::default();
            keys.iter().for_each(|key| plan.delete(key.clone()));
            Ok(Outcome::Commit(plan.into_commit(), ()))
        })
        .await?;
        if let Some(queue) = self.outbox.get(webhook) {
            let gone = keys.len() as u64;
            let _ = queue.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |there| Some(there.saturating_sub(gone)));
        }
        Ok(())
    }

    /// Counts what earlier processes left in the queues; before anything else is written. Answers webhooks that have events and are not
    /// configured, and how many.
    pub(crate) async fn count_events(&self) -> Result<BTreeMap<String, u64>, TableError> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let mut count = |row: nodio_meta::RowRef<'_>| {
            if let Some(webhook) = keyspace::webhook_of(row.key) {
                match counts.get_mut(webhook) {
                    Some(events) => *events += 1,
                    None => drop(counts.insert(webhook.to_owned(), 1)),
                }
            }
            Step::Next
        };
        self.store.walk(KeyRange::prefix(keyspace::EVENTS), &mut count).await?;
        for (webhook, queue) in &*self.outbox {
            queue.waiting.store(counts.remove(webhook).unwrap_or_default(), Ordering::Relaxed);
        }
        Ok(counts)
    }
}

/// Whether the event is about a write, and whether what it is about is still there.
fn sort(kind: EventKind) -> (bool, bool) {
    use EventKind::{AclPut, CreatedComplete, CreatedCopy, CreatedPost, CreatedPut, TaggingDelete, TaggingPut};
    match kind {
        CreatedPut | CreatedPost | CreatedCopy | CreatedComplete => (true, true),
        TaggingPut | TaggingDelete | AclPut => (false, true),
        _ => (false, false),
    }
}
