//! Who answers.

use nodio_host::clock::now_ms;
use zeroize::Zeroizing;

use super::words::{BucketView, Key, Reply, Request, Waiting};
use super::{objects, usage};
use crate::config::GatewayConfig;
use crate::limits::WAITING_PARTS_MAX;
use crate::meter::{Measured, Meter};
use crate::names::{BadName, BucketName};
use crate::tables::{AccessKey, NamedKey, NewKey, TableError, Tables};

/// The metadata, and of a running gateway also what it counted. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk {
    tables: Tables,
    meter: Option<Meter>,
    release_after_ms: u64,
}

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Tables(#[from] TableError),
    #[error(transparent)]
    Name(#[from] BadName),
    #[error("`after` is not what a page gave as `next`")]
    BadAfter,
    #[error("no gateway runs here, so nobody has counted how safe its buckets are")]
    NotCounting,
}

impl Desk {
    /// Of a running gateway.
    pub(crate) fn open(tables: Tables, meter: Meter, config: &GatewayConfig) -> Self {
        Self { tables, meter: Some(meter), release_after_ms: config.release_after_ms }
    }

    /// Where none runs.
    pub(super) fn closed(tables: Tables, config: &GatewayConfig) -> Self {
        Self { tables, meter: None, release_after_ms: config.release_after_ms }
    }

    pub(super) async fn answer(&self, request: Request) -> Reply {
        let answered = self.decide(request).await;
        answered.unwrap_or_else(|error| Reply::Refused { error: error.to_string() })
    }

    async fn decide(&self, request: Request) -> Result<Reply, Refusal> {
        match request {
            Request::CreateKey { user, display_name, access_key, secret_key, user_id, email, policy } => {
                let given = given(access_key, secret_key)?;
                let (user, user_id) = usage::called(user, email.as_deref(), display_name.as_deref(), user_id);
                Ok(create(&self.tables, NewKey { user, display_name, given, user_id, email, policy }).await?)
            }
            Request::ListKeys => {
                let keys = self.tables.list_keys().await?;
                Ok(Reply::Keys { keys: keys.into_iter().map(Key::from).collect() })
            }
            Request::RevokeKey { access_key } => {
                Ok(Reply::Revoked { key: self.tables.revoke_key(&access_key, now_ms()).await?.into() })
            }
            Request::CreateNamedKey { name } => Ok(named(vec![self.tables.create_named_key(&name, now_ms()).await?])),
            Request::ListNamedKeys => Ok(named(self.tables.list_named_keys().await?)),
            Request::EnableNamedKey { name, enabled } => {
                Ok(named(vec![self.tables.enable_named_key(&name, enabled, now_ms()).await?]))
            }
            Request::Objects { bucket, prefix, key, after, limit } => {
                objects::page(&self.tables, &bucket, objects::which(prefix, key)?, after.as_deref(), limit).await
            }
            Request::Buckets { after } => self.buckets(after).await,
            Request::Waiting => self.waiting().await,
            Request::Users { after } => usage::users(&self.tables, after.as_deref()).await,
            Request::Usage { after } => usage::buckets(&self.tables, after.as_deref()).await,
            Request::UserQuota { user, change } => usage::change_user(&self.tables, &user, change).await,
            Request::BucketQuota { bucket, change } => usage::change_bucket(&self.tables, &bucket, change).await,
        }
    }

    async fn buckets(&self, after: Option<String>) -> Result<Reply, Refusal> {
        let meter = self.meter.as_ref().ok_or(Refusal::NotCounting)?;
        let after = after.as_deref().map(BucketName::parse).transpose()?;
        let counted = meter.ask();
        let (measured, more) = meter.page(after.as_ref()).await?;
        let next = measured.last().filter(|_| more).map(|last| last.bucket.as_str().to_owned());
        Ok(Reply::Buckets { buckets: measured.into_iter().map(view).collect(), next, counted })
    }

    async fn waiting(&self) -> Result<Reply, Refusal> {
        let crate::tables::Waiting { parts, more, oldest } = self.tables.waiting(WAITING_PARTS_MAX).await?;
        Ok(Reply::Waiting { waiting: Waiting { parts, more, oldest, release_after_ms: self.release_after_ms } })
    }
}

fn named(keys: Vec<NamedKey>) -> Reply {
    Reply::NamedKeys { named_keys: keys.into_iter().map(Into::into).collect() }
}

fn view(one: Measured) -> BucketView {
    let measured = one.figures.as_ref().map(|figures| figures.measured);
    let figures = one.figures.unwrap_or_default();
    let bucket = one.bucket.as_str().to_owned();
    BucketView {
        bucket,
        measured,
        objects: figures.objects,
        inline_objects: figures.inline_objects,
        durability: figures.durability,
    }
}

/// Both, or none.
fn given(access_key: Option<String>, secret_key: Option<String>) -> Result<Option<(String, Zeroizing<String>)>, TableError> {
    match (access_key, secret_key) {
        (Some(access_key), Some(secret)) => Ok(Some((access_key, Zeroizing::new(secret)))),
        (None, None) => Ok(None),
        _ => Err(TableError::BadAccessKey("an access key and its secret are given together or not at all")),
    }
}

async fn create(tables: &Tables, new: NewKey) -> Result<Reply, TableError> {
    let AccessKey { info, secret } = tables.create_key(&new, now_ms()).await?;
    Ok(Reply::Created { key: info.into(), secret_key: secret.to_string() })
}
