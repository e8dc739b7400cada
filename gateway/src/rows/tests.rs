//! Every row kind comes back as it was, and bytes written long ago still open.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use nodio_meta::row::{Record, decode, encode};
use nodio_wire::{Code, PartId};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::object::{BadETag, Grant, Grantee, Permission, Retention, RetentionMode};
use super::*;
use crate::checksum::{Checksum, ChecksumKind, ChecksumScope};
use crate::keys::{SealedSecret, WrappedKey};
use crate::names::{BucketId, BucketName, ObjectUid, UserId, VersionId};

impl LiveObject {
    /// With nothing beside these.
    pub(crate) fn plain(size: u64, etag: ETag, body: ObjectBody) -> Self {
        Self {
            size,
            etag,
            headers: ContentHeaders::default(),
            user_meta: Vec::new(),
            tags: Vec::new(),
            acl: None,
            lock: Lock::default(),
            sse: Sse::Implicit,
            checksum: None,
            storage_class: None,
            body,
        }
    }
}

/// Makes rows of every shape out of a seed.
struct Make(StdRng);

impl Make {
    fn flip(&mut self) -> bool {
        self.0.random()
    }

    fn text(&mut self) -> String {
        let chars = self.0.random_range(0..8);
        (0..chars).map(|_| self.0.random::<char>()).collect()
    }

    fn id(&mut self) -> [u8; 16] {
        self.0.random()
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flip().then(|| make(self))
    }

    fn some<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.0.random_range(0..4);
        (0..count).map(|_| make(self)).collect()
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.0.random_range(0..all.len())].clone()
    }

    fn user(&mut self) -> UserId {
        UserId::parse(&hex::encode(self.0.random::<[u8; 32]>())).unwrap()
    }

    fn pairs(&mut self) -> Vec<(String, String)> {
        self.some(|make| (make.text(), make.text()))
    }

    fn kind(&mut self) -> (ChecksumKind, ChecksumScope) {
        (self.one_of(&ChecksumKind::ALL), self.one_of(&[ChecksumScope::FullObject, ChecksumScope::Composite]))
    }

    fn checksum(&mut self) -> Checksum {
        let kind = self.kind().0;
        Checksum { kind, value: (0..kind.len()).map(|_| self.0.random()).collect() }
    }

    fn acl(&mut self) -> Acl {
        use Permission::{FullControl, Read, ReadAcp, Write, WriteAcp};
        let grants = self.some(|make| {
            let user = Grantee::User(make.user());
            let grantee = make.one_of(&[user, Grantee::AllUsers, Grantee::AuthenticatedUsers, Grantee::LogDelivery]);
            Grant { grantee, permission: make.one_of(&[FullControl, Read, Write, ReadAcp, WriteAcp]) }
        });
        Acl { grants }
    }

    fn lock(&mut self) -> Lock {
        let retention = self.maybe(|make| Retention {
            mode: make.one_of(&[RetentionMode::Governance, RetentionMode::Compliance]),
            until: make.0.random(),
        });
        Lock { retention, legal_hold: self.flip() }
    }

    fn sse(&mut self) -> Sse {
        let kms = Sse::Kms { key_id: self.text(), context: self.maybe(Self::text) };
        let customer = Sse::Customer { key_check: self.id() };
        self.one_of(&[Sse::Implicit, Sse::S3, kms, customer])
    }

    fn headers(&mut self) -> ContentHeaders {
        ContentHeaders {
            content_type: self.maybe(Self::text),
            cache_control: self.maybe(Self::text),
            content_disposition: self.maybe(Self::text),
            content_encoding: self.maybe(Self::text),
            content_language: self.maybe(Self::text),
            expires: self.maybe(Self::text),
            website_redirect: self.maybe(Self::text),
        }
    }

    fn part(&mut self) -> PartRef {
        let wrapped: Vec<u8> = (0..60).map(|_| self.0.random()).collect();
        let segments = PartPlace::Segments(Code::new(self.0.random_range(1..9), self.0.random_range(9..129)).unwrap());
        PartRef {
            number: self.0.random(),
            id: PartId(self.id()),
            len: self.0.random(),
            key: postcard::from_bytes::<WrappedKey>(&wrapped).unwrap(),
            place: self.one_of(&[PartPlace::Empty, PartPlace::Inline, segments]),
            md5: self.id(),
            checksum: self.maybe(Self::checksum),
        }
    }

    fn live(&mut self) -> LiveObject {
        let single = ObjectBody::Single(self.part());
        let manifest = ObjectBody::Manifest { parts: self.0.random() };
        LiveObject {
            size: self.0.random(),
            etag: ETag { md5: self.id(), parts: self.maybe(|make| make.0.random()) },
            headers: self.headers(),
            user_meta: self.pairs(),
            tags: self.pairs(),
            acl: self.maybe(Self::acl),
            lock: self.lock(),
            sse: self.sse(),
            checksum: self.maybe(|make| ObjectChecksum { checksum: make.checksum(), scope: make.kind().1 }),
            storage_class: self.maybe(Self::text),
            body: self.one_of(&[ObjectBody::Empty, single, manifest]),
        }
    }

    fn object(&mut self) -> ObjectRow {
        let version = VersionId::Id(self.id());
        let live = ObjectState::Live(Box::new(self.live()));
        ObjectRow {
            uid: ObjectUid(self.id()),
            version: self.one_of(&[VersionId::Null, version]),
            modified: self.0.random(),
            owner: self.user(),
            state: self.one_of(&[live, ObjectState::DeleteMarker]),
        }
    }

    fn bucket(&mut self) -> BucketRow {
        let settings: BTreeMap<_, _> = self.some(|make| (make.text(), make.text().into_bytes())).into_iter().collect();
        BucketRow {
            id: BucketId(self.id()),
            name: BucketName::parse(&format!("b{}", self.0.random_range(10..u64::MAX))).unwrap(),
            owner: self.user(),
            created: self.0.random(),
            versioning: self.one_of(&[Versioning::Off, Versioning::Enabled, Versioning::Suspended]),
            object_lock: self.flip(),
            region: self.text(),
            acl: self.maybe(Self::acl),
            settings,
        }
    }

    fn upload(&mut self) -> UploadRow {
        UploadRow {
            uid: ObjectUid(self.id()),
            initiated: self.0.random(),
            owner: self.user(),
            headers: self.headers(),
            user_meta: self.pairs(),
            tags: self.pairs(),
            acl: self.maybe(Self::acl),
            lock: self.lock(),
            sse: self.sse(),
            storage_class: self.maybe(Self::text),
            checksum: self.maybe(Self::kind),
        }
    }

    fn uploaded(&mut self) -> UploadedPartRow {
        UploadedPartRow { part: self.part(), modified: self.0.random() }
    }

    fn manifest(&mut self) -> ManifestRow {
        ManifestRow { parts: self.some(Self::part) }
    }

    fn inline(&mut self) -> InlineRow {
        InlineRow { sealed: Bytes::from(self.text().into_bytes()) }
    }

    fn user_row(&mut self) -> UserRow {
        UserRow {
            id: self.user(),
            name: self.text(),
            display_name: self.text(),
            email: self.maybe(Self::text),
            created: self.0.random(),
        }
    }

    fn access_key(&mut self) -> AccessKeyRow {
        let mut sealed = vec![7; 12];
        sealed.extend_from_slice(&[3, 1, 2, self.0.random()]);
        AccessKeyRow {
            access_key: self.text(),
            secret_sealed: postcard::from_bytes::<SealedSecret>(&sealed).unwrap(),
            user: self.user(),
            created: self.0.random(),
            revoked: self.maybe(|make| make.0.random()),
            policy: self.maybe(Self::text),
        }
    }

    fn website(&mut self) -> Website {
        let elsewhere = Website::Elsewhere { host: self.text(), protocol: self.protocol() };
        let pages = Pages { index: self.text(), error: self.maybe(Self::text), rules: self.some(Self::routing_rule) };
        self.one_of(&[elsewhere, Website::Pages(pages)])
    }

    fn protocol(&mut self) -> Option<WebProtocol> {
        self.maybe(|make| make.one_of(&[WebProtocol::Http, WebProtocol::Https]))
    }

    fn routing_rule(&mut self) -> RoutingRule {
        let condition =
            |make: &mut Self| RoutingCondition { prefix: make.maybe(Self::text), error: make.maybe(|make| make.0.random()) };
        let text = self.text();
        RoutingRule {
            condition: self.maybe(condition),
            host: self.maybe(Self::text),
            protocol: self.protocol(),
            status: self.maybe(|make| make.0.random()),
            key: self.one_of(&[KeyChange::Kept, KeyChange::Prefix(text.clone()), KeyChange::Whole(text)]),
        }
    }

    fn master(&mut self) -> MasterRow {
        MasterRow { fingerprint: self.id() }
    }
}

