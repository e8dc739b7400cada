//! Shard requests to donors over HTTP/1.1: only what these need, spoken strictly, because a donor is trusted with nothing.
//!
//! ```text
//!   request ─► an idle connection, or a new one ─► head and body in one write ─► answer, head and body in one buffer ─► idle again
//!                   │ closed before it said a word: once more, on a new one
//! ```
//! Promises: the bytes of an answer never exceed what was asked for, and are read in place; a donor that stalls holds up nobody beyond
//! the caller's deadline; shards are named by their hash and a ticket serves one shard, so sending a request again is safe.

mod connection;
mod head;
mod peer;
mod pool;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use connection::{Connection, Fault};
use peer::Peer;
use pool::Pool;

pub(super) use connection::Answer;

use crate::donor::DonorError;
use crate::ticket::{HEADER, SignedTicket};

/// Requests to any number of donors.
#[derive(Clone, Default)]
pub(super) struct Shards {
    pool: Arc<Pool>,
}

/// One request.
pub(super) struct Question<'a> {
    pub(super) method: &'static str,
    /// Under the donor's address.
    pub(super) path: String,
    pub(super) ticket: &'a SignedTicket,
    /// One more header line with its end, or nothing.
    pub(super) extra: String,
    pub(super) body: &'a [u8],
    /// Bytes of a good answer at most.
    pub(super) max: usize,
}

impl Shards {
    /// Asks, once more if an idle connection turns out to be closed.
    pub(super) async fn ask(&self, addr: &str, question: &Question<'_>) -> Result<Answer, DonorError> {
        let peer = Peer::parse(addr).ok_or_else(|| DonorError::Unreachable(format!("{addr:?} is no address of a donor")))?;
        let head = question.head(&peer)?;
        if let Some(stream) = self.pool.take(addr) {
            match self.on(stream, addr, &head, question).await {
                Err(Fault::Silent(_)) => {}
                heard => return heard.map_err(|fault| meaning(fault, question.max)),
            }
        }
        let stream = peer.connect().await.map_err(|error| DonorError::Unreachable(error.to_string()))?;
        self.on(stream, addr, &head, question).await.map_err(|fault| meaning(fault, question.max))
    }

    async fn on(&self, stream: tokio::net::TcpStream, addr: &str, head: &str, question: &Question<'_>) -> Result<Answer, Fault> {
        let mut connection = Connection::new(stream);
        let answer = connection.ask(head.as_bytes(), question.body, question.max).await?;
        if let Some(stream) = connection.into_idle() {
            self.pool.keep(addr, stream);
        }
        Ok(answer)
    }
}

impl Question<'_> {
    fn head(&self, peer: &Peer) -> Result<String, DonorError> {
        let ticket = &self.ticket.0;
        if !ticket.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(DonorError::Ticket("it has characters that no ticket has".into()));
        }
        let Self { method, path, extra, .. } = self;
        let (prefix, authority) = (&peer.prefix, &peer.authority);
        Ok(format!("{method} {prefix}{path} HTTP/1.1\r\nhost: {authority}\r\n{HEADER}: {ticket}\r\n{extra}\r\n"))
    }
}

fn meaning(fault: Fault, max: usize) -> DonorError {
    match fault {
        Fault::Silent(error) | Fault::Broken(error) => DonorError::Unreachable(error.to_string()),
        Fault::Malformed => DonorError::Other("something that is no answer of a donor".into()),
        Fault::TooLong => DonorError::Other(format!("more than the {max} bytes asked for")),
    }
}
