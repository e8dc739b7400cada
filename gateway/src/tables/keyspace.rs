//! Every row key of the gateway's store. Ids have fixed lengths, object keys are [escaped](super::escape), numbers are big endian.
//!
//! | key | value | lives |
//! |---|---|---|
//! | `b/{name}` | `BucketRow` | from CreateBucket to DeleteBucket; checked by every write into the bucket |
//! | `o/{bucket id}{key}{!order}` | `ObjectRow` | one per version, newest first; `order` is milliseconds since 1970, raised above the newest one's |
//! | `m/{uid}` | `ManifestRow` | as long as the object row with that uid whose body is a manifest |
//! | `i/{part id}` | `InlineRow` | as long as a reference to that part |
//! | `r/{part id}{uid}` | nothing | one per part and object (or upload) that names it |
//! | `p/{since}{part id}` | nothing | from the commit that drops a part's last reference to its release on the donors |
//! | `u/{bucket id}{key}{uid}` | `UploadRow` | from CreateMultipartUpload to Complete or Abort |
//! | `q/{uid}{number}` | `UploadedPartRow` | from UploadPart to the end of its upload |
//! | `e/{webhook}/{commit}` | `EventRow` | from the change it tells of to its delivery; ordered by the number of the commit |
//! | `a/{access key}` | `AccessKeyRow` | for ever; revoked ones stay, so that an id is never given twice |
//! | `s/{user id}` | `UserRow` | for ever |
//! | `n/{user name}` | user id, text | as long as the user row |
//! | `c/b{bucket id}` | a counter: bytes, objects | from the first write into the bucket to DeleteBucket |
//! | `c/u{user id}` | a counter: the same of all the user's buckets | for ever |
//! | `l/{user id}` | `Quota` | while the user has one; a bucket's is a setting in its row |
//! | `k/counted` | nothing | from the first start that counts |
//! | `k/master` | `MasterRow` | from the first start |
//! | `k/named/{name}` | `NamedKeyRow` | for ever; disabled ones stay, as what they protect may |
//!
//! An upload's uid becomes its object's, so the references written by UploadPart stay valid after Complete.

use bytes::Bytes;
use nodio_meta::KeyRange;
use nodio_wire::{PartId, UnixMs};

use super::escape;
use crate::names::{BucketId, BucketName, ObjectKey, ObjectUid, PartNumber, UserId};

pub(super) const MASTER: &[u8] = b"k/master";
pub(super) const COUNTED: &[u8] = b"k/counted";
pub(super) const ACCESS_KEYS: &[u8] = b"a/";
pub(super) const USERS: &[u8] = b"s/";
pub(super) const BUCKETS: &[u8] = b"b/";
pub(super) const NAMED_KEYS: &[u8] = b"k/named/";
const PENDING: &[u8] = b"p/";
pub(super) const EVENTS: &[u8] = b"e/";

fn joined(parts: &[&[u8]]) -> Bytes {
    Bytes::from(parts.concat())
}

pub(super) fn bucket(name: &BucketName) -> Bytes {
    joined(&[BUCKETS, name.as_str().as_bytes()])
}

/// What all object rows of a bucket begin with.
pub(super) fn objects(bucket: BucketId) -> Vec<u8> {
    [b"o/", bucket.0.as_slice()].concat()
}

/// What all versions of a key begin with.
pub(super) fn versions(bucket: BucketId, key: &ObjectKey) -> Vec<u8> {
    let mut out = objects(bucket);
    escape::push(&mut out, key.as_bytes());
    out
}

pub(super) fn object(bucket: BucketId, key: &ObjectKey, order: u64) -> Bytes {
    let mut out = versions(bucket, key);
    out.extend_from_slice(&(!order).to_be_bytes());
    out.into()
}

/// The order in a version's id, which is its row's.
pub(super) fn order_in(version: [u8; 16]) -> u64 {
    version.first_chunk().map_or(0, |order| u64::from_be_bytes(*order))
}

