//! The gateway as a process has it: opened, listening, and its background work.
//!
//! ```text
//!   open:   lock the folder ─► master key ─► metadata ─► pipeline
//!   start:  listen ─► guard, s3s, operations      ticks: release what was deleted, sweep, expire, count how safe it all is
//!                                                   couriers: notifications to webhooks     writer of access logs
//!                                                   admin socket      gauges, if asked for
//! ```

mod background;
mod open;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nodio_host::serve::{ListenError, ServeOptions, bind, serve};
use nodio_host::shutdown::Shutdown;
use nodio_host::tick::{TickStatus, Ticks};
use nodio_wire::client::http_pool;
use nodio_wire::donor::Transport;
use nodio_wire::fleet::Fleet;
use tokio::task::{JoinHandle, JoinSet};

use crate::admin::{self, Desk};
use crate::classes::Codes;
use crate::config::{BadSetting, GatewayConfig};
use crate::events::{Couriers, Pace};
use crate::keys::KeyError;
use crate::meter::{Meter, serve_metrics};
use crate::names::{BadName, BucketName, UserId};
use crate::pipeline::{Pipeline, PipelineOptions};
use crate::s3::access_log::{AccessLog, LogWriter};
use crate::s3::encryption::NamedKeys;
use crate::s3::hosts::Domains;
use crate::s3::{Api, endpoint};
use crate::tables::{NewBucket, TableError, Tables};
pub use open::{Opened, open};

