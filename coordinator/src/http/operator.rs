//! `/api`: JSON for operators.

use axum::extract::State;
use axum::{Extension, Json};
use nodio_wire::api::{AuditAsk, AuditPoll, AuditRun, Drain, Inspect, RepairAsk, RepairRun, SegmentView, Standing, Status};
use nodio_wire::auth::Who;
use serde::de::DeserializeOwned;

use super::Failure;
use super::api::{Answer, This, parse};
use super::gate::Signed;
use crate::service::ServiceError;

/// The body of a request that only an operator may make.
fn asked<T: DeserializeOwned>(signed: &Signed) -> Result<T, Failure> {
    parse(signed.body(|who| who == Who::Operator)?)
}

pub(super) async fn status(State(this): This, Extension(signed): Extension<Signed>) -> Answer<Status> {
    signed.body(|who| who == Who::Operator)?;
    Ok(Json(this.status().await.map_err(ServiceError::from)?))
}

pub(super) async fn drain(State(this): This, Extension(signed): Extension<Signed>) -> Answer<Standing> {
    let drain: Drain = asked(&signed)?;
    Ok(Json(this.drain(drain).await?))
}

pub(super) async fn inspect(State(this): This, Extension(signed): Extension<Signed>) -> Answer<Vec<SegmentView>> {
    let ask: Inspect = asked(&signed)?;
    Ok(Json(this.inspect(ask).await?))
}

pub(super) async fn audit(State(this): This, Extension(signed): Extension<Signed>) -> Answer<AuditRun> {
    let ask: AuditAsk = asked(&signed)?;
    Ok(Json(this.audit(ask).await?))
}

pub(super) async fn audit_progress(State(this): This, Extension(signed): Extension<Signed>) -> Answer<AuditRun> {
    let poll: AuditPoll = asked(&signed)?;
    Ok(Json(this.audit_progress(poll).await?))
}

pub(super) async fn repair(State(this): This, Extension(signed): Extension<Signed>) -> Answer<RepairRun> {
    let ask: RepairAsk = asked(&signed)?;
    Ok(Json(this.repair(ask).await?))
}
