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
use crate::store::{StoreError, Stored, span};

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
    let held = wanted.as_ref().map_or(len, |range| span(range, len).len() as u32);
    let seat = door.flight.board(held).await.ok_or(Refusal::Busy)?;
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

#[cfg(test)]
mod tests {
    use http::Request;
    use nodio_wire::NodeId;
    use nodio_wire::auth::Secret;
    use tower::ServiceExt;

    use super::*;
    use crate::agent::standing::Board;
    use crate::limits::{CHUNK_BYTES, DIRECT_MIN_BYTES, IN_FLIGHT_BYTES};
    use crate::store::{Store, StoreOptions};

    fn door(dir: &std::path::Path) -> Door {
        let store = Store::open(StoreOptions {
            dir: dir.join("volumes"),
            capacity_bytes: 64 << 20,
            volume_bytes: 16 << 20,
            disk_reserve_bytes: 0,
            direct_min_bytes: DIRECT_MIN_BYTES,
            fsync: false,
        });
        Door::new(store.unwrap(), NodeId(1), Secret::new([7; 32]), Board::open(dir))
    }

    async fn get_byte(door: &Door, id: ShardId) -> Response {
        let ticket = Ticket { op: Op::Get, node: door.node, shard: Some(id), bytes_max: 0, expires: u64::MAX, nonce: 1 };
        let request = Request::get(format!("/shards/{id}")).header(HEADER, ticket.sign(&door.secret).0);
        let request = request.header(RANGE, "bytes=70000-70000").body(Body::empty()).unwrap();
        super::super::router(door.clone()).oneshot(request).await.unwrap()
    }

    /// An answer of one byte holds the chunk that was read for it, and takes room for that.
    #[tokio::test(start_paused = true)]
    async fn short_answers_take_the_room_that_they_hold() {
        let dir = tempfile::tempdir().unwrap();
        let door = door(dir.path());
        let data = bytes::Bytes::from(vec![3; 200_000]);
        let id = ShardId::of(&data);
        door.store.put(id, data, 0).await.unwrap();
        let mut answers = Vec::new();
        loop {
            let answer = get_byte(&door, id).await;
            if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
                break;
            }
            assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
            answers.push(answer);
            assert!(answers.len() * CHUNK_BYTES <= IN_FLIGHT_BYTES);
        }
        assert_eq!(answers.len(), IN_FLIGHT_BYTES / CHUNK_BYTES);
        drop(answers.pop());
        assert_eq!(get_byte(&door, id).await.status(), StatusCode::PARTIAL_CONTENT);
    }
}
