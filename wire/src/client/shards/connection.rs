//! One connection and one exchange on it at a time.
//!
//! Promises: nothing is allocated by what the peer says of itself, only by what was asked; a connection is fit for another request only
//! after a whole exchange of which nothing is left in either direction; a future that is dropped half-way takes its connection with it.

use std::io::{self, IoSlice};
use std::pin::pin;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::head::{HEAD_BYTES_MAX, Head};
use crate::buffer::Buffer;

/// Body of a refusal that is read at most, bytes.
pub(super) const REFUSAL_BYTES_MAX: usize = 1024;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// Not one byte of an answer came: where the connection had lain idle, the peer may simply have closed it.
    Silent(io::Error),
    Broken(io::Error),
    Malformed,
    /// More bytes than were asked for.
    TooLong,
}

/// What the peer said.
#[derive(Debug)]
pub(in crate::client) struct Answer {
    pub(in crate::client) head: Head,
    /// Of a refusal only if it is short.
    pub(in crate::client) body: Buffer,
}

pub(super) struct Connection {
    stream: TcpStream,
    /// After a whole exchange.
    fit: bool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, fit: false }
    }

    /// The stream, if another request may be sent on it.
    pub(super) fn into_idle(self) -> Option<TcpStream> {
        self.fit.then_some(self.stream)
    }

    /// Sends one request and hears its answer, of at most `max` bytes, out of one buffer. A peer that refuses may do so before it was
    /// sent the whole body.
    pub(super) async fn ask(&mut self, head: &[u8], body: &[u8], max: usize) -> Result<Answer, Fault> {
        self.fit = false;
        let (mut reader, mut writer) = self.stream.split();
        let mut buffer = Buffer::new(HEAD_BYTES_MAX + max.max(REFUSAL_BYTES_MAX));
        let mut sent = None;
        let heard = {
            let mut sending = pin!(send(&mut writer, head, body));
            let mut hearing = pin!(hear(&mut reader, &mut buffer));
            loop {
                tokio::select! {
                    biased;
                    heard = &mut hearing => break heard,
                    result = &mut sending, if sent.is_none() => sent = Some(result),
                }
            }
        };
        let head = match (heard, sent) {
            (Err(Fault::Silent(_)), Some(Err(error))) => return Err(Fault::Silent(error)),
            (heard, sent) => {
                let mut head = heard?;
                head.keep_alive &= matches!(sent, Some(Ok(())));
                head
            }
        };
        let answer = receive(&mut reader, head, buffer, max).await?;
        self.fit = answer.head.keep_alive;
        Ok(answer)
    }
}

/// Writes head and body as if they were one, without copying them together.
async fn send(writer: &mut WriteHalf<'_>, head: &[u8], body: &[u8]) -> io::Result<()> {
    let (mut head, mut body) = (head, body);
    while !head.is_empty() || !body.is_empty() {
        let written = writer.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let of_head = written.min(head.len());
        head = &head[of_head..];
        body = &body[written - of_head..];
    }
    Ok(())
}

/// Reads until the head is whole. What of the body comes with it stays in the buffer.
async fn hear(reader: &mut ReadHalf<'_>, buffer: &mut Buffer) -> Result<Head, Fault> {
    loop {
        let fault = if buffer.is_empty() { Fault::Silent } else { Fault::Broken };
        match reader.read(buffer.spare()).await {
            Ok(0) => return Err(fault(closed())),
            Ok(read) => buffer.filled(read),
            Err(error) => return Err(fault(error)),
        }
        if let Some(head) = Head::parse(buffer).map_err(|_| Fault::Malformed)? {
            return Ok(head);
        }
    }
}

/// Reads the rest of the body behind the head.
async fn receive(reader: &mut ReadHalf<'_>, mut head: Head, mut buffer: Buffer, max: usize) -> Result<Answer, Fault> {
    let success = (200..300).contains(&head.status);
    let limit = if success { max } else { REFUSAL_BYTES_MAX };
    let len = match head.length {
        Some(length) if length <= limit as u64 => length as usize,
        Some(_) if success => return Err(Fault::TooLong),
        None if success => return Err(Fault::Malformed),
        // A refusal is understood without its words.
        _ => {
            head.keep_alive = false;
            0
        }
    };
    let end = head.bytes + len;
    while buffer.len() < end {
        let missing = end - buffer.len();
        match reader.read(&mut buffer.spare()[..missing]).await {
            Ok(0) => return Err(Fault::Broken(closed())),
            Ok(read) => buffer.filled(read),
            Err(error) => return Err(Fault::Broken(error)),
        }
    }
    // Bytes behind the answer were never asked for.
    head.keep_alive &= buffer.len() == end;
    buffer.narrow(head.bytes..end);
    Ok(Answer { head, body: buffer })
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the donor closed the connection")
}
