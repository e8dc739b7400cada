//! What tests of access say again and again about [`BUCKET`].

use super::{Answer, BUCKET, Call, Client};

pub(crate) fn bucket() -> String {
    format!("/{BUCKET}")
}

pub(crate) fn object(key: &str) -> String {
    format!("/{BUCKET}/{key}")
}

pub(crate) fn ok(answer: &Answer) {
    assert!(answer.status < 300, "{}", answer.text());
}

pub(crate) fn denied(answer: &Answer) {
    assert_eq!(answer.error(), (403, "AccessDenied".into()));
}

pub(crate) async fn put(client: &Client, key: &str, acl: &str) {
    ok(&client.send(Call::put(&object(key), "body").header("x-amz-acl", acl)).await);
}

pub(crate) async fn policy(client: &Client, statements: &str) -> Answer {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    client.send(Call::put(&format!("{}?policy", bucket()), text)).await
}

pub(crate) async fn owner_id(client: &Client) -> String {
    client.send(Call::get("/")).await.one("ID").unwrap()
}

pub(crate) fn allow(principal: &str, action: &str, resource: &str) -> String {
    format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"{action}","Resource":"arn:aws:s3:::{resource}"}}"#)
}

/// Each action of policies on a bucket or an object, and a request that needs it and no other.
pub(crate) fn actions() -> Vec<(&'static str, Call)> {
    let of_bucket = |query: &str| Call::get(&format!("{}?{query}", bucket()));
    let set = |query: &str, document: &str| Call::put(&format!("{}?{query}", bucket()), document);
    let off = |query: &str| Call::delete(&format!("{}?{query}", bucket()));
    let of_object = |query: &str| Call::get(&object(&format!("k?{query}")));
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    let rule = "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>";
    let life = "<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><Expiration><Days>9</Days></Expiration></Rule></LifecycleConfiguration>";
    let retention = "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate></Retention>";
    let owner = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
    let block = "<PublicAccessBlockConfiguration><BlockPublicAcls>false</BlockPublicAcls></PublicAccessBlockConfiguration>";
    let sse = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>\
               </ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";
    vec![
        ("s3:ListBucket", Call::get(&bucket())),
        ("s3:ListBucket", Call::head(&bucket())),
        ("s3:ListBucketVersions", of_bucket("versions")),
        ("s3:ListBucketMultipartUploads", of_bucket("uploads")),
        ("s3:GetBucketLocation", of_bucket("location")),
        ("s3:GetBucketAcl", of_bucket("acl")),
        ("s3:PutBucketAcl", Call::put(&format!("{}?acl", bucket()), "").header("x-amz-acl", "private")),
        ("s3:GetBucketVersioning", of_bucket("versioning")),
        (
            "s3:PutBucketVersioning",
            set("versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
        ),
        ("s3:PutBucketTagging", set("tagging", tags)),
        ("s3:GetBucketTagging", of_bucket("tagging")),
        ("s3:PutBucketTagging", off("tagging")),
        ("s3:GetBucketPolicy", of_bucket("policy")),
        ("s3:GetBucketPolicyStatus", of_bucket("policyStatus")),
        ("s3:PutBucketCORS", set("cors", rule)),
        ("s3:GetBucketCORS", of_bucket("cors")),
        ("s3:PutBucketCORS", off("cors")),
        ("s3:GetBucketLogging", of_bucket("logging")),
        ("s3:PutBucketLogging", set("logging", "<BucketLoggingStatus/>")),
        ("s3:GetBucketNotification", of_bucket("notification")),
        ("s3:PutBucketNotification", set("notification", "<NotificationConfiguration/>")),
        ("s3:GetBucketRequestPayment", of_bucket("requestPayment")),
        ("s3:GetAccelerateConfiguration", of_bucket("accelerate")),
        ("s3:PutEncryptionConfiguration", set("encryption", sse)),
        ("s3:GetEncryptionConfiguration", of_bucket("encryption")),
        ("s3:PutEncryptionConfiguration", off("encryption")),
        ("s3:PutLifecycleConfiguration", set("lifecycle", life)),
        ("s3:GetLifecycleConfiguration", of_bucket("lifecycle")),
        ("s3:PutLifecycleConfiguration", off("lifecycle")),
        ("s3:PutBucketOwnershipControls", set("ownershipControls", owner)),
        ("s3:GetBucketOwnershipControls", of_bucket("ownershipControls")),
        ("s3:PutBucketPublicAccessBlock", set("publicAccessBlock", block)),
        ("s3:GetBucketPublicAccessBlock", of_bucket("publicAccessBlock")),
        ("s3:PutBucketPublicAccessBlock", off("publicAccessBlock")),
        (
            "s3:PutBucketObjectLockConfiguration",
            set(
                "object-lock",
                "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>",
            ),
        ),
        ("s3:GetBucketObjectLockConfiguration", of_bucket("object-lock")),
        ("s3:PutObject", Call::put(&object("new"), "x")),
        ("s3:GetObject", of_object("")),
        ("s3:GetObject", Call::head(&object("k"))),
        ("s3:GetObjectAttributes", of_object("attributes").header("x-amz-object-attributes", "ETag")),
        ("s3:GetObjectAcl", of_object("acl")),
        ("s3:PutObjectAcl", Call::put(&object("k?acl"), "").header("x-amz-acl", "private")),
        ("s3:PutObjectTagging", Call::put(&object("k?tagging"), tags)),
        ("s3:GetObjectTagging", of_object("tagging")),
        ("s3:DeleteObjectTagging", Call::delete(&object("k?tagging"))),
        ("s3:PutObjectLegalHold", Call::put(&object("k?legal-hold"), "<LegalHold><Status>OFF</Status></LegalHold>")),
        ("s3:GetObjectLegalHold", of_object("legal-hold")),
        ("s3:PutObjectRetention", Call::put(&object("k?retention"), retention)),
        ("s3:GetObjectRetention", of_object("retention")),
        ("s3:PutObject", Call::post(&object("up?uploads"), "")),
        ("s3:DeleteObject", Call::delete(&object("k"))),
        ("s3:DeleteBucketPolicy", off("policy")),
    ]
}
