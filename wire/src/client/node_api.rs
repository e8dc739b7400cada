//! A donor's side of `/api`.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Signed, chain};
use crate::api::{
    Ask, Digests, DigestsReply, Heartbeat, HeartbeatReply, Inventory, InventoryReply, Leave, Register, Registered, Standing,
};
use crate::auth::{Secret, Who};

/// Longest wait for one answer of the coordinator.
const DEADLINE: Duration = Duration::from_secs(15);

/// Why a call under `/api` failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    #[error("the coordinator can't be reached: {0}")]
    Unreachable(String),
    /// The coordinator answered and said no.
    #[error("the coordinator answered {status}: {message}")]
    Refused { status: u16, message: String },
}

/// The coordinator, as one donor sees it.
#[derive(Clone)]
pub struct NodeApi {
    signed: Signed,
}

impl NodeApi {
    /// `who` is `Joining` with the join secret, or `Node` with the node's own.
    pub fn new(pool: reqwest::Client, base: String, who: Who, secret: Secret) -> Self {
        Self { signed: Signed { pool, base, who, secret } }
    }

    pub async fn register(&self, register: &Register) -> Result<Registered, ApiError> {
        post_json(&self.signed, "/api/nodes/register", register).await
    }

    pub async fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<HeartbeatReply, ApiError> {
        post_json(&self.signed, "/api/nodes/heartbeat", heartbeat).await
    }

    pub async fn digests(&self, digests: &Digests) -> Result<DigestsReply, ApiError> {
        post_json(&self.signed, "/api/nodes/digests", digests).await
    }

    pub async fn leave(&self, leave: &Leave) -> Result<Standing, ApiError> {
        post_json(&self.signed, "/api/nodes/leave", leave).await
    }

    pub async fn standing(&self, ask: &Ask) -> Result<Standing, ApiError> {
        post_json(&self.signed, "/api/nodes/standing", ask).await
    }

    pub async fn inventory(&self, inventory: &Inventory) -> Result<InventoryReply, ApiError> {
        post_json(&self.signed, "/api/nodes/inventory", inventory).await
    }
}

pub(super) async fn post_json<Q: Serialize, A: DeserializeOwned>(
    signed: &Signed,
    path: &str,
    question: &Q,
) -> Result<A, ApiError> {
    let body = serde_json::to_vec(question).map_err(|error| ApiError::Unreachable(error.to_string()))?;
    read_json(signed.post(path, Bytes::from(body), DEADLINE).await).await
}

/// The answer's JSON, or the error it carries.
pub(super) async fn read_json<A: DeserializeOwned>(answer: Result<reqwest::Response, reqwest::Error>) -> Result<A, ApiError> {
    let unreachable = |error: reqwest::Error| ApiError::Unreachable(chain(&error));
    let answer = answer.map_err(unreachable)?;
    let status = answer.status().as_u16();
    if status == 200 {
        return answer.json().await.map_err(unreachable);
    }
    let text = answer.text().await.map_err(unreachable)?;
    let parsed = serde_json::from_str::<ErrorBody>(&text);
    Err(ApiError::Refused { status, message: parsed.map_or(text, |body| body.error) })
}

/// The body of every error under `/api`.
#[derive(serde::Deserialize)]
struct ErrorBody {
    error: String,
}
