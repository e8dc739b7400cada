//! A donor: lends disk space to the network and is trusted with nothing but ciphertext named by its hash.
//!
//! ```text
//!   gateways, donors ── shards, with tickets ──▶ http ──▶ store ──▶ DIR/volumes/*.vol
//!                                                            ▲
//!   coordinator ◀── register, heartbeat ── agent ── rebuild, push, prove, delete, scrub
//!        ▲                                    └ DIR/identity.json, DIR/standing.json
//!        └────────── leave, standing ── leave: another process, while the donor goes on serving ─▶ DIR/receipt.json
//! ```
//! Promises: never more disk than it was given, the disk's reserve left free; a shard is acknowledged when it is on stable
//! storage and served only if its bytes still match its name; nothing is answered without a ticket; one process per folder;
//! memory is bounded by `limits` and about 70 bytes per shard held. No keys, no names, no S3 in here.
//!
//! You may lose: nothing acknowledged, unless `fsync` is switched off and the power goes.

mod agent;
mod args;
mod buffer;
mod config;
mod error;
mod http;
mod leave;
mod limits;
mod size;
pub mod store;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nodio_host::files::{ensure_folder, lock_folder};
use nodio_host::{FolderLock, Progress, ServeOptions, Shutdown, Ticks, bind, blocking, serve};
use nodio_wire::NodeId;
use nodio_wire::client::{HttpTransport, http_pool};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use agent::identity::{Identity, Member};
use agent::standing::Board;
use agent::{Agent, Hands, Line, Worker, register};
use store::{Compactor, Outliner, Store, Totals};

pub use args::{NodeArgs, NodeCommand, NodeFlags, run};
pub use config::{ENV_PREFIX, NodeConfig};
pub use error::NodeError;
pub use leave::{LeaveArgs, leave};
pub use size::{BadSize, ByteSize};

use limits::{COMPACT_EVERY_MS, DRAIN_MS, IDLE_MS, OUTLINE_EVERY_MS};

/// A donor that serves. It goes on until the shutdown it was started with, dropped or not.
#[derive(Debug)]
pub struct RunningNode {
    pub node: NodeId,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Base URL that it has told the coordinator.
    pub url: String,
    task: JoinHandle<()>,
}

impl RunningNode {
    /// Waits until the donor has stopped: requests drained, leave taken, store synced, folder unlocked.
    pub async fn wait(self) -> Result<(), NodeError> {
        self.task.await.map_err(|error| NodeError::Failed(format!("the donor ended unexpectedly: {error}")))
    }
}

/// Starts a donor and returns once it serves. A donor that has not joined yet joins first, for as long as the coordinator is
/// away; one that has serves at once and registers in the background.
///
/// # Errors
/// One line each: a configuration, folder, address, identity or store that can't be used, or an invite that is missing or
/// refused.
pub async fn start(mut config: NodeConfig, shutdown: Shutdown) -> Result<RunningNode, NodeError> {
    config.check()?;
    ensure_folder(&config.data)?;
    let lock = lock_folder(&config.data)?;
    let mut identity = Identity::load(&config.data)?;
    config.capacity = identity.capacity(config.capacity.map(|size| size.0))?.map(ByteSize);
    let coordinator = coordinator(&config, &identity)?;
    let listener = bind(config.listen).await?;
    let addr = listener.local_addr().map_err(|error| NodeError::Failed(error.to_string()))?;
    let options = config.store_options();
    let store = blocking(move || Store::open(options)).await.map_err(|error| NodeError::Failed(error.to_string()))??;
    let url = config.advertised(addr);
    let parts = Parts { config, store: store.clone(), url, listener, lock };
    match parts.run(addr, identity, coordinator, shutdown).await {
        Ok(running) => Ok(running),
        Err(error) => {
            store.close().await;
            Err(error)
        }
    }
}

/// Where the coordinator is: as configured, as the invite says, as remembered.
fn coordinator(config: &NodeConfig, identity: &Identity) -> Result<String, NodeError> {
    let said = config.coordinator.as_ref().map(|url| url.trim_end_matches('/').to_owned());
    let said = said.or_else(|| config.invite.as_ref().map(|link| link.url()));
    match (identity.member(), said) {
        (None, _) if config.invite.is_none() => Err(NodeError::NoInvite),
        (Some(member), None) => Ok(member.coordinator.clone()),
        (_, said) => said.ok_or(NodeError::NoInvite),
    }
}

/// All that a donor holds before it has a name.
struct Parts {
    config: NodeConfig,
    store: Store,
    url: String,
    listener: TcpListener,
    lock: FolderLock,
}