/// The order in an object row's key.
pub(super) fn order_of(row_key: &[u8]) -> Option<u64> {
    let tail = row_key.len().checked_sub(8)?;
    row_key[tail..].try_into().ok().map(|bytes| !u64::from_be_bytes(bytes))
}

pub(super) fn manifest(uid: ObjectUid) -> Bytes {
    joined(&[b"m/", &uid.0])
}

pub(super) fn inline(part: PartId) -> Bytes {
    joined(&[b"i/", &part.0])
}

/// What all references to a part begin with.
pub(super) fn references(part: PartId) -> Vec<u8> {
    [b"r/", part.0.as_slice()].concat()
}

pub(super) fn reference(part: PartId, uid: ObjectUid) -> Bytes {
    joined(&[b"r/", &part.0, &uid.0])
}

pub(super) fn pending(since: UnixMs, part: PartId) -> Bytes {
    joined(&[PENDING, &since.to_be_bytes(), &part.0])
}

/// Parts pending since before `before`.
pub(super) fn pending_before(before: UnixMs) -> KeyRange {
    KeyRange::between(PENDING, joined(&[PENDING, &before.to_be_bytes()]))
}

/// What a pending row's key says.
pub(super) fn pending_of(row_key: &[u8]) -> Option<(UnixMs, PartId)> {
    let (since, part) = row_key.strip_prefix(PENDING)?.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*since), PartId(part.try_into().ok()?)))
}

/// What all upload rows of a bucket begin with.
pub(super) fn uploads(bucket: BucketId) -> Vec<u8> {
    [b"u/", bucket.0.as_slice()].concat()
}

pub(super) fn upload(bucket: BucketId, key: &ObjectKey, uid: ObjectUid) -> Bytes {
    let mut out = uploads(bucket);
    escape::push(&mut out, key.as_bytes());
    out.extend_from_slice(&uid.0);
    out.into()
}

/// What all events for a webhook begin with; the store puts them in the order of their commits behind it.
pub(super) fn events(webhook: &str) -> Bytes {
    joined(&[EVENTS, webhook.as_bytes(), b"/"])
}

/// The webhook in an event row's key.
pub(super) fn webhook_of(row_key: &[u8]) -> Option<&str> {
    let rest = row_key.strip_prefix(EVENTS)?;
    let end = rest.iter().position(|byte| *byte == b'/')?;
    std::str::from_utf8(&rest[..end]).ok()
}

/// What all parts of an upload begin with.
pub(super) fn parts(uid: ObjectUid) -> Vec<u8> {
    [b"q/", uid.0.as_slice()].concat()
}

pub(super) fn part(uid: ObjectUid, number: u16) -> Bytes {
    joined(&[b"q/", &uid.0, &number.to_be_bytes()])
}

/// An upload's parts with numbers in `after < number < before`.
pub(super) fn parts_between(uid: ObjectUid, after: u16, before: u16) -> KeyRange {
    KeyRange::after(part(uid, after), part(uid, before))
}

/// An upload's parts with numbers above `after`.
pub(super) fn parts_after(uid: ObjectUid, after: Option<PartNumber>) -> KeyRange {
    parts_between(uid, after.map_or(0, PartNumber::get), u16::MAX)
}

pub(super) fn access_key(id: &str) -> Bytes {
    joined(&[ACCESS_KEYS, id.as_bytes()])
}

pub(super) fn named_key(name: &str) -> Bytes {
    joined(&[NAMED_KEYS, name.as_bytes()])
}

pub(super) fn user(id: &UserId) -> Bytes {
    joined(&[USERS, id.as_str().as_bytes()])
}

pub(super) fn user_name(name: &str) -> Bytes {
    joined(&[b"n/", name.as_bytes()])
}

pub(super) fn bucket_usage(bucket: BucketId) -> Bytes {
    joined(&[b"c/b", &bucket.0])
}

pub(super) fn user_usage(user: &UserId) -> Bytes {
    joined(&[b"c/u", user.as_str().as_bytes()])
}

pub(super) fn user_quota(user: &UserId) -> Bytes {
    joined(&[b"l/", user.as_str().as_bytes()])
}
