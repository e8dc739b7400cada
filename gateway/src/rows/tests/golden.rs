//! One row of each kind as it was first written. These bytes never change: a row that no longer opens needs a `Previous`.

use super::*;

fn user() -> UserId {
    UserId::parse(&"a1".repeat(32)).unwrap()
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn pairs() -> Vec<(String, String)> {
    vec![("k".to_owned(), "v".to_owned())]
}

fn acl() -> Acl {
    let grant = |grantee, permission| Grant { grantee, permission };
    Acl { grants: vec![grant(Grantee::User(user()), Permission::FullControl), grant(Grantee::LogDelivery, Permission::WriteAcp)] }
}

fn part(number: u16, place: PartPlace) -> PartRef {
    let key: WrappedKey = postcard::from_bytes(&[6; 60]).unwrap();
    let checksum = Some(Checksum { kind: ChecksumKind::Crc64Nvme, value: vec![1, 2, 3, 4, 5, 6, 7, 8] });
    PartRef { number, id: PartId([4; 16]), len: 300, key, place, md5: [5; 16], checksum }
}

fn segments() -> PartPlace {
    PartPlace::Segments(Code::new(4, 6).unwrap())
}

fn lock() -> Lock {
    Lock { retention: Some(Retention { mode: RetentionMode::Compliance, until: 1000 }), legal_hold: true }
}

fn headers() -> ContentHeaders {
    ContentHeaders { content_type: text("text/plain"), website_redirect: text("/x"), ..ContentHeaders::default() }
}

fn object(state: ObjectState, version: VersionId) -> ObjectRow {
    ObjectRow { uid: ObjectUid([2; 16]), version, modified: 1_700_000_000_000, owner: user(), state }
}

fn live(sse: Sse, body: ObjectBody) -> ObjectState {
    ObjectState::Live(Box::new(LiveObject {
        size: 300,
        etag: ETag { md5: [3; 16], parts: Some(2) },
        headers: headers(),
        user_meta: pairs(),
        tags: pairs(),
        acl: Some(acl()),
        lock: lock(),
        sse,
        checksum: Some(ObjectChecksum {
            checksum: Checksum { kind: ChecksumKind::Crc32, value: vec![1, 2, 3, 4] },
            scope: ChecksumScope::Composite,
        }),
        storage_class: text("GLACIER_IR"),
        body,
    }))
}

fn opens<R: Record + PartialEq + Debug>(row: &R, golden: &str) {
    assert_eq!(hex::encode(encode(row)), golden, "{row:?}");
    assert_eq!(decode::<R>(&hex::decode(golden).unwrap()).as_ref(), Ok(row));
}

#[test]
fn objects() {
    let sse = Sse::Kms { key_id: "id".to_owned(), context: text("{}") };
    opens(
        &object(live(sse, ObjectBody::Single(part(1, segments()))), VersionId::Id([9; 16])),
        "0102020202020202020202020202020202010909090909090909090909090909090980d095ffbc31406131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613100ac02030303030303030303030303030303030102010a746578742f706c61696e000000000001022f7801016b017601016b017601020040613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161310003040101e807010202696401027b7d0100040102030401010a474c41434945525f4952010104040404040404040404040404040404ac02060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606020406050505050505050505050505050505050102080102030405060708",
    );
    opens(
        &object(live(Sse::Customer { key_check: [8; 16] }, ObjectBody::Manifest { parts: 2 }), VersionId::Null),
        "01020202020202020202020202020202020080d095ffbc31406131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613100ac02030303030303030303030303030303030102010a746578742f706c61696e000000000001022f7801016b017601016b017601020040613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161310003040101e8070103080808080808080808080808080808080100040102030401010a474c41434945525f49520202",
    );
    opens(
        &object(ObjectState::DeleteMarker, VersionId::Null),
        "01020202020202020202020202020202020080d095ffbc31406131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613101",
    );
}

#[test]
fn manifests() {
    let parts = vec![part(1, segments()), part(2, PartPlace::Inline), part(3, PartPlace::Empty)];
    opens(
        &ManifestRow { parts },
        "01030104040404040404040404040404040404ac020606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060204060505050505050505050505050505050501020801020304050607080204040404040404040404040404040404ac02060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606010505050505050505050505050505050501020801020304050607080304040404040404040404040404040404ac0206060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060600050505050505050505050505050505050102080102030405060708",
    );
}

#[test]
fn inline_bytes() {
    opens(&InlineRow { sealed: Bytes::from_static(b"sealed") }, "01067365616c6564");
}

#[test]
fn buckets() {
    let row = BucketRow {
        id: BucketId([1; 16]),
        name: BucketName::parse("my-bucket").unwrap(),
        owner: user(),
        created: 1_700_000_000_000,
        versioning: Versioning::Suspended,
        object_lock: true,
        region: "eu-central-1".to_owned(),
        acl: Some(acl()),
        settings: BTreeMap::from([("policy".to_owned(), b"{}".to_vec())]),
    };
    opens(
        &row,
        "0101010101010101010101010101010101096d792d6275636b6574406131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613180d095ffbc3102010c65752d63656e7472616c2d3101020040613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161310003040106706f6c696379027b7d",
    );
}

#[test]
fn uploads() {
    let row = UploadRow {
        uid: ObjectUid([2; 16]),
        initiated: 1_700_000_000_000,
        owner: user(),
        headers: headers(),
        user_meta: pairs(),
        tags: pairs(),
        acl: Some(acl()),
        lock: lock(),
        sse: Sse::S3,
        storage_class: None,
        checksum: Some((ChecksumKind::Sha256, ChecksumScope::FullObject)),
    };
    opens(
        &row,
        "010202020202020202020202020202020280d095ffbc314061316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131010a746578742f706c61696e000000000001022f7801016b017601016b017601020040613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161310003040101e807010100010400",
    );
}

#[test]
fn uploaded_parts() {
    opens(
        &UploadedPartRow { part: part(10_000, segments()), modified: 1_700_000_000_000 },
        "01904e04040404040404040404040404040404ac0206060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060602040605050505050505050505050505050505010208010203040506070880d095ffbc31",
    );
}

#[test]
fn users() {
    let row = UserRow {
        id: user(),
        name: "ann".to_owned(),
        display_name: "Ann".to_owned(),
        email: text("a@example.org"),
        created: 1_700_000_000_000,
    };
    opens(
        &row,
        "01406131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613103616e6e03416e6e010d61406578616d706c652e6f726780d095ffbc31",
    );
}

#[test]
fn access_keys() {
    let sealed: Vec<u8> = [vec![7; 12], vec![3, 1, 2, 3]].concat();
    let row = AccessKeyRow {
        access_key: "NOABCDEFGHIJKLMNOPQR".to_owned(),
        secret_sealed: postcard::from_bytes(&sealed).unwrap(),
        user: user(),
        created: 1_700_000_000_000,
        revoked: Some(1_700_000_000_001),
        policy: text("{}"),
    };
    opens(
        &row,
        "01144e4f4142434445464748494a4b4c4d4e4f50515207070707070707070707070703010203406131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613180d095ffbc310181d095ffbc3101027b7d",
    );
}

#[test]
fn master_keys() {
    opens(&MasterRow { fingerprint: [1; 16] }, "0101010101010101010101010101010101");
}

#[test]
fn named_keys() {
    let row = NamedKeyRow { name: "archive".to_owned(), created: 1_700_000_000_000, disabled: Some(1_700_000_000_001) };
    opens(&row, "01076172636869766580d095ffbc310181d095ffbc31");
}

#[test]
fn what_is_decided_about_others() {
    opens(&PolicyText { json: "{}".to_owned() }, "01027b7d");
    opens(&ObjectOwnership::BucketOwnerEnforced, "0102");
    let block = PublicAccessBlock { ignore_public_acls: true, restrict_public_buckets: true, ..PublicAccessBlock::default() };
    opens(&block, "0100010001");
}

#[test]
fn what_is_decided_about_the_end() {
    let filter =
        RuleFilter { form: FilterForm::And, prefix: text("p/"), tags: pairs(), larger_than: Some(300), smaller_than: None };
    let rule = LifecycleRule {
        id: "r".to_owned(),
        enabled: true,
        filter,
        expiration: Some(Expiration::Date(86_400_000)),
        noncurrent: Some(NoncurrentExpiration { days: 3, kept: Some(2) }),
        abort_after_days: Some(7),
    };
    opens(&Lifecycle { rules: vec![rule] }, "0101017201020102702f01016b017601ac0200010180b89929010301020107");
}

#[test]
fn what_pages_of_other_origins_may_do() {
    let rule = CorsRule {
        id: text("r"),
        methods: vec!["GET".to_owned()],
        origins: vec!["*".to_owned()],
        headers: vec![],
        exposed: vec!["etag".to_owned()],
        max_age_s: Some(3000),
    };
    opens(&Cors { rules: vec![rule] }, "0101010172010347455401012a0001046574616701b817");
}

#[test]
fn what_is_told_to_webhooks() {
    let rule = NotificationRule {
        id: "r".to_owned(),
        webhook: "w".to_owned(),
        watched: vec![Watched::One(EventKind::AclPut), Watched::AllExpiration],
        prefix: text("p/"),
        suffix: None,
    };
    opens(&Notifications { rules: vec![rule] }, "010101720177020008040102702f00");
    let cause =
        Cause { principal: "p".to_owned(), source: "127.0.0.1".to_owned(), request: "R".to_owned(), host: "H".to_owned() };
    let bucket = || BucketName::parse("my-bucket").unwrap();
    let change = ChangeEvent {
        kind: EventKind::ExpirationMarker,
        at: 1_700_000_000_000,
        region: "r".to_owned(),
        bucket: bucket(),
        bucket_owner: user(),
        rule: "r".to_owned(),
        key: "k".to_owned(),
        version: Some(VersionId::Null),
        size: Some(300),
        etag: Some(ETag::single([3; 16])),
        cause,
    };
    opens(
        &EventRow::Change(Box::new(change)),
        "01000a80d095ffbc310172096d792d6275636b657440613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161310172016b010001ac020103030303030303030303030303030303000170093132372e302e302e3101520148",
    );
    let test = TestEvent { at: 1_700_000_000_000, bucket: bucket(), request: "R".to_owned(), host: "H".to_owned() };
    opens(&EventRow::Test(test), "010180d095ffbc31096d792d6275636b657401520148");
}

#[test]
fn where_access_logs_go() {
    let target = BucketName::parse("my-bucket").unwrap();
    opens(
        &Logging { target, prefix: "l/".to_owned(), grants: acl().grants, key_format: LogKeyFormat::ByEventTime },
        "01096d792d6275636b6574026c2f0200406131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613161316131613100030403",
    );
}

#[test]
fn who_pays() {
    opens(&RequesterPays, "01");
}

#[test]
fn what_a_bucket_shows_as_a_website() {
    opens(&Website::Elsewhere { host: "h".to_owned(), protocol: Some(WebProtocol::Https) }, "010001680101");
    let condition = RoutingCondition { prefix: text("d/"), error: Some(404) };
    let rule = RoutingRule {
        condition: Some(condition),
        host: None,
        protocol: Some(WebProtocol::Http),
        status: Some(302),
        key: KeyChange::Prefix("p/".to_owned()),
    };
    let plain = RoutingRule { condition: None, host: text("h"), protocol: None, status: None, key: KeyChange::Kept };
    let pages = Pages { index: "i".to_owned(), error: text("e"), rules: vec![rule, plain] };
    opens(&Website::Pages(pages), "0101016901016502010102642f01940300010001ae020102702f00010168000000");
}
