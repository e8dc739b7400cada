//! What the gateway remembers, and the rules by which it changes. Logic over [`nodio_meta::Store`]; the row kinds are in [`crate::rows`],
//! their keys in `keyspace`.
//!
//! ```text
//!   bucket row ◄─ checked by every write       object row ─► parts ◄─ one reference row per (part, object)
//!                                                                │ last reference gone, in the same commit
//!   upload row ─► uploaded parts ── complete ──► object row      ▼
//!                                                             pending row ─► released on the donors, then removed
//!   every change of an object ─► event row, where its bucket tells a webhook of it, in the same commit
//! ```
//! Promises: every change is one commit that checks what it was decided upon, and is decided anew if that changed meanwhile; so
//! conditional writes are atomic, nothing is ever written into a deleted bucket, and of two that end one upload one wins. A row never
//! names a part that is released; a part that no row names is pending, or was never named (a crash, an error) and is found by comparing
//! with [`Tables::unreferenced`]. What a bucket holds is counted in the commit that changes it (`usage`). Nothing here waits for donors or knows HTTP.

mod access;
mod buckets;
mod complete;
mod condition;
mod copy;
mod count;
mod delete;
mod error;
mod escape;
mod expire;
mod holdings;
mod keyring;
mod keyspace;
mod known;
mod list;
mod objects;
mod outbox;
mod pending;
mod plan;
mod refs;
mod settings;
mod uploads;
mod usage;
mod users;
mod versions;
mod walk;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use nodio_meta::row::{Record, decode};
use nodio_meta::{Outcome, Store, Version, transact};

use crate::keys::{BucketKeys, MasterKey};
use crate::names::BucketId;
use crate::rows::MasterRow;
use known::KnownBuckets;
use plan::Plan;

pub use access::{AccessKey, KeyInfo, NewKey};
pub(crate) use buckets::{BucketPage, NewBucket};
pub(crate) use complete::{Completion, ListedPart};
pub(crate) use condition::{ETagMatch, Precondition};
pub(crate) use copy::{CopyKeys, CopySource};
pub(crate) use delete::{Deleted, Deletion};
pub use error::TableError;
pub(crate) use escape::fuzz_row_key;
pub(crate) use expire::VersionRow;
pub(crate) use holdings::{Holding, HoldingPage, PageLimit, RowPlace, Waiting, Which};
pub use keyring::NamedKey;
pub(crate) use keyring::{KeyState, Keyring, is_key_name};
pub(crate) use list::{ListPage, ListQuery, UploadQuery};
pub(crate) use objects::NewObject;
pub(crate) use outbox::{Telling, Waiting as WaitingEvent};
pub(crate) use pending::Pending;
pub(crate) use settings::Setting;
pub(crate) use uploads::NewPart;
pub(crate) use usage::{Coming, QuotaChange, Usage};
pub(crate) use versions::{ShownVersion, VersionQuery};
pub(crate) use walk::Marker;

/// Each is somebody else's commit between two reads of ours; after so many, a row is missing for good.
const TORN_READS_MAX: u32 = 64;

/// The gateway's metadata. Cheap to clone.
#[derive(Clone)]
pub struct Tables {
    store: Arc<dyn Store>,
    master: MasterKey,
    credentials: Arc<access::Cache>,
    buckets: Arc<KnownBuckets>,
    keyring: Keyring,
    outbox: outbox::Outbox,
    telling: Option<Arc<Telling>>,
}

impl Tables {
    pub fn new(store: Arc<dyn Store>, master: MasterKey) -> Self {
        let (credentials, keyring) = (Arc::default(), Keyring::default());
        Self { store, master, credentials, buckets: Arc::default(), keyring, outbox: Arc::default(), telling: None }
    }

    /// Makes sure that the store was written under this master key; the first time it takes the key as its own.
    ///
    /// # Errors
    /// [`TableError::OtherMasterKey`].
    pub async fn check_master(&self) -> Result<(), TableError> {
        let ours = MasterRow { fingerprint: self.master.fingerprint() };
        self.change(|| async {
            let key = Bytes::from_static(keyspace::MASTER);
            match self.row::<MasterRow>(&key).await? {
                Some((stored, _)) if stored == ours => Ok(Outcome::Done(())),
                Some(_) => Err(TableError::OtherMasterKey),
                None => {
                    let mut plan = Plan::default();
                    plan.absent(key.clone());
                    plan.put(key, &ours);
                    Ok(Outcome::Commit(plan.into_commit(), ()))
                }
            }
        })
        .await
    }

    /// The keys under which this bucket's data keys are wrapped.
    pub(crate) fn bucket_keys(&self, bucket: BucketId) -> BucketKeys {
        self.master.bucket(bucket)
    }

    /// Runs `attempt` until its commit is made or it decides otherwise. Its reads are no snapshot: where one row named another that was gone
    /// by then, it runs again; a refusal must hold for some moment between its reads.
    async fn change<T, F, Attempt>(&self, mut attempt: F) -> Result<T, TableError>
    where
        F: FnMut() -> Attempt,
        Attempt: Future<Output = Result<Outcome<T>, TableError>>,
    {
        let mut torn_reads = 0;
        loop {
            match transact(&*self.store, &mut attempt).await {
                Err(TableError::Vanished) if torn_reads < TORN_READS_MAX => torn_reads += 1,
                answer => return answer,
            }
        }
    }

    async fn row<R: Record>(&self, key: &[u8]) -> Result<Option<(R, Version)>, TableError> {
        match self.store.get(key).await? {
            Some(found) => Ok(Some((decode(&found.value)?, found.version))),
            None => Ok(None),
        }
    }
}
