//! The shard requests. Each opens its ticket first; nothing is said or looked up before.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use http::{HeaderMap, HeaderValue, StatusCode};
use nodio_host::now_ms;
use nodio_wire::ShardId;
use nodio_wire::ticket::{HEADER, Op, RECEIPT_HEADER, Ticket, TicketError, receipt};

use super::answer::Refusal;
use super::flight::Seat;
use super::{Door, body, range};
use crate::limits::SHARD_MAX_BYTES;
use crate::store::{StoreError, Stored};

/// The ticket, opened and allowing `op` on the shard in the path.
fn admit(door: &Door, headers: &HeaderMap, op: Op, id: &str) -> Result<(Ticket, ShardId), Refusal> {
    let text = headers.get(HEADER).and_then(|value| value.to_str().ok());
    let ticket = Ticket::open(text, &door.secret, door.node, now_ms())?;
    let id = id.parse().map_err(|_| Refusal::BadPath)?;
    ticket.allows(op, &id, 0)?;
    Ok((ticket, id))
}

pub(super) async fn put(
    State(door): State<Door>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let (ticket, id) = admit(&door, &headers, Op::Put, &id)?;
    let limit = ticket.bytes_max.min(SHARD_MAX_BYTES);
    let len = body::announced(&headers).unwrap_or(limit.into());
    let len = u32::try_from(len).ok().filter(|len| *len <= limit).ok_or(TicketError::TooLong)?;
    door.spend(&ticket, &id)?;
    let seat = match seat(&door, len).await {
        Ok(seat) => seat,
        Err(refusal) => {
            body::discard(body, len).await;
            return Err(refusal);
        }
    };
    // The seat is given back when the writer is done with the bytes, also if this request is dropped meanwhile.
    let shard = seat.hold(body::collect(body, len).await?);
    let status = match door.store.put(id, shard, door.store.now_ms()).await? {
        Stored::New => StatusCode::CREATED,
        Stored::Already => StatusCode::OK,
    };
    // Only now that the shard is durable.
    Ok((status, [(RECEIPT_HEADER, receipt(&door.secret, &id, ticket.nonce))]).into_response())
}

/// Room for a body, if the store will have room for the shard.
async fn seat(door: &Door, len: u32) -> Result<Seat, Refusal> {
    if !door.store.may_fit(len) {
        return Err(StoreError::Full.into());
    }
    door.flight.board(len).await.ok_or(Refusal::Busy)
}

pub(super) async fn get(State(door): State<Door>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Refusal> {
    let (_, id) = admit(&door, &headers, Op::Get, &id)?;
    let len = door.store.len_of(&id).ok_or(StoreError::NotHeld)?;
    let wanted = match headers.get(RANGE) {
        None => None,
        Some(header) => Some(parse_range(header, len)?),
    };
    let seat = door.flight.board(wanted.as_ref().map_or(len, |range| range.end - range.start)).await.ok_or(Refusal::Busy)?;
    let bytes = seat.hold(door.store.get(id, wanted.clone()).await?);
    let mut answer = Body::from(bytes).into_response();
    octets(&mut answer);
    if let Some(range) = wanted {
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        let text = format!("bytes {}-{}/{len}", range.start, range.end - 1);
        answer.headers_mut().extend(HeaderValue::try_from(text).ok().map(|value| (CONTENT_RANGE, value)));
    }
    Ok(answer)
}

fn parse_range(header: &HeaderValue, len: u32) -> Result<std::ops::Range<u32>, Refusal> {
    let text = header.to_str().map_err(|_| Refusal::BadRange { len })?;
    range::parse(text, len).map_err(|_| Refusal::BadRange { len })
}

fn octets(answer: &mut Response) {
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
}

pub(super) async fn head(State(door): State<Door>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Refusal> {
    let (_, id) = admit(&door, &headers, Op::Get, &id)?;
    let len = door.store.len_of(&id).ok_or(StoreError::NotHeld)?;
    let mut answer = Body::empty().into_response();
    octets(&mut answer);
    answer.headers_mut().insert(CONTENT_LENGTH, len.into());
    Ok(answer)
}

pub(super) async fn delete(State(door): State<Door>, Path(id): Path<String>, headers: HeaderMap) -> Result<StatusCode, Refusal> {
    let (_, id) = admit(&door, &headers, Op::Delete, &id)?;
    door.store.delete(&[id]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Any other method: refused, but only to those with a ticket of this donor.
pub(super) async fn other(State(door): State<Door>, headers: HeaderMap) -> Refusal {
    let text = headers.get(HEADER).and_then(|value| value.to_str().ok());
    match Ticket::open(text, &door.secret, door.node, now_ms()) {
        Ok(_) => Refusal::BadMethod,
        Err(error) => error.into(),
    }
}
