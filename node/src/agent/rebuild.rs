//! One rebuild: pull any `k` sources, check each, decode, check the result. No keys, nothing believed.
//!
//! ```text
//!   sources ─▶ k pulls at once ─▶ BLAKE3 == source id? ─no─▶ the next source in its place
//!                                        └ k good ones ─▶ decode ─▶ BLAKE3 == shard id? ─▶ bytes to store
//! ```
//! A source that is the wanted shard itself, as with `k = 1`, is a plain copy.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use nodio_codec::erasure::rebuild_one;
use nodio_host::blocking;
use nodio_wire::api::{BadSource, Outcome, RepairSource};
use nodio_wire::donor::{DonorError, Transport};
use nodio_wire::{Code, ShardId};

use crate::limits::SOURCE_MS;

/// The shard that is wanted and how it belongs to its segment.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) code: Code,
    pub(crate) shard_bytes: u32,
    pub(crate) position: u8,
    pub(crate) shard: ShardId,
}

/// Why a rebuild failed, and the sources that were missing or corrupt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    pub(crate) bad: Vec<BadSource>,
}

impl From<Failure> for Outcome {
    fn from(Failure { reason, bad }: Failure) -> Self {
        Self::Failed { reason, bad }
    }
}

/// Good shards so far, by position, and what went wrong meanwhile.
#[derive(Default)]
struct Pulled {
    good: Vec<(usize, Bytes)>,
    bad: Vec<BadSource>,
    last_error: Option<String>,
}

impl Pulled {
    fn fail(self, reason: String) -> Failure {
        let reason = self.last_error.map_or(reason.clone(), |error| format!("{reason}; last: {error}"));
        Failure { reason, bad: self.bad }
    }
}

/// The wanted shard's bytes, checked against its id.
pub(crate) async fn rebuild(transport: &dyn Transport, wanted: Wanted, sources: Vec<RepairSource>) -> Result<Bytes, Failure> {
    let (copies, others): (Vec<_>, Vec<_>) = sources.into_iter().partition(|source| source.shard == wanted.shard);
    let mut pulled = Pulled::default();
    pull(transport, &wanted, copies, 1, &mut pulled).await;
    if let Some((_, copy)) = pulled.good.pop() {
        return Ok(copy);
    }
    pull(transport, &wanted, others, wanted.code.k(), &mut pulled).await;
    if pulled.good.len() < wanted.code.k() {
        let reason = format!("{} of {} sources could be read", pulled.good.len(), wanted.code.k());
        return Err(pulled.fail(reason));
    }
    let good = std::mem::take(&mut pulled.good);
    match blocking(move || decode(&wanted, &good)).await {
        Ok(Ok(shard)) => Ok(shard),
        Ok(Err(reason)) => Err(pulled.fail(reason)),
        Err(panicked) => Err(pulled.fail(panicked.to_string())),
    }
}

