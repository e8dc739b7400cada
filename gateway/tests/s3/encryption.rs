//! SSE-S3, SSE-C, SSE-KMS and bucket defaults: "Protecting data with server-side encryption" in the S3 User Guide.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use nodio_gateway::admin::{Reply, Request, call};

use crate::common::{Answer, BUCKET, Call, Client, World, bytes};

const SSE: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const CONTEXT: &str = "x-amz-server-side-encryption-context";
const CUSTOMER: &str = "x-amz-server-side-encryption-customer";
const SOURCE: &str = "x-amz-copy-source-server-side-encryption-customer";
const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/two";

fn at(key: &str) -> String {
    format!("/{BUCKET}/{key}")
}

fn key_md5(key: u8) -> String {
    BASE64.encode(Md5::digest([key; 32]))
}

/// `call` with a customer's key of 32 such bytes.
fn with_key(call: Call, key: u8) -> Call {
    keyed(call, CUSTOMER, key)
}

fn keyed(call: Call, prefix: &str, key: u8) -> Call {
    call.header(&format!("{prefix}-algorithm"), "AES256")
        .header(&format!("{prefix}-key"), &BASE64.encode([key; 32]))
        .header(&format!("{prefix}-key-md5"), &key_md5(key))
}

async fn world() -> World {
    World::with(|config| config.kms_keys = vec!["one".into(), "two".into()]).await
}

async fn asked(world: &World, request: Request) -> Reply {
    let reply = call(&world.data_folder(), &request).await.unwrap();
    assert!(!matches!(reply, Reply::Refused { .. }));
    reply
}

async fn ok(client: &Client, call: Call) -> Answer {
    let answer = client.send(call).await;
    assert!((200..300).contains(&answer.status), "{}", answer.text());
    answer
}

async fn refused(client: &Client, call: Call) -> (u16, String) {
    client.send(call).await.error()
}

