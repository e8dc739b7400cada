//! The gateway's own counter, for the owner of its folder alone: access keys, users and buckets with their quotas, what lies where,
//! how safe it is.
//!
//! ```text
//!   nodio keys, inspect, ... ─► DATA/admin.sock, one line of JSON each way ─► the running gateway     client, socket
//!                           └─► the metadata itself, where no gateway runs                            desk
//! ```
//! Promises: the socket has mode 0600 before it has its name; secrets travel over it and nowhere else. Every answer is bounded: lists
//! come in pages, and a page says where the next begins.

mod client;
mod desk;
mod figures;
mod objects;
mod socket;
mod usage;
mod words;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

pub use client::{AdminError, ask, call};
pub(crate) use desk::Desk;
pub(crate) use socket::{listen, serve};
pub use words::{
    Amounts, BucketView, Key, Limits, NamedKeyView, ObjectView, PartView, QuotaChange, Reply, Request, UsageView, UserView,
    Waiting,
};

const SOCKET: &str = "admin.sock";
/// One request or one answer, bytes.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Requests answered at once.
const AT_ONCE_MAX: usize = 8;
/// Longest wait for a request's line, or for its answer, seconds.
const DEADLINE_S: u64 = 30;
/// Longer paths don't fit a socket's address.
const SOCKET_PATH_BYTES_MAX: usize = 100;

/// A folder under a name short enough for a socket's address.
struct Place {
    folder: PathBuf,
    /// Keeps the short name alive.
    _open: Option<File>,
}

impl Place {
    fn of(folder: &Path) -> io::Result<Self> {
        if folder.as_os_str().len() + SOCKET.len() < SOCKET_PATH_BYTES_MAX {
            return Ok(Self { folder: folder.to_owned(), _open: None });
        }
        let open = File::open(folder)?;
        Ok(Self { folder: PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())), _open: Some(open) })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

async fn read_line(stream: &mut UnixStream) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    BufReader::new(stream.take(LINE_BYTES_MAX)).read_line(&mut line).await?;
    if line.ends_with('\n') { Ok(line) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

async fn write_line<T: Serialize>(stream: &mut UnixStream, value: &T) -> io::Result<()> {
    let mut line = Zeroizing::new(serde_json::to_vec(value)?);
    line.push(b'\n');
    stream.write_all(&line).await
}
