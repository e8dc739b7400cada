//! Who signed a form: what is signed is its policy, as the form has it, by Signature Version 4 or 2.
//!
//! Source: "Authenticating Requests in Browser-Based Uploads Using POST" and "Signing and Authenticating REST Requests (AWS signature
//! version 2)" in the Amazon S3 documentation.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::fields::Fields;
use crate::s3::access::Signed;
use crate::s3::guard::mac::{Key, check_sha1, signing_key};
use crate::s3::guard::refusal::Refusal;
use crate::s3::guard::signature::{ScopeFault, check_scope};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signer<'a> {
    Nobody,
    V2 { access_key: &'a str, signature: &'a str },
    V4 { access_key: &'a str, date: &'a str, signature: &'a str },
}

/// Fields of a signature, as S3 names them.
const V4: [&str; 4] = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature"];
const V2: [&str; 2] = ["AWSAccessKeyId", "Signature"];

impl<'a> Signer<'a> {
    /// Refuses what can't be right whoever it is.
    pub(crate) fn of(fields: &'a Fields, region: &str) -> Result<Self, Refusal> {
        let given = |names: &[&str]| names.iter().any(|name| fields.get(&name.to_ascii_lowercase()).is_some());
        let need = |name: &'static str| fields.get(&name.to_ascii_lowercase()).ok_or_else(|| missing(name));
        if fields.get("x-amz-security-token").is_some() {
            return Err(Refusal::bad("InvalidToken", "The provided token is malformed or otherwise invalid."));
        }
        match (given(&V4), given(&V2)) {
            (false, false) => Ok(Self::Nobody),
            (true, true) => {
                Err(Refusal::bad("InvalidArgument", "Only one auth mechanism allowed; the form is signed in two ways."))
            }
            (false, true) => {
                let (access_key, signature) = (need(V2[0])?, need(V2[1])?);
                need("Policy").map(|_| Self::V2 { access_key, signature })
            }
            (true, false) => {
                let [algorithm, credential, date, signature] = [need(V4[0])?, need(V4[1])?, need(V4[2])?, need(V4[3])?];
                need("Policy")?;
                if algorithm != "AWS4-HMAC-SHA256" {
                    return Err(argument(V4[0], algorithm, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
                }
                check_date(date)?;
                check_scope(credential, region).map_err(|fault| in_field(fault, credential, region))?;
                let (access_key, scope) = credential_parts(credential);
                Ok(Self::V4 { access_key, date: scope, signature })
            }
        }
    }

    pub(crate) fn access_key(&self) -> Option<&'a str> {
        match self {
            Self::Nobody => None,
            Self::V2 { access_key, .. } | Self::V4 { access_key, .. } => Some(access_key),
        }
    }

    /// As [`Signed`] has it.
    pub(crate) fn version(&self) -> &'static str {
        if matches!(self, Self::V2 { .. }) { Signed::VERSION_2 } else { Signed::VERSION_4 }
    }

    /// Whether the signature of `policy` is what `secret` makes of it.
    pub(crate) fn check(&self, policy: &str, secret: &str, region: &str) -> bool {
        match self {
            Self::Nobody => false,
            Self::V2 { signature, .. } => {
                BASE64.decode(signature).is_ok_and(|given| check_sha1(secret.as_bytes(), policy.as_bytes(), &given))
            }
            Self::V4 { date, signature, .. } => {
                let key: Key = signing_key(secret, date, region);
                hex::decode(signature).is_ok_and(|given| key.check(policy.as_bytes(), &given))
            }
        }
    }
}

/// Access key and date of a credential whose form was checked.
fn credential_parts(credential: &str) -> (&str, &str) {
    let mut from_end = credential.rsplitn(5, '/');
    let date = from_end.nth(3).unwrap_or_default();
    (from_end.next().unwrap_or_default(), date)
}

fn check_date(text: &str) -> Result<(), Refusal> {
    let formed = text.len() == 16 && jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).is_ok();
    if formed { Ok(()) } else { Err(argument(V4[2], text, "X-Amz-Date must be formatted via ISO8601 Long format")) }
}