fn answers(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// Algorithm, key id, customer's algorithm and MD5 as an answer says them.
fn shown(answer: &Answer) -> [Option<&str>; 4] {
    [SSE, KEY_ID, &format!("{CUSTOMER}-algorithm"), &format!("{CUSTOMER}-key-md5")].map(|name| answer.header(name))
}

async fn set_default(client: &Client, rule: &str) -> Answer {
    let body = format!("<ServerSideEncryptionConfiguration><Rule>{rule}</Rule></ServerSideEncryptionConfiguration>");
    client.send(Call::put(&format!("/{BUCKET}?encryption"), body)).await
}

fn by_default(algorithm: &str, key_id: Option<&str>) -> String {
    let key_id = key_id.map(|id| format!("<KMSMasterKeyID>{id}</KMSMasterKeyID>")).unwrap_or_default();
    format!(
        "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>{algorithm}</SSEAlgorithm>{key_id}</ApplyServerSideEncryptionByDefault>"
    )
}

#[tokio::test]
async fn every_answer_says_that_its_object_is_encrypted() {
    let world = world().await;
    let client = &world.client;
    let managed = [Some("AES256"), None, None, None];
    assert_eq!(shown(&ok(client, Call::put(&at("a"), "x").header(SSE, "AES256")).await), managed);
    assert_eq!(shown(&ok(client, Call::get(&at("a"))).await), managed);
    assert_eq!(shown(&ok(client, Call::head(&at("a"))).await), managed);
    let copy = Call::put(&at("b"), "").header("x-amz-copy-source", &at("a")).header(SSE, "AES256");
    assert_eq!(shown(&ok(client, copy).await), managed);
    for call in [Call::get(&at("a")), Call::head(&at("a"))] {
        assert_eq!(client.send(call.header(SSE, "AES256")).await.status, 400, "it can't be asked for where it is read");
    }
    for odd in ["", "aes:kms", "AES512"] {
        assert_eq!(refused(client, Call::put(&at("c"), "x").header(SSE, odd)).await, answers(400, "InvalidArgument"), "{odd}");
    }
    let double = Call::put(&at("c"), "x").header(SSE, "aws:kms:dsse");
    assert_eq!(refused(client, double).await, answers(501, "NotImplemented"));
    assert_eq!(client.send(Call::head(&at("c"))).await.status, 404);
}

#[tokio::test]
async fn a_customers_key_is_needed_to_read_and_to_look() {
    let world = world().await;
    let client = &world.client;
    let md5 = key_md5(1);
    let customers = [None, None, Some("AES256"), Some(md5.as_str())];
    for len in [0, 1, 13, 1000, 100_000, 6_000_000] {
        let data = bytes(len);
        let put = ok(client, with_key(Call::put(&at("k"), &data), 1)).await;
        assert_eq!(shown(&put), customers, "{len}");
        let got = ok(client, with_key(Call::get(&at("k")), 1)).await;
        assert!(got.body == data, "{len}");
        assert_eq!(shown(&got), customers);
        let head = ok(client, with_key(Call::head(&at("k")), 1)).await;
        assert_eq!((shown(&head), head.header("content-length")), (customers, Some(len.to_string().as_str())));
        assert_eq!(refused(client, Call::get(&at("k"))).await, answers(400, "InvalidRequest"));
        assert_eq!(refused(client, with_key(Call::get(&at("k")), 2)).await, answers(400, "InvalidArgument"));
        assert_eq!(client.send(Call::head(&at("k"))).await.status, 400);
        assert_eq!(client.send(with_key(Call::head(&at("k")), 2)).await.status, 400);
        if len > 10 {
            let part = with_key(Call::get(&at("k")).header("range", "bytes=3-9"), 1);
            assert!(ok(client, part).await.body == data[3..10]);
        }
    }
    ok(client, Call::put(&at("plain"), "x")).await;
    assert_eq!(refused(client, with_key(Call::get(&at("plain")), 1)).await, answers(400, "InvalidRequest"));
    ok(client, Call::delete(&at("k"))).await;
}

#[tokio::test]
async fn nothing_of_a_customers_key_is_stored() {
    let world = world().await;
    let key = bytes(32);
    let md5 = Md5::digest(&key);
    let put = Call::put(&at("k"), "body")
        .header(&format!("{CUSTOMER}-algorithm"), "AES256")
        .header(&format!("{CUSTOMER}-key"), &BASE64.encode(&key))
        .header(&format!("{CUSTOMER}-key-md5"), &BASE64.encode(md5));
    ok(&world.client, put).await;
    let world = world
        .restart_after(|file| {
            let stored = std::fs::read(file).unwrap();
            let holds = |bytes: &[u8]| stored.windows(bytes.len()).any(|window| window == bytes);
            assert!(holds(b"my-bucket"), "it is the right file");
            assert!(!holds(&key) && !holds(BASE64.encode(&key).as_bytes()));
            assert!(!holds(&md5) && !holds(BASE64.encode(md5).as_bytes()));
        })
        .await;
    assert_eq!(refused(&world.client, Call::get(&at("k"))).await, answers(400, "InvalidRequest"));
}

#[tokio::test]
async fn a_customers_key_comes_whole_or_nothing_is_written() {
    let world = world().await;
    let (key, md5) = (BASE64.encode([1; 32]), key_md5(1));
    let (short, short_md5) = (BASE64.encode([1; 16]), BASE64.encode(Md5::digest([1; 16])));
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&[("key", &key), ("key-md5", &md5)], "InvalidArgument"),
        (&[("algorithm", "AES256"), ("key-md5", &md5)], "InvalidArgument"),
        (&[("algorithm", "AES256"), ("key", &key)], "InvalidArgument"),
        (&[("algorithm", "AES256")], "InvalidArgument"),
        (&[("algorithm", "AES256"), ("key", &key), ("key-md5", "AAAAAAAAAAAAAAAAAAAAAA==")], "InvalidArgument"),
        (&[("algorithm", "AES256"), ("key", &short), ("key-md5", &short_md5)], "InvalidArgument"),
        (&[("algorithm", "AES256"), ("key", "?"), ("key-md5", &md5)], "InvalidArgument"),
        (&[("algorithm", "AES192"), ("key", &key), ("key-md5", &md5)], "InvalidEncryptionAlgorithmError"),
    ];
    for (given, code) in cases {
        for call in [Call::put(&at("k"), "x"), Call::post(&at("k?uploads"), "")] {
            let call = given.iter().fold(call, |call, (name, value)| call.header(&format!("{CUSTOMER}-{name}"), value));
            assert_eq!(refused(&world.client, call).await, answers(400, code), "{given:?}");
        }
    }
    for (name, value) in [(SSE, "AES256"), (SSE, "aws:kms"), (KEY_ID, "one")] {
        let both = with_key(Call::put(&at("k"), "x"), 1).header(name, value);
        assert_eq!(refused(&world.client, both).await, answers(400, "InvalidArgument"), "{name}: {value}");
    }
    assert!(world.keys().await.is_empty());
}

