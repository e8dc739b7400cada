//! The walk: bucket after bucket that has rules, first its versions, then its uploads, one page a step.

use nodio_wire::UnixMs;

use super::{Clock, Place, Verdict, abortion, verdict};
use crate::names::{BucketName, ObjectKey, UploadId};
use crate::rows::{BucketRow, Cause, EventKind, Lifecycle};
use crate::tables::{Deletion, Marker, RowPlace, TableError, Tables, Telling, UploadQuery, VersionRow};

/// How far a walk has come.
#[derive(Debug)]
pub(crate) struct Walk {
    /// Rows looked at in one step.
    page: usize,
    /// The last bucket that was begun.
    last: Option<BucketName>,
    within: Option<Within>,
}

#[derive(Debug)]
enum Within {
    Versions(BucketRow, Option<Trail>),
    Uploads(BucketRow, Option<(Marker, Option<UploadId>)>),
}

/// What a version needs to know of those before it.
#[derive(Debug, Clone)]
struct Trail {
    place: RowPlace,
    key: ObjectKey,
    modified: UnixMs,
    /// Noncurrent versions of the key so far.
    noncurrent: u32,
}

impl Walk {
    pub(crate) fn of_pages(page: usize) -> Self {
        Self { page, last: None, within: None }
    }

    /// One step on; false behind the last bucket. After an error of the store the same page comes again; after another, which would only
    /// come back, the next bucket.
    pub(crate) async fn advance(&mut self, tables: &Tables, clock: Clock, now: UnixMs) -> Result<bool, TableError> {
        let advanced = self.try_advance(tables, clock, now).await;
        if let Err(error) = &advanced
            && !matches!(error, TableError::Store(_))
        {
            self.within = None;
        }
        advanced
    }

    async fn try_advance(&mut self, tables: &Tables, clock: Clock, now: UnixMs) -> Result<bool, TableError> {
        let (bucket, next) = match &self.within {
            None => return self.next_bucket(tables).await,
            Some(Within::Versions(bucket, trail)) => {
                let Some(rules) = rules(tables, bucket).await? else { return Ok(self.leave()) };
                let trail = versions(tables, (bucket, self.page), &rules, trail.as_ref(), clock, now).await?;
                let versions = trail.map(|trail| Within::Versions(bucket.clone(), Some(trail)));
                (bucket, versions.unwrap_or_else(|| Within::Uploads(bucket.clone(), None)))
            }
            Some(Within::Uploads(bucket, after)) => {
                let Some(rules) = rules(tables, bucket).await? else { return Ok(self.leave()) };
                match uploads(tables, (bucket, self.page), &rules, after.clone(), clock, now).await? {
                    Some(after) => (bucket, Within::Uploads(bucket.clone(), Some(after))),
                    None => return Ok(self.leave()),
                }
            }
        };
        tracing::trace!(bucket = bucket.name.as_str(), "a page of a bucket was held against its lifecycle rules");
        self.within = Some(next);
        Ok(true)
    }

    fn leave(&mut self) -> bool {
        self.within = None;
        true
    }

    async fn next_bucket(&mut self, tables: &Tables) -> Result<bool, TableError> {
        let page = tables.all_buckets(self.last.as_ref(), self.page).await?;
        let Some(end) = page.last().map(|row| row.name.clone()) else {
            self.last = None;
            return Ok(false);
        };
        let first = page.into_iter().find(|row| !matches!(row.setting::<Lifecycle>(), Ok(None)));
        self.last = Some(first.as_ref().map_or(end, |row| row.name.clone()));
        self.within = first.map(|row| Within::Versions(row, None));
        Ok(true)
    }
}

