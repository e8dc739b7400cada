//! The coordinator: who is alive, where every shard lies, who stores the next ones, and what must be mended.
//!
//! ```text
//!   http/      the port: signatures first, then routes          tasks/   background steps
//!      └────────────► service/ (Coordinator) ◄────────────────────┘
//!                        │               │
//!                     state/           map/ ─► keyspace, tables ─► meta::Store
//!                     decisions        what must survive
//! ```
//!
//! Promises: a segment that was committed is in the map, with its donors, until it is released, through any crash. No two shards of
//! a segment are placed on one donor. Space that was granted isn't granted twice. No key, no object name and no plaintext comes
//! here. You may lose, at a restart: reservations (donors refuse what is too much), work under way (it is planned anew from
//! durable rows), and the state of donors (they get three beats to be heard).

pub mod config;
mod http;
mod keyspace;
mod limits;
mod map;
mod metrics;
#[cfg(test)]
mod scenario;
mod secrets;
mod service;
#[doc(hidden)]
pub mod simulation;
mod state;
mod tables;
mod tasks;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use nodio_host::files::{ensure_folder, lock_folder};
use nodio_host::{FolderError, FolderLock, ListenError, Panicked, ServeOptions, Shutdown, Ticks};
use nodio_meta::redb::{Options, RedbStore};
use nodio_meta::{Store, StoreError};
use nodio_wire::auth::Secret;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use config::{BadSetting, CoordinatorConfig, DomainRule};
pub use http::router;
pub use secrets::{KEY_FILE, Links, OPERATOR_LINK_FILE, SecretError, links};
pub use service::{Clock, Coordinator, ServiceError};

/// The shard map's file in the coordinator's folder.
pub const STORE_FILE: &str = "coordinator.redb";

/// Why a coordinator doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    #[error("bad setting: {0}")]
    Setting(#[from] BadSetting),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("the listener has no address: {0}")]
    NoAddress(std::io::Error),
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

impl Coordinator {
    /// Opens the coordinator's folder, which it makes at the first start together with the cluster's secret.
    /// No background work runs and no port is open: see [`start`].
    ///
    /// # Errors
    /// [`CoordinatorError`]; a folder in use by another process is named.
    pub async fn open(config: CoordinatorConfig) -> Result<Arc<Self>, CoordinatorError> {
        config.check()?;
        let (folder, fsync) = (config.data.clone(), config.fsync);
        let opened = nodio_host::blocking(move || open_folder(&folder, fsync)).await??;
        let clock: Clock = Arc::new(nodio_host::now_ms);
        let coordinator = Self::assemble(opened.store, config, opened.secret, clock, Some(opened.lock)).await?;
        Ok(coordinator)
    }

    /// The three links of this cluster.
    pub fn links(&self) -> Links {
        links(&self.config, self.cluster_secret())
    }
}

struct Opened {
    lock: FolderLock,
    secret: Secret,
    store: Arc<dyn Store>,
}

fn open_folder(folder: &Path, fsync: bool) -> Result<Opened, CoordinatorError> {
    ensure_folder(folder)?;
    let lock = lock_folder(folder)?;
    let file = folder.join(STORE_FILE);
    let secret = secrets::load_or_create(folder, &file)?;
    let store = RedbStore::open(&file, Options { fsync, cache_bytes: limits::STORE_CACHE_BYTES })?;
    Ok(Opened { lock, secret, store: Arc::new(store) })
}

/// A coordinator that serves.
pub struct Running {
    pub coordinator: Arc<Coordinator>,
    /// The address it listens at.
    pub addr: SocketAddr,
    pub links: Links,
    /// The address of the metrics, if they are served.
    pub metrics_addr: Option<SocketAddr>,
    server: JoinHandle<()>,
    metrics: Option<JoinHandle<()>>,
    ticks: Ticks,
}

impl Running {
    /// Waits until the shutdown is through: requests answered, background steps ended.
    pub async fn wait(self) {
        for listener in [Some(self.server), self.metrics].into_iter().flatten() {
            if let Err(error) = listener.await {
                tracing::error!("a listener ended: {error}");
            }
        }
        self.ticks.join().await;
    }
}

/// Opens the coordinator, listens, and begins its background work; all until `shutdown`.
///
/// # Errors
/// [`CoordinatorError`]; an address that is taken is named.
pub async fn start(config: CoordinatorConfig, shutdown: Shutdown) -> Result<Running, CoordinatorError> {
    let listener = nodio_host::bind(config.listen).await?;
    let addr = listener.local_addr().map_err(CoordinatorError::NoAddress)?;
    let scraped = match config.metrics_listen {
        Some(listen) => Some(nodio_host::bind(listen).await?),
        None => None,
    };
    let coordinator = Coordinator::open(CoordinatorConfig { listen: addr, ..config }).await?;
    let links = coordinator.links();
    let (folder, operator) = (coordinator.config.data.clone(), links.operator.clone());
    nodio_host::blocking(move || secrets::write_operator_link(&folder, &operator)).await??;
    let running = serve(coordinator, listener, addr, links, shutdown.clone());
    match scraped {
        Some(scraped) => running.with_metrics(scraped, shutdown),
        None => Ok(running),
    }
}

impl Running {
    fn with_metrics(self, listener: TcpListener, shutdown: Shutdown) -> Result<Self, CoordinatorError> {
        let addr = listener.local_addr().map_err(CoordinatorError::NoAddress)?;
        let served = tokio::spawn(metrics::serve(self.coordinator.clone(), listener, shutdown));
        if addr.ip().is_loopback() {
            tracing::info!(%addr, "metrics are served");
        } else {
            tracing::warn!(%addr, "metrics are served to whoever reaches this address");
        }
        Ok(Self { metrics_addr: Some(addr), metrics: Some(served), ..self })
    }
}

fn serve(coordinator: Arc<Coordinator>, listener: TcpListener, addr: SocketAddr, links: Links, shutdown: Shutdown) -> Running {
    let ticks = Ticks::new(shutdown.clone());
    tasks::spawn(&coordinator, &ticks);
    let service = router(coordinator.clone());
    let server = tokio::spawn(nodio_host::serve(listener, service, ServeOptions::default(), shutdown));
    tracing::info!(%addr, "the coordinator listens");
    Running { coordinator, addr, links, metrics_addr: None, server, metrics: None, ticks }
}