#[tokio::test]
async fn each_version_has_its_own_key() {
    let world = world().await;
    let client = &world.client;
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    ok(client, Call::put(&format!("/{BUCKET}?versioning"), on)).await;
    let mut versions = Vec::new();
    for key in [1, 2] {
        let put = ok(client, with_key(Call::put(&at("k"), [key]), key)).await;
        versions.push((key, at(&format!("k?versionId={}", put.header("x-amz-version-id").unwrap()))));
    }
    for (key, version) in versions {
        assert_eq!(ok(client, with_key(Call::get(&version), key)).await.body, [key]);
        assert_eq!(refused(client, with_key(Call::get(&version), 3 - key)).await, answers(400, "InvalidArgument"));
    }
}

fn list(etags: &[String]) -> String {
    let part = |(at, etag): (usize, &String)| format!("<Part><PartNumber>{}</PartNumber><ETag>{etag}</ETag></Part>", at + 1);
    let parts: String = etags.iter().enumerate().map(part).collect();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
}

#[tokio::test]
async fn an_upload_goes_on_with_the_key_it_was_begun_with() {
    let world = world().await;
    let client = &world.client;
    let md5 = key_md5(1);
    let customers = [None, None, Some("AES256"), Some(md5.as_str())];
    let begun = ok(client, with_key(Call::post(&at("k?uploads"), ""), 1)).await;
    assert_eq!(shown(&begun), customers);
    let id = begun.one("UploadId").unwrap();
    let part = |number: usize| at(&format!("k?partNumber={number}&uploadId={id}"));
    let (data, mut etags) = (bytes(5 * 1024 * 1024 + 1), Vec::new());
    for call in [Call::put(&part(1), "x"), with_key(Call::put(&part(1), "x"), 2)] {
        assert_eq!(refused(client, call).await, answers(400, "InvalidRequest"));
    }
    for number in [1, 2] {
        let sent = ok(client, with_key(Call::put(&part(number), &data), 1)).await;
        assert_eq!(shown(&sent), customers);
        etags.push(sent.header("etag").unwrap().to_owned());
    }
    ok(client, with_key(Call::put(&at("from"), "copied"), 3)).await;
    let copied = |key: u8| {
        let call = Call::put(&part(3), "").header("x-amz-copy-source", &at("from"));
        with_key(keyed(call, SOURCE, 3), key)
    };
    assert_eq!(refused(client, copied(2)).await, answers(400, "InvalidRequest"));
    let last = ok(client, copied(1)).await;
    assert_eq!(shown(&last), customers);
    etags.push(last.one("ETag").unwrap());
    let complete = || Call::post(&at(&format!("k?uploadId={id}")), list(&etags));
    assert_eq!(refused(client, with_key(complete(), 2)).await, answers(400, "InvalidRequest"));
    let done = ok(client, with_key(complete(), 1)).await;
    assert_eq!(shown(&done), customers);
    let got = ok(client, with_key(Call::get(&at("k")), 1)).await;
    assert!(got.body == [&data[..], &data, b"copied"].concat());
    let across = format!("bytes={}-{}", data.len() - 2, data.len() + 1);
    assert_eq!(ok(client, with_key(Call::get(&at("k")).header("range", &across), 1)).await.body.len(), 4);
    assert_eq!(refused(client, Call::get(&at("k"))).await, answers(400, "InvalidRequest"));
    assert_eq!(refused(client, with_key(Call::get(&at("k")), 2)).await, answers(400, "InvalidArgument"));
}

