//! [`Transport`] over HTTP/1.1.

use std::ops::Range;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use super::chain;
use crate::donor::{DONOR_HEADER, DonorError, Stored, Transport};
use crate::ids::ShardId;
use crate::limits::SHARD_BYTES_MAX;
use crate::ticket::{HEADER, RECEIPT_HEADER, SignedTicket};

/// A donor's reason for a refusal is read up to this.
const REFUSAL_BYTES_MAX: usize = 1024;

/// Donors reachable by URL.
#[derive(Clone)]
pub struct HttpTransport {
    pool: reqwest::Client,
}

impl HttpTransport {
    pub fn new(pool: reqwest::Client) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn put(&self, addr: &str, ticket: &SignedTicket, id: ShardId, shard: Bytes) -> Result<Stored, DonorError> {
        let request = self.pool.put(format!("{addr}/shards/{id}")).header(HEADER, &ticket.0).body(shard);
        let answer = request.send().await.map_err(unreachable)?;
        match answer.status().as_u16() {
            200 | 201 => Ok(Stored { receipt: receipt_of(&answer) }),
            status => Err(refusal(status, answer).await),
        }
    }

    async fn get(&self, addr: &str, ticket: &SignedTicket, id: ShardId, range: Option<Range<u32>>) -> Result<Bytes, DonorError> {
        let mut request = self.pool.get(format!("{addr}/shards/{id}")).header(HEADER, &ticket.0);
        if let Some(range) = &range {
            request = request.header("range", format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        }
        let answer = request.send().await.map_err(unreachable)?;
        match (answer.status().as_u16(), &range) {
            (200, None) => read(answer, SHARD_BYTES_MAX).await,
            (206, Some(range)) => {
                let bytes = read(answer, range.len()).await?;
                let right = bytes.len() == range.len();
                if right { Ok(bytes) } else { Err(DonorError::Other(format!("{} bytes for {range:?}", bytes.len()))) }
            }
            (status, _) => Err(refusal(status, answer).await),
        }
    }
}

fn receipt_of(answer: &reqwest::Response) -> Option<String> {
    Some(answer.headers().get(RECEIPT_HEADER)?.to_str().ok()?.to_owned())
}

fn unreachable(error: reqwest::Error) -> DonorError {
    DonorError::Unreachable(chain(&error))
}

/// The body, of at most `max` bytes: a donor is not believed about lengths either.
async fn read(mut answer: reqwest::Response, max: usize) -> Result<Bytes, DonorError> {
    let too_long = || DonorError::Other(format!("more than the {max} bytes asked for"));
    let announced = answer.content_length().unwrap_or(0);
    if announced > max as u64 {
        return Err(too_long());
    }
    let mut body = BytesMut::with_capacity(announced as usize);
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > max {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// What a refusal means. "Not held" and "rotten" have consequences, so they count only from something that says it is a donor: a proxy
/// or another server at that address answers 404 as well.
async fn refusal(status: u16, answer: reqwest::Response) -> DonorError {
    let donor = answer.headers().contains_key(DONOR_HEADER);
    match status {
        404 if donor => DonorError::NotHeld,
        410 if donor => DonorError::Rotten,
        503 => DonorError::Busy,
        507 => DonorError::Full,
        401 => {
            let why = read(answer, REFUSAL_BYTES_MAX).await.unwrap_or_default();
            DonorError::Ticket(String::from_utf8_lossy(&why).into_owned())
        }
        _ => DonorError::Other(format!("status {status}")),
    }
}
