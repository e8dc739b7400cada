//! An operator's side of `/api`.

use std::time::Duration;

use super::Signed;
use super::node_api::{ApiError, read_json};
use crate::api::Status;
use crate::link::Link;

/// Longest wait for one answer: status counts every segment.
const DEADLINE: Duration = Duration::from_secs(60);

/// The coordinator, as its operator sees it.
#[derive(Clone)]
pub struct OperatorApi {
    signed: Signed,
}

impl OperatorApi {
    /// `link` must be an operator's.
    pub fn new(pool: reqwest::Client, link: &Link) -> Self {
        Self { signed: Signed { pool, base: link.url(), who: link.who, secret: link.secret.clone() } }
    }

    pub async fn status(&self) -> Result<Status, ApiError> {
        read_json(self.signed.get("/api/status", DEADLINE).await).await
    }
}
