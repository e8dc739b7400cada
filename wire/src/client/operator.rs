//! An operator's side of `/api`.

use std::time::Duration;

use super::Signed;
use super::node_api::{ApiError, post_json, read_json};
use crate::api::{AuditAsk, AuditPoll, AuditRun, Drain, Inspect, RepairAsk, RepairRun, SegmentView, Standing, Status};
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

    pub async fn drain(&self, drain: &Drain) -> Result<Standing, ApiError> {
        post_json(&self.signed, "/api/drain", drain).await
    }

    pub async fn inspect(&self, inspect: &Inspect) -> Result<Vec<SegmentView>, ApiError> {
        post_json(&self.signed, "/api/inspect", inspect).await
    }

    pub async fn audit(&self, ask: &AuditAsk) -> Result<AuditRun, ApiError> {
        post_json(&self.signed, "/api/audit", ask).await
    }

    pub async fn audit_progress(&self, poll: &AuditPoll) -> Result<AuditRun, ApiError> {
        post_json(&self.signed, "/api/audit/progress", poll).await
    }

    pub async fn repair(&self, ask: &RepairAsk) -> Result<RepairRun, ApiError> {
        post_json(&self.signed, "/api/repair", ask).await
    }
}
