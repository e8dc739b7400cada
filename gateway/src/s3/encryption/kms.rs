//! SSE-KMS without a key service: a keyring of names, each key derived from the master key.
//!
//! A key is named by itself or as `arn:aws:kms:REGION:ACCOUNT:key/NAME`; there are no accounts, so any twelve digits are one.

use std::sync::Arc;

use http::StatusCode;
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::tables::{KeyState, Keyring};

/// The key of who asks for `aws:kms` and names none. No name of the keyring can have a slash.
const DEFAULT: &str = "aws/s3";

/// The keyring, as requests name its keys.
#[derive(Debug, Clone)]
pub(crate) struct NamedKeys {
    region: Arc<str>,
    ring: Keyring,
}

impl NamedKeys {
    pub(crate) fn new(region: &str, ring: Keyring) -> Self {
        Self { region: region.into(), ring }
    }

    /// How the default key is named in answers.
    pub(crate) fn default_id(&self) -> String {
        format!("arn:aws:kms:{}:{}:alias/{DEFAULT}", self.region, "0".repeat(12))
    }

    /// The key's own name.
    ///
    /// # Errors
    /// `KMS.NotFoundException`, `KMS.DisabledException`, as the "List of error codes" in the Amazon S3 API Reference has them.
    pub(crate) fn find<'a>(&'a self, id: &'a str) -> S3Result<&'a str> {
        let name = match id.strip_prefix("arn:") {
            Some(rest) => self.of_arn(rest).ok_or_else(|| not_found(format!("Invalid arn {id}")))?,
            None => id,
        };
        if name.strip_prefix("alias/") == Some(DEFAULT) {
            return Ok(DEFAULT);
        }
        match self.ring.state(name) {
            KeyState::Enabled => Ok(name),
            KeyState::Disabled => Err(of_kms("DisabledException", format!("{id} is disabled."))),
            KeyState::Unknown => Err(not_found(format!("Invalid keyId '{id}'"))),
        }
    }

    /// The resource of an ARN of this region, an alias as such.
    fn of_arn<'a>(&self, rest: &'a str) -> Option<&'a str> {
        let fields: Vec<&str> = rest.splitn(5, ':').collect();
        let ["aws", "kms", region, account, resource] = fields[..] else { return None };
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        if region != &*self.region || !is_account {
            return None;
        }
        resource.strip_prefix("key/").or_else(|| resource.starts_with("alias/").then_some(resource))
    }
}

fn not_found(message: String) -> S3Error {
    of_kms("NotFoundException", message)
}

fn of_kms(what: &str, message: String) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(format!("KMS.{what}").into()), message);
    error.set_status_code(StatusCode::BAD_REQUEST);
    error
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodio_meta::MemoryStore;

    use super::*;
    use crate::keys::MasterKey;
    use crate::tables::Tables;

    async fn keys() -> NamedKeys {
        let tables = Tables::new(Arc::new(MemoryStore::new()), MasterKey::from_hex(&"01".repeat(32), "here").unwrap());
        tables.create_named_key("one", 1).await.unwrap();
        tables.create_named_key("off", 1).await.unwrap();
        tables.enable_named_key("off", false, 2).await.unwrap();
        NamedKeys::new("eu-north-1", tables.keyring().clone())
    }

    #[tokio::test]
    async fn keys_are_found_by_name_and_by_arn() {
        let keys = keys().await;
        let found = |id: &str| keys.find(id).map(str::to_owned).map_err(|error| error.code().as_str().to_owned());
        for (id, name) in [
            ("one", "one"),
            ("arn:aws:kms:eu-north-1:123456789012:key/one", "one"),
            ("alias/aws/s3", "aws/s3"),
            (&keys.default_id(), "aws/s3"),
        ] {
            assert_eq!(found(id), Ok(name.to_owned()), "{id}");
        }
        assert_eq!(found("off"), Err("KMS.DisabledException".to_owned()));
        for id in [
            "",
            "two",
            "aws/s3",
            "alias/one",
            "key/one",
            "arn:aws:kms:us-east-1:123456789012:key/one",
            "arn:aws:kms:eu-north-1:1234:key/one",
            "arn:aws:kms:eu-north-1:123456789012:key/aws/s3",
            "arn:aws:s3:::one",
            "arn:",
        ] {
            assert_eq!(found(id), Err("KMS.NotFoundException".to_owned()), "{id}");
        }
    }
}
