//! The body of a put: bounded before and while it is read.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::StreamExt;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use nodio_wire::ticket::TicketError;

use super::answer::Refusal;
use crate::buffer::Buffer;
use crate::limits::BODY_MS;

/// What the request says its body's length is.
pub(crate) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The whole body, at most `max` bytes. One that comes in one piece is not copied; others are, once, out of the connection's
/// buffer.
pub(crate) async fn collect(body: Body, max: u32) -> Result<Bytes, Refusal> {
    let read = read(body.into_data_stream(), max as usize);
    tokio::time::timeout(Duration::from_millis(BODY_MS), read).await.map_err(|_| Refusal::SlowBody)?
}

async fn read(mut body: BodyDataStream, max: usize) -> Result<Bytes, Refusal> {
    let Some(first) = next(&mut body, max).await? else { return Ok(Bytes::new()) };
    let Some(second) = next(&mut body, max - first.len()).await? else { return Ok(first) };
    let mut buffer = Buffer::new(max);
    let whole = buffer.as_mut_vec();
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    drop((first, second));
    while let Some(piece) = next(&mut body, max - whole.len()).await? {
        whole.extend_from_slice(&piece);
    }
    Ok(buffer.into_bytes())
}

async fn next(body: &mut BodyDataStream, left: usize) -> Result<Option<Bytes>, Refusal> {
    match body.next().await {
        None => Ok(None),
        Some(Err(_)) => Err(Refusal::BrokenBody),
        Some(Ok(piece)) if piece.len() > left => Err(TicketError::TooLong.into()),
        Some(Ok(piece)) => Ok(Some(piece)),
    }
}

/// Reads and forgets a refused body, so that the client hears the refusal instead of a broken connection. Bounded like one that
/// is kept.
pub(crate) async fn discard(body: Body, max: u32) {
    let mut left = u64::from(max);
    let mut stream = body.into_data_stream();
    let drain = async {
        while let Some(Ok(piece)) = stream.next().await {
            left = left.saturating_sub(piece.len() as u64);
            if left == 0 {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_millis(BODY_MS), drain).await;
}
