//! What a bucket is told about itself: each sub-resource (policy, CORS, lifecycle ...) is a record of its own in the bucket's row, so
//! every request that has read the bucket has them all.

use nodio_meta::Outcome;
use nodio_meta::row::{Record, RowError, decode, encode};

use super::plan::Plan;
use super::{TableError, Tables, keyspace};
use crate::names::BucketName;
use crate::rows::BucketRow;

/// A record that a bucket's row keeps under a name.
pub(crate) trait Setting: Record {
    const NAME: &'static str;
}

impl BucketRow {
    /// # Errors
    /// [`RowError`] if it was written by a newer version.
    pub(crate) fn setting<S: Setting>(&self) -> Result<Option<S>, RowError> {
        self.settings.get(S::NAME).map(|value| decode(value)).transpose()
    }

    pub(crate) fn set<S: Setting>(&mut self, setting: Option<&S>) {
        match setting {
            Some(setting) => self.settings.insert(S::NAME.to_owned(), encode(setting).into()),
            None => self.settings.remove(S::NAME),
        };
    }
}

impl Tables {
    /// Changes the bucket's row as `change` says; it may be asked more than once.
    ///
    /// # Errors
    /// [`TableError::NoSuchBucket`], and what `change` refuses.
    pub(crate) async fn change_bucket(
        &self,
        name: &BucketName,
        change: impl Fn(&mut BucketRow) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        let change = &change;
        self.change(|| async move {
            let key = keyspace::bucket(name);
            let (mut row, version) = self.row::<BucketRow>(&key).await?.ok_or(TableError::NoSuchBucket)?;
            change(&mut row)?;
            let mut plan = Plan::default();
            plan.at(key.clone(), version);
            plan.put(key, &row);
            Ok(Outcome::Commit(plan.into_commit(), ()))
        })
        .await
    }

    /// Sets or, with `None`, removes one of the bucket's settings.
    ///
    /// # Errors
    /// [`TableError::NoSuchBucket`].
    pub(crate) async fn set_setting<S: Setting + Sync>(&self, name: &BucketName, setting: Option<&S>) -> Result<(), TableError> {
        self.change_bucket(name, |row| {
            row.set(setting);
            Ok(())
        })
        .await
    }
}
