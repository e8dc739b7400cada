//! AWS Signature Version 4 in headers (`Authenticating Requests: Using the Authorization Header`, Amazon S3 API Reference), made to
//! cost little: the day's key and the second's date are kept, and a request is hashed without being put together by the general rules.
//! So paths and queries come here as they are sent: percent-encoded, the query sorted.

use anyhow::{Context, Result};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderValue;
use sha2::{Digest, Sha256};

use super::target::Target;

/// In place of the body's hash where bodies aren't signed.
pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const S_PER_DAY: u64 = 86_400;

/// What is signed of a request, beside host and date.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    /// SHA-256 of the body in hex, or [`UNSIGNED`].
    pub(super) payload: &'a str,
}

/// `x-amz-date` and `authorization`.
#[derive(Debug)]
pub(super) struct Signature {
    pub(super) date: HeaderValue,
    pub(super) authorization: HeaderValue,
}

/// Signs for one access key; what stays the same for a day or a second is remembered.
pub(super) struct Signer {
    day: u64,
    second: u64,
    key: Hmac<Sha256>,
    /// `20130524T000000Z`
    date: String,
    /// `20130524/us-east-1/s3/aws4_request`
    scope: String,
    text: String,
}

impl Signer {
    pub(super) fn new() -> Self {
        Self { day: 0, second: 0, key: mac(b""), date: String::new(), scope: String::new(), text: String::new() }
    }

    /// Signs a request to be sent at `now_s` seconds after the Unix epoch.
    pub(super) fn sign(&mut self, target: &Target, now_s: u64, head: Head<'_>) -> Result<Signature> {
        self.turn_to(target, now_s)?;
        let signed = if target.token.is_some() {
            "host;x-amz-content-sha256;x-amz-date;x-amz-security-token"
        } else {
            "host;x-amz-content-sha256;x-amz-date"
        };
        self.canonical(target, head, signed);
        let hash = hex::encode(Sha256::digest(self.text.as_bytes()));
        let mut key = self.key.clone();
        for piece in ["AWS4-HMAC-SHA256\n", &self.date, "\n", &self.scope, "\n", &hash] {
            key.update(piece.as_bytes());
        }
        let signature = hex::encode(key.finalize().into_bytes());
        let (id, scope) = (&target.access_key, &self.scope);
        let text = format!("AWS4-HMAC-SHA256 Credential={id}/{scope},SignedHeaders={signed},Signature={signature}");
        let authorization = HeaderValue::try_from(text).context("an access key that fits no header")?;
        Ok(Signature { date: HeaderValue::from_str(&self.date)?, authorization })
    }

    /// The canonical request, into the buffer.
    fn canonical(&mut self, target: &Target, head: Head<'_>, signed: &str) {
        let text = &mut self.text;
        text.clear();
        let mut line = |pieces: &[&str]| {
            pieces.iter().for_each(|piece| text.push_str(piece));
            text.push('\n');
        };
        line(&[head.method]);
        line(&[head.path]);
        line(&[head.query]);
        line(&["host:", &target.host]);
        line(&["x-amz-content-sha256:", head.payload]);
        line(&["x-amz-date:", &self.date]);
        if let Some(token) = &target.token {
            line(&["x-amz-security-token:", token]);
        }
        line(&[""]);
        line(&[signed]);
        text.push_str(head.payload);
    }

    fn turn_to(&mut self, target: &Target, now_s: u64) -> Result<()> {
        if now_s != self.second {
            let now = jiff::Timestamp::from_second(i64::try_from(now_s)?)?;
            self.date = now.strftime("%Y%m%dT%H%M%SZ").to_string();
            self.second = now_s;
        }
        if now_s / S_PER_DAY != self.day {
            let day = &self.date[..8];
            let start = format!("AWS4{}", target.secret_key);
            let steps = [day, &target.region, "s3", "aws4_request"];
            let key =
                steps.iter().fold(start.into_bytes(), |key, step| mac(&key).chain_update(step).finalize().into_bytes().to_vec());
            self.key = mac(&key);
            self.scope = format!("{day}/{}/s3/aws4_request", target.region);
            self.day = now_s / S_PER_DAY;
        }
        Ok(())
    }
}

/// HMAC takes keys of any length.
#[allow(clippy::expect_used)]
fn mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("any length is a key")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The access key and the moment of the examples in the S3 API Reference.
    fn example() -> Target {
        Target {
            host: "examplebucket.s3.amazonaws.com".into(),
            region: "us-east-1".into(),
            access_key: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            token: None,
        }
    }
    const MAY_24_2013: u64 = 1_369_353_600;
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn signature(signer: &mut Signer, target: &Target, now_s: u64, query: &str) -> String {
        let head = Head { method: "GET", path: "/", query, payload: EMPTY };
        let signed = signer.sign(target, now_s, head).unwrap();
        signed.authorization.to_str().unwrap().to_owned()
    }

    #[test]
    fn the_references_examples_come_out() {
        let mut signer = Signer::new();
        let prefix = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
                      SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=";
        for (query, wanted) in [
            ("lifecycle=", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
            ("max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
        ] {
            assert_eq!(signature(&mut signer, &example(), MAY_24_2013, query), format!("{prefix}{wanted}"));
        }
    }

    #[test]
    fn a_kept_key_ends_with_its_day() {
        let (mut kept, target) = (Signer::new(), example());
        let moments = [MAY_24_2013, MAY_24_2013 + 1, MAY_24_2013 + S_PER_DAY];
        let signed = moments.map(|now_s| signature(&mut kept, &target, now_s, ""));
        let fresh = moments.map(|now_s| signature(&mut Signer::new(), &target, now_s, ""));
        assert_eq!(signed, fresh);
        assert!(signed[0] != signed[1] && signed[2].contains("/20130525/"));
    }

    #[test]
    fn a_session_token_is_signed() {
        let target = Target { token: Some("session".into()), ..example() };
        let text = signature(&mut Signer::new(), &target, MAY_24_2013, "");
        assert!(text.contains("x-amz-date;x-amz-security-token,"), "{text}");
        assert_ne!(text.rsplit('=').next(), signature(&mut Signer::new(), &example(), MAY_24_2013, "").rsplit('=').next());
    }
}
