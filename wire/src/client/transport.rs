//! [`Transport`] over HTTP/1.1.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;

use super::chain;
use crate::donor::{DonorError, Transport};
use crate::ids::ShardId;
use crate::ticket::{HEADER, SignedTicket};

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
    async fn put(&self, addr: &str, ticket: &SignedTicket, id: ShardId, shard: Bytes) -> Result<(), DonorError> {
        let request = self.pool.put(format!("{addr}/shards/{id}")).header(HEADER, &ticket.0).body(shard);
        let answer = request.send().await.map_err(unreachable)?;
        match answer.status().as_u16() {
            200 | 201 => Ok(()),
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
            (200, None) => answer.bytes().await.map_err(unreachable),
            (206, Some(range)) => {
                let bytes = answer.bytes().await.map_err(unreachable)?;
                let right = bytes.len() == range.len();
                if right { Ok(bytes) } else { Err(DonorError::Other(format!("{} bytes for {range:?}", bytes.len()))) }
            }
            (status, _) => Err(refusal(status, answer).await),
        }
    }
}

fn unreachable(error: reqwest::Error) -> DonorError {
    DonorError::Unreachable(chain(&error))
}

async fn refusal(status: u16, answer: reqwest::Response) -> DonorError {
    match status {
        404 => DonorError::NotHeld,
        410 => DonorError::Rotten,
        503 => DonorError::Busy,
        507 => DonorError::Full,
        401 => DonorError::Ticket(answer.text().await.unwrap_or_default()),
        _ => DonorError::Other(format!("status {status}")),
    }
}
