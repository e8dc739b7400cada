//! The S3 edge's numbers, unit last. Where S3 publishes one, it is S3's ("Amazon S3 multipart upload limits", "Working with object
//! metadata", "Object key naming" in the S3 User Guide); the others bound what one request may cost.

/// Request target, bytes: a key of 1,024 bytes takes up to 3,072 percent-encoded, and list requests carry two or three of them.
pub(crate) const URI_BYTES_MAX: usize = 16 * 1024;
/// All header names and values together, bytes. S3 allows 8 KiB.
pub(crate) const HEADER_BYTES_MAX: usize = 16 * 1024;
/// XML request body, bytes: 10,000 completed parts with checksums, or 1,000 keys to delete, fit well.
pub(crate) const XML_BYTES_MAX: usize = 8 * 1024 * 1024;
/// One signed chunk of an aws-chunked body, bytes: its signature covers it whole, so it is held whole. Clients send 64 KiB to 1 MiB.
pub(crate) const SIGNED_CHUNK_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// One chunk handed on of an unsigned aws-chunked body, bytes.
pub(crate) const RECHUNK_BYTES: usize = 64 * 1024;
/// Header line of one aws-chunked chunk, bytes.
pub(crate) const CHUNK_HEAD_BYTES_MAX: usize = 256;
/// Trailers of an aws-chunked body, bytes.
pub(crate) const TRAILER_BYTES_MAX: usize = 16 * 1024;
/// A client that sends nothing for this long in mid-body is given up, seconds.
pub(crate) const BODY_IDLE_S: u64 = 60;
/// A form before its file, bytes: S3's 20 KB.
pub(crate) const FORM_BYTES_MAX: usize = 20 * 1024;
/// Fields of a form.
pub(crate) const FORM_FIELDS_MAX: usize = 200;
/// Boundary of a form, bytes (RFC 2046).
pub(crate) const BOUNDARY_BYTES_MAX: usize = 70;
/// How far the clock of a Version 2 signature may be off, seconds. s3s knows the same of Version 4.
pub(crate) const CLOCK_SKEW_S_MAX: u64 = 15 * 60;
/// Longest life of a presigned URL, seconds: a week.
pub(crate) const PRESIGNED_S_MAX: u64 = 604_800;

/// Single PUT, and part, bytes.
pub(crate) const PUT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// Source of one CopyObject, bytes.
pub(crate) const COPY_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// Bodies that are held to quotas before they are read, bytes; all are when they are committed.
pub(crate) const QUOTA_EARLY_BYTES_MIN: u64 = 64 * 1024;
/// Parts of an upload, and its highest part number.
pub(crate) const PARTS_MAX: usize = 10_000;
/// Keys of one DeleteObjects.
pub(crate) const DELETE_KEYS_MAX: usize = 1_000;
/// Deletes of one DeleteObjects that run at once.
pub(crate) const DELETE_CONCURRENCY: usize = 32;
/// Rows of one page: keys, parts, uploads.
pub(crate) const PAGE_MAX: i32 = 1_000;
/// Buckets of one ListBuckets page.
pub(crate) const BUCKETS_PAGE_MAX: i32 = 10_000;
/// User metadata, names and values, bytes.
pub(crate) const USER_METADATA_BYTES_MAX: usize = 2 * 1024;
/// Tags of an object and of a bucket ("Object tagging" and "Bucket tagging" in the S3 User Guide).
pub(crate) const OBJECT_TAGS_MAX: usize = 10;
pub(crate) const BUCKET_TAGS_MAX: usize = 50;
pub(crate) const TAG_KEY_CHARS_MAX: usize = 128;
pub(crate) const TAG_VALUE_CHARS_MAX: usize = 256;
/// `Retry-After` of a 503, seconds.
pub(crate) const RETRY_AFTER_S: u32 = 2;
/// Rules of one lifecycle configuration and of one CORS configuration, and characters of a rule's id.
pub(crate) const LIFECYCLE_RULES_MAX: usize = 1_000;
pub(crate) const CORS_RULES_MAX: usize = 100;
pub(crate) const RULE_ID_CHARS_MAX: usize = 255;
/// A website configuration as it is kept, bytes, and its routing rules.
pub(crate) const WEBSITE_BYTES_MAX: usize = 128 * 1024;
pub(crate) const ROUTING_RULES_MAX: usize = 50;
/// Noncurrent versions that a lifecycle rule can keep.
pub(crate) const LIFECYCLE_KEPT_MAX: u32 = 100;
/// Uploads aborted between two looks when their bucket is deleted.
pub(crate) const UPLOADS_PAGE: usize = 1000;
/// Rules of one notification configuration, and bytes of a filter's value.
pub(crate) const NOTIFICATION_RULES_MAX: usize = 100;
pub(crate) const FILTER_VALUE_BYTES_MAX: usize = 1024;
/// Lines of access logs held in memory, all buckets together; an object is written when a bucket has so many.
pub(crate) const LOG_BYTES_MAX: usize = 8 * 1024 * 1024;
pub(crate) const LOG_OBJECT_BYTES: usize = 1024 * 1024;
/// Behind it there must be room for the rest of a key.
pub(crate) const LOG_PREFIX_BYTES_MAX: usize = 800;
/// How long a shutdown waits for the last access logs to be written.
pub(crate) const LOG_LAST_MS_MAX: u64 = 10_000;