#[tokio::test]
async fn a_completion_needs_the_key_where_checksums_were_asked_for() {
    let world = world().await;
    let client = &world.client;
    for (checksums, answer) in [(true, Some("InvalidArgument")), (false, None)] {
        let mut begin = with_key(Call::post(&at("k?uploads"), ""), 1);
        if checksums {
            begin = begin.header("x-amz-checksum-algorithm", "SHA256");
        }
        let id = ok(client, begin).await.one("UploadId").unwrap();
        let sent = ok(client, with_key(Call::put(&at(&format!("k?partNumber=1&uploadId={id}")), "x"), 1)).await;
        let complete = Call::post(&at(&format!("k?uploadId={id}")), list(&[sent.header("etag").unwrap().to_owned()]));
        match answer {
            Some(code) => assert_eq!(refused(client, complete).await, answers(400, code)),
            None => assert_eq!(shown(&ok(client, complete).await), [None; 4]),
        }
    }
    let plain = ok(client, Call::post(&at("plain?uploads"), "")).await.one("UploadId").unwrap();
    let keyed_part = with_key(Call::put(&at(&format!("plain?partNumber=1&uploadId={plain}")), "x"), 1);
    assert_eq!(refused(client, keyed_part).await, answers(400, "InvalidRequest"));
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Unsaid,
    S3,
    Kms,
    Customer(u8),
}

impl Mode {
    fn ask(self, call: Call) -> Call {
        match self {
            Self::Unsaid => call,
            Self::S3 => call.header(SSE, "AES256"),
            Self::Kms => call.header(SSE, "aws:kms").header(KEY_ID, "one"),
            Self::Customer(key) => with_key(call, key),
        }
    }

    fn read(self, call: Call) -> Call {
        if let Self::Customer(key) = self { with_key(call, key) } else { call }
    }

    fn check(self, answer: &Answer) {
        let md5 = if let Self::Customer(key) = self { key_md5(key) } else { String::new() };
        let want = match self {
            Self::Unsaid | Self::S3 => [Some("AES256"), None, None, None],
            Self::Kms => [Some("aws:kms"), Some("one"), None, None],
            Self::Customer(_) => [None, None, Some("AES256"), Some(md5.as_str())],
        };
        assert_eq!(shown(answer), want, "{self:?}");
    }
}

#[tokio::test]
async fn copies_go_from_any_encryption_to_any_other_without_moving_data() {
    let world = world().await;
    let client = &world.client;
    for len in [0, 1, 1024, 100_000] {
        let data = bytes(len);
        for from in [Mode::Unsaid, Mode::S3, Mode::Kms, Mode::Customer(1)] {
            ok(client, from.ask(Call::put(&at("from"), &data))).await;
            for to in [Mode::Unsaid, Mode::S3, Mode::Kms, Mode::Customer(1), Mode::Customer(2)] {
                let copy = to.ask(Call::put(&at("to"), "").header("x-amz-copy-source", &at("from")));
                let copy = if let Mode::Customer(key) = from { keyed(copy, SOURCE, key) } else { copy };
                to.check(&ok(client, copy).await);
                let got = ok(client, to.read(Call::get(&at("to")))).await;
                assert!(got.body == data, "{from:?} to {to:?}, {len} bytes");
                to.check(&got);
                if to == Mode::Customer(2) {
                    assert_eq!(refused(client, with_key(Call::get(&at("to")), 1)).await, answers(400, "InvalidArgument"));
                }
            }
            assert!(world.settled(usize::from(len > 10_000)).await, "{} segments", world.fleet.segments());
        }
    }
}

