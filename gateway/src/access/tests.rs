//! The table of who may do what.

use super::*;
use crate::names::UserId;
use crate::rows::{Acl, PublicAccessBlock};

/// Ids in policies of these tests are written as names; a person's id is its name in hex, filled up.
fn user(name: &str) -> UserId {
    UserId::parse(&id_of(name)).expect("an id")
}

fn id_of(name: &str) -> String {
    format!("{:0<64}", hex::encode(name))
}

/// A bucket `photos` of alice, an object `cat.jpg` in it, and what is written down about both.
struct Scene {
    policy: Option<&'static str>,
    key_policy: Option<&'static str>,
    bucket_acl: Option<Canned>,
    object_acl: Option<Canned>,
    object_owner: &'static str,
    acls_off: bool,
    block: PublicAccessBlock,
    context: Context,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            policy: None,
            key_policy: None,
            bucket_acl: None,
            object_acl: None,
            object_owner: "alice",
            acls_off: false,
            block: PublicAccessBlock::default(),
            context: Context::default(),
        }
    }
}

impl Scene {
    fn allows(&self, who: Option<&str>, action: Action, on_object: bool) -> bool {
        let alice = user("alice");
        let (id, owner) = (who.map(user), user(self.object_owner));
        let policy = self.policy.map(|text| Policy::of_bucket(text, "photos").expect("a bucket's policy"));
        let key_policy = self.key_policy.map(|text| Policy::of_key(text).expect("a key's policy"));
        let bucket_acl: Option<Acl> = self.bucket_acl.map(|canned| canned.grants(&alice, &alice));
        let object_acl: Option<Acl> = self.object_acl.map(|canned| canned.grants(&owner, &alice));
        is_allowed(&Asked {
            who: id.as_ref().zip(who).map(|(id, name)| Who { id, name, key_policy: key_policy.as_ref() }),
            action,
            bucket: Bucket {
                name: "photos",
                owner: &alice,
                policy: policy.as_ref(),
                acl: bucket_acl.as_ref(),
                acls_off: self.acls_off,
                block: self.block,
            },
            object: on_object.then_some(Object { key: "cat.jpg", there: Some((&owner, object_acl.as_ref())) }),
            context: &self.context,
        })
    }

    fn reads(&self, who: Option<&str>) -> bool {
        self.allows(who, Action::GetObject, true)
    }

    fn lists(&self, who: Option<&str>) -> bool {
        self.allows(who, Action::ListBucket, false)
    }
}

const ALICE: Option<&str> = Some("alice");
const BOB: Option<&str> = Some("bob");
const NOBODY: Option<&str> = None;

const READ_FOR_ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",
    "Resource":"arn:aws:s3:::photos/*"}]}"#;

#[test]
fn without_a_word_it_is_the_owners_alone() {
    let scene = Scene::default();
    assert!(scene.reads(ALICE) && scene.lists(ALICE) && scene.allows(ALICE, Action::PutBucketPolicy, false));
    for who in [BOB, NOBODY] {
        assert!(!scene.reads(who) && !scene.lists(who) && !scene.allows(who, Action::PutObject, true));
    }
}

#[test]
fn canned_acls_grant_what_their_names_say() {
    let public = Scene { bucket_acl: Some(Canned::PublicReadWrite), ..Scene::default() };
    assert!(
        public.lists(NOBODY) && public.allows(NOBODY, Action::PutObject, true) && public.allows(BOB, Action::DeleteObject, true)
    );
    assert!(!public.reads(NOBODY), "the object has an ACL of its own");
    assert!(!public.allows(BOB, Action::GetBucketAcl, false) && !public.allows(BOB, Action::PutBucketVersioning, false));
    let read = Scene { object_acl: Some(Canned::PublicRead), ..Scene::default() };
    assert!(read.reads(NOBODY) && !read.allows(NOBODY, Action::GetObjectAcl, true) && !read.lists(NOBODY));
    let users = Scene { object_acl: Some(Canned::AuthenticatedRead), ..Scene::default() };
    assert!(users.reads(BOB) && !users.reads(NOBODY));
}