fn in_field(fault: ScopeFault, credential: &str, region: &str) -> Refusal {
    match fault {
        ScopeFault::Form => {
            let message = "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";
            argument(V4[1], credential, message)
        }
        ScopeFault::Region(wrong) => {
            argument(V4[1], credential, format!("the region '{wrong}' is wrong; expecting '{region}'")).with("Region", region)
        }
        ScopeFault::Service(wrong) => {
            argument(V4[1], credential, format!("incorrect service \"{wrong}\". This endpoint belongs to \"s3\"."))
        }
    }
}

/// A field that must be there and isn't, or stands behind the file.
pub(super) fn missing(name: &'static str) -> Refusal {
    let message =
        format!("Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields.");
    argument(name, "", message)
}

pub(super) fn argument(name: &str, value: &str, message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::bad("InvalidArgument", message).with("ArgumentName", name).with("ArgumentValue", value)
}

#[cfg(test)]
mod tests {
    use super::super::fields::fields;
    use super::*;

    const CREDENTIAL: &str = "AK/20260101/us-east-1/s3/aws4_request";
    const GOOD: [(&str, &str); 5] = [
        ("policy", "p"),
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-credential", CREDENTIAL),
        ("x-amz-date", "20260101T000000Z"),
        ("x-amz-signature", "00"),
    ];

    fn argument_name(pairs: &[(&str, &str)]) -> String {
        let fields = fields(pairs);
        let refusal = Signer::of(&fields, "us-east-1").expect_err("must be refused");
        assert_eq!((refusal.status.as_u16(), &*refusal.code), (400, "InvalidArgument"));
        refusal.extra.first().map(|(_, value)| value.clone()).unwrap_or_default()
    }

    #[test]
    fn a_signature_is_whole_or_refused_by_the_name_of_what_lacks() {
        for (at, wanted) in
            [(0, "Policy"), (1, "X-Amz-Algorithm"), (2, "X-Amz-Credential"), (3, "X-Amz-Date"), (4, "X-Amz-Signature")]
        {
            let some: Vec<(&str, &str)> =
                GOOD.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, pair)| *pair).collect();
            assert_eq!(argument_name(&some), wanted);
        }
        assert_eq!(argument_name(&[("AWSAccessKeyId", "AK"), ("policy", "p")]), "Signature");
        assert_eq!(argument_name(&[("signature", "AK"), ("policy", "p")]), "AWSAccessKeyId");
        assert_eq!(argument_name(&[("signature", "s"), ("awsaccesskeyid", "AK")]), "Policy");
    }

    #[test]
    fn a_signature_of_another_kind_is_refused() {
        for (at, value, wanted) in [
            (1, "AWS4-ECDSA-P256-SHA256", "X-Amz-Algorithm"),
            (2, "AK/20260101/eu-west-1/s3/aws4_request", "X-Amz-Credential"),
            (2, "AK/20260101/us-east-1/sts/aws4_request", "X-Amz-Credential"),
            (2, "AK", "X-Amz-Credential"),
            (3, "2026-01-01T00:00:00Z", "X-Amz-Date"),
        ] {
            let mut pairs = GOOD;
            pairs[at].1 = value;
            assert_eq!(argument_name(&pairs), wanted, "{value}");
        }
        let both = [&GOOD[..], &[("signature", "s")]].concat();
        assert!(Signer::of(&fields(&both), "us-east-1").is_err());
        assert_eq!(Signer::of(&fields(&GOOD[..1]), "us-east-1"), Ok(Signer::Nobody));
    }

    #[test]
    fn the_secret_decides() {
        let fields = fields(&GOOD);
        let signer = Signer::of(&fields, "us-east-1").expect("whole");
        assert_eq!(signer, Signer::V4 { access_key: "AK", date: "20260101", signature: "00" });
        assert!(!signer.check("p", "secret", "us-east-1"));
        // RFC 2202, test case 2.
        let signature = BASE64.encode(hex::decode("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79").expect("hex"));
        let signer = Signer::V2 { access_key: "AK", signature: &signature };
        assert!(signer.check("what do ya want for nothing?", "Jefe", ""));
        assert!(!signer.check("what do you want for nothing?", "Jefe", ""));
    }
}
