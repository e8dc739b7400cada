//! A relay before a donor that understands what passes, and misbehaves as told.
//!
//! ```text
//!   gateway, repairers ──HTTP──► relay ──HTTP──► donor
//!        Honest: forwards     Drops: says 201 to every n-th PUT and forwards none of it     Slow: forwards after a while
//! ```
//! Its manners can change while it runs; which PUTs it drops depends only on their number and the offset.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// No shard is longer.
const BODY_BYTES_MAX: usize = 4 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Honest,
    /// Of every `every` PUTs, the one with the number `offset`.
    Drops {
        every: u64,
        offset: u64,
    },
    Slow(Duration),
}

struct Shared {
    to: SocketAddr,
    pool: reqwest::Client,
    manner: Mutex<Manner>,
    puts: AtomicU64,
    dropped: AtomicU64,
}

/// Listens until dropped.
pub struct Manners {
    pub addr: SocketAddr,
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Manners {
    pub async fn start(to: SocketAddr, manner: Manner) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let pool = nodio_wire::client::http_pool()?;
        let shared =
            Arc::new(Shared { to, pool, manner: Mutex::new(manner), puts: AtomicU64::new(0), dropped: AtomicU64::new(0) });
        let router = Router::new().fallback(relay).with_state(shared.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { addr, shared, task })
    }

    pub fn set(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    }

    /// Shards taken and thrown away so far.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Manners {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let manner = *shared.manner.lock().unwrap_or_else(PoisonError::into_inner);
    let put = (request.method() == Method::PUT).then(|| shared.puts.fetch_add(1, Ordering::Relaxed));
    match (manner, put) {
        (Manner::Drops { every, offset }, Some(number)) if number % every == offset % every => swallow(&shared, request).await,
        (Manner::Slow(delay), _) => {
            tokio::time::sleep(delay).await;
            forward(&shared, request).await
        }
        _ => forward(&shared, request).await,
    }
}

/// The whole body is taken, as one does who means to keep it.
async fn swallow(shared: &Shared, request: Request) -> Response {
    if to_bytes(request.into_body(), BODY_BYTES_MAX).await.is_err() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    shared.dropped.fetch_add(1, Ordering::Relaxed);
    StatusCode::CREATED.into_response()
}

async fn forward(shared: &Shared, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else { return StatusCode::BAD_REQUEST.into_response() };
    let url = format!("http://{}{}", shared.to, head.uri);
    let mut forwarded = shared.pool.request(head.method, url).body(body);
    for (name, value) in head.headers.iter().filter(|(name, _)| !between_hops(name) && *name != header::CONTENT_LENGTH) {
        forwarded = forwarded.header(name, value);
    }
    match forwarded.send().await {
        Ok(answer) => returned(answer),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

fn returned(answer: reqwest::Response) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    let headers = answer.headers().iter().filter(|(name, _)| !between_hops(name));
    response.headers_mut().extend(headers.map(|(name, value)| (name.clone(), value.clone())));
    *response.body_mut() = Body::from_stream(answer.bytes_stream());
    response
}

fn between_hops(name: &header::HeaderName) -> bool {
    [header::CONNECTION, header::TRANSFER_ENCODING, header::HOST].contains(name)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A "donor" that answers with the method, a header of its own, and what it was sent.
    async fn echo() -> SocketAddr {
        let answer = async |request: Request| {
            let method = request.method().to_string();
            let body = to_bytes(request.into_body(), BODY_BYTES_MAX).await.unwrap();
            ([("x-method", method)], body)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        addr
    }

    async fn put(relay: &Manners) -> (u16, Vec<u8>) {
        let answer = reqwest::Client::new().put(format!("http://{}/x", relay.addr)).body("abc").send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
    }

    #[tokio::test]
    async fn every_third_put_is_dropped_and_called_stored() {
        let relay = Manners::start(echo().await, Manner::Drops { every: 3, offset: 1 }).await.unwrap();
        for number in 0..7 {
            let wanted = if number % 3 == 1 { (201, Vec::new()) } else { (200, b"abc".to_vec()) };
            assert_eq!(put(&relay).await, wanted, "PUT {number}");
        }
        assert_eq!(relay.dropped(), 2);
        relay.set(Manner::Honest);
        assert_eq!(put(&relay).await.0, 200);
    }

    #[tokio::test]
    async fn everything_else_passes_with_its_headers() {
        let relay = Manners::start(echo().await, Manner::Drops { every: 1, offset: 0 }).await.unwrap();
        let answer = reqwest::get(format!("http://{}/y", relay.addr)).await.unwrap();
        assert_eq!(answer.headers()["x-method"], "GET");
        drop(relay);
        let nobody = Manners::start("127.0.0.1:9".parse().unwrap(), Manner::Honest).await.unwrap();
        assert_eq!(put(&nobody).await.0, 502);
    }

    #[tokio::test]
    async fn a_slow_relay_takes_its_time() {
        let relay = Manners::start(echo().await, Manner::Slow(Duration::from_millis(200))).await.unwrap();
        let begun = Instant::now();
        assert_eq!(put(&relay).await.0, 200);
        assert!(begun.elapsed() >= Duration::from_millis(200));
    }
}
