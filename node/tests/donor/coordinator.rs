//! A coordinator that is only played: it knows donors, believes signatures, and says what the test wants said.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri};
use nodio_host::{ServeOptions, Shutdown, bind, now_ms, serve};
use nodio_wire::api::{
    Answer, Challenge, Contents, Digests, DigestsReply, Heartbeat, HeartbeatReply, Inventory, InventoryReply, Leave, Outcome,
    Register, Registered, Standing, StandingState, Task, range_of,
};
use nodio_wire::auth::{self, Claim, Request, Secret, Who, node_secret};
use nodio_wire::link::Link;
use nodio_wire::{NodeId, ShardId};

#[derive(Default)]
pub(crate) struct Said {
    pub(crate) registered: Vec<Register>,
    pub(crate) beats: Vec<Heartbeat>,
    pub(crate) reports: HashMap<u64, Outcome>,
    pub(crate) inventories: Vec<Inventory>,
    /// Work for a donor's next beat.
    pub(crate) work: HashMap<NodeId, Vec<Task>>,
    /// Challenges for a donor's next beat, and what was answered, with how often.
    pub(crate) audits: HashMap<NodeId, Vec<Challenge>>,
    pub(crate) answers: HashMap<u64, (Answer, u32)>,
    /// The next beat is told to compare.
    pub(crate) reconcile_wanted: bool,
    /// What the map has of whoever compares.
    pub(crate) mapped: Vec<ShardId>,
    pub(crate) digests: Vec<Digests>,
    pub(crate) surplus: Vec<ShardId>,
    pub(crate) restore: Vec<ShardId>,
    pub(crate) standing: Standing,
    /// What a donor that has left is told, one a look, the last one again and again.
    pub(crate) leaving: Vec<Standing>,
    pub(crate) leaves: Vec<Leave>,
    /// The next beat is answered 401.
    pub(crate) disown: bool,
    /// So many beats are heard and then answered 503.
    pub(crate) deaf: u32,
    by_nonce: HashMap<String, NodeId>,
    secrets: HashMap<NodeId, Secret>,
}

#[derive(Clone)]
pub(crate) struct Coordinator {
    said: Arc<Mutex<Said>>,
    cluster: Secret,
    pub(crate) addr: SocketAddr,
    shutdown: Shutdown,
}

const NONCE: [u8; 16] = [9; 16];

impl Coordinator {
    pub(crate) async fn start() -> Self {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let this = Self { said: Arc::default(), cluster: Secret::random(), addr, shutdown: Shutdown::new() };
        let router = Router::new()
            .route("/api/nodes/register", post(register))
            .route("/api/nodes/heartbeat", post(heartbeat))
            .route("/api/nodes/inventory", post(inventory))
            .route("/api/nodes/digests", post(digests))
            .route("/api/nodes/leave", post(leave))
            .route("/api/nodes/standing", post(standing))
            .with_state(this.clone());
        let options = ServeOptions { drain: Duration::from_millis(100), ..ServeOptions::default() };
        tokio::spawn(serve(listener, router, options, this.shutdown.clone()));
        this
    }

    pub(crate) fn stop(&self) {
        self.shutdown.trigger();
    }

    pub(crate) fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap()
    }

    pub(crate) fn invite(&self) -> Link {
        Link::for_role(&self.addr.to_string(), Who::Joining, &self.cluster).unwrap()
    }

    pub(crate) fn secret_of(&self, node: NodeId) -> Secret {
        self.said().secrets[&node].clone()
    }

    /// Waits until what was said satisfies the test.
    pub(crate) async fn until<T>(&self, what: &str, mut find: impl FnMut(&Said) -> Option<T>) -> T {
        for _ in 0..2000 {
            if let Some(found) = find(&self.said()) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never saw: {what}");
    }

    fn believe(&self, headers: &HeaderMap, uri: &Uri, body: &[u8]) -> Option<Who> {
        let claim = Claim::parse(headers.get(auth::HEADER)?.to_str().ok()).ok()?;
        let secret = match claim.who {
            Who::Node(node) => self.said().secrets.get(&node)?.clone(),
            who => who.role_secret(&self.cluster)?,
        };
        claim.check(&secret, &Request { method: "POST", path: uri.path(), body }, now_ms()).ok()
    }
}

fn refuse(status: StatusCode) -> Response {
    (status, Json(serde_json::json!({"error": "not known here"}))).into_response()
}

