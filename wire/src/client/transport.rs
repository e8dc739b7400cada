//! [`Transport`] over HTTP/1.1: what is asked of donors, and what their answers mean.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;

use super::shards::{Answer, Question, Shards};
use crate::buffer::Buffer;
use crate::donor::{DonorError, Stored, Transport};
use crate::ids::ShardId;
use crate::limits::SHARD_BYTES_MAX;
use crate::ticket::SignedTicket;

/// What a donor may add in words to having stored a shard, bytes.
const ANSWER_BYTES_MAX: usize = 1024;

/// Donors reachable by URL. Clones share their connections.
#[derive(Clone, Default)]
pub struct HttpTransport {
    shards: Shards,
}

#[async_trait]
impl Transport for HttpTransport {
    async fn put(&self, addr: &str, ticket: &SignedTicket, id: ShardId, shard: Bytes) -> Result<Stored, DonorError> {
        let (path, extra) = (format!("/shards/{id}"), format!("content-length: {}\r\n", shard.len()));
        let question = Question { method: "PUT", path, ticket, extra, body: &shard, max: ANSWER_BYTES_MAX };
        let answer = self.shards.ask(addr, &question).await?;
        match answer.head.status {
            200 | 201 => Ok(Stored { receipt: answer.head.receipt }),
            _ => Err(refusal(&answer)),
        }
    }

    async fn read(
        &self,
        addr: &str,
        ticket: &SignedTicket,
        id: ShardId,
        range: Option<Range<u32>>,
    ) -> Result<Buffer, DonorError> {
        let extra = range.as_ref().map(|range| format!("range: bytes={}-{}\r\n", range.start, range.end.saturating_sub(1)));
        let max = range.as_ref().map_or(SHARD_BYTES_MAX, Range::len);
        let path = format!("/shards/{id}");
        let question = Question { method: "GET", path, ticket, extra: extra.unwrap_or_default(), body: &[], max };
        let answer = self.shards.ask(addr, &question).await?;
        match (answer.head.status, &range) {
            (200, None) => Ok(answer.body),
            (206, Some(range)) if answer.body.len() == range.len() => Ok(answer.body),
            (206, Some(range)) => Err(DonorError::Other(format!("{} bytes for {range:?}", answer.body.len()))),
            _ => Err(refusal(&answer)),
        }
    }
}

/// What a refusal means. "Not held" and "rotten" have consequences, so they count only from something that says it is a donor: a proxy
/// or another server at that address answers 404 as well.
fn refusal(answer: &Answer) -> DonorError {
    match answer.head.status {
        404 if answer.head.donor => DonorError::NotHeld,
        410 if answer.head.donor => DonorError::Rotten,
        503 => DonorError::Busy,
        507 => DonorError::Full,
        401 => DonorError::Ticket(String::from_utf8_lossy(&answer.body).into_owned()),
        status => DonorError::Other(format!("status {status}")),
    }
}
