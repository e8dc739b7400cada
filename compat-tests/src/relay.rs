//! A wire tap: forwards connections to one address and keeps all that passes, in both directions.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// Listens until dropped.
pub struct Relay {
    pub addr: SocketAddr,
    seen: Arc<Mutex<Vec<u8>>>,
    task: AbortHandle,
}

impl Relay {
    pub async fn start(to: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (addr, seen) = (listener.local_addr()?, Arc::new(Mutex::new(Vec::new())));
        let task = tokio::spawn(accept(listener, to, seen.clone())).abort_handle();
        Ok(Self { addr, seen, task })
    }

    /// How many bytes passed, and whether `marker` was among them. Bytes of both directions stand between one another in the order they passed.
    pub fn seen(&self, marker: &[u8]) -> (usize, bool) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.len(), seen.windows(marker.len()).any(|window| window == marker))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, seen: Arc<Mutex<Vec<u8>>>) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        connections.spawn(connect(near, to, seen.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn connect(near: TcpStream, to: SocketAddr, seen: Arc<Mutex<Vec<u8>>>) {
    let Ok(far) = TcpStream::connect(to).await else { return };
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::join!(pump(near_in, far_out, &seen), pump(far_in, near_out, &seen));
}

async fn pump(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, seen: &Mutex<Vec<u8>>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        seen.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
