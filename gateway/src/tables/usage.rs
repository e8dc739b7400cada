//! What buckets and their owners hold, and what they may.
//!
//! ```text
//!   put, copy, complete, part, delete, abort ─► Plan::count ─► booked ─┬─ Check::AtMost(c/.., quota - growth)
//!                                                                      └─ Write::Add(c/.., growth)   bucket and owner
//! ```
//! Counted are all versions with their plaintext bytes, wherever these lie and however many versions share them, and the parts of uploads
//! under way with theirs. Delete markers are nothing. Promises: counters change in the very commit that changes what they count, and are
//! exact; additions never make commits conflict. A quota is held to by the writer, so no number of writers at once passes it. What
//! shrinks or keeps a sum is never refused for that sum, so whoever is past a lowered quota can delete, and can complete an upload,
//! whose bytes are counted already.

use bytes::Bytes;
use nodio_meta::{Commit, Outcome, Sums};

use super::plan::Plan;
use super::{TableError, Tables, keyspace};
use crate::names::{BucketId, BucketName, ObjectKey, PartNumber, UploadId, UserId, VersionId};
use crate::rows::{BucketRow, ListedVersion, ObjectRow, PartRef, Quota, UploadedPartRow, Versioning};

/// What lies somewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) bytes: u64,
    pub(crate) objects: u64,
}

impl From<Sums> for Usage {
    fn from(Sums([bytes, objects]): Sums) -> Self {
        let [bytes, objects] = [bytes, objects].map(|sum| u64::try_from(sum).unwrap_or(0));
        Self { bytes, objects }
    }
}

/// What is about to be written, of a length that is known beforehand.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Coming<'a> {
    Object(&'a ObjectKey),
    Part(UploadId, PartNumber),
}

/// What becomes of a quota: what isn't given stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct QuotaChange {
    /// Before anything else, there is no quota any more.
    pub(crate) lift: bool,
    pub(crate) bytes: Option<u64>,
    pub(crate) objects: Option<u64>,
}

impl QuotaChange {
    fn of(self, old: Option<Quota>) -> Option<Quota> {
        let old = old.filter(|_| !self.lift).unwrap_or_default();
        let quota = Quota { bytes: self.bytes.or(old.bytes), objects: self.objects.or(old.objects) };
        (quota != Quota::default()).then_some(quota)
    }

