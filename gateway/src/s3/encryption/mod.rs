//! What S3 calls server-side encryption: every object is encrypted anyway; this decides under which further key, and what is said of it.
//!
//! ```text
//!   headers ─► Asked ─┬─ nothing: the bucket's default          stored Sse + the customer's key ─► Sealing (403, 400: no)
//!                     └─► Sealing: keys to wrap under, Sse to store, Shown to answer
//! ```
//! Promises: a customer's key is never stored and nothing of its object opens without it; a named key that is disabled opens
//! nothing; what a request says of encryption is done or refused.
//!
//! Source: "Protecting data with server-side encryption" in the S3 User Guide and the API pages of the operations.

mod asked;
mod customer;
mod kms;

use s3s::dto::ServerSideEncryption;
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::Api;
use super::error::{fail, invalid_argument};
use crate::keys::BucketKeys;
use crate::names::ObjectUid;
use crate::rows::{BucketRow, DefaultEncryption, Sse, UploadRow};
use crate::tables::TableError;
pub(crate) use asked::{Asked, asked, refuse_encryption};
pub(crate) use customer::{Given, Of, given, hide_keys};
pub(crate) use kms::NamedKeys;

/// The value of `x-amz-server-side-encryption` and of a bucket's default.
pub(crate) const KMS: &str = ServerSideEncryption::AWS_KMS;
pub(crate) const S3_MANAGED: &str = ServerSideEncryption::AES256;

/// Under which keys the parts of one object are wrapped.
#[derive(Debug, Clone)]
pub(crate) struct Sealing {
    pub(crate) keys: BucketKeys,
    bucket: BucketKeys,
    how: Asked,
}

impl Sealing {
    /// What the row of the object with this uid says.
    pub(crate) fn sse(&self, uid: ObjectUid) -> Sse {
        match &self.how {
            Asked::Nothing => Sse::Implicit,
            Asked::S3 => Sse::S3,
            Asked::Kms { key_id, context } => Sse::Kms { key_id: key_id.clone().unwrap_or_default(), context: context.clone() },
            Asked::Customer(given) => Sse::Customer { key_check: self.bucket.customer_check(&given.key, uid) },
        }
    }

    pub(crate) fn shown(&self) -> Shown {
        match &self.how {
            Asked::Nothing | Asked::S3 => Shown::managed(),
            Asked::Kms { key_id, context } => Shown::kms(key_id.clone(), context.clone()),
            Asked::Customer(given) => Shown {
                customer_algorithm: Some(S3_MANAGED.to_owned()),
                customer_key_md5: Some(given.md5.clone()),
                ..Shown::default()
            },
        }
    }
}

/// What answers say; each operation takes what its answer has a place for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) algorithm: Option<ServerSideEncryption>,
    pub(crate) key_id: Option<String>,
    pub(crate) context: Option<String>,
    pub(crate) customer_algorithm: Option<String>,
    pub(crate) customer_key_md5: Option<String>,
}

impl Shown {
    /// What can be said of an object without its customer's key.
    pub(crate) fn of(sse: &Sse) -> Self {
        match sse {
            Sse::Implicit | Sse::S3 => Self::managed(),
            Sse::Kms { key_id, context } => Self::kms(Some(key_id.clone()), context.clone()),
            Sse::Customer { .. } => Self::default(),
        }
    }

    fn managed() -> Self {
        Self { algorithm: Some(ServerSideEncryption::from_static(S3_MANAGED)), ..Self::default() }
    }

    fn kms(key_id: Option<String>, context: Option<String>) -> Self {
        Self { algorithm: Some(ServerSideEncryption::from_static(KMS)), key_id, context, ..Self::default() }
    }
}

/// Why the key that came, or didn't, is not the one a stored object or upload needs.
enum Unfit {
    Missing,
    Needless,
    Wrong,
    Unnamed(S3Error),
}

impl Api {
    /// For a new object or upload: as asked, or else as the bucket says.
    pub(crate) fn seal_new(&self, bucket: &BucketRow, asked: Asked) -> S3Result<Sealing> {
        let how = match (asked, bucket.setting().map_err(TableError::from)?) {
            (Asked::Nothing, Some(DefaultEncryption::Kms { key_id })) => Asked::Kms { key_id, context: None },
            (asked, _) => asked,
        };
        self.sealing(bucket, how)
    }