#[tokio::test]
async fn a_copys_source_is_opened_with_its_own_key_alone() {
    let world = world().await;
    let client = &world.client;
    ok(client, with_key(Call::put(&at("from"), "x"), 1)).await;
    ok(client, Call::put(&at("plain"), "x")).await;
    let id = ok(client, Call::post(&at("up?uploads"), "")).await.one("UploadId").unwrap();
    for target in [at("to"), at(&format!("up?partNumber=1&uploadId={id}"))] {
        let copy = |from: &str| Call::put(&target, "").header("x-amz-copy-source", &at(from));
        assert_eq!(refused(client, copy("from")).await, answers(400, "InvalidRequest"));
        assert_eq!(refused(client, keyed(copy("from"), SOURCE, 2)).await, answers(400, "InvalidArgument"));
        assert_eq!(refused(client, keyed(copy("plain"), SOURCE, 1)).await, answers(400, "InvalidRequest"));
        let half = copy("from").header(&format!("{SOURCE}-algorithm"), "AES256");
        assert_eq!(refused(client, half).await, answers(400, "InvalidArgument"));
        ok(client, keyed(copy("from"), SOURCE, 1)).await;
    }
}

#[tokio::test]
async fn an_object_is_copied_onto_itself_under_another_key() {
    let world = world().await;
    let client = &world.client;
    ok(client, with_key(Call::put(&at("k"), bytes(50_000)), 1)).await;
    let onto = || keyed(Call::put(&at("k"), "").header("x-amz-copy-source", &at("k")), SOURCE, 1);
    assert_eq!(refused(client, onto()).await, answers(400, "InvalidRequest"), "nothing changes");
    ok(client, with_key(onto(), 2)).await;
    assert!(ok(client, with_key(Call::get(&at("k")), 2)).await.body == bytes(50_000));
    assert_eq!(refused(client, with_key(Call::get(&at("k")), 1)).await, answers(400, "InvalidArgument"));
    assert_eq!(set_default(client, &by_default("aws:kms", Some("one"))).await.status, 200);
    let back = keyed(Call::put(&at("k"), "").header("x-amz-copy-source", &at("k")), SOURCE, 2);
    assert_eq!(shown(&ok(client, back).await), [Some("aws:kms"), Some("one"), None, None], "the bucket's default is another");
    assert!(ok(client, Call::get(&at("k"))).await.body == bytes(50_000));
}

#[tokio::test]
async fn named_keys_are_found_by_name_and_arn_and_said_as_they_were_named() {
    let world = world().await;
    let client = &world.client;
    let default = "arn:aws:kms:us-east-1:000000000000:alias/aws/s3";
    for (named, said) in [(Some("one"), "one"), (Some(ARN), ARN), (None, default), (Some("alias/aws/s3"), "alias/aws/s3")] {
        for len in [0, 13, 100_000] {
            let call = Call::put(&at("k"), bytes(len)).header(SSE, "aws:kms");
            let call = if let Some(named) = named { call.header(KEY_ID, named) } else { call };
            let want = [Some("aws:kms"), Some(said), None, None];
            assert_eq!(shown(&ok(client, call).await), want);
            let got = ok(client, Call::get(&at("k"))).await;
            assert!(got.body == bytes(len));
            assert_eq!((shown(&got), shown(&ok(client, Call::head(&at("k"))).await)), (want, want));
        }
    }
    for call in [Call::get(&at("k")), Call::head(&at("k"))] {
        assert_eq!(client.send(call.header(SSE, "aws:kms").header(KEY_ID, "one")).await.status, 400);
    }
    assert_eq!(refused(client, with_key(Call::get(&at("k")), 1)).await, answers(400, "InvalidRequest"));
    for (key_id, code) in [
        ("three", "KMS.NotFoundException"),
        ("aws/s3", "KMS.NotFoundException"),
        ("arn:aws:kms:eu-west-1:111122223333:key/one", "KMS.NotFoundException"),
    ] {
        let put = Call::put(&at("new"), "x").header(SSE, "aws:kms").header(KEY_ID, key_id);
        assert_eq!(refused(client, put).await, answers(400, code), "{key_id}");
        let begin = Call::post(&at("new?uploads"), "").header(SSE, "aws:kms").header(KEY_ID, key_id);
        assert_eq!(refused(client, begin).await, answers(400, code), "{key_id}");
    }
    for (name, value) in [(KEY_ID, "one"), (CONTEXT, "e30=")] {
        assert_eq!(refused(client, Call::put(&at("new"), "x").header(name, value)).await, answers(400, "InvalidArgument"));
        let managed = Call::put(&at("new"), "x").header(SSE, "AES256").header(name, value);
        assert_eq!(refused(client, managed).await, answers(400, "InvalidArgument"));
    }
    assert_eq!(client.send(Call::head(&at("new"))).await.status, 404);
}

