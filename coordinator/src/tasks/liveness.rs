//! Who has fallen silent, and what follows from it; questions that stay open; who may go; what is to be written of all that.

use nodio_host::Progress;
use nodio_meta::StoreError;
use nodio_wire::api::StandingState;
use nodio_wire::{NodeId, UnixMs};

use crate::config::CoordinatorConfig;
use crate::limits::DRAIN_WALK_BEATS;
use crate::service::{Coordinator, lock};
use crate::state::State;
use crate::state::walks::{Lane, Over};

impl Coordinator {
    pub(crate) async fn liveness_step(&self) -> Result<Progress, StoreError> {
        let now = self.now();
        {
            let mut state = self.state();
            silence(&mut state, now);
            begin_counts(&mut state, now, &self.config);
            self.begin_census(&mut state, now);
        }
        self.close_overdue_audits().await?;
        self.release_the_empty().await?;
        let behind = unwritten(&self.state(), now);
        self.keep_changed(&behind).await?;
        Ok(Progress::Idle)
    }

    fn begin_census(&self, state: &mut State, now: UnixMs) {
        let mut cursors = lock(&self.cursors);
        if now >= cursors.next_census {
            cursors.next_census = now.saturating_add(self.config.census_every_ms);
            state.walks.begin(Over::Map, Lane::Count);
        }
    }
}

/// Each donor that went away loses its work, and its segments are looked through: once when it goes Offline, once when it is Lost.
fn silence(state: &mut State, now: UnixMs) {
    for change in state.nodes.advance(now) {
        tracing::info!(node = %change.node, from = ?change.from, to = ?change.to, "a donor's state changed");
        if change.to.is_away() {
            state.drop_tasks_of(change.node);
            state.walks.begin(Over::Node(change.node), Lane::Mend);
        }
    }
}

/// Donors that are there get their side of the map counted now and then; one that drains more often, as it changes by and by.
fn begin_counts(state: &mut State, now: UnixMs, config: &CoordinatorConfig) {
    let draining_ms = config.heartbeat_ms.saturating_mul(DRAIN_WALK_BEATS).min(config.inventory_every_ms);
    let State { nodes, walks, .. } = state;
    for node in nodes.all_mut().filter(|node| node.liveness.is_up() && node.reconcile.due <= now) {
        let drains = node.standing.state == StandingState::Draining;
        node.reconcile.due = now.saturating_add(if drains { draining_ms } else { config.inventory_every_ms });
        walks.begin(Over::Node(node.id), Lane::Count);
    }
}

fn unwritten(state: &State, now: UnixMs) -> Vec<NodeId> {
    state.nodes.all().filter(|node| node.is_to_be_stored(now)).map(|node| node.id).collect()
}