    pub(crate) fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// What a version counts for.
pub(super) fn of_version(row: &ObjectRow) -> Sums {
    row.live().map_or(Sums::default(), |live| Sums([signed(live.size), 1]))
}

pub(super) fn of_listed(version: &ListedVersion) -> Sums {
    match version {
        ListedVersion::Object(_, object) => Sums([signed(object.size), 1]),
        ListedVersion::DeleteMarker { .. } => Sums::default(),
    }
}

/// What a part of an upload counts for.
pub(super) fn of_part(part: &PartRef) -> Sums {
    Sums([signed(part.len), 0])
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What the sums may be before `growth` is added; a sum that doesn't grow has no limit.
fn limits(quota: Quota, growth: Sums) -> Sums {
    let limit = |quota: Option<u64>, growth: i64| match quota {
        Some(quota) if growth > 0 => signed(quota).saturating_sub(growth),
        _ => i64::MAX,
    };
    Sums([limit(quota.bytes, growth.0[0]), limit(quota.objects, growth.0[1])])
}

impl Tables {
    pub(crate) async fn bucket_usage(&self, bucket: BucketId) -> Result<Usage, TableError> {
        Ok(self.sums(&keyspace::bucket_usage(bucket)).await?.into())
    }

    /// Of all buckets that the user owns, whoever wrote what is in them.
    pub(crate) async fn user_usage(&self, user: &UserId) -> Result<Usage, TableError> {
        Ok(self.sums(&keyspace::user_usage(user)).await?.into())
    }

    pub(crate) async fn user_quota(&self, user: &UserId) -> Result<Option<Quota>, TableError> {
        Ok(self.row(&keyspace::user_quota(user)).await?.map(|(quota, _)| quota))
    }

    /// It holds for every commit from then on. What is past it stays.
    ///
    /// # Errors
    /// [`TableError::NoSuchBucket`].
    pub(crate) async fn change_bucket_quota(&self, name: &BucketName, change: QuotaChange) -> Result<(), TableError> {
        self.change_bucket(name, |row| {
            let quota = change.of(row.setting()?);
            row.set(quota.as_ref());
            Ok(())
        })
        .await
    }

    /// As [`Tables::change_bucket_quota`], of a user that is there.
    pub(crate) async fn change_user_quota(&self, user: &UserId, change: QuotaChange) -> Result<(), TableError> {
        self.change(|| async {
            let key = keyspace::user_quota(user);
            let mut plan = Plan::default();
            let old = match self.row::<Quota>(&key).await? {
                Some((quota, version)) => {
                    plan.at(key.clone(), version);
                    Some(quota)
                }
                None => {
                    plan.absent(key.clone());
                    None
                }
            };
            match change.of(old) {
                Some(quota) => plan.put(key, &quota),
                None => plan.delete(key),
            }
            Ok(Outcome::Commit(plan.into_commit(), ()))
        })
        .await
    }

    /// Spares a client the sending of what certainly has no room. The commit decides anew.
    ///
    /// # Errors
    /// [`TableError::QuotaExceeded`].
    pub(crate) async fn check_room(&self, bucket: &BucketRow, coming: Coming<'_>, bytes: u64) -> Result<(), TableError> {
        let quotas = [
            (keyspace::bucket_usage(bucket.id), bucket.setting()?),
            (keyspace::user_usage(&bucket.owner), self.user_quota(&bucket.owner).await?),
        ];
        if quotas.iter().all(|(_, quota)| quota.is_none()) {
            return Ok(());
        }
        let comes = match coming {
            Coming::Object(_) => Sums([signed(bytes), 1]),
            Coming::Part(..) => Sums([signed(bytes), 0]),
        };
        let growth = comes.minus(self.replaced(bucket, coming).await?);
        for (counter, quota) in quotas {
            self.room(&counter, quota, growth).await?;
        }
        Ok(())
    }

    /// What goes when this comes.
    async fn replaced(&self, bucket: &BucketRow, coming: Coming<'_>) -> Result<Sums, TableError> {
        match coming {
            Coming::Object(_) if bucket.versioning == Versioning::Enabled => Ok(Sums::default()),
            Coming::Object(key) => {
                let old = self.version(bucket, key, VersionId::Null).await?;
                Ok(old.map_or(Sums::default(), |old| of_version(&old.row)))
            }
            Coming::Part(upload, number) => {
                let old = self.row::<UploadedPartRow>(&keyspace::part(upload.0, number.get())).await?;
                Ok(old.map_or(Sums::default(), |(old, _)| of_part(&old.part)))
            }
        }
    }

    /// The plan as a commit that also counts what it adds to this bucket and takes from it, and is made only if there is room. `bucket` is
    /// the row as it was read for the plan.
    ///
    /// # Errors
    /// [`TableError::QuotaExceeded`].
    pub(super) async fn booked(&self, mut plan: Plan, bucket: &BucketRow) -> Result<Commit, TableError> {
        let growth = plan.take_growth();
        if growth == Sums::default() {
            return Ok(plan.into_commit());
        }
        let (of_bucket, of_owner) = (keyspace::bucket_usage(bucket.id), keyspace::user_usage(&bucket.owner));
        if !growth.at_most(Sums::default()) {
            let quotas = [(&of_bucket, bucket.setting()?), (&of_owner, self.user_quota(&bucket.owner).await?)];
            for (counter, quota) in quotas {
                if let Some(limits) = self.room(counter, quota, growth).await? {
                    plan.at_most(counter.clone(), limits);
                }
            }
        }
        plan.add(of_bucket, growth);
        plan.add(of_owner, growth);
        Ok(plan.into_commit())
    }

    /// What the counter must be within when `growth` is added to it, if there is a quota; and it is now.
    async fn room(&self, counter: &Bytes, quota: Option<Quota>, growth: Sums) -> Result<Option<Sums>, TableError> {
        let Some(limits) = quota.map(|quota| limits(quota, growth)).filter(|limits| *limits != Sums::MAX) else {
            return Ok(None);
        };
        match self.sums(counter).await?.at_most(limits) {
            true => Ok(Some(limits)),
            false => Err(TableError::QuotaExceeded),
        }
    }

    pub(super) async fn sums(&self, counter: &[u8]) -> Result<Sums, TableError> {
        Ok(self.store.get(counter).await?.map_or(Sums::default(), |row| Sums::read(&row.value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_grows_is_limited() {
        let quota = Quota { bytes: Some(10), objects: Some(2) };
        assert_eq!(limits(quota, Sums([4, 1])), Sums([6, 1]));
        assert_eq!(limits(quota, Sums([11, 0])), Sums([-1, i64::MAX]));
        assert_eq!(limits(quota, Sums([0, -1])), Sums::MAX);
        assert_eq!(limits(Quota { bytes: Some(u64::MAX), objects: None }, Sums([1, 1])), Sums([i64::MAX - 1, i64::MAX]));
    }

    #[test]
    fn what_is_not_said_of_a_quota_stays() {
        let old = Some(Quota { bytes: Some(1), objects: None });
        let change = |lift, bytes, objects| QuotaChange { lift, bytes, objects };
        assert_eq!(change(false, None, Some(2)).of(old), Some(Quota { bytes: Some(1), objects: Some(2) }));
        assert_eq!(change(true, None, Some(2)).of(old), Some(Quota { bytes: None, objects: Some(2) }));
        assert_eq!((change(true, None, None).of(old), change(false, None, None).of(None)), (None, None));
    }
}
