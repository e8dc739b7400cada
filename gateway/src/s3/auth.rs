//! Secrets for the signature check, from the tables.

use async_trait::async_trait;
use nodio_host::clock::now_ms;
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3ErrorCode, S3Result};

use super::error::fail;
use crate::tables::Tables;

/// Looks access keys up; a revoked key is no key.
pub(crate) struct Keys(pub(crate) Tables);

#[async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match self.0.find_key(access_key, now_ms()).await? {
            Some(credentials) => Ok(SecretKey::from(credentials.secret.as_str())),
            None => {
                Err(fail(S3ErrorCode::InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records."))
            }
        }
    }
}