#[tokio::test]
async fn an_encryption_context_is_checked_and_kept() {
    let world = world().await;
    let client = &world.client;
    let context = BASE64.encode(r#"{"project":"x"}"#);
    let put = |context: &str| Call::put(&at("k"), "body").header(SSE, "aws:kms").header(CONTEXT, context);
    assert_eq!(ok(client, put(&context)).await.header(CONTEXT), Some(context.as_str()));
    let got = ok(client, Call::get(&at("k"))).await;
    assert_eq!((got.text().as_str(), got.header(CONTEXT)), ("body", None), "S3 says it to who writes alone");
    for odd in ["{}", "e", &BASE64.encode("[]"), &BASE64.encode(r#"{"a":1}"#)] {
        assert_eq!(refused(client, put(odd)).await, answers(400, "InvalidArgument"), "{odd}");
    }
}

#[tokio::test]
async fn an_upload_under_a_named_key_is_said_and_read_as_one() {
    let world = world().await;
    let client = &world.client;
    let want = [Some("aws:kms"), Some("one"), None, None];
    let begun = ok(client, Mode::Kms.ask(Call::post(&at("k?uploads"), ""))).await;
    assert_eq!(shown(&begun), want);
    let id = begun.one("UploadId").unwrap();
    let part = |body: &[u8]| Call::put(&at(&format!("k?partNumber=1&uploadId={id}")), body);
    assert_eq!(refused(client, part(b"x").header(SSE, "AES256")).await, answers(400, "InvalidArgument"));
    let other = part(b"x").header(SSE, "aws:kms").header(KEY_ID, "two");
    assert_eq!(shown(&ok(client, other).await), want, "the upload says which key it is");
    assert_eq!(refused(client, with_key(part(b"x"), 1)).await, answers(400, "InvalidRequest"));
    let sent = ok(client, Mode::Kms.ask(part(&bytes(20_000)))).await;
    assert_eq!(shown(&sent), want);
    let complete = Call::post(&at(&format!("k?uploadId={id}")), list(&[sent.header("etag").unwrap().to_owned()]));
    assert_eq!(shown(&ok(client, Mode::Kms.ask(complete)).await), want);
    let got = ok(client, Call::get(&at("k"))).await;
    assert!(got.body == bytes(20_000));
    assert_eq!(shown(&got), want);
}

#[tokio::test]
async fn a_bucket_encrypts_by_default_as_it_was_told() {
    let world = world().await;
    let client = &world.client;
    let asked = || Call::get(&format!("/{BUCKET}?encryption"));
    let missing = answers(404, "ServerSideEncryptionConfigurationNotFoundError");
    assert_eq!(refused(client, asked()).await, missing);
    for (algorithm, key_id, want) in [
        ("AES256", None, [Some("AES256"), None, None, None]),
        ("aws:kms", Some("one"), [Some("aws:kms"), Some("one"), None, None]),
        ("aws:kms", Some(ARN), [Some("aws:kms"), Some(ARN), None, None]),
    ] {
        assert_eq!(set_default(client, &by_default(algorithm, key_id)).await.status, 200);
        let set = ok(client, asked()).await;
        let said = (set.one("SSEAlgorithm"), set.one("KMSMasterKeyID"), set.one("BucketKeyEnabled"));
        assert_eq!(said, (Some(algorithm.into()), key_id.map(str::to_owned), Some("false".into())));
        for len in [1, 1024, 100_000] {
            assert_eq!(shown(&ok(client, Call::put(&at("k"), bytes(len))).await), want);
            let got = ok(client, Call::get(&at("k"))).await;
            assert!(got.body == bytes(len));
            assert_eq!(shown(&got), want);
        }
        let copied = ok(client, Call::put(&at("copy"), "").header("x-amz-copy-source", &at("k"))).await;
        assert_eq!(shown(&copied), want);
        assert_eq!(shown(&ok(client, Call::post(&at("up?uploads"), "")).await), want);
    }
    Mode::S3.check(&ok(client, Mode::S3.ask(Call::put(&at("k"), "x"))).await);
    Mode::Customer(1).check(&ok(client, Mode::Customer(1).ask(Call::put(&at("k"), "x"))).await);
    for _ in 0..2 {
        assert_eq!(ok(client, Call::delete(&format!("/{BUCKET}?encryption"))).await.status, 204);
    }
    assert_eq!(refused(client, asked()).await, missing);
    assert_eq!(shown(&ok(client, Call::put(&at("k"), "x")).await), [Some("AES256"), None, None, None]);
}

#[tokio::test]
async fn a_default_that_makes_no_sense_is_refused() {
    let world = world().await;
    let client = &world.client;
    let on = "<BucketKeyEnabled>true</BucketKeyEnabled>";
    for (rule, answer) in [
        (by_default("AES256", Some("one")), answers(400, "InvalidArgument")),
        (by_default("AES512", None), answers(400, "MalformedXML")),
        (on.to_owned(), answers(400, "MalformedXML")),
        (format!("{0}</Rule><Rule>{0}", by_default("AES256", None)), answers(400, "MalformedXML")),
        (by_default("aws:kms:dsse", None), answers(501, "NotImplemented")),
        (format!("{}{on}", by_default("aws:kms", None)), answers(501, "NotImplemented")),
    ] {
        assert_eq!(set_default(client, &rule).await.error(), answer, "{rule}");
    }
    let none = "<ServerSideEncryptionConfiguration></ServerSideEncryptionConfiguration>";
    assert_eq!(refused(client, Call::put(&format!("/{BUCKET}?encryption"), none)).await, answers(400, "MalformedXML"));
    let stranger = world.stranger().await;
    assert_eq!(set_default(&stranger, &by_default("AES256", None)).await.error(), answers(403, "AccessDenied"));
    assert_eq!(set_default(client, &by_default("aws:kms", Some("three"))).await.status, 200, "keys are looked up when needed");
    assert_eq!(refused(client, Call::put(&at("k"), "x")).await, answers(400, "KMS.NotFoundException"));
}

#[tokio::test]
async fn what_a_disabled_key_protects_cannot_be_read_until_it_is_enabled() {
    let world = world().await;
    ok(&world.client, Call::put(&at("k"), "body").header(SSE, "aws:kms").header(KEY_ID, "two")).await;
    let disabled = answers(400, "KMS.DisabledException");
    asked(&world, Request::EnableNamedKey { name: "two".into(), enabled: false }).await;
    assert_eq!(refused(&world.client, Call::get(&at("k"))).await, disabled);
    let put = Call::put(&at("other"), "body").header(SSE, "aws:kms").header(KEY_ID, "two");
    assert_eq!(refused(&world.client, put).await, disabled);
    let again = world.restart_with(|config| config.kms_keys.clear()).await;
    assert_eq!(refused(&again.client, Call::get(&at("k"))).await, disabled, "a restart changes nothing");
    asked(&again, Request::EnableNamedKey { name: "two".into(), enabled: true }).await;
    assert_eq!(ok(&again.client, Call::get(&at("k"))).await.text(), "body");
}

#[tokio::test]
async fn a_key_can_be_made_while_the_gateway_runs() {
    let world = World::new().await;
    let put = || Call::put(&at("k"), "body").header(SSE, "aws:kms").header(KEY_ID, "late");
    assert_eq!(refused(&world.client, put()).await, answers(400, "KMS.NotFoundException"));
    for _ in 0..2 {
        asked(&world, Request::CreateNamedKey { name: "late".into() }).await;
    }
    ok(&world.client, put()).await;
    let again = world.restart_with(|_| ()).await;
    assert_eq!(ok(&again.client, Call::get(&at("k"))).await.text(), "body");
    let Reply::NamedKeys { named_keys } = asked(&again, Request::ListNamedKeys).await else { panic!("no list") };
    assert_eq!(named_keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["late"]);
    for request in
        [Request::CreateNamedKey { name: "aws/s3".into() }, Request::EnableNamedKey { name: "never".into(), enabled: false }]
    {
        assert!(matches!(call(&again.data_folder(), &request).await, Ok(Reply::Refused { .. })));
    }
}