    /// For an object that is there.
    pub(crate) fn open_stored(&self, bucket: &BucketRow, uid: ObjectUid, sse: &Sse, given: Option<Given>) -> S3Result<Sealing> {
        self.matching(bucket, uid, sse, given).map_err(|unfit| match unfit {
            Unfit::Missing => {
                let message = "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to \
                               retrieve the object.";
                fail(S3ErrorCode::InvalidRequest, message)
            }
            Unfit::Needless => {
                fail(S3ErrorCode::InvalidRequest, "The encryption parameters are not applicable to this object.")
            }
            Unfit::Wrong => customer::wrong_key(),
            Unfit::Unnamed(error) => error,
        })
    }

    /// For a part of an upload, which comes with the key that the upload was begun with.
    pub(crate) fn seal_part(&self, bucket: &BucketRow, upload: &UploadRow, given: Option<Given>) -> S3Result<Sealing> {
        self.matching(bucket, upload.uid, &upload.sse, given).map_err(|unfit| {
            let message = match unfit {
                Unfit::Missing | Unfit::Needless => {
                    "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate \
                     encryption parameters."
                }
                Unfit::Wrong => "The provided encryption parameters did not match the ones used originally.",
                Unfit::Unnamed(error) => return error,
            };
            fail(S3ErrorCode::InvalidRequest, message)
        })
    }

    /// For the end of an upload: the key is needed where checksums were asked for ("CompleteMultipartUpload" in the Amazon S3 API
    /// Reference), and must be right wherever it comes.
    pub(crate) fn check_complete(
        &self,
        bucket: &BucketRow,
        upload: &UploadRow,
        given: Option<Given>,
        with_checksums: bool,
    ) -> S3Result<()> {
        match (&upload.sse, given) {
            (Sse::Customer { .. }, None) if with_checksums => Err(customer::no_algorithm()),
            (Sse::Customer { .. }, None) => Ok(()),
            (_, given) => self.seal_part(bucket, upload, given).map(drop),
        }
    }

    fn matching(&self, bucket: &BucketRow, uid: ObjectUid, sse: &Sse, given: Option<Given>) -> Result<Sealing, Unfit> {
        let how = match (sse, given) {
            (Sse::Customer { .. }, None) => return Err(Unfit::Missing),
            (Sse::Customer { key_check }, Some(given)) => {
                if self.tables.bucket_keys(bucket.id).customer_check(&given.key, uid) != *key_check {
                    return Err(Unfit::Wrong);
                }
                Asked::Customer(given)
            }
            (_, Some(_)) => return Err(Unfit::Needless),
            (Sse::Implicit, None) => Asked::Nothing,
            (Sse::S3, None) => Asked::S3,
            (Sse::Kms { key_id, context }, None) => Asked::Kms { key_id: Some(key_id.clone()), context: context.clone() },
        };
        self.sealing(bucket, how).map_err(Unfit::Unnamed)
    }

    fn sealing(&self, bucket: &BucketRow, how: Asked) -> S3Result<Sealing> {
        let own = self.tables.bucket_keys(bucket.id);
        let (keys, how) = match how {
            Asked::Nothing | Asked::S3 => (own.clone(), how),
            Asked::Kms { key_id, context } => {
                let key_id = key_id.unwrap_or_else(|| self.named_keys.default_id());
                let keys = own.with_named(self.named_keys.find(&key_id)?, context.as_deref());
                (keys, Asked::Kms { key_id: Some(key_id), context })
            }
            Asked::Customer(given) => (own.with_customer(&given.key), Asked::Customer(given)),
        };
        Ok(Sealing { keys, bucket: own, how })
    }
}

/// What a part's or a completion's headers say of encryption must be what the upload was begun with: it is not theirs to choose.
pub(crate) fn check_same(headers: &http::HeaderMap, upload: &UploadRow) -> S3Result<()> {
    let same = match (asked(headers)?, &upload.sse) {
        (Asked::Nothing | Asked::Customer(_), _) => true,
        (Asked::S3, Sse::Implicit | Sse::S3) => true,
        // Which key that is, the upload says; the answer repeats it.
        (Asked::Kms { .. }, Sse::Kms { .. }) => true,
        (Asked::S3 | Asked::Kms { .. }, _) => false,
    };
    let other = || invalid_argument("The encryption of a part is that of its upload: x-amz-server-side-encryption says another.");
    if same { Ok(()) } else { Err(other()) }
}
