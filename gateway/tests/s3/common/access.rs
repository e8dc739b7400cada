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
