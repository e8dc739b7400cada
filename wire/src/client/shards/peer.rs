//! A donor's address: `http://HOST[:PORT][/PREFIX]`, and the way there.

use std::io;
use std::time::Duration;

use http::Uri;
use tokio::net::{TcpStream, lookup_host};

/// Longest wait for a connection, the looking up of its name included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Where a donor's shards are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Peer {
    host: String,
    port: u16,
    /// As the `host` header has it.
    pub(super) authority: String,
    /// What its paths begin with, without a slash at the end; mostly nothing.
    pub(super) prefix: String,
}

impl Peer {
    /// `None` for what is no plain HTTP address.
    pub(super) fn parse(addr: &str) -> Option<Self> {
        let uri: Uri = addr.parse().ok()?;
        let authority = uri.authority()?;
        if uri.scheme_str() != Some("http") || authority.as_str().contains('@') || uri.query().is_some() {
            return None;
        }
        Some(Self {
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authority: authority.as_str().to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// A connection to the first of its addresses that takes one.
    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        let too_slow = |_| io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
        tokio::time::timeout(CONNECT_TIMEOUT, self.first_that_answers()).await.map_err(too_slow)?
    }

    async fn first_that_answers(&self) -> io::Result<TcpStream> {
        let addresses: Vec<_> = lookup_host((self.host.as_str(), self.port)).await?.take(ADDRESSES_MAX).collect();
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in &addresses {
            // One address that swallows packets must not take the time of those behind it.
            let share = CONNECT_TIMEOUT / addresses.len() as u32;
            match tokio::time::timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "no connection in time"),
            }
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_donors_are_understood() {
        let peer = |addr: &str| Peer::parse(addr).map(|peer| (peer.host, peer.port, peer.authority, peer.prefix));
        let parts = |host: &str, port, authority: &str, prefix: &str| Some((host.into(), port, authority.into(), prefix.into()));
        assert_eq!(peer("http://127.0.0.1:7400"), parts("127.0.0.1", 7400, "127.0.0.1:7400", ""));
        assert_eq!(peer("http://[::1]:7400/"), parts("::1", 7400, "[::1]:7400", ""));
        assert_eq!(peer("http://donor.example.org/a/b/"), parts("donor.example.org", 80, "donor.example.org", "/a/b"));
        for bad in
            ["", "donor", "127.0.0.1:7400", "https://donor", "http://me@donor", "http://donor/?a", "http://a b", "http://a\r\nb"]
        {
            assert_eq!(peer(bad), None, "{bad}");
        }
    }
}
