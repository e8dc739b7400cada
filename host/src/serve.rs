//! Listeners: an accept loop of our own over hyper.
//!
//! ```text
//!   kernel's queue ─▶ accept ─(at most connections_max)─▶ one task per connection ─▶ service
//! ```
//!
//! Promises: open connections are bounded (more wait in the kernel's queue); a client that doesn't say what it wants within
//! `header_timeout` is cut off; a shutdown stops accepting at once, lets requests in flight finish for `drain`, then cuts them off.
//! HTTP/1.1 with keep-alive. Each request carries its peer as [`ConnectInfo<SocketAddr>`] in its extensions.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use axum::extract::ConnectInfo;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tower::{Service, ServiceExt};

use self::patience::Patience;
use crate::limits::{
    ACCEPT_PAUSE_MAX_MS, ACCEPT_PAUSE_MIN_MS, ACCEPT_QUEUE_MAX, CONNECTIONS_MAX, DRAIN_MS, HEADER_TIMEOUT_MS, WRITE_STALL_MS,
};
use crate::shutdown::Shutdown;

type BoxError = Box<dyn Error + Send + Sync>;

/// An address that can't be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("{0} is already taken by another process")]
    Taken(SocketAddr),
    #[error("not allowed to listen on {0}: ports below 1024 need privileges")]
    NotAllowed(SocketAddr),
    #[error("{0} is not an address of this machine")]
    NotOurs(SocketAddr),
    #[error("can't listen on {address}: {source}")]
    Failed { address: SocketAddr, source: io::Error },
}

impl ListenError {
    fn new(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::Taken(address),
            io::ErrorKind::PermissionDenied => Self::NotAllowed(address),
            io::ErrorKind::AddrNotAvailable => Self::NotOurs(address),
            _ => Self::Failed { address, source },
        }
    }
}

/// The bounds of one listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServeOptions {
    /// Connections open at once, idle ones included; at least one.
    pub connections_max: usize,
    /// Time for a request's head to arrive, counted from the end of the previous answer. Clients should drop idle connections sooner.
    pub header_timeout: Duration,
    /// Time that a client may take none of the bytes waiting for it.
    pub write_stall: Duration,
    /// Time for requests in flight to finish once a shutdown has begun.
    pub drain: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            header_timeout: Duration::from_millis(HEADER_TIMEOUT_MS),
            write_stall: Duration::from_millis(WRITE_STALL_MS),
            drain: Duration::from_millis(DRAIN_MS),
        }
    }
}

/// Listens on `listen`; port 0 takes any free one, which the listener's `local_addr` tells.
///
/// # Errors
/// [`ListenError`] naming the address, and saying so when it is taken.
pub async fn bind(listen: SocketAddr) -> Result<TcpListener, ListenError> {
    listen_on(listen).map_err(|error| ListenError::new(listen, error))
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Or a restart would have to wait for the last process's connections to time out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(ACCEPT_QUEUE_MAX)
}

/// Serves until `shutdown`, then drains for at most `options.drain` and returns. An `axum::Router` is such a service as it is.
pub async fn serve<S, B>(listener: TcpListener, service: S, options: ServeOptions, shutdown: Shutdown)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let open = Arc::new(Semaphore::new(options.connections_max.clamp(1, Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    while let Some((stream, peer, permit)) = next(&listener, &open, &shutdown).await {
        while connections.try_join_next().is_some() {}
        connections.spawn(connection(stream, peer, permit, service.clone(), options, shutdown.clone()));
    }
    drop(listener);
    drain(connections, options.drain).await;
}

/// The next connection there is room for; `None` once the shutdown has begun.
async fn next(
    listener: &TcpListener,
    open: &Arc<Semaphore>,
    shutdown: &Shutdown,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    tokio::select! {
        biased;
        () = shutdown.wait() => None,
        accepted = async {
            let permit = open.clone().acquire_owned().await.ok()?;
            let (stream, peer) = accept(listener).await;
            Some((stream, peer, permit))
        } => accepted,
    }
}

/// Accepts one connection. When the kernel refuses (out of descriptors or memory), waits a little longer each time instead of spinning.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut pause_ms = ACCEPT_PAUSE_MIN_MS;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if client_left(&error) => {}
            Err(error) => {
                tracing::warn!("can't accept connections, trying again in {pause_ms} ms: {error}");
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                pause_ms = (pause_ms * 2).min(ACCEPT_PAUSE_MAX_MS);
            }
        }
    }
}

/// The client gave up while it waited in the kernel's queue: nothing is wrong here.
fn client_left(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | ConnectionRefused | Interrupted)
}

async fn connection<S, B>(
    stream: TcpStream,
    peer: SocketAddr,
    _open: OwnedSemaphorePermit,
    service: S,
    options: ServeOptions,
    shutdown: Shutdown,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    B: http_body::Body + 'static,
    B::Error: Into<BoxError>,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, "TCP_NODELAY was refused: {error}");
    }
    let with_peer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        service.clone().oneshot(request)
    });
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(crate::limits::CONNECTION_BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(Patience::new(stream, options.write_stall)), with_peer);
    let mut http = std::pin::pin!(http);
    let ended = tokio::select! {
        ended = http.as_mut() => ended,
        () = shutdown.wait() => {
            http.as_mut().graceful_shutdown();
            http.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, "connection ended early: {error}");
    }
}

/// Waits for the connections that are left; those that outlast `time` are cut off.
async fn drain(mut connections: JoinSet<()>, time: Duration) {
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(time, all_ended).await.is_err() {
        tracing::warn!("cutting off {} connections that did not finish in {time:?}", connections.len());
        connections.shutdown().await;
    }
}

mod patience;
#[cfg(test)]
mod tests;