async fn register(State(this): State<Coordinator>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let Some(who) = this.believe(&headers, &uri, &body) else { return refuse(StatusCode::UNAUTHORIZED) };
    let register: Register = serde_json::from_slice(&body).unwrap();
    let node = match (who, register.node) {
        (Who::Joining, None) => {
            let join = Who::Joining.role_secret(&this.cluster).unwrap();
            let mut said = this.said();
            let next = NodeId(said.by_nonce.len() as u32 + 1);
            let node = *said.by_nonce.entry(register.nonce.clone()).or_insert(next);
            let mut nonce = [0; 16];
            hex::decode_to_slice(&register.nonce, &mut nonce).unwrap();
            said.secrets.insert(node, node_secret(&join, &nonce, &NONCE));
            node
        }
        (Who::Node(signed), Some(node)) if signed == node => node,
        _ => return refuse(StatusCode::UNAUTHORIZED),
    };
    this.said().registered.push(register);
    Json(Registered { node, nonce: hex::encode(NONCE), heartbeat_ms: 150 }).into_response()
}

async fn heartbeat(State(this): State<Coordinator>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let Some(who) = this.believe(&headers, &uri, &body) else { return refuse(StatusCode::UNAUTHORIZED) };
    let beat: Heartbeat = serde_json::from_slice(&body).unwrap();
    assert_eq!(who, Who::Node(beat.node));
    let mut said = this.said();
    if std::mem::take(&mut said.disown) {
        return refuse(StatusCode::UNAUTHORIZED);
    }
    let reports: Vec<_> = beat.done.iter().map(|report| (report.id, report.outcome.clone())).collect();
    said.reports.extend(reports);
    for told in &beat.answers {
        let times = said.answers.get(&told.id).map_or(0, |(_, times)| *times);
        said.answers.insert(told.id, (told.answer.clone(), times + 1));
    }
    let node = beat.node;
    said.beats.push(beat);
    if said.deaf > 0 {
        said.deaf -= 1;
        return refuse(StatusCode::SERVICE_UNAVAILABLE);
    }
    let work = said.work.remove(&node).unwrap_or_default();
    let audits = said.audits.remove(&node).unwrap_or_default();
    let reconcile_wanted = std::mem::take(&mut said.reconcile_wanted);
    let standing = said.standing.clone();
    Json(HeartbeatReply { heartbeat_ms: 150, work, audits, reconcile_wanted, standing }).into_response()
}

/// Counts the mapped shards of each range, as the real one does.
async fn digests(State(this): State<Coordinator>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let Some(_) = this.believe(&headers, &uri, &body) else { return refuse(StatusCode::UNAUTHORIZED) };
    let told: Digests = serde_json::from_slice(&body).unwrap();
    let mut said = this.said();
    let mut ours = vec![Contents::default(); 1 << told.bits];
    said.mapped.iter().for_each(|id| ours[range_of(told.bits, id) as usize].add(id));
    let differing =
        (0..).zip(told.ranges.iter().zip(&ours)).filter(|(_, (theirs, ours))| theirs != ours).map(|(i, _)| i).collect();
    said.digests.push(told);
    Json(DigestsReply { differing }).into_response()
}

async fn inventory(State(this): State<Coordinator>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let Some(_) = this.believe(&headers, &uri, &body) else { return refuse(StatusCode::UNAUTHORIZED) };
    let mut said = this.said();
    said.inventories.push(serde_json::from_slice(&body).unwrap());
    Json(InventoryReply { surplus: said.surplus.clone(), restore: said.restore.clone() }).into_response()
}

async fn leave(State(this): State<Coordinator>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let Some(who) = this.believe(&headers, &uri, &body) else { return refuse(StatusCode::UNAUTHORIZED) };
    let leave: Leave = serde_json::from_slice(&body).unwrap();
    assert_eq!(who, Who::Node(leave.node));
    let mut said = this.said();
    said.leaves.push(leave);
    let state = if leave.cancel { StandingState::Trusted } else { StandingState::Draining };
    Json(Standing { state, reason: "its owner said so".into(), ..Standing::default() }).into_response()
}

async fn standing(State(this): State<Coordinator>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let Some(_) = this.believe(&headers, &uri, &body) else { return refuse(StatusCode::UNAUTHORIZED) };
    let mut said = this.said();
    let next = if said.leaving.len() > 1 { said.leaving.remove(0) } else { said.leaving[0].clone() };
    Json(next).into_response()
}
