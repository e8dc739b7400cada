//! How donors stand: what audits lead to, who leaves, who is sent away, and the receipt that a donor goes with.
//!
//! A change is decided by [`crate::state::reputation`], holds in memory at once and is written before it is answered; one that couldn't
//! be written is written by the next liveness step. Whoever stops taking shards, or stops counting, has its segments walked through.

use nodio_meta::StoreError;
use nodio_wire::api::{Ask, Drain, Leave, Receipt, Standing, StandingState};
use nodio_wire::auth::Secret;
use nodio_wire::{NodeId, UnixMs};

use super::{Coordinator, ServiceError};
use crate::keyspace;
use crate::limits::{NODES_PER_COMMIT, REASON_BYTES_MAX};
use crate::map;
use crate::state::State;
use crate::state::node::Node;
use crate::state::reputation::{self, Asker, Change, Wish};
use crate::state::walks::{Lane, Over};
use crate::tables::{Kept, any_row};

const GIB: f64 = (1u64 << 30) as f64;

impl Coordinator {
    /// A donor asks to leave, or takes that back.
    ///
    /// # Errors
    /// [`ServiceError::Refused`] in words for the person who runs it, if that can't be.
    pub async fn leave(&self, leave: Leave) -> Result<Standing, ServiceError> {
        self.wish(leave.node, Wish { by: Asker::Donor, cancel: leave.cancel, reason: None }).await
    }

    /// The operator sends a donor away, or takes it back.
    ///
    /// # Errors
    /// As [`Self::leave`].
    pub async fn drain(&self, drain: Drain) -> Result<Standing, ServiceError> {
        let reason = drain.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
        if reason.is_some_and(|reason| reason.len() > REASON_BYTES_MAX || reason.chars().any(char::is_control)) {
            return Err(ServiceError::Refused("the reason is too long or has control characters".into()));
        }
        self.wish(drain.node, Wish { by: Asker::Operator, cancel: drain.cancel, reason }).await
    }

    /// How a donor stands.
    ///
    /// # Errors
    /// [`ServiceError::UnknownNode`].
    pub async fn standing(&self, ask: Ask) -> Result<Standing, ServiceError> {
        self.standing_of(ask.node)
    }

    /// True if this coordinator's cluster made the receipt, as it is.
    pub fn is_own_receipt(&self, receipt: &Receipt) -> bool {
        is_genuine(self.cluster_secret(), receipt)
    }

    pub(super) fn standing_of(&self, id: NodeId) -> Result<Standing, ServiceError> {
        self.state().nodes.get(id).map(|node| node.standing.clone()).ok_or(ServiceError::UnknownNode(id))
    }

    async fn wish(&self, id: NodeId, wish: Wish<'_>) -> Result<Standing, ServiceError> {
        {
            let mut state = self.state();
            let node = state.nodes.get(id).ok_or(ServiceError::UnknownNode(id))?;
            let change = reputation::asked(&node.case(), wish).map_err(|why| ServiceError::Refused(why.into()))?;
            if let Some(change) = change {
                self.enter(&mut state, id, change);
            }
        }
        self.release_if_empty(id).await?;
        self.keep_changed(&[id]).await?;
        self.standing_of(id)
    }

    /// Draws the conclusions from a donor's audits.
    pub(super) async fn judge_audits(&self, id: NodeId) -> Result<(), StoreError> {
        {
            let mut state = self.state();
            let Some(change) = state.nodes.get(id).and_then(|node| reputation::judged(&node.case())) else { return Ok(()) };
            self.enter(&mut state, id, change);
        }
        self.keep_changed(&[id]).await
    }

    fn enter(&self, state: &mut State, id: NodeId, change: Change) {
        let now = self.now();
        let Some(node) = state.nodes.get_mut(id) else { return };
        let (from, to) = (node.standing.state, change.state);
        tracing::info!(node = %id, addr = node.addr, ?from, ?to, reason = change.reason, "a donor's standing changed");
        let receipt = (to == StandingState::Released).then(|| receipt_of(node, self.cluster_secret(), now));
        node.enter(change, receipt, now);
        if matches!(to, StandingState::Refused | StandingState::Released) {
            state.drop_tasks_of(id);
        }
        if !matches!(to, StandingState::Vetting | StandingState::Trusted) {
            state.walks.begin(Over::Node(id), Lane::Mend);
        }
    }

