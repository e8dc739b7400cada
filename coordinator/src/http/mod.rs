//! The coordinator's port: the table in `nodio_wire::api`, and nothing that answers without a signature.
//!
//! ```text
//!   request ─► gate (size, signature, who) ─► route (is this role allowed?) ─► Coordinator
//! ```
//! Whoever can't sign learns nothing: every path, known or not, answers 401. Bodies are bounded one by one and all together.

mod api;
mod fleet;
mod gate;
mod operator;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;

use crate::service::{Coordinator, ServiceError};

/// All routes of one coordinator.
pub fn router(coordinator: Arc<Coordinator>) -> Router {
    let gate = gate::Gate::new(coordinator.clone());
    Router::new()
        .route("/api/nodes/register", post(api::register))
        .route("/api/nodes/heartbeat", post(api::heartbeat))
        .route("/api/nodes/digests", post(api::digests))
        .route("/api/nodes/inventory", post(api::inventory))
        .route("/api/nodes/leave", post(api::leave))
        .route("/api/nodes/standing", post(api::standing))
        .route("/api/replication-tasks/{id}/complete", post(api::complete_task))
        .route("/api/shards/placement-plan", post(api::placement_plan))
        .route("/api/files/{part}/manifest", get(api::manifest))
        .route("/api/status", get(operator::status))
        .route("/api/drain", post(operator::drain))
        .route("/api/inspect", post(operator::inspect))
        .route("/api/audit", post(operator::audit))
        .route("/api/audit/progress", post(operator::audit_progress))
        .route("/api/repair", post(operator::repair))
        .route("/api/health", get(api::health))
        .route("/fleet/grant", post(fleet::grant))
        .route("/fleet/commit", post(fleet::commit))
        .route("/fleet/locate", post(fleet::locate))
        .route("/fleet/release", post(fleet::release))
        .route("/fleet/report", post(fleet::report))
        .route("/fleet/parts", post(fleet::parts))
        .route("/fleet/summary", post(fleet::summary))
        .route("/fleet/durability", post(fleet::durability))
        .fallback(|| async { Failure::new(StatusCode::NOT_FOUND, "there is no such path") })
        .method_not_allowed_fallback(|| async { Failure::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method") })
        .layer(from_fn_with_state(gate, gate::authenticate))
        .with_state(coordinator)
}

/// An error as `/api` answers it: `{"error": "..."}`.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    message: String,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
}

impl Failure {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized")
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, axum::Json(ErrorBody { error: &self.message })).into_response()
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Refused(reason) => Self::new(StatusCode::BAD_REQUEST, reason),
            ServiceError::UnknownNode(_) => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            ServiceError::Store(error) => {
                tracing::error!("{error}");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "the coordinator's store failed")
            }
        }
    }
}
