//! Before any route: who asks? The body is read here, within its bounds, because it is part of what is signed.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use nodio_wire::NodeId;
use nodio_wire::auth::{self, AuthError, Claim, Secret, Who};
use nodio_wire::limits::FLEET_BODY_BYTES_MAX;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::Failure;
use crate::limits::{BODIES_BYTES_MAX, BODY_MS_MAX, SHORT_BODY_BYTES_MAX};
use crate::service::Coordinator;

#[derive(Clone)]
pub(super) struct Gate {
    coordinator: Arc<Coordinator>,
    /// One permit per byte of a body in memory. Short bodies have a lane of their own: long ones that come slowly, perhaps from somebody
    /// who can't sign, don't hold up heartbeats.
    short: Arc<Semaphore>,
    long: Arc<Semaphore>,
}

impl Gate {
    pub(super) fn new(coordinator: Arc<Coordinator>) -> Self {
        let lane = || Arc::new(Semaphore::new(BODIES_BYTES_MAX));
        Self { coordinator, short: lane(), long: lane() }
    }

    async fn reserve(&self, bytes: usize) -> Result<SemaphorePermit<'_>, Failure> {
        let busy = || Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy");
        let lane = if bytes <= SHORT_BODY_BYTES_MAX { &self.short } else { &self.long };
        let permits = lane.acquire_many(bytes as u32);
        timeout(Duration::from_millis(BODY_MS_MAX), permits).await.map_err(|_| busy())?.map_err(|_| busy())
    }
}

/// A request whose signature was right.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    who: Who,
    body: Bytes,
}

impl Signed {
    /// The body, if the request comes from one of the roles that `allows` names.
    pub(super) fn body(&self, allows: impl Fn(Who) -> bool) -> Result<&Bytes, Failure> {
        if allows(self.who) { Ok(&self.body) } else { Err(Failure::unauthorized()) }
    }

    pub(super) fn who(&self) -> Who {
        self.who
    }

    /// The donor that asks.
    pub(super) fn node(&self) -> Result<NodeId, Failure> {
        match self.who {
            Who::Node(id) => Ok(id),
            _ => Err(Failure::unauthorized()),
        }
    }
}

pub(super) async fn authenticate(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    match admit(&gate, request).await {
        // The permit is held until the answer is made: the body is in memory for as long.
        Ok((request, _permit)) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

async fn admit(gate: &Gate, request: Request) -> Result<(Request, SemaphorePermit<'_>), Failure> {
    let header = request.headers().get(auth::HEADER).and_then(|value| value.to_str().ok());
    let claim = Claim::parse(header).map_err(refusal)?;
    let secret = gate.coordinator.secret_of(claim.who).ok_or_else(Failure::unauthorized)?;
    let permit = gate.reserve(body_bytes(request.headers())?).await?;
    let request = believe(gate, claim, &secret, request).await?;
    Ok((request, permit))
}

/// Length of the body, at most as much as one may have; a body of unknown length counts as the longest.
fn body_bytes(headers: &HeaderMap) -> Result<usize, Failure> {
    let too_long = || Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long");
    match headers.get(header::CONTENT_LENGTH) {
        Some(length) => {
            let length = length.to_str().ok().and_then(|text| text.parse::<usize>().ok()).ok_or_else(Failure::unauthorized)?;
            if length <= FLEET_BODY_BYTES_MAX { Ok(length) } else { Err(too_long()) }
        }
        None if headers.contains_key(header::TRANSFER_ENCODING) => Ok(FLEET_BODY_BYTES_MAX),
        None => Ok(0),
    }
}

/// The request with its [`Signed`] in the extensions, if the signature is right.
async fn believe(gate: &Gate, claim: Claim, secret: &Secret, request: Request) -> Result<Request, Failure> {
    let (mut parts, body) = request.into_parts();
    let body = read(body).await?;
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let signed = auth::Request { method: parts.method.as_str(), path, body: &body };
    let who = claim.check(secret, &signed, gate.coordinator.now()).map_err(refusal)?;
    parts.extensions.insert(Signed { who, body });
    Ok(Request::from_parts(parts, Body::empty()))
}

async fn read(body: Body) -> Result<Bytes, Failure> {
    let read = timeout(Duration::from_millis(BODY_MS_MAX), to_bytes(body, FLEET_BODY_BYTES_MAX)).await;
    read.map_err(|_| Failure::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly"))?.map_err(|_| Failure::unauthorized())
}

/// A wrong clock is said plainly: it is the one cause that an honest donor can't find by itself.
fn refusal(error: AuthError) -> Failure {
    match error {
        AuthError::Skewed => Failure::new(StatusCode::UNAUTHORIZED, error.to_string()),
        AuthError::Missing | AuthError::Malformed | AuthError::Mismatch => Failure::unauthorized(),
    }
}
