//! `/api`: JSON for donors, and what gateways and operators may ask as well.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use nodio_wire::api::{
    Ask, Digests, DigestsReply, Heartbeat, HeartbeatReply, Inventory, InventoryReply, Leave, Register, Registered, Standing,
    TaskReport,
};
use nodio_wire::auth::Who;
use nodio_wire::fleet::{Fleet, FleetError, Grant, GrantRequest, Located};
use nodio_wire::limits::SEGMENTS_PER_CALL_MAX;
use nodio_wire::{NodeId, PartId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Failure;
use super::gate::Signed;
use crate::service::Coordinator;

pub(super) type Answer<T> = Result<Json<T>, Failure>;
pub(super) type This = State<Arc<Coordinator>>;

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::new(StatusCode::BAD_REQUEST, format!("unreadable request: {error}")))
}

fn is_planner(who: Who) -> bool {
    matches!(who, Who::Gateway | Who::Operator)
}

/// The body of a donor that speaks for itself.
fn own<T: DeserializeOwned>(signed: &Signed, node_of: impl Fn(&T) -> NodeId) -> Result<T, Failure> {
    let node = signed.node()?;
    let request: T = parse(signed.body(|_| true)?)?;
    if node_of(&request) == node { Ok(request) } else { Err(Failure::unauthorized()) }
}

pub(super) async fn register(State(this): This, Extension(signed): Extension<Signed>) -> Answer<Registered> {
    let body = signed.body(|who| matches!(who, Who::Joining | Who::Node(_)))?;
    let register: Register = parse(body)?;
    Ok(Json(this.register(signed.who(), register).await?))
}

pub(super) async fn heartbeat(State(this): This, Extension(signed): Extension<Signed>) -> Answer<HeartbeatReply> {
    let beat = own(&signed, |beat: &Heartbeat| beat.node)?;
    Ok(Json(this.heartbeat(beat).await?))
}

pub(super) async fn inventory(State(this): This, Extension(signed): Extension<Signed>) -> Answer<InventoryReply> {
    let page = own(&signed, |page: &Inventory| page.node)?;
    Ok(Json(this.inventory(page).await?))
}

pub(super) async fn digests(State(this): This, Extension(signed): Extension<Signed>) -> Answer<DigestsReply> {
    let digests = own(&signed, |digests: &Digests| digests.node)?;
    Ok(Json(this.digests(digests).await?))
}

pub(super) async fn leave(State(this): This, Extension(signed): Extension<Signed>) -> Answer<Standing> {
    let leave = own(&signed, |leave: &Leave| leave.node)?;
    Ok(Json(this.leave(leave).await?))
}

pub(super) async fn standing(State(this): This, Extension(signed): Extension<Signed>) -> Answer<Standing> {
    let ask = own(&signed, |ask: &Ask| ask.node)?;
    Ok(Json(this.standing(ask).await?))
}

pub(super) async fn complete_task(State(this): This, Path(id): Path<u64>, Extension(signed): Extension<Signed>) -> Answer<Value> {
    let node = signed.node()?;
    let report: TaskReport = parse(signed.body(|_| true)?)?;
    if report.id != id {
        return Err(Failure::new(StatusCode::BAD_REQUEST, "the path and the body name different tasks"));
    }
    this.complete_task(node, report).await?;
    Ok(Json(json!({})))
}

pub(super) async fn placement_plan(State(this): This, Extension(signed): Extension<Signed>) -> Answer<Vec<Grant>> {
    let request: GrantRequest = parse(signed.body(is_planner)?)?;
    this.grant(request).await.map(Json).map_err(failure)
}

/// Which segments of a part to show; the first [`SEGMENTS_PER_CALL_MAX`] unless said otherwise.
#[derive(Debug, Deserialize)]
pub(super) struct Segments {
    #[serde(default)]
    first: u32,
    count: Option<u32>,
}

pub(super) async fn manifest(
    State(this): This,
    Path(part): Path<String>,
    Query(segments): Query<Segments>,
    Extension(signed): Extension<Signed>,
) -> Answer<Vec<Located>> {
    signed.body(is_planner)?;
    let part: PartId = part.parse().map_err(|_| Failure::new(StatusCode::BAD_REQUEST, "a part is 32 hex digits"))?;
    let count = segments.count.unwrap_or(SEGMENTS_PER_CALL_MAX as u32);
    this.locate(part, segments.first, count).await.map(Json).map_err(failure)
}

pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

fn failure(error: FleetError) -> Failure {
    let status = match error {
        FleetError::NotEnoughDonors { .. } | FleetError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        FleetError::Refused(_) => StatusCode::BAD_REQUEST,
    };
    Failure::new(status, error.to_string())
}
