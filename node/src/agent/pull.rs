//! Shards from other donors, each checked against its id, the next source in place of one that fails or dawdles.
//!
//! ```text
//!   sources, fast donors first ─▶ as many at once as are missing ─▶ BLAKE3 == id? ─no─▶ the next source
//!                                        └ nothing for a second ─▶ one more beside
//! ```
//! A position may have several sources: the others wait until the one asked has failed.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use nodio_host::blocking;
use nodio_wire::ShardId;
use nodio_wire::api::{BadSource, RepairSource};
use nodio_wire::donor::{DonorError, Transport};
use tokio::time::Instant;

use super::pace::Paces;
use crate::limits::{SOURCE_MS, SOURCE_SLOW_MS, SPARE_SOURCES};

/// What makes two sources the same thing from two donors.
pub(crate) type Key = fn(&RepairSource) -> (u8, ShardId);

/// By position: what decoding needs.
pub(crate) fn by_position(source: &RepairSource) -> (u8, ShardId) {
    (source.position, ShardId([0; 32]))
}

/// By content: what copying needs.
pub(crate) fn by_shard(source: &RepairSource) -> (u8, ShardId) {
    (0, source.shard)
}

/// Good shards so far, and what went wrong meanwhile.
#[derive(Default)]
pub(crate) struct Pulled {
    pub(crate) good: Vec<(RepairSource, Bytes)>,
    pub(crate) bad: Vec<BadSource>,
    pub(crate) last_error: Option<String>,
}

/// How shards are had from others.
pub(crate) struct Puller<'a> {
    pub(crate) transport: &'a dyn Transport,
    pub(crate) paces: &'a Paces,
    pub(crate) shard_bytes: u32,
}

impl Puller<'_> {
    /// Pulls until `count` different ones are good or no source is left.
    pub(crate) async fn pull(&self, mut sources: Vec<RepairSource>, key: Key, count: usize, pulled: &mut Pulled) {
        sources.sort_by_key(|source| self.paces.class(source.node));
        let mut round = Round { waiting: sources.into(), flying: Vec::new(), key, spares: 0 };
        let mut pulls = FuturesUnordered::new();
        while pulled.good.len() < count {
            while pulled.good.len() + round.flying.len() < count + round.spares
                && let Some(source) = round.next(pulled)
            {
                pulls.push(self.one(source));
            }
            let next = tokio::time::timeout(Duration::from_millis(SOURCE_SLOW_MS), pulls.next());
            match next.await {
                Ok(None) => return,
                Ok(Some((source, outcome))) => round.landed(source, outcome, pulled),
                Err(_) => round.spares = (round.spares + 1).min(SPARE_SOURCES),
            }
        }
        drop(pulls);
        self.remember_overtaken(&round);
    }

    /// Those that were slow enough for another to be asked in their place.
    fn remember_overtaken(&self, round: &Round) {
        for (source, began) in &round.flying {
            if began.elapsed() >= Duration::from_millis(SOURCE_SLOW_MS) {
                self.paces.took(source.node, began.elapsed());
            }
        }
    }

    async fn one(&self, source: RepairSource) -> (RepairSource, Result<Bytes, SourceFault>) {
        let began = Instant::now();
        // As a range, so that no more is taken in than the shard may have. An empty one has no range.
        let range = (self.shard_bytes > 0).then_some(0..self.shard_bytes);
        let get = self.transport.get(&source.addr, &source.ticket, source.shard, range);
        let outcome = match tokio::time::timeout(Duration::from_millis(SOURCE_MS), get).await {
            Err(_) => Err(SourceFault::Slow),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(bytes)) => checked(source.shard, self.shard_bytes, bytes).await,
        };
        // One that fails in no time is not a fast one.
        let took = if outcome.is_ok() { began.elapsed() } else { Duration::from_millis(SOURCE_MS) };
        self.paces.took(source.node, took);
        (source, outcome)
    }
}

/// Who was asked and who could be.
struct Round {
    waiting: VecDeque<RepairSource>,
    flying: Vec<(RepairSource, Instant)>,
    key: Key,
    spares: usize,
}

impl Round {
    /// The next source worth asking: of what is neither there nor asked for already, but to stand in for slow ones.
    fn next(&mut self, pulled: &Pulled) -> Option<RepairSource> {
        let key = self.key;
        let there = |wanted: &RepairSource| pulled.good.iter().any(|(source, _)| key(source) == key(wanted));
        let asked = |wanted: &RepairSource| self.flying.iter().any(|(source, _)| key(source) == key(wanted));
        let fresh = self.waiting.iter().position(|source| !there(source) && !asked(source));
        let stand_in = || self.waiting.iter().position(|source| self.spares > 0 && !there(source));
        let source = self.waiting.remove(fresh.or_else(stand_in)?)?;
        self.flying.push((source.clone(), Instant::now()));
        Some(source)
    }

    fn landed(&mut self, source: RepairSource, outcome: Result<Bytes, SourceFault>, pulled: &mut Pulled) {
        self.flying.retain(|(flying, _)| (flying.node, flying.position) != (source.node, source.position));
        match outcome {
            Ok(bytes) => {
                let twice = pulled.good.iter().any(|(good, _)| (self.key)(good) == (self.key)(&source));
                pulled.good.extend((!twice).then_some((source, bytes)));
            }
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

async fn checked(id: ShardId, shard_bytes: u32, bytes: Bytes) -> Result<Bytes, SourceFault> {
    if bytes.len() != shard_bytes as usize {
        return Err(SourceFault::Corrupt);
    }
    let hashed = blocking(move || (ShardId::of(&bytes), bytes)).await.map_err(|error| SourceFault::Ours(error.to_string()))?;
    if hashed.0 == id { Ok(hashed.1) } else { Err(SourceFault::Corrupt) }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Mutex;

    use async_trait::async_trait;
    use nodio_wire::NodeId;
    use nodio_wire::buffer::Buffer;
    use nodio_wire::donor::Stored;
    use nodio_wire::ticket::SignedTicket;

    use super::*;

    /// Has every shard, of the length asked for, and remembers that.
    #[derive(Default)]
    struct Asked(Mutex<Vec<Option<Range<u32>>>>);

    #[async_trait]
    impl Transport for Asked {
        async fn put(&self, _: &str, _: &SignedTicket, _: ShardId, _: Bytes) -> Result<Stored, DonorError> {
            Err(DonorError::Full)
        }

        async fn read(&self, _: &str, _: &SignedTicket, _: ShardId, range: Option<Range<u32>>) -> Result<Buffer, DonorError> {
            let len = range.as_ref().map_or(0, |range| range.len());
            self.0.lock().unwrap().push(range);
            Ok(Buffer::from(&vec![0; len][..]))
        }
    }

    #[tokio::test]
    async fn no_more_is_asked_for_than_the_shard_has() {
        for (shard_bytes, want) in [(70, Some(0..70)), (0, None)] {
            let transport = Asked::default();
            let puller = Puller { transport: &transport, paces: &Paces::default(), shard_bytes };
            let shard = ShardId::of(&vec![0; shard_bytes as usize]);
            let (addr, ticket) = (String::new(), SignedTicket(String::new()));
            let source = RepairSource { position: 0, shard, node: NodeId(1), addr, ticket };
            let mut pulled = Pulled::default();
            puller.pull(vec![source], by_position, 1, &mut pulled).await;
            assert_eq!(pulled.good.len(), 1);
            assert_eq!(*transport.0.lock().unwrap(), [want]);
        }
    }
}