fn comes_back<R: Record + PartialEq + Debug>(row: &R) {
    assert_eq!(decode::<R>(&encode(row)).as_ref(), Ok(row));
}

macro_rules! round_trips {
    ($($kind:ident),+) => {
        proptest! {
            $(#[test]
            fn $kind(seed: u64) {
                comes_back(&Make(StdRng::seed_from_u64(seed)).$kind());
            })+
        }
    };
}
round_trips!(object, bucket, upload, uploaded, manifest, inline, user_row, access_key, website, master);

proptest! {
    #[test]
    fn a_listing_reads_of_an_object_what_its_whole_row_says(seed: u64) {
        let row = Make(StdRng::seed_from_u64(seed)).object();
        prop_assert_eq!(ListedObject::read(&encode(&row)), Ok(ListedObject::of(&row)));
    }

    #[test]
    fn a_listing_of_any_bytes_is_an_object_or_an_error_but_never_a_panic(mut value: Vec<u8>) {
        let _ = ListedObject::read(&value);
        value.insert(0, ObjectRow::FORMAT);
        let _ = ListedObject::read(&value);
    }
}

mod golden;

#[test]
fn tags_read_back_from_their_text_with_and_without_quotes() {
    for tag in [ETag::single([0xAB; 16]), ETag { md5: [1; 16], parts: Some(10_000) }] {
        assert_eq!(tag.to_string().parse(), Ok(tag));
        assert_eq!(format!("\"{tag}\"").parse(), Ok(tag));
    }
    for bad in ["", "*", "abc", "\"", "00000000000000000000000000000000-", "00000000000000000000000000000000-x"] {
        assert_eq!(bad.parse::<ETag>(), Err(BadETag));
    }
}

/// The example of "Checking object integrity": MD5 over the parts' MD5s, then their number.
#[test]
fn the_tag_of_an_upload_is_the_md5_of_its_md5s() {
    use md5::{Digest, Md5};
    let (one, two): ([u8; 16], [u8; 16]) = (Md5::digest(b"a").into(), Md5::digest(b"b").into());
    assert_eq!(ETag::of_parts([one, two]).to_string(), "96e024ba2074fe77e8e965ba43a704be-2");
}
