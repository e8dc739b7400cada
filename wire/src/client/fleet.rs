//! [`Fleet`] over HTTP: postcard bodies to `/fleet/*`. A [`FleetError`] travels as postcard with status 409.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Signed, chain};
use crate::fleet::{
    Durability, Fleet, FleetError, FleetSummary, Grant, GrantRequest, KnownPart, Located, SegmentCommit, ShardReport,
};
use crate::ids::PartId;
use crate::link::Link;

/// Longest wait for one answer of the coordinator.
const DEADLINE: Duration = Duration::from_secs(15);

/// A coordinator elsewhere.
#[derive(Clone)]
pub struct HttpFleet {
    signed: Signed,
}

impl HttpFleet {
    /// `link` must be a gateway's.
    pub fn new(pool: reqwest::Client, link: &Link) -> Self {
        Self { signed: Signed { pool, base: link.url(), who: link.who, secret: link.secret.clone() } }
    }

    async fn call<Q: Serialize + Sync, A: DeserializeOwned>(&self, path: &str, question: &Q) -> Result<A, FleetError> {
        let unavailable = |error: reqwest::Error| FleetError::Unavailable(chain(&error));
        let body = postcard::to_stdvec(question).map_err(|error| FleetError::Refused(error.to_string()))?;
        let answer = self.signed.post(path, body.into(), DEADLINE).await.map_err(unavailable)?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(unavailable)?;
        match status {
            200 => postcard::from_bytes(&body).map_err(|error| FleetError::Unavailable(format!("unreadable answer: {error}"))),
            409 => Err(postcard::from_bytes(&body).unwrap_or_else(|_| FleetError::Unavailable("unreadable error".into()))),
            500.. => Err(FleetError::Unavailable(format!("status {status}"))),
            _ => Err(FleetError::Refused(format!("status {status}: {}", String::from_utf8_lossy(&body)))),
        }
    }
}

#[async_trait]
impl Fleet for HttpFleet {
    async fn grant(&self, request: GrantRequest) -> Result<Vec<Grant>, FleetError> {
        self.call("/fleet/grant", &request).await
    }

    async fn commit(&self, segments: Vec<SegmentCommit>) -> Result<(), FleetError> {
        self.call("/fleet/commit", &segments).await
    }

    async fn locate(&self, part: PartId, first: u32, count: u32) -> Result<Vec<Located>, FleetError> {
        self.call("/fleet/locate", &(part, first, count)).await
    }

    async fn release(&self, parts: Vec<PartId>) -> Result<(), FleetError> {
        self.call("/fleet/release", &parts).await
    }

    async fn report(&self, reports: Vec<ShardReport>) -> Result<(), FleetError> {
        self.call("/fleet/report", &reports).await
    }

    async fn parts(&self, after: Option<PartId>, limit: u32) -> Result<Vec<KnownPart>, FleetError> {
        self.call("/fleet/parts", &(after, limit)).await
    }

    async fn summary(&self) -> Result<FleetSummary, FleetError> {
        self.call("/fleet/summary", &()).await
    }

    async fn durability(&self, parts: Vec<PartId>) -> Result<Durability, FleetError> {
        self.call("/fleet/durability", &parts).await
    }
}
