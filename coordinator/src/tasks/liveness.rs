//! Who has fallen silent, and what follows from it.

use nodio_host::Progress;
use nodio_meta::StoreError;
use nodio_wire::{NodeId, UnixMs};

use crate::map;
use crate::service::{Coordinator, lock};
use crate::state::State;
use crate::state::walks::Over;

impl Coordinator {
    pub(crate) async fn liveness_step(&self) -> Result<Progress, StoreError> {
        let now = self.now();
        let unwritten = {
            let mut state = self.state();
            silence(&mut state, now);
            begin_counts(&mut state, now, self.config.inventory_every_ms);
            self.begin_census(&mut state, now);
            unwritten(&state)
        };
        for (node, away_since) in unwritten {
            map::nodes::set_away(&*self.store, node, away_since).await?;
            if let Some(node) = self.state().nodes.get_mut(node) {
                node.away_since_stored = away_since;
            }
        }
        Ok(Progress::Idle)
    }

    fn begin_census(&self, state: &mut State, now: UnixMs) {
        let mut cursors = lock(&self.cursors);
        if now >= cursors.next_census {
            cursors.next_census = now.saturating_add(self.config.census_every_ms);
            state.walks.begin(Over::Map);
        }
    }
}

/// Each donor that went away loses its work, and its segments are looked through: once when it goes Offline, once when it is Lost.
fn silence(state: &mut State, now: UnixMs) {
    for change in state.nodes.advance(now) {
        tracing::info!(node = %change.node, from = ?change.from, to = ?change.to, "a donor's state changed");
        if change.to.is_away() {
            state.drop_tasks_of(change.node);
            state.walks.begin(Over::Node(change.node));
        }
    }
}

/// Donors that are there get their side of the map counted now and then.
fn begin_counts(state: &mut State, now: UnixMs, every_ms: u64) {
    let State { nodes, walks, .. } = state;
    for node in nodes.all_mut().filter(|node| node.liveness.is_up() && node.reconcile.due <= now) {
        node.reconcile.due = now.saturating_add(every_ms);
        walks.begin(Over::Node(node.id));
    }
}

fn unwritten(state: &State) -> Vec<(NodeId, Option<UnixMs>)> {
    let behind = state.nodes.all().filter(|node| node.away_since != node.away_since_stored);
    behind.map(|node| (node.id, node.away_since)).collect()
}
