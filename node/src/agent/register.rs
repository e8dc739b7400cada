//! Telling the coordinator that this donor is there: once as a stranger with an invite, then at each start as itself.

use std::time::Duration;

use nodio_host::Shutdown;
use nodio_wire::api::{Register, Registered};
use nodio_wire::auth::Who;
use nodio_wire::client::{ApiError, NodeApi};
use nodio_wire::link::Link;

use super::identity::{Identity, Member};
use super::retry::Backoff;
use crate::config::NodeConfig;
use crate::error::NodeError;
use crate::limits::RETRY_MAX_MS;

/// What the donor says of itself. `nonce` is its own half of the secret.
pub(crate) fn card(config: &NodeConfig, addr: String, nonce: &str) -> Register {
    Register {
        node: None,
        nonce: nonce.to_owned(),
        addr,
        capacity_bytes: config.capacity_bytes(),
        operator: config.operator.clone(),
        zone: config.zone.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Joins with the invite; tries until the coordinator answers or the process stops.
pub(crate) async fn join(
    pool: reqwest::Client,
    link: &Link,
    coordinator: &str,
    card: &Register,
    identity: &mut Identity,
    shutdown: &Shutdown,
) -> Result<(Member, Duration), NodeError> {
    let api = NodeApi::new(pool, coordinator.to_owned(), Who::Joining, link.secret.clone());
    let mut backoff = Backoff::new(Duration::from_millis(RETRY_MAX_MS));
    loop {
        match api.register(card).await {
            Ok(Registered { node, nonce, heartbeat_ms }) => {
                let member = identity.joined(&link.secret, node, nonce, coordinator.to_owned())?;
                return Ok((member, Duration::from_millis(heartbeat_ms)));
            }
            Err(ApiError::Refused { status: status @ 400..500, message }) if status != 408 && status != 429 => {
                return Err(NodeError::Refused(message));
            }
            Err(error) => tracing::warn!("can't join yet, will try again: {error}"),
        }
        tokio::select! {
            () = backoff.wait() => {}
            () = shutdown.wait() => return Err(NodeError::Stopped),
        }
    }
}
