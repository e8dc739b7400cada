//! Forms as browsers send them, signed; and Signature Version 2, for those who still use it.

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use nodio_host::clock::now_ms;
use serde_json::Value;
use sha1::Sha1;

use super::{Client, REGION};

/// Base64 of HMAC-SHA1.
pub(crate) fn sign_v2(secret: &str, text: &str) -> String {
    let mac: Hmac<Sha1> = Hmac::new_from_slice(secret.as_bytes()).unwrap();
    BASE64.encode(mac.chain_update(text).finalize().into_bytes())
}

/// A moment, seconds from now, as `strftime` writes it.
pub(crate) fn time_in(seconds: i64, form: &str) -> String {
    let now = i64::try_from(now_ms() / 1000).unwrap();
    jiff::Timestamp::from_second(now + seconds).unwrap().strftime(form).to_string()
}

/// A form: its fields, then its file, then what follows.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) filename: Option<String>,
    pub(crate) file: Vec<u8>,
    /// Parts behind the file.
    pub(crate) after: Vec<(String, String)>,
}

const BOUNDARY: &str = "----a-boundary-7f3a";

impl Form {
    pub(crate) fn new(fields: &[(&str, &str)], file: impl AsRef<[u8]>) -> Self {
        let mut form =
            Self { fields: Vec::new(), filename: Some("up load.txt".into()), file: file.as_ref().to_vec(), after: Vec::new() };
        for (name, value) in fields {
            form = form.field(name, value);
        }
        form
    }

    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a field's value, or takes the field away.
    pub(crate) fn change(mut self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.fields.iter_mut().filter(|field| field.0 == name).for_each(|field| field.1 = value.to_owned()),
            None => self.fields.retain(|field| field.0 != name),
        }
        self
    }

    /// Adds policy and signature, by Version 2.
    pub(crate) fn signed_v2(self, client: &Client, policy: &Value) -> Self {
        let policy = BASE64.encode(policy.to_string());
        let signature = sign_v2(&client.secret, &policy);
        self.field("AWSAccessKeyId", &client.access_key).field("policy", &policy).field("signature", &signature)
    }

    /// Adds policy and signature, by Version 4. The policy gets the conditions that this takes.
    pub(crate) fn signed_v4(self, client: &Client, mut policy: Value) -> Self {
        let (date, day) = (time_in(0, "%Y%m%dT%H%M%SZ"), time_in(0, "%Y%m%d"));
        let credential = format!("{}/{day}/{REGION}/s3/aws4_request", client.access_key);
        let own = [("x-amz-algorithm", "AWS4-HMAC-SHA256"), ("x-amz-credential", &credential), ("x-amz-date", &date)];
        let mut form = self;
        for (name, value) in own {
            policy["conditions"].as_array_mut().unwrap().push(serde_json::json!({name: value}));
            form = form.field(name, value);
        }
        let policy = BASE64.encode(policy.to_string());
        let now = std::time::UNIX_EPOCH + std::time::Duration::from_millis(now_ms());
        let key = generate_signing_key(&client.secret, now, REGION, "s3");
        let signature = calculate_signature(key, policy.as_bytes());
        form.field("Policy", &policy).field("X-Amz-Signature", &signature)
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let part = |name: &str, value: &str| {
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let all = |parts: &[(String, String)]| parts.iter().map(|(name, value)| part(name, value)).collect::<String>();
        let named = self.filename.as_ref().map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"{named}\r\nContent-Type: x/y\r\n\r\n");
        let mut body = format!("{}{head}", all(&self.fields)).into_bytes();
        body.extend_from_slice(&self.file);
        body.extend_from_slice(format!("\r\n{}--{BOUNDARY}--\r\n", all(&self.after)).as_bytes());
        body
    }

    pub(crate) fn content_type() -> String {
        format!("multipart/form-data; boundary={BOUNDARY}")
    }
}
