//! Typed clients: of the coordinator over one shared HTTP/1.1 connection pool, of donors over one that knows shard requests only.

mod fleet;
mod node_api;
mod operator;
mod shards;
mod transport;

pub use fleet::HttpFleet;
pub use node_api::{ApiError, NodeApi};
pub use operator::OperatorApi;
pub use transport::HttpTransport;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::auth::{self, Request, Secret, Who};
use crate::ids::UnixMs;

/// Shorter than the 30 s after which the servers close an idle connection, so that none is used while it is being closed.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// A pool for requests to many peers: keep-alive, no proxy, TCP_NODELAY. Share one per process.
pub fn http_pool() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .no_proxy()
        .tcp_nodelay(true)
        .http1_only()
        .connect_timeout(Duration::from_secs(3))
        .pool_idle_timeout(POOL_IDLE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// One peer, one role: signs every request it sends.
#[derive(Clone)]
struct Signed {
    pool: reqwest::Client,
    base: String,
    who: Who,
    secret: Secret,
}

impl Signed {
    async fn post(&self, path: &str, body: Bytes, deadline: Duration) -> Result<reqwest::Response, reqwest::Error> {
        let request = self.pool.post(format!("{}{path}", self.base)).body(body.clone());
        self.send(request, Request { method: "POST", path, body: &body }, deadline).await
    }

    async fn get(&self, path: &str, deadline: Duration) -> Result<reqwest::Response, reqwest::Error> {
        let request = self.pool.get(format!("{}{path}", self.base));
        self.send(request, Request { method: "GET", path, body: b"" }, deadline).await
    }

    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        what: Request<'_>,
        deadline: Duration,
    ) -> Result<reqwest::Response, reqwest::Error> {
        let header = what.sign(&self.secret, self.who, wall_clock());
        request.header(auth::HEADER, header).timeout(deadline).send().await
    }
}

/// The one clock of the clients: the time a request is signed with.
#[allow(clippy::disallowed_methods)]
fn wall_clock() -> UnixMs {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// An error with all its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    line
}