#[test]
fn anothers_object_is_not_the_bucket_owners_to_read() {
    let bobs = Scene { object_owner: "bob", ..Scene::default() };
    assert!(bobs.reads(BOB) && !bobs.reads(ALICE) && bobs.allows(BOB, Action::PutObjectAcl, true));
    assert!(bobs.allows(ALICE, Action::DeleteObject, true), "deleting is the bucket owner's affair");
    assert!(!bobs.allows(BOB, Action::DeleteObject, true));
    for canned in [Canned::BucketOwnerRead, Canned::BucketOwnerFullControl] {
        let shared = Scene { object_owner: "bob", object_acl: Some(canned), ..Scene::default() };
        assert!(shared.reads(ALICE));
        assert_eq!(shared.allows(ALICE, Action::PutObjectAcl, true), canned == Canned::BucketOwnerFullControl);
    }
    let enforced = Scene { object_owner: "bob", acls_off: true, ..Scene::default() };
    assert!(enforced.reads(ALICE));
}

#[test]
fn an_acl_may_take_from_the_owner_all_but_itself() {
    let none = Acl { grants: Vec::new() };
    let alice = user("alice");
    let asked = |action, on_object: bool| {
        is_allowed(&Asked {
            who: Some(Who { id: &alice, name: "alice", key_policy: None }),
            action,
            bucket: Bucket {
                name: "photos",
                owner: &alice,
                policy: None,
                acl: Some(&none),
                acls_off: false,
                block: PublicAccessBlock::default(),
            },
            object: on_object.then_some(Object { key: "cat.jpg", there: Some((&alice, Some(&none))) }),
            context: &Context::default(),
        })
    };
    assert!(!asked(Action::PutObject, true) && !asked(Action::ListBucket, false) && !asked(Action::GetObject, true));
    assert!(asked(Action::GetBucketAcl, false) && asked(Action::PutBucketAcl, false) && asked(Action::PutObjectAcl, true));
    assert!(asked(Action::DeleteBucket, false));
}

#[test]
fn where_acls_are_off_they_count_for_nothing() {
    let acls = (Some(Canned::PublicReadWrite), Some(Canned::PublicRead));
    let scene = Scene { bucket_acl: acls.0, object_acl: acls.1, acls_off: true, ..Scene::default() };
    assert!(!scene.lists(BOB) && !scene.reads(NOBODY) && scene.reads(ALICE));
}

#[test]
fn a_policy_opens_what_it_names_and_no_more() {
    let scene = Scene { policy: Some(READ_FOR_ALL), ..Scene::default() };
    assert!(scene.reads(NOBODY) && scene.reads(BOB));
    assert!(!scene.lists(BOB) && !scene.allows(BOB, Action::PutObject, true));
}

#[test]
fn people_are_named_by_arn_or_id() {
    for principal in [
        r#"{"AWS":"arn:aws:iam::bob:root"}"#,
        r#"{"AWS":["arn:aws:iam:::user/bob"]}"#,
        r#"{"AWS":"ID_OF_BOB"}"#,
        r#"{"AWS":"arn:aws:iam::ID_OF_BOB:root"}"#,
        r#"{"CanonicalUser":"ID_OF_BOB"}"#,
    ] {
        let text = READ_FOR_ALL.replace(r#""*""#, &principal.replace("ID_OF_BOB", &id_of("bob")));
        let scene = Scene { policy: Some(text.leak()), ..Scene::default() };
        assert!(scene.reads(BOB) && !scene.reads(Some("carol")) && !scene.reads(NOBODY), "{principal}");
    }
}

#[test]
fn a_denial_wins_over_owner_policy_and_acl() {
    let text = r#"{"Statement":[
        {"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]},
        {"Effect":"Deny","Principal":"*","Action":["s3:Get*","s3:PutBucketPolicy"],"Resource":"arn:aws:s3:::photos*"}]}"#;
    let scene = Scene { policy: Some(text), object_acl: Some(Canned::PublicRead), ..Scene::default() };
    assert!(!scene.reads(ALICE) && !scene.reads(NOBODY));
    assert!(scene.allows(BOB, Action::PutObject, true));
    assert!(scene.allows(ALICE, Action::PutBucketPolicy, false), "an owner never locks himself out");
    assert!(!scene.allows(BOB, Action::PutBucketPolicy, false));
}

#[test]
fn not_principal_not_action_and_not_resource() {
    let text = r#"{"Statement":[
        {"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::alice:root"},"NotAction":"s3:GetObject","NotResource":"arn:aws:s3:::photos/open*"},
        {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam:::user/bob"},"Action":"s3:*","Resource":["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]}]}"#;
    let scene = Scene { policy: Some(text), ..Scene::default() };
    assert!(scene.reads(BOB) && !scene.lists(BOB) && scene.lists(ALICE));
}

