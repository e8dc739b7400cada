//! The coordinator as one value: the rows behind it, the memory beside them, and what it answers.
//!
//! ```text
//!   http/ ─┐                    ┌─► state::State    decisions, under one short lock
//!          ├─► Coordinator ─────┤
//!   tasks/ ┘   (this folder)    └─► map/ ─► Store   what must survive
//! ```
//! A call decides under the lock, lets go of it, and then writes; it never holds the lock while it waits.

mod audit;
mod fleet;
mod heartbeat;
mod inspect;
mod meter;
mod reconcile;
mod register;
mod repair;
mod reports;
mod standing;
mod status;
#[cfg(test)]
mod trial;
mod work;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nodio_host::{FolderLock, Ticks};
use nodio_meta::{KeyRange, Store, StoreError};
use nodio_wire::auth::{Secret, Who};
use nodio_wire::ticket::{Op, SignedTicket, Ticket};
use nodio_wire::{NodeId, PartId, ShardId, UnixMs};

use crate::config::CoordinatorConfig;
use crate::map;
use crate::map::MapError;
use crate::state::State;
use crate::state::audit_runs::Runs;
use crate::state::liveness::{Presence, Timing};
use crate::state::moves::Moves;
use crate::state::node::Node;
use crate::state::nodes::Nodes;
use crate::state::pace::Pace;
use crate::state::reservations::Reservations;
use crate::state::tasks::TaskBook;
use crate::state::view::View;
use crate::state::walks::Walks;
use meter::Meter;
#[cfg(test)]
pub(crate) use meter::tests::World;

/// Where the coordinator reads the time.
pub type Clock = Arc<dyn Fn() -> UnixMs + Send + Sync>;

/// Why a donor's or an operator's request is not done.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The request is wrong; a retry won't help.
    #[error("{0}")]
    Refused(String),
    #[error("donor {0} is not registered")]
    UnknownNode(NodeId),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<MapError> for ServiceError {
    fn from(error: MapError) -> Self {
        match error {
            MapError::Store(error) => Self::Store(error),
            MapError::Refused(reason) => Self::Refused(reason),
        }
    }
}

/// The coordinator. Share it behind an [`Arc`]; it is a [`nodio_wire::fleet::Fleet`] itself.
pub struct Coordinator {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) config: CoordinatorConfig,
    pub(crate) cursors: Mutex<Cursors>,
    secret: Secret,
    clock: Clock,
    state: Mutex<State>,
    /// New donors get their numbers one at a time.
    registering: tokio::sync::Mutex<()>,
    ticks: Mutex<Option<Ticks>>,
    /// Audits that operators asked for. Locked after `state`, never before.
    audit_runs: Mutex<Runs>,
    meter: Mutex<Meter>,
    _folder: Option<FolderLock>,
}

/// How far the background passes over queues have come; lost on restart, they begin anew.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    /// What is ahead in the mend queue.
    pub mends: Option<KeyRange>,
    /// When the segments that couldn't be mended are looked at again, and the donors as they were the last time.
    pub tail_due: UnixMs,
    pub fleet_seen: u64,
    /// Donors that give shards away.
    pub moves: Moves,
    /// The release worked on last.
    pub release: Option<PartId>,
    /// The released donor whose deletes were struck off last.
    pub excused: Option<NodeId>,
    pub next_census: UnixMs,
}

impl Coordinator {
    /// A coordinator over a store that is open already. `secret` is the cluster's.
    ///
    /// # Errors
    /// When the donors' rows can't be read.
    pub async fn with_store(
        store: Arc<dyn Store>,
        config: CoordinatorConfig,
        secret: Secret,
        clock: Clock,
    ) -> Result<Arc<Self>, StoreError> {
        Self::assemble(store, config, secret, clock, None).await
    }

    pub(crate) async fn assemble(
        store: Arc<dyn Store>,
        config: CoordinatorConfig,
        secret: Secret,
        clock: Clock,
        folder: Option<FolderLock>,
    ) -> Result<Arc<Self>, StoreError> {
        let now = clock();
        let timing = Timing { heartbeat_ms: config.heartbeat_ms, repair_after_ms: config.repair_after_ms };
        let mut nodes = Nodes::new(config.domain, timing, now);
        for (id, row) in map::nodes::load(&*store).await? {
            nodes.load(id, &row, now);
        }
        map::queue::upgrade(&*store).await?;
        let mut state = State {
            nodes,
            reservations: Reservations::new(rand::random()),
            tasks: TaskBook::new(u64::from(rand::random::<u32>()) << 20),
            walks: Walks::default(),
        };
        let (total, each) = (config.repair_bytes_per_s, config.repair_bytes_per_s_per_donor);
        state.tasks.pace = Pace::new(total, each, config.heartbeat_ms);
        let cursors = Cursors { next_census: now.saturating_add(config.census_every_ms), ..Cursors::default() };
        Ok(Arc::new(Self {
            store,
            config,
            cursors: Mutex::new(cursors),
            secret,
            clock,
            state: Mutex::new(state),
            registering: tokio::sync::Mutex::new(()),
            ticks: Mutex::new(None),
            audit_runs: Mutex::new(Runs::default()),
            meter: Mutex::default(),
            _folder: folder,
        }))
    }

    pub(crate) fn cluster_secret(&self) -> &Secret {
        &self.secret
    }

    pub(crate) fn now(&self) -> UnixMs {
        (self.clock)()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn margin(&self) -> usize {
        self.config.emergency_margin.into()
    }

    pub(crate) fn presence(&self, node: NodeId) -> Presence {
        self.state().nodes.presence(node)
    }

    pub(crate) fn view(&self, node: NodeId) -> View {
        self.state().nodes.view(node)
    }

    /// The secret that requests in this role are signed with; `None` for an unknown donor.
    pub(crate) fn secret_of(&self, who: Who) -> Option<Secret> {
        match who {
            Who::Node(id) => self.state().nodes.get(id).map(|node| node.secret.clone()),
            role => role.role_secret(&self.secret),
        }
    }

    /// Makes the ticks' state part of the status.
    pub(crate) fn show_ticks(&self, ticks: Ticks) {
        *lock(&self.ticks) = Some(ticks);
    }
}

/// No holder of these locks can leave them half changed in a way that matters more than going on.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Leave to read one shard.
fn get_ticket(node: &Node, shard: ShardId, shard_bytes: u32, expires: UnixMs) -> SignedTicket {
    mint(node, Op::Get, Some(shard), shard_bytes, expires)
}

/// Leave to store this shard, and the number that the receipt for it will be checked by.
fn push_ticket(node: &Node, shard: ShardId, shard_bytes: u32, expires: UnixMs) -> (SignedTicket, u64) {
    let nonce = rand::random();
    let ticket = Ticket { op: Op::Put, node: node.id, shard: Some(shard), bytes_max: shard_bytes, expires, nonce };
    (ticket.sign(&node.secret), nonce)
}

/// Leave to store one shard of at most so many bytes.
fn put_ticket(node: &Node, shard_bytes: u32, expires: UnixMs) -> SignedTicket {
    mint(node, Op::Put, None, shard_bytes, expires)
}

fn mint(node: &Node, op: Op, shard: Option<ShardId>, bytes_max: u32, expires: UnixMs) -> SignedTicket {
    Ticket { op, node: node.id, shard, bytes_max, expires, nonce: rand::random() }.sign(&node.secret)
}
