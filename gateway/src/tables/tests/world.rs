//! One bucket over one store, and what must hold of all rows whatever happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use nodio_codec::DataKey;
use nodio_meta::{Commit, CommitError, Direction, KeyRange, MemoryStore, Row, StoreError, Versioned};
use nodio_wire::{Code, PartId, UnixMs};

use super::*;
use crate::keys::WrapAad;
use crate::names::{BucketName, ObjectKey, ObjectUid, PartNumber, UploadId, UserId};
use crate::rows::{
    BucketRow, ContentHeaders, ETag, LiveObject, Lock, ObjectBody, ObjectRow, PartPlace, PartRef, Sse, UploadRow,
    UploadedPartRow, Versioning,
};

pub(super) const MIB: u64 = 1024 * 1024;

/// What every object says of its length.
pub(super) const OBJECT_BYTES: u64 = 100;

/// Lets other tasks in at random before every call, so that a single thread sees all kinds of interleavings.
pub(super) struct Shuffled<S>(pub(super) S);

impl<S> Shuffled<S> {
    async fn pause(&self) {
        for _ in 0..rand::random_range(0..4) {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl<S: Store> Store for Shuffled<S> {
    async fn get(&self, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        self.pause().await;
        self.0.get(key).await
    }

    async fn scan(&self, range: KeyRange, limit: usize, direction: Direction) -> Result<Vec<Row>, StoreError> {
        self.pause().await;
        self.0.scan(range, limit, direction).await
    }

    async fn commit(&self, commit: Commit) -> Result<Version, CommitError> {
        self.pause().await;
        self.0.commit(commit).await
    }
}

#[derive(Clone)]
pub(super) struct World {
    pub(super) store: Arc<dyn Store>,
    pub(super) tables: Tables,
    pub(super) bucket: BucketRow,
    pub(super) owner: UserId,
    pub(super) clock: Arc<AtomicU64>,
    /// Every part with segments that was ever given to the tables.
    pub(super) made: Arc<Mutex<BTreeSet<PartId>>>,
}

pub(super) fn master(byte: u8) -> MasterKey {
    MasterKey::from_hex(&hex::encode([byte; 32]), "test").unwrap()
}

pub(super) fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

pub(super) fn number(number: u16) -> PartNumber {
    PartNumber::new(number.into()).unwrap()
}

pub(super) fn none() -> Precondition {
    Precondition::default()
}

impl World {
    pub(super) async fn new() -> Self {
        Self::over(Arc::new(MemoryStore::new())).await
    }

    pub(super) async fn shuffled() -> Self {
        Self::over(Arc::new(Shuffled(MemoryStore::new()))).await
    }

    pub(super) async fn over(store: Arc<dyn Store>) -> Self {
        let tables = Tables::new(store.clone(), master(1));
        let owner = UserId::random();
        let bucket = tables.create_bucket(new_bucket("bucket", &owner), 1).await.unwrap();
        Self { store, tables, bucket, owner, clock: Arc::new(AtomicU64::new(1_000)), made: Arc::default() }
    }

    /// Versioning as told, for a bucket that is empty.
    pub(super) async fn versioned(mut self, versioning: Versioning) -> Self {
        self.bucket.versioning = versioning;
        let mut plan = Plan::default();
        plan.put(keyspace::bucket(&self.bucket.name), &self.bucket);
        self.store.commit(plan.into_commit()).await.unwrap();
        self
    }

    pub(super) fn now(&self) -> UnixMs {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    /// A part with segments, its key wrapped for this object.
    pub(super) fn part(&self, at: &ObjectKey, uid: ObjectUid, number: u16, len: u64) -> PartRef {
        let id = PartId::random();
        self.made.lock().unwrap().insert(id);
        let aad = WrapAad { key: at, uid, part: id };
        PartRef {
            number,
            id,
            len,
            key: self.tables.bucket_keys(self.bucket.id).wrap(&DataKey::from_bytes([id.0[0]; 32]), aad),
            place: PartPlace::Segments(Code::new(4, 6).unwrap()),
            md5: id.0,
            checksum: None,
        }
    }

    pub(super) fn object(&self, at: &ObjectKey) -> NewObject {
        let uid = ObjectUid::new(self.now());
        let part = self.part(at, uid, 1, 100);
        NewObject {
            uid,
            owner: self.owner.clone(),
            live: LiveObject::plain(OBJECT_BYTES, ETag::single(part.md5), ObjectBody::Single(part)),
            inline: None,
        }
    }

    pub(super) fn inline_object(&self, at: &ObjectKey, sealed: &'static [u8]) -> NewObject {
        let mut new = self.object(at);
        if let ObjectBody::Single(part) = &mut new.live.body {
            self.made.lock().unwrap().remove(&part.id);
            part.place = PartPlace::Inline;
        }
        NewObject { inline: Some(Bytes::from_static(sealed)), ..new }
    }

    pub(super) async fn put(&self, at: &str) -> ObjectRow {
        self.try_put(at, none()).await.unwrap()
    }

    /// Puts as a gateway does: what is refused is abandoned.
    pub(super) async fn try_put(&self, at: &str, precondition: Precondition) -> Result<ObjectRow, TableError> {
        let new = self.object(&key(at));
        let put = self.tables.put_object(&self.bucket, &key(at), &new, &precondition, self.now()).await;
        if let (Err(_), ObjectBody::Single(part)) = (&put, &new.live.body) {
            self.tables.abandon(&[part.id], self.now()).await.unwrap();
        }
        put.map(|put| put.row)
    }

    pub(super) async fn get(&self, at: &str) -> Result<ObjectRow, TableError> {
        self.tables.object(&self.bucket, &key(at), None).await
    }

    pub(super) async fn delete(&self, at: &str) -> Deleted {
        self.tables.delete_object(&self.bucket, &key(at), None, &Deletion::default(), self.now()).await.unwrap()
    }

    pub(super) async fn copy(&self, from: &str, to: &str) -> Result<ObjectRow, TableError> {
        let row = self.get(from).await?;
        // Of any age: gateways' clocks differ, so a copy's references may sort before its source's.
        let uid = ObjectUid::new(rand::random_range(0..10_000));
        let new = NewObject {
            uid,
            owner: self.owner.clone(),
            live: LiveObject::plain(OBJECT_BYTES, ETag::single([0; 16]), ObjectBody::Empty),
            inline: None,
        };
        let source = CopySource { bucket: &self.bucket, key: &key(from), row: &row };
        let keys = self.tables.bucket_keys(self.bucket.id);
        let keys = CopyKeys { from: &keys, to: &keys };
        let put = self.tables.copy_object(source, (&self.bucket, &key(to)), keys, new, &none(), self.now()).await?;
        Ok(put.row)
    }

    pub(super) fn upload_row(&self) -> UploadRow {
        let now = self.now();
        UploadRow {
            uid: ObjectUid::new(now),
            initiated: now,
            owner: self.owner.clone(),
            headers: ContentHeaders::default(),
            user_meta: Vec::new(),
            tags: Vec::new(),
            acl: None,
            lock: Lock::default(),
            sse: Sse::Implicit,
            storage_class: None,
            checksum: None,
        }
    }

    pub(super) async fn begin(&self, at: &str) -> UploadId {
        self.tables.create_upload(&self.bucket, &key(at), &self.upload_row()).await.unwrap()
    }

    pub(super) async fn try_part(&self, at: &str, upload: UploadId, number: u16, len: u64) -> Result<PartRef, TableError> {
        let part = self.part(&key(at), upload.0, number, len);
        let new = NewPart { part: part.clone(), inline: None };
        let put = self.tables.put_part(&self.bucket, &key(at), upload, &new, self.now()).await;
        if put.is_err() {
            self.tables.abandon(&[part.id], self.now()).await.unwrap();
        }
        put.map(|_| part)
    }

    pub(super) async fn add(&self, at: &str, upload: UploadId, number: u16) -> PartRef {
        self.try_part(at, upload, number, 5 * MIB).await.unwrap()
    }

    pub(super) async fn complete(&self, at: &str, upload: UploadId, parts: &[PartRef]) -> Result<ObjectRow, TableError> {
        self.tables.complete_upload(&self.bucket, &key(at), upload, &completion(parts), &none(), self.now()).await
    }

    pub(super) async fn abort(&self, at: &str, upload: UploadId) -> Result<(), TableError> {
        self.tables.abort_upload(&self.bucket, &key(at), upload, self.now()).await
    }

    pub(super) async fn rows(&self, prefix: &[u8]) -> Vec<Row> {
        self.store.scan(KeyRange::prefix(prefix), usize::MAX, Direction::Ascending).await.unwrap()
    }

    /// Parts waiting for their release.
    pub(super) async fn pending(&self) -> BTreeSet<PartId> {
        let pending = self.tables.release_step(UnixMs::MAX, usize::MAX).await.unwrap();
        pending.into_iter().map(|pending| pending.part).collect()
    }

    /// Releases everything pending, as the background task does.
    pub(super) async fn release(&self) {
        let pending = self.tables.release_step(UnixMs::MAX, usize::MAX).await.unwrap();
        self.tables.released(&pending).await.unwrap();
        pending
            .iter()
            .for_each(|pending| assert!(self.made.lock().unwrap().remove(&pending.part), "{pending:?} was released twice"));
    }

    /// What must hold of all rows at rest: exactly the parts that are named are referenced, by whoever names them; every other part is
    /// pending; manifests, inline bytes and uploaded parts belong to something.
    pub(super) async fn audit(&self) {
        let mut named: BTreeMap<(PartId, ObjectUid), PartPlace> = BTreeMap::new();
        let mut manifests = BTreeSet::new();
        let (mut held, mut held_here) = (Usage::default(), Usage::default());
        for row in self.rows(b"o/").await {
            let object: ObjectRow = decode(&row.value).unwrap();
            let here = row.key.starts_with(&keyspace::objects(self.bucket.id));
            for held in [Some(&mut held), here.then_some(&mut held_here)].into_iter().flatten() {
                held.bytes += object.live().map_or(0, |live| live.size);
                held.objects += u64::from(object.live().is_some());
            }
            if let Some(ObjectBody::Manifest { .. }) = object.live().map(|live| &live.body) {
                manifests.insert(keyspace::manifest(object.uid));
            }
            named.extend(self.tables.parts(&object).await.unwrap().iter().map(|part| ((part.id, object.uid), part.place)));
        }
        for row in self.rows(b"u/").await {
            let upload: UploadRow = decode(&row.value).unwrap();
            for row in self.rows(&keyspace::parts(upload.uid)).await {
                let part = decode::<UploadedPartRow>(&row.value).unwrap().part;
                held.bytes += part.len;
                held_here.bytes += part.len;
                named.insert((part.id, upload.uid), part.place);
            }
        }
        named.retain(|_, place| *place != PartPlace::Empty);
        let references: BTreeSet<_> = named.keys().map(|(part, uid)| keyspace::reference(*part, *uid)).collect();
        assert_eq!(keys_of(self.rows(b"r/").await), references, "references");
        assert_eq!(keys_of(self.rows(b"m/").await), manifests, "manifests");
        let inline = named.iter().filter(|(_, place)| **place == PartPlace::Inline).map(|((part, _), _)| keyspace::inline(*part));
        assert_eq!(keys_of(self.rows(b"i/").await), inline.collect(), "inline bytes");
        let part_uids: BTreeSet<_> = self.rows(b"q/").await.iter().map(|row| row.key[2..18].to_vec()).collect();
        for uid in part_uids {
            assert!(named.keys().any(|(_, owner)| owner.0[..] == uid), "parts of an upload that is no more");
        }
        let segments: BTreeSet<_> =
            named.iter().filter(|(_, place)| matches!(place, PartPlace::Segments(_))).map(|((part, _), _)| *part).collect();
        let unnamed: BTreeSet<_> = self.made.lock().unwrap().difference(&segments).copied().collect();
        assert_eq!(self.pending().await, unnamed, "pending");
        assert_eq!(self.tables.bucket_usage(self.bucket.id).await.unwrap(), held_here, "the bucket's counter");
        assert_eq!(self.tables.user_usage(&self.owner).await.unwrap(), held, "its owner's counter");
    }
}

fn keys_of(rows: Vec<Row>) -> BTreeSet<Bytes> {
    rows.into_iter().map(|row| row.key).collect()
}

pub(super) fn new_bucket(name: &str, owner: &UserId) -> NewBucket {
    let name = BucketName::parse(name).unwrap();
    NewBucket { name, owner: owner.clone(), region: "us-east-1".to_owned(), object_lock: false, acl: None, ownership: None }
}

pub(super) fn completion(parts: &[PartRef]) -> Completion {
    let listed = |part: &PartRef| ListedPart {
        number: number(part.number),
        etag: format!("\"{}\"", ETag::single(part.md5)),
        checksum: part.checksum.clone(),
    };
    Completion { parts: parts.iter().map(listed).collect(), checksum: None, size: None }
}