    /// Lets leaving donors go that nothing is named for any more.
    pub(crate) async fn release_the_empty(&self) -> Result<(), StoreError> {
        let leaving: Vec<NodeId> = self.state().nodes.all().filter(|node| node.is_leaving()).map(|node| node.id).collect();
        for id in leaving {
            self.release_if_empty(id).await?;
        }
        Ok(())
    }

    async fn release_if_empty(&self, id: NodeId) -> Result<(), StoreError> {
        let is_leaving = |state: &State| state.nodes.get(id).is_some_and(Node::is_leaving);
        if !is_leaving(&self.state()) || any_row(&*self.store, keyspace::holdings_of(id)).await? {
            return Ok(());
        }
        let mut state = self.state();
        if let Some(node) = state.nodes.get(id).filter(|node| node.is_leaving()) {
            let change = reputation::released(&node.standing.reason);
            self.enter(&mut state, id, change);
        }
        Ok(())
    }

    /// Writes what was learned of these donors, where it is time.
    pub(crate) async fn keep_changed(&self, ids: &[NodeId]) -> Result<(), StoreError> {
        for some in ids.chunks(NODES_PER_COMMIT) {
            let now = self.now();
            let learned: Vec<(NodeId, Kept)> = {
                let state = self.state();
                let due = some.iter().filter_map(|id| state.nodes.get(*id)).filter(|node| node.is_to_be_stored(now));
                due.map(|node| (node.id, node.kept())).collect()
            };
            map::nodes::keep(&*self.store, &learned).await?;
            let mut state = self.state();
            for (id, kept) in learned {
                if let Some(node) = state.nodes.get_mut(id) {
                    node.was_stored(kept, now);
                }
            }
        }
        Ok(())
    }
}

fn receipt_of(node: &Node, secret: &Secret, now: UnixMs) -> Receipt {
    let receipt = Receipt {
        node: node.id,
        joined: node.joined,
        released: now,
        gib_hours: (node.byte_hours / GIB) as u64,
        audits_passed: node.audits.passed,
        mac: String::new(),
    };
    Receipt { mac: mac_of(secret, &receipt), ..receipt }
}

fn mac_of(secret: &Secret, receipt: &Receipt) -> String {
    let Receipt { node, joined, released, gib_hours, audits_passed, .. } = receipt;
    let numbers = [*joined, *released, *gib_hours, *audits_passed].map(u64::to_be_bytes);
    let mac = secret.mac(&[b"release", &node.0.to_be_bytes(), &numbers[0], &numbers[1], &numbers[2], &numbers[3]]);
    hex::encode(mac)
}

/// True if the receipt was made under this cluster's secret and nothing of it was changed.
fn is_genuine(secret: &Secret, receipt: &Receipt) -> bool {
    let want = mac_of(secret, receipt);
    // Compared as MACs of the two texts, so that the time taken tells nothing.
    secret.mac(&[want.as_bytes()]) == secret.mac(&[receipt.mac.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_holds_only_as_it_was_given() {
        let secret = Secret::random();
        let mut receipt = Receipt { node: NodeId(4), joined: 1, released: 2, gib_hours: 3, audits_passed: 4, mac: String::new() };
        receipt.mac = mac_of(&secret, &receipt);
        assert!(is_genuine(&secret, &receipt) && !is_genuine(&Secret::random(), &receipt));
        let made_up = [
            Receipt { node: NodeId(5), ..receipt.clone() },
            Receipt { joined: 0, ..receipt.clone() },
            Receipt { released: 3, ..receipt.clone() },
            Receipt { gib_hours: 30, ..receipt.clone() },
            Receipt { audits_passed: 5, ..receipt.clone() },
            Receipt { mac: String::new(), ..receipt },
        ];
        assert!(made_up.iter().all(|other| !is_genuine(&secret, other)));
    }
}
