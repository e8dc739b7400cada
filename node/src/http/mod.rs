//! What a donor answers: shards to those with a ticket, its health to those who share its secret, and 401 to everybody else.
//!
//! ```text
//!   PUT GET HEAD DELETE /shards/{id}   x-nodio-ticket, see wire::ticket
//!   GET /health                        x-nodio-auth as this node, see wire::auth
//!   anything else                      401
//! ```
//! Promises: nothing is looked up before a ticket holds; a store ticket serves for one shard; bodies in flight are bounded in
//! bytes, in length each and in time; a shard's bytes go from the disk to the socket without a copy; a receipt is given only for
//! what is durable.

mod answer;
mod body;
mod flight;
mod range;
mod shards;
mod spent;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, Uri};
use nodio_host::now_ms;
use nodio_wire::api::{Scrub, Standing, Trash};
use nodio_wire::auth::{self, AuthError, Claim, Request, Secret, Who};
use nodio_wire::ticket::{Ticket, TicketError};
use nodio_wire::{NodeId, ShardId};
use serde::Serialize;

use answer::Refusal;
use flight::Flight;
use spent::{SpendError, Spent};

use crate::agent::standing::Board;
use crate::limits::{IN_FLIGHT_BYTES, IN_FLIGHT_WAIT_MS, SPENT_MAX};
use crate::store::Store;

/// What every request needs; cheap to clone.
#[derive(Clone)]
pub(crate) struct Door {
    store: Store,
    node: NodeId,
    secret: Secret,
    board: Board,
    flight: Flight,
    spent: Arc<Mutex<Spent>>,
}

impl Door {
    pub(crate) fn new(store: Store, node: NodeId, secret: Secret, board: Board) -> Self {
        let flight = Flight::new(IN_FLIGHT_BYTES, Duration::from_millis(IN_FLIGHT_WAIT_MS));
        Self { store, node, secret, board, flight, spent: Arc::new(Mutex::new(Spent::new(SPENT_MAX))) }
    }

    fn spend(&self, ticket: &Ticket, shard: &ShardId) -> Result<(), SpendError> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).spend(ticket, shard, now_ms())
    }
}

pub(crate) fn router(door: Door) -> Router {
    let shard = get(shards::get).put(shards::put).head(shards::head).delete(shards::delete).fallback(shards::other);
    Router::new()
        .route("/shards/{id}", shard)
        .route("/health", get(health))
        .fallback(nothing)
        .method_not_allowed_fallback(nothing)
        .with_state(door)
}

async fn nothing() -> Refusal {
    TicketError::Missing.into()
}

#[derive(Debug, Serialize)]
struct Health {
    status: &'static str,
    node: NodeId,
    version: &'static str,
    capacity_bytes: u64,
    used_bytes: u64,
    free_bytes: u64,
    shards: u64,
    held_bytes: u64,
    trash: Trash,
    scrub: Scrub,
    /// As last heard; none before the first heartbeat was answered.
    standing: Option<Standing>,
}

async fn health(State(door): State<Door>, uri: Uri, headers: HeaderMap) -> Result<Json<Health>, Refusal> {
    let claim = Claim::parse(headers.get(auth::HEADER).and_then(|value| value.to_str().ok()))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let who = claim.check(&door.secret, &Request { method: "GET", path, body: b"" }, now_ms())?;
    if who != Who::Node(door.node) {
        return Err(AuthError::Mismatch.into());
    }
    let totals = door.store.totals();
    Ok(Json(Health {
        status: if totals.read_only { "read-only" } else { "ok" },
        node: door.node,
        version: env!("CARGO_PKG_VERSION"),
        capacity_bytes: totals.capacity_bytes,
        used_bytes: totals.used_bytes,
        free_bytes: totals.free_bytes,
        shards: totals.shards,
        held_bytes: totals.held_bytes,
        trash: totals.trash,
        scrub: door.store.scrubbed(),
        standing: door.board.standing(),
    }))
}