/// The bucket's rules as they are now; `None` if there are none, or it is another bucket by now.
async fn rules(tables: &Tables, bucket: &BucketRow) -> Result<Option<Lifecycle>, TableError> {
    match tables.bucket(&bucket.name).await {
        Ok(row) if row.id == bucket.id => Ok(row.setting()?),
        Ok(_) | Err(TableError::NoSuchBucket) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Judges one page of versions. `None` behind the last one.
async fn versions(
    tables: &Tables,
    (bucket, page): (&BucketRow, usize),
    rules: &Lifecycle,
    trail: Option<&Trail>,
    clock: Clock,
    now: UnixMs,
) -> Result<Option<Trail>, TableError> {
    // One more than is judged: a marker must know whether anything is under it.
    let rows = tables.version_rows(bucket, trail.map(|trail| &trail.place), page + 1).await?;
    let mut trail = trail.cloned();
    for (index, version) in rows.iter().take(page).enumerate() {
        let before = trail.take().filter(|trail| trail.key == version.key);
        let place = match &before {
            None => Place::Current { alone: rows.get(index + 1).is_none_or(|next| next.key != version.key) },
            Some(trail) => Place::Noncurrent { since: trail.modified, newer: trail.noncurrent },
        };
        end(tables, bucket, version, verdict(rules, version.key.as_str(), &version.row, place, clock, now), now).await?;
        trail = Some(Trail {
            place: version.place.clone(),
            key: version.key.clone(),
            modified: version.row.modified,
            noncurrent: before.map_or(0, |trail| trail.noncurrent.saturating_add(1)),
        });
    }
    Ok(trail.filter(|_| rows.len() > page))
}

async fn end(tables: &Tables, bucket: &BucketRow, version: &VersionRow, verdict: Verdict, now: UnixMs) -> Result<(), TableError> {
    let named = match verdict {
        Verdict::Keep => return Ok(()),
        Verdict::Expire => None,
        Verdict::Remove => Some(version.row.version),
    };
    let only_this = Deletion { if_write: Some(version.row.uid), ..Deletion::default() };
    let tables = if bucket.tells() { tables.telling(telling(now)) } else { tables.clone() };
    let ended = tables.delete_object(bucket, &version.key, named, &only_this, now).await;
    skip_refusal(ended.map(drop), bucket, &version.key)
}

/// Nobody asked for it: S3 names the service instead of a user and of an address.
fn telling(now: UnixMs) -> Telling {
    let service = || "s3.amazonaws.com".to_owned();
    let (request, host) = (format!("{:016X}", rand::random::<u64>()), hex::encode(rand::random::<[u8; 24]>()));
    let cause = Cause { principal: service(), source: service(), request, host };
    Telling { kind: EventKind::ExpirationDelete, at: now, cause }
}

/// Aborts what is overdue in one page of uploads. `None` behind the last one.
async fn uploads(
    tables: &Tables,
    (bucket, page): (&BucketRow, usize),
    rules: &Lifecycle,
    after: Option<(Marker, Option<UploadId>)>,
    clock: Clock,
    now: UnixMs,
) -> Result<Option<(Marker, Option<UploadId>)>, TableError> {
    if rules.rules.iter().all(|rule| rule.abort_after_days.is_none()) {
        return Ok(None);
    }
    let (after, after_upload) = after.unzip();
    let query = UploadQuery { after, after_upload: after_upload.flatten(), limit: page, ..UploadQuery::default() };
    let found = tables.list_uploads(bucket, &query).await?;
    let overdue = |key: &ObjectKey, row| abortion(rules, key.as_str(), row, clock).is_some_and(|(at, _)| at <= now);
    for (key, row) in found.uploads.iter().filter(|(key, row)| overdue(key, row)) {
        skip_refusal(tables.abort_upload(bucket, key, UploadId(row.uid), now).await, bucket, key)?;
    }
    Ok(found.next)
}

/// What the tables refuse (the version is locked, the upload was completed meanwhile) doesn't hold up the rest.
fn skip_refusal(ended: Result<(), TableError>, bucket: &BucketRow, key: &ObjectKey) -> Result<(), TableError> {
    match ended {
        Ok(()) => Ok(()),
        Err(error @ TableError::Store(_)) => Err(error),
        Err(error) => {
            tracing::debug!(bucket = bucket.name.as_str(), key = key.as_str(), "a lifecycle rule was refused: {error}");
            Ok(())
        }
    }
}
