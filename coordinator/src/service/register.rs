//! Donors that join or start again.

use nodio_wire::api::{Register, Registered};
use nodio_wire::auth::{Who, node_secret, random_bytes};
use nodio_wire::{NodeId, UnixMs};

use super::{Coordinator, ServiceError};
use crate::limits::{LABEL_BYTES_MAX, NODES_MAX};
use crate::map;
use crate::tables::{Kept, NodeRow, StandingRow};

impl Coordinator {
    /// Registers a donor. `who` signed the request: a newcomer by the join secret, a known donor by its own.
    /// A newcomer that repeats its nonce is the same donor.
    pub async fn register(&self, who: Who, register: Register) -> Result<Registered, ServiceError> {
        let nonce = check(&register)?;
        let _one_at_a_time = self.registering.lock().await;
        let known = match (who, register.node) {
            (Who::Joining, None) => self.state().nodes.by_nonce(&nonce),
            (Who::Node(id), Some(named)) if id == named => Some(id),
            _ => return Err(ServiceError::Refused("the request is not signed by the donor it names".into())),
        };
        match known {
            Some(id) => self.register_again(id, nonce, register).await,
            None => self.register_new(nonce, register).await,
        }
    }

    async fn register_new(&self, nonce: [u8; 16], register: Register) -> Result<Registered, ServiceError> {
        let id = {
            let nodes = &self.state().nodes;
            if nodes.len() >= NODES_MAX {
                return Err(ServiceError::Refused(format!("{NODES_MAX} donors are registered already")));
            }
            nodes.next_id()
        };
        let now = self.now();
        let row = self.new_row(nonce, register, now)?;
        map::nodes::insert(&*self.store, id, &row).await?;
        tracing::info!(node = %id, addr = row.addr, "a donor joined");
        Ok(self.registered(id, &row, now))
    }

    async fn register_again(&self, id: NodeId, nonce: [u8; 16], register: Register) -> Result<Registered, ServiceError> {
        let same = self.state().nodes.get(id).is_some_and(|node| node.nonce == nonce);
        if !same {
            return Err(ServiceError::Refused("the nonce is not the one this donor joined with".into()));
        }
        let change = |row: &mut NodeRow| {
            row.addr = base_url(&register.addr).to_owned();
            row.capacity_bytes = register.capacity_bytes;
            row.operator = register.operator.clone();
            row.zone = register.zone.clone();
            row.version = register.version.clone();
        };
        let row = map::nodes::update(&*self.store, id, change).await?.ok_or(ServiceError::UnknownNode(id))?;
        tracing::info!(node = %id, addr = row.addr, "a donor started again");
        Ok(self.registered(id, &row, self.now()))
    }

    fn new_row(&self, nonce: [u8; 16], register: Register, now: UnixMs) -> Result<NodeRow, ServiceError> {
        let join = self.secret_of(Who::Joining).ok_or_else(|| ServiceError::Refused("nobody can join".into()))?;
        let coordinator_nonce = random_bytes();
        Ok(NodeRow {
            addr: base_url(&register.addr).to_owned(),
            nonce,
            coordinator_nonce,
            secret: node_secret(&join, &nonce, &coordinator_nonce),
            capacity_bytes: register.capacity_bytes,
            operator: register.operator,
            zone: register.zone,
            version: register.version,
            registered: now,
            faults: 0,
            kept: Kept {
                standing: StandingRow { since: now, reason: "new here".into(), ..StandingRow::default() },
                ..Kept::default()
            },
        })
    }

    fn registered(&self, id: NodeId, row: &NodeRow, now: UnixMs) -> Registered {
        self.state().nodes.registered(id, row, now);
        Registered { node: id, nonce: hex::encode(row.coordinator_nonce), heartbeat_ms: self.config.heartbeat_ms }
    }
}

/// Refuses what can't be a donor; returns its nonce.
fn check(register: &Register) -> Result<[u8; 16], ServiceError> {
    let refuse = |reason: &str| Err(ServiceError::Refused(reason.to_owned()));
    let mut nonce = [0; 16];
    if hex::decode_to_slice(&register.nonce, &mut nonce).is_err() {
        return refuse("the nonce must be 32 hex digits");
    }
    let texts = [Some(&register.addr), register.operator.as_ref(), register.zone.as_ref(), Some(&register.version)];
    if texts.into_iter().flatten().any(|text| text.len() > LABEL_BYTES_MAX || text.chars().any(char::is_control)) {
        return refuse("an address or a label is too long or has control characters");
    }
    if [&register.operator, &register.zone].into_iter().flatten().any(|label| label.trim().is_empty()) {
        return refuse("an operator or zone label must not be empty");
    }
    if !is_base_url(base_url(&register.addr)) {
        return refuse("the address must look like http://HOST:PORT");
    }
    if register.capacity_bytes == 0 {
        return refuse("the capacity must be above 0");
    }
    Ok(nonce)
}

fn base_url(addr: &str) -> &str {
    addr.trim_end_matches('/')
}

fn is_base_url(addr: &str) -> bool {
    let Ok(uri) = addr.parse::<http::Uri>() else { return false };
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    let plain_host = uri.authority().is_some_and(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'));
    scheme && plain_host && uri.path() == "/" && uri.query().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_base_urls() {
        for good in ["http://10.0.0.1:7400", "https://donor.example", "http://[::1]:80"] {
            assert!(is_base_url(good), "{good}");
        }
        for bad in ["10.0.0.1:7400", "ftp://h", "http://", "http://h/path", "http://h?x=1", "http://u:p@h", "http:// h"] {
            assert!(!is_base_url(bad), "{bad}");
        }
    }
}
