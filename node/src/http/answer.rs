//! Every refusal and its status: the one table of this edge.

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_RANGE;
use http::{HeaderValue, StatusCode};
use nodio_wire::auth::AuthError;
use nodio_wire::donor::DONOR_HEADER;
use nodio_wire::ticket::TicketError;

use super::spent::SpendError;
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Ticket(#[from] TicketError),
    #[error(transparent)]
    Spent(#[from] SpendError),
    #[error(transparent)]
    Unsigned(#[from] AuthError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("no such place")]
    BadPath,
    #[error("the range does not lie within the shard")]
    BadRange { len: u32 },
    #[error("too many bytes are in flight")]
    Busy,
    #[error("the body did not arrive whole")]
    BrokenBody,
    #[error("the body took too long")]
    SlowBody,
    #[error("method not allowed")]
    BadMethod,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Ticket(TicketError::TooLong) | Self::Store(StoreError::TooLong) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Ticket(_) | Self::Spent(SpendError::Used) | Self::Unsigned(_) => StatusCode::UNAUTHORIZED,
            Self::Spent(SpendError::TooMany) | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::BadPath | Self::BrokenBody => StatusCode::BAD_REQUEST,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::BadMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadRange { .. } | Self::Store(StoreError::BadRange) => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Store(error) => store_status(error),
        }
    }
}

fn store_status(error: &StoreError) -> StatusCode {
    match error {
        StoreError::NotHeld => StatusCode::NOT_FOUND,
        StoreError::Rotten => StatusCode::GONE,
        StoreError::WrongBytes => StatusCode::UNPROCESSABLE_ENTITY,
        StoreError::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
        StoreError::BadRange => StatusCode::RANGE_NOT_SATISFIABLE,
        StoreError::Full | StoreError::ReadOnly => StatusCode::INSUFFICIENT_STORAGE,
        StoreError::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
        StoreError::Closed => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut answer = self.answer();
        answer.headers_mut().insert(DONOR_HEADER, HeaderValue::from_static("1"));
        answer
    }
}

impl Refusal {
    fn answer(self) -> Response {
        let status = self.status();
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!("a request failed: {self}");
            return (status, "the disk failed").into_response();
        }
        match self {
            Self::BadRange { len } => (status, [(CONTENT_RANGE, format!("bytes */{len}"))], self.to_string()).into_response(),
            refusal => (status, refusal.to_string()).into_response(),
        }
    }
}
