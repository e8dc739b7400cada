//! The writer: takes batches now and then and puts each as an object into its target bucket.

use std::time::Duration;

use bytes::Bytes;
use nodio_host::clock::now_ms;
use nodio_host::shutdown::Shutdown;
use nodio_wire::UnixMs;
use s3s::{S3Error, S3ErrorCode};

use super::{AccessLog, Address, Batch};
use crate::access::may_deliver_logs;
use crate::names::ObjectKey;
use crate::rows::{Acl, BucketRow, Cause, EventKind, Grant, Grantee, LogKeyFormat, Logging, Permission};
use crate::s3::Api;
use crate::s3::access::Rules;
use crate::s3::guard::RequestIds;
use crate::s3::limits::LOG_LAST_MS_MAX;
use crate::s3::ops::{NewText, put_text};
use crate::tables::{TableError, Telling};

/// The principal that puts log objects.
const SERVICE: &str = "logging.s3.amazonaws.com";

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct LogWriter {
    pub(crate) api: Api,
    pub(crate) log: AccessLog,
}

/// Why a batch wasn't written.
enum Unwritten {
    /// It may go another time.
    Now(S3Error),
    /// The target doesn't take it.
    Ever(&'static str),
}

impl LogWriter {
    /// Writes everything each `every`, and large batches at once, until `shutdown`.
    pub(crate) async fn run(self, every: Duration, shutdown: Shutdown) {
        let mut next = tokio::time::Instant::now() + every;
        loop {
            let all = tokio::select! {
                biased;
                () = shutdown.wait() => return,
                () = tokio::time::sleep_until(next) => true,
                () = self.log.0.large.notified() => false,
            };
            self.write(all).await;
            if all {
                next = tokio::time::Instant::now() + every;
            }
        }
    }

    /// Writes what is left, for as long as a shutdown can wait.
    pub(crate) async fn write_last(self) {
        let _ = tokio::time::timeout(Duration::from_millis(LOG_LAST_MS_MAX), self.write(true)).await;
        let left = self.log.figures().waiting;
        if left > 0 {
            tracing::warn!(records = left, "records of access logs could not be written before the shutdown");
        }
    }

    async fn write(&self, all: bool) {
        for (address, batch) in self.log.take(all) {
            match self.put(&address, &batch).await {
                Ok(()) => self.log.done_with(&batch, true),
                Err(Unwritten::Now(error)) => {
                    tracing::warn!(bucket = batch.source.name.as_str(), "an access log can't be written now: {error:?}");
                    self.log.put_back(address, batch);
                }
                Err(Unwritten::Ever(why)) => {
                    let (bucket, records) = (batch.source.name.as_str(), batch.records);
                    tracing::warn!(bucket, records, "records of an access log were dropped: {why}");
                    self.log.done_with(&batch, false);
                }
            }
        }
    }

    async fn put(&self, address: &Address, batch: &Batch) -> Result<(), Unwritten> {
        let (logging, source) = (&batch.logging, &*batch.source);
        let target = match self.api.tables.bucket(&logging.target).await {
            Ok(target) if target.owner == source.owner => target,
            Ok(_) => return Err(Unwritten::Ever("the target bucket is another's")),
            Err(TableError::NoSuchBucket) => return Err(Unwritten::Ever("there is no target bucket")),
            Err(error) => return Err(Unwritten::Now(error.into())),
        };
        let now = now_ms();
        let key = key(source, logging, address.day, now, &RequestIds::random().request);
        if !may_deliver(source, &target, &key) {
            return Err(Unwritten::Ever("the target bucket allows no log delivery"));
        }
        let key = ObjectKey::parse(&key).map_err(|_| Unwritten::Ever("its key would be too long"))?;
        let off = Rules::of(&target).ownership == crate::rows::ObjectOwnership::BucketOwnerEnforced;
        let acl = acl(&target, &logging.grants).filter(|_| !off);
        let text = NewText { content_type: "text/plain", bytes: Bytes::copy_from_slice(&batch.text), acl };
        let cause = cause();
        let tables = self.api.tables.telling(Telling { kind: EventKind::CreatedPut, at: now, cause });
        put_text(&self.api, &tables, &target, &key, text).await.map_err(|error| match error.code() {
            S3ErrorCode::NoSuchBucket => Unwritten::Ever("there is no target bucket"),
            _ => Unwritten::Now(error),
        })
    }
}

fn cause() -> Cause {
    let ids = RequestIds::random();
    Cause { principal: SERVICE.to_owned(), source: SERVICE.to_owned(), request: ids.request, host: ids.host }
}

/// Whether logs of `source` may be put at `key`.
pub(crate) fn may_deliver(source: &BucketRow, target: &BucketRow, key: &str) -> bool {
    let rules = Rules::of(target);
    may_deliver_logs(&rules.bucket(target), source.name.as_str(), &source.owner, key, now_ms())
}

/// The target's owner has full control, whoever else is granted something.
fn acl(target: &BucketRow, grants: &[Grant]) -> Option<Acl> {
    let owners = Grant { grantee: Grantee::User(target.owner.clone()), permission: Permission::FullControl };
    let others: Vec<Grant> = grants.iter().filter(|grant| **grant != owners).cloned().collect();
    (!others.is_empty()).then(|| Acl { grants: [vec![owners], others].concat() })
}

/// The key of a log object, which has a name of its own by `unique`.
pub(crate) fn key(source: &BucketRow, logging: &Logging, day: Option<UnixMs>, now: UnixMs, unique: &str) -> String {
    let time = |at: UnixMs, form: &str| {
        let at = i64::try_from(at).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok()).unwrap_or_default();
        at.strftime(form).to_string()
    };
    let (prefix, at) = (&logging.prefix, day.unwrap_or(now));
    let name = format!("{}-{unique}", time(at, "%Y-%m-%d-%H-%M-%S"));
    match logging.key_format {
        LogKeyFormat::Unsaid | LogKeyFormat::Simple => format!("{prefix}{name}"),
        LogKeyFormat::ByDeliveryTime | LogKeyFormat::ByEventTime => {
            let (owner, region, bucket) = (source.owner.as_str(), &source.region, &source.name);
            format!("{prefix}{owner}/{region}/{bucket}/{}/{name}", time(at, "%Y/%m/%d"))
        }
    }
}