#[test]
fn conditions_are_read_from_the_context() {
    let text = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::photos",
        "Condition":{"StringLike":{"s3:prefix":"open/*"},"NumericLessThanEquals":{"s3:max-keys":"10"}}}}"#;
    let mut scene = Scene { policy: Some(text), ..Scene::default() };
    assert!(!scene.lists(BOB));
    scene.context.add("s3:prefix", "open/2026");
    assert!(!scene.lists(BOB));
    scene.context.add("s3:max-keys", "10");
    assert!(scene.lists(BOB));
}

#[test]
fn a_keys_policy_narrows_and_never_widens() {
    let text = r#"{"Statement":{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],
        "Resource":["arn:aws:s3:::photos","arn:aws:s3:::photos/*","arn:aws:s3:::secret/*"]}}"#;
    let scene = Scene { key_policy: Some(text), ..Scene::default() };
    assert!(scene.reads(ALICE) && scene.lists(ALICE));
    assert!(!scene.allows(ALICE, Action::PutObject, true) && !scene.allows(ALICE, Action::PutBucketPolicy, false));
    assert!(!scene.reads(BOB), "not bob's object, whatever his key says");
}

#[test]
fn public_access_can_be_blocked() {
    let acl = Scene {
        object_acl: Some(Canned::PublicRead),
        block: PublicAccessBlock { ignore_public_acls: true, ..PublicAccessBlock::default() },
        ..Scene::default()
    };
    assert!(!acl.reads(NOBODY) && !acl.reads(BOB) && acl.reads(ALICE));
    let policy = Scene {
        policy: Some(READ_FOR_ALL),
        block: PublicAccessBlock { restrict_public_buckets: true, ..PublicAccessBlock::default() },
        ..Scene::default()
    };
    assert!(!policy.reads(BOB) && policy.reads(ALICE));
}

#[test]
fn what_is_public() {
    let policy = |condition: &str| {
        let text = READ_FOR_ALL.replace(r#""Effect""#, &format!(r#"{condition}"Effect""#));
        Policy::of_bucket(&text, "photos").expect("a policy").is_public()
    };
    assert!(policy(""));
    assert!(policy(r#""Condition":{"StringLike":{"aws:Referer":"http://x/*"}},"#));
    assert!(!policy(r#""Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}},"#));
    assert!(policy(r#""Condition":{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}},"#));
    assert!(policy(r#""Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}},"#));
    let alice = user("alice");
    assert!(Canned::AuthenticatedRead.grants(&alice, &alice).is_public());
    assert!(!Canned::LogDeliveryWrite.grants(&alice, &alice).is_public());
}

#[test]
fn documents_that_are_no_policy_are_refused() {
    let statement = |fields: &str| format!(r#"{{"Statement":[{{{fields}}}]}}"#);
    let good = r#""Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*""#;
    assert!(Policy::of_bucket(&statement(good), "photos").is_ok());
    let bad = [
        String::new(),
        "[]".into(),
        r#"{"Statement":[]}"#.into(),
        r#"{"Version":"2020","Statement":[]}"#.into(),
        statement(&good.replace("Allow", "Permit")),
        statement(&good.replace(r#""Principal":"*","#, "")),
        statement(&good.replace(r#""*""#, r#""bob""#)),
        statement(&good.replace(r#""*""#, r#"{"AWS":"arn:aws:iam::bob:group/x"}"#)),
        statement(&good.replace("s3:GetObject", "ec2:Run")),
        statement(&good.replace("arn:aws:s3:::photos/*", "arn:aws:s3:::other/*")),
        statement(&good.replace("arn:aws:s3:::photos/*", "photos/*")),
        statement(&good.replace("Action", "Actions")),
        statement(&format!(r#"{good},"NotAction":"s3:*""#)),
        statement(&good.replace("Principal", "NotPrincipal")),
        statement(&format!(r#"{good},"Condition":{{"Nonsense":{{"a":"b"}}}}"#)),
        format!(r#"{{"Id":"{}","Statement":[]}}"#, "x".repeat(20 * 1024)),
    ];
    for text in bad {
        assert!(Policy::of_bucket(&text, "photos").is_err(), "{text}");
    }
    assert!(Policy::of_key(&statement(good)).is_err(), "a key's policy names nobody");
}