impl Parts {
    async fn run(
        self,
        addr: SocketAddr,
        mut identity: Identity,
        coordinator: String,
        shutdown: Shutdown,
    ) -> Result<RunningNode, NodeError> {
        let pool = http_pool().map_err(|error| NodeError::Failed(error.to_string()))?;
        let (member, every) = self.member(pool.clone(), &mut identity, &coordinator, &shutdown).await?;
        let (totals, url) = (self.store.totals(), self.url.clone());
        tracing::info!(
            "donor {} is serving at {url}, holds {} shards in {} of {}",
            member.node,
            totals.shards,
            ByteSize(totals.used_bytes),
            ByteSize(totals.capacity_bytes)
        );
        warn_if_shrunk(&totals);
        let card = register::card(&self.config, url.clone(), identity.nonce());
        let (node, slots) = (member.node, self.config.repair_slots);
        let transport = Arc::new(HttpTransport::default());
        let worker = Worker::new(Hands::new(node, self.store.clone(), transport, slots), slots);
        let line = Line { pool, coordinator, identity, card };
        let board = Board::open(&self.config.data);
        let agent = Agent::new(line, &member, self.store.clone(), worker, board.clone(), every);
        let task = tokio::spawn(self.serve(member, agent, board, shutdown));
        Ok(RunningNode { node, addr, url, task })
    }

    /// Who this donor is; joins if it is nobody yet. The time between beats is known only just after that.
    async fn member(
        &self,
        pool: reqwest::Client,
        identity: &mut Identity,
        coordinator: &str,
        shutdown: &Shutdown,
    ) -> Result<(Member, Option<Duration>), NodeError> {
        if let Some(member) = identity.member() {
            return Ok((member.clone(), None));
        }
        let link = self.config.invite.as_ref().ok_or(NodeError::NoInvite)?;
        let card = register::card(&self.config, self.url.clone(), identity.nonce());
        let (member, every) = register::join(pool, link, coordinator, &card, identity, shutdown).await?;
        Ok((member, Some(every)))
    }

    /// Runs everything until the shutdown, and leaves in order.
    async fn serve(self, member: Member, agent: Agent, board: Board, shutdown: Shutdown) {
        let router = http::router(http::Door::new(self.store.clone(), member.node, member.secret, board));
        let options = ServeOptions {
            header_timeout: Duration::from_millis(IDLE_MS),
            drain: Duration::from_millis(DRAIN_MS),
            ..ServeOptions::default()
        };
        let serving = tokio::spawn(serve(self.listener, router, options, shutdown.clone()));
        let beating = tokio::spawn(agent.run(shutdown.clone()));
        let ticks = Ticks::new(shutdown.clone());
        spawn_compaction(&ticks, self.store.clone());
        spawn_outlines(&ticks, self.store.clone());
        agent::spawn_trash(&ticks, self.store.clone(), self.config.trash_ms());
        let scrubbing = tokio::spawn(scrub(&self.config, self.store.clone(), shutdown.clone()));
        let (served, beaten) = tokio::join!(end(serving, &shutdown), end(beating, &shutdown));
        for error in [served.err(), beaten.err()].into_iter().flatten() {
            tracing::error!("the donor stops: {error}");
        }
        ticks.join().await;
        if let Err(error) = scrubbing.await {
            tracing::error!("the reading of the donor's own shards ended early: {error}");
        }
        self.store.close().await;
        drop(self.lock);
        tracing::info!("donor {} has stopped", member.node);
    }
}

/// A donor may offer less than it holds: it goes on, takes nothing new, and the coordinator has the surplus copied elsewhere.
fn warn_if_shrunk(totals: &Totals) {
    if totals.used_bytes > totals.capacity_bytes {
        tracing::warn!(
            "this donor holds {}, more than the {} it may take: it takes no more until enough was copied to other donors",
            ByteSize(totals.used_bytes),
            ByteSize(totals.capacity_bytes)
        );
    }
}

/// Reads the donor's own shards in the time configured, if at all.
fn scrub(config: &NodeConfig, store: Store, shutdown: Shutdown) -> impl Future<Output = ()> + Send + 'static {
    let scrubbing = config.scrubbing();
    async move {
        if let Some(scrubbing) = scrubbing {
            scrubbing.run(store, shutdown).await;
        }
    }
}

/// Waits for a task. It ends by itself only by a panic, and then the donor must not go on half alive.
async fn end(task: JoinHandle<()>, shutdown: &Shutdown) -> Result<(), tokio::task::JoinError> {
    let ended = task.await;
    shutdown.trigger();
    ended
}

fn spawn_compaction(ticks: &Ticks, store: Store) {
    let compactor = Arc::new(tokio::sync::Mutex::new(Compactor::new(store)));
    ticks.spawn("compact", Duration::from_millis(COMPACT_EVERY_MS), move || {
        let compactor = compactor.clone();
        async move {
            let more = compactor.lock().await.step().await.map_err(|error| error.to_string())?;
            Ok(if more { Progress::More } else { Progress::Idle })
        }
    });
}

fn spawn_outlines(ticks: &Ticks, store: Store) {
    let outliner = Arc::new(tokio::sync::Mutex::new(Outliner::new(store)));
    ticks.spawn("outline", Duration::from_millis(OUTLINE_EVERY_MS), move || {
        let outliner = outliner.clone();
        async move {
            let more = outliner.lock().await.step().await.map_err(|error| error.to_string())?;
            Ok(if more { Progress::More } else { Progress::Idle })
        }
    });
}