/// Pulls until `count` are good or no source is left; as many at once as are still missing.
async fn pull(transport: &dyn Transport, wanted: &Wanted, sources: Vec<RepairSource>, count: usize, pulled: &mut Pulled) {
    let mut waiting: VecDeque<RepairSource> = sources.into();
    let mut flying = FuturesUnordered::new();
    while pulled.good.len() < count {
        while pulled.good.len() + flying.len() < count
            && let Some(source) = waiting.pop_front()
        {
            flying.push(one(transport, wanted.shard_bytes, source));
        }
        let Some((source, outcome)) = flying.next().await else { return };
        match outcome {
            Ok(bytes) => pulled.good.push((source.position.into(), bytes)),
            Err(fault) => {
                pulled.bad.extend(fault.is_lasting().then_some(BadSource { node: source.node, shard: source.shard }));
                pulled.last_error = Some(format!("node {}: {fault}", source.node));
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum SourceFault {
    #[error(transparent)]
    Donor(#[from] DonorError),
    #[error("it took too long")]
    Slow,
    #[error("the bytes are not the shard")]
    Corrupt,
    #[error("{0}")]
    Ours(String),
}

impl SourceFault {
    /// True if the source does not have the shard any more, false if it may be asked again.
    fn is_lasting(&self) -> bool {
        matches!(self, Self::Corrupt | Self::Donor(DonorError::NotHeld | DonorError::Rotten))
    }
}

async fn one(transport: &dyn Transport, shard_bytes: u32, source: RepairSource) -> (RepairSource, Result<Bytes, SourceFault>) {
    let get = transport.get(&source.addr, &source.ticket, source.shard, None);
    let outcome = match tokio::time::timeout(Duration::from_millis(SOURCE_MS), get).await {
        Err(_) => Err(SourceFault::Slow),
        Ok(Err(error)) => Err(error.into()),
        Ok(Ok(bytes)) => checked(source.shard, shard_bytes, bytes).await,
    };
    (source, outcome)
}

async fn checked(id: ShardId, shard_bytes: u32, bytes: Bytes) -> Result<Bytes, SourceFault> {
    if bytes.len() != shard_bytes as usize {
        return Err(SourceFault::Corrupt);
    }
    let hashed = blocking(move || (ShardId::of(&bytes), bytes)).await.map_err(|error| SourceFault::Ours(error.to_string()))?;
    if hashed.0 == id { Ok(hashed.1) } else { Err(SourceFault::Corrupt) }
}

fn decode(wanted: &Wanted, good: &[(usize, Bytes)]) -> Result<Bytes, String> {
    let present: Vec<(usize, &[u8])> = good.iter().map(|(position, bytes)| (*position, &bytes[..])).collect();
    let position = wanted.position.into();
    let shard = rebuild_one(wanted.code.k(), wanted.code.n(), &present, position).map_err(|error| error.to_string())?;
    if ShardId::of(&shard) == wanted.shard { Ok(shard.into()) } else { Err("the rebuilt bytes are not the shard wanted".into()) }
}

#[cfg(test)]
mod tests {
    use nodio_codec::erasure::encode;
    use nodio_wire::NodeId;
    use nodio_wire::donor::memory::MemoryTransport;
    use nodio_wire::ticket::SignedTicket;

    use super::*;

    const LEN: usize = 3000;

    fn ticket() -> SignedTicket {
        SignedTicket(String::new())
    }

    /// A segment of `k/n` with shard `i` at donor `d{i}`, and what a repairer is told to rebuild `position`.
    async fn segment(k: usize, n: usize, position: u8) -> (MemoryTransport, Wanted, Vec<RepairSource>, Bytes) {
        let data: Vec<Vec<u8>> = (0..k).map(|i| (0..LEN).map(|j| (i * 31 + j * 7) as u8).collect()).collect();
        let mut parity = vec![vec![0; LEN]; n - k];
        let slices: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
        encode(&slices, &mut parity.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>()).unwrap();
        let shards: Vec<Bytes> = data.into_iter().chain(parity).map(Bytes::from).collect();
        let transport = MemoryTransport::default();
        let mut sources = Vec::new();
        for (i, shard) in shards.iter().enumerate().filter(|(i, _)| *i != usize::from(position)) {
            let (addr, id) = (format!("d{i}"), ShardId::of(shard));
            transport.put(&addr, &ticket(), id, shard.clone()).await.unwrap();
            sources.push(RepairSource { position: i as u8, shard: id, node: NodeId(i as u32), addr, ticket: ticket() });
        }
        let lost = shards[usize::from(position)].clone();
        let code = Code::new(k as u8, n as u8).unwrap();
        let wanted = Wanted { code, shard_bytes: LEN as u32, position, shard: ShardId::of(&lost) };
        (transport, wanted, sources, lost)
    }

    #[tokio::test]
    async fn any_position_is_rebuilt_from_the_first_sources_that_are_good() {
        for position in 0..6 {
            let (transport, wanted, sources, lost) = segment(4, 6, position).await;
            transport.corrupt(&sources[1].addr);
            assert_eq!(rebuild(&transport, wanted, sources).await, Ok(lost));
            assert_eq!(transport.reads().0, 5, "one source had to be replaced, no other was read");
        }
    }

    #[tokio::test]
    async fn replicas_are_copied_from_the_first_that_answers() {
        let (transport, wanted, sources, lost) = segment(1, 4, 2).await;
        transport.kill(&sources[0].addr);
        transport.corrupt(&sources[1].addr);
        assert_eq!(rebuild(&transport, wanted, sources).await, Ok(lost));
    }

    #[tokio::test]
    async fn too_few_sources_fail_and_name_those_that_were_missing_or_corrupt() {
        let (transport, wanted, sources, _) = segment(4, 6, 5).await;
        transport.corrupt("d1");
        transport.wipe("d2");
        transport.kill("d0");
        let failure = rebuild(&transport, wanted, sources.clone()).await.unwrap_err();
        let mut bad: Vec<_> = failure.bad.iter().map(|bad| bad.node.0).collect();
        bad.sort_unstable();
        assert_eq!(bad, [1, 2], "a donor that is away is not accused");
        assert!(failure.reason.starts_with("2 of 4"), "{}", failure.reason);
    }

    #[tokio::test]
    async fn a_wanted_id_that_the_sources_do_not_give_is_not_believed() {
        let (transport, wanted, sources, _) = segment(2, 4, 0).await;
        let failure = rebuild(&transport, Wanted { shard: ShardId::of(b"another"), ..wanted }, sources).await.unwrap_err();
        assert!(failure.bad.is_empty() && failure.reason.contains("not the shard"));
    }
}