/// Why a gateway can't start. Each is one line for a person.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Setting(#[from] BadSetting),
    #[error(transparent)]
    Folder(#[from] nodio_host::files::FolderError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("{file}: {source}")]
    Store { file: String, source: nodio_meta::StoreError },
    #[error(transparent)]
    Tables(#[from] TableError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("can't make the admin socket in {folder}: {source}")]
    Admin { folder: String, source: std::io::Error },
    #[error("no HTTP client can be made for webhooks: {0}")]
    Webhooks(String),
    #[error("{0}")]
    Panicked(String),
}

/// A gateway that is open and doesn't listen yet.
pub struct Gateway {
    config: GatewayConfig,
    opened: Opened,
    pipeline: Pipeline,
}

impl Gateway {
    /// Opens the metadata, making folder and master key at the first start.
    ///
    /// # Errors
    /// [`OpenError`], one line.
    pub async fn open(config: GatewayConfig, fleet: Arc<dyn Fleet>, transport: Arc<dyn Transport>) -> Result<Self, OpenError> {
        let opened = open(&config).await?;
        let memory_bytes_max = config.memory_mib as usize * 1024 * 1024;
        let pipeline = Pipeline::new(fleet, transport, PipelineOptions { memory_bytes_max });
        Ok(Self { config, opened, pipeline })
    }

    /// The master key file, if this start made it: the one time to tell the user to keep a copy.
    pub fn made_key(&self) -> Option<&PathBuf> {
        self.opened.made_key.as_ref()
    }

    /// The metadata: for access keys.
    pub fn tables(&self) -> &Tables {
        &self.opened.tables
    }

    /// Whether there is a bucket of this name.
    ///
    /// # Errors
    /// [`BucketError`].
    pub async fn has_bucket(&self, bucket: &str) -> Result<bool, BucketError> {
        match self.opened.tables.bucket(&BucketName::parse(bucket)?).await {
            Ok(_) => Ok(true),
            Err(TableError::NoSuchBucket) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the bucket for the user unless it is the user's already.
    ///
    /// # Errors
    /// [`BucketError`].
    pub async fn ensure_bucket(&self, user_id: &str, bucket: &str) -> Result<(), BucketError> {
        let name = BucketName::parse(bucket)?;
        let owner = UserId::parse(user_id)?;
        let region = self.config.region.clone();
        let new = NewBucket { name, owner, region, object_lock: false, acl: None, ownership: None };
        match self.opened.tables.create_bucket(new, nodio_host::clock::now_ms()).await {
            Ok(_) | Err(TableError::BucketExists { owned_by_you: true }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Listens and serves until `shutdown`.
    ///
    /// # Errors
    /// [`OpenError::Listen`], [`OpenError::Admin`]; then nothing runs.
    pub async fn start(self, shutdown: Shutdown) -> Result<Running, OpenError> {
        let Self { config, opened, pipeline } = self;
        let listener = bind(config.listen).await?;
        let addr = listener.local_addr().map_err(|source| ListenError::Failed { address: config.listen, source })?;
        let metrics = match config.metrics_listen {
            Some(metrics_listen) => Some(bind(metrics_listen).await?),
            None => None,
        };
        let metrics_addr = metrics.as_ref().and_then(|listener| listener.local_addr().ok());
        let socket = admin::listen(&config.data).map_err(|source| admin_error(&config, source))?;
        let ticks = Ticks::new(shutdown.clone());
        let meter = Meter::new(opened.tables.clone(), pipeline.clone(), config.durability_every_ms);
        background::spawn(&ticks, &config, &opened.tables, &pipeline);
        background::spawn_lifecycle(&ticks, &config, &opened.tables);
        background::spawn_meter(&ticks, &meter);

        let pool = http_pool().map_err(|error| OpenError::Webhooks(error.to_string()))?;
        let pace = Pace { queue_max: config.webhook_queue_max, retry_ms: config.webhook_retry_ms };
        let (couriers, telling) = Couriers::start(&opened.tables, &config.webhook, &pool, pace, &shutdown);

        let api = Api {
            tables: opened.tables.clone(),
            pipeline,
            region: config.region.as_str().into(),
            named_keys: NamedKeys::new(&config.region, opened.tables.keyring().clone()),
            codes: Arc::new(Codes::new(config.code, config.storage_codes.clone())),
        };
        let log = AccessLog::default();
        let logs = LogWriter { api: api.clone(), log: log.clone() };
        let logging = tokio::spawn(logs.clone().run(Duration::from_millis(config.access_log_every_ms), shutdown.clone()));
        let options = ServeOptions {
            connections_max: config.connections_max as usize,
            drain: Duration::from_millis(config.drain_ms),
            ..ServeOptions::default()
        };
        let serving = tokio::spawn(serve(
            listener,
            endpoint(api, &Domains::new(&config.domains, &config.website_domains), config.signature_v2, log.clone()),
            options,
            shutdown.clone(),
        ));
        let desk = Desk::open(opened.tables.clone(), meter.clone(), &config);
        let answering = tokio::spawn(admin::serve(socket, desk, shutdown.clone()));
        let measuring = metrics.map(|listener| tokio::spawn(serve_metrics(listener, meter, (couriers, log), shutdown)));
        Ok(Running { addr, metrics_addr, opened, ticks, telling, logs, logging, serving, answering, measuring })
    }
}

fn admin_error(config: &GatewayConfig, source: std::io::Error) -> OpenError {
    OpenError::Admin { folder: config.data.display().to_string(), source }
}

/// Why a bucket can't be had.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    #[error(transparent)]
    Name(#[from] BadName),
    #[error(transparent)]
    Tables(#[from] TableError),
}

/// A gateway that serves.
pub struct Running {
    addr: SocketAddr,
    metrics_addr: Option<SocketAddr>,
    opened: Opened,
    ticks: Ticks,
    telling: JoinSet<()>,
    logs: LogWriter,
    logging: JoinHandle<()>,
    serving: JoinHandle<()>,
    answering: JoinHandle<()>,
    measuring: Option<JoinHandle<()>>,
}

/// Opens and starts a gateway.
///
/// # Errors
/// [`OpenError`], one line.
pub async fn start(
    config: GatewayConfig,
    fleet: Arc<dyn Fleet>,
    transport: Arc<dyn Transport>,
    shutdown: Shutdown,
) -> Result<Running, OpenError> {
    Gateway::open(config, fleet, transport).await?.start(shutdown).await
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where the gauges are, if anywhere.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    /// The metadata: for access keys.
    pub fn tables(&self) -> &Tables {
        &self.opened.tables
    }

    /// The master key file, if this start made it.
    pub fn made_key(&self) -> Option<&PathBuf> {
        self.opened.made_key.as_ref()
    }

    /// Background work: when it last ran, what last went wrong.
    pub fn ticks(&self) -> Vec<TickStatus> {
        self.ticks.status()
    }

    /// Returns once the shutdown has begun and everything has ended: requests, background work, the admin socket.
    pub async fn wait(self) {
        let Self { opened, ticks, telling, logs, logging, serving, answering, measuring, .. } = self;
        let _ = tokio::join!(serving, answering, logging);
        // Every request has its line by now.
        logs.write_last().await;
        if let Some(measuring) = measuring {
            let _ = measuring.await;
        }
        ticks.join().await;
        telling.join_all().await;
        // Closing the metadata waits for its last commit.
        drop(opened);
    }
}
