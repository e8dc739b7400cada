//! One rebuild: pull any `k` shards of a segment once, decode every one that is wanted, check each. No keys, nothing believed.
//!
//! ```text
//!   sources ─▶ k good ones ─▶ decode all wanted, column by column ─▶ BLAKE3 == shard id? ─▶ made
//! ```
//! Where every wanted shard is still had by somebody, as with `k = 1`, the copies are pulled and nothing is decoded. In memory are
//! the shards pulled, the shards made, and one column of the segment.

use bytes::Bytes;
use nodio_codec::erasure;
use nodio_host::blocking;
use nodio_wire::api::{BadSource, RepairSource, Target};
use nodio_wire::{Code, ShardId};

use super::pull::{Pulled, Puller, by_position, by_shard};
use crate::buffer::Buffer;
use crate::limits::{DECODE_COLUMN_BYTES, SPARE_SOURCES};

/// What came of a rebuild.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Checked against their ids.
    pub(crate) shards: Vec<(Target, Bytes)>,
    pub(crate) bad: Vec<BadSource>,
    /// Why what is not among the shards isn't.
    pub(crate) reason: Option<String>,
}

/// Bytes that a rebuild of `targets` shards holds at its peak.
pub(crate) fn weight(code: Code, shard_bytes: u32, targets: usize) -> usize {
    let shards = code.k() + SPARE_SOURCES + targets;
    let column = DECODE_COLUMN_BYTES.min(shard_bytes as usize);
    shards * shard_bytes as usize + (code.n() + targets) * column
}

pub(crate) async fn rebuild(puller: &Puller<'_>, code: Code, targets: Vec<Target>, sources: Vec<RepairSource>) -> Made {
    let mut pulled = Pulled::default();
    let (copies, mut others): (Vec<_>, Vec<_>) =
        sources.into_iter().partition(|source| targets.iter().any(|target| target.shard == source.shard));
    let different = count_different(&targets);
    if count_different_sources(&copies) == different {
        puller.pull(copies, by_shard, different, &mut pulled).await;
    } else {
        others.extend(copies);
    }
    if pulled.good.len() < different {
        puller.pull(others, by_position, code.k(), &mut pulled).await;
    }
    make(puller.shard_bytes, code, targets, pulled).await
}

fn count_different(targets: &[Target]) -> usize {
    let mut ids: Vec<ShardId> = targets.iter().map(|target| target.shard).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.len()
}

fn count_different_sources(sources: &[RepairSource]) -> usize {
    let mut ids: Vec<ShardId> = sources.iter().map(|source| source.shard).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.len()
}

/// The targets among the shards pulled, and the others decoded from them.
async fn make(shard_bytes: u32, code: Code, targets: Vec<Target>, pulled: Pulled) -> Made {
    let Pulled { good, bad, last_error } = pulled;
    let copy_of = |target: &Target| good.iter().find(|(source, _)| source.shard == target.shard).map(|(_, bytes)| bytes.clone());
    let (mut shards, mut wanted) = (Vec::new(), Vec::new());
    for target in targets {
        match copy_of(&target) {
            Some(bytes) => shards.push((target, bytes)),
            None => wanted.push(target),
        }
    }
    if wanted.is_empty() {
        return Made { shards, bad, reason: None };
    }
    if good.len() < code.k() {
        let counted = format!("{} of {} sources could be read", good.len(), code.k());
        let reason = last_error.map_or(counted.clone(), |error| format!("{counted}; last: {error}"));
        return Made { shards, bad, reason: Some(reason) };
    }
    let decoded = blocking(move || decode(code, shard_bytes, &good, wanted)).await;
    match decoded.unwrap_or_else(|panicked| Err(panicked.to_string())) {
        Ok(Decoded { made, wrong }) => {
            shards.extend(made);
            let reason = (wrong > 0).then(|| format!("{wrong} of the rebuilt shards are not what their ids name"));
            Made { shards, bad, reason }
        }
        Err(reason) => Made { shards, bad, reason: Some(reason) },
    }
}

/// Shards that are what their ids say, and how many were not.
struct Decoded {
    made: Vec<(Target, Bytes)>,
    wrong: usize,
}

fn decode(code: Code, shard_bytes: u32, good: &[(RepairSource, Bytes)], wanted: Vec<Target>) -> Result<Decoded, String> {
    let positions: Vec<usize> = wanted.iter().map(|target| target.position.into()).collect();
    let mut made: Vec<Buffer> = wanted.iter().map(|_| Buffer::new(shard_bytes as usize)).collect();
    for start in (0..shard_bytes as usize).step_by(DECODE_COLUMN_BYTES) {
        let end = (start + DECODE_COLUMN_BYTES).min(shard_bytes as usize);
        let column = good.iter().take(code.k()).map(|(source, bytes)| (source.position.into(), &bytes[start..end]));
        let column: Vec<(usize, &[u8])> = column.collect();
        let rebuilt = erasure::rebuild(code.k(), code.n(), &column, &positions).map_err(|error| error.to_string())?;
        for (buffer, piece) in made.iter_mut().zip(rebuilt) {
            buffer.as_mut_vec().extend_from_slice(&piece);
        }
    }
    let count = wanted.len();
    let named = wanted.into_iter().zip(made.into_iter().map(Buffer::into_bytes));
    let made: Vec<_> = named.filter(|(target, bytes)| ShardId::of(bytes) == target.shard).collect();
    Ok(Decoded { wrong: count - made.len(), made })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nodio_codec::erasure::encode;
    use nodio_wire::NodeId;
    use nodio_wire::api::Destination;
    use nodio_wire::donor::Transport;
    use nodio_wire::donor::memory::MemoryTransport;
    use nodio_wire::proof::Slice;
    use nodio_wire::ticket::SignedTicket;

    use super::super::pace::Paces;
    use super::*;

    /// More than one column, and not a whole number of them.
    const LEN: usize = DECODE_COLUMN_BYTES + 3000;

    fn ticket() -> SignedTicket {
        SignedTicket(String::new())
    }

    /// A segment of `k/n` with shard `i` at donor `d{i}`, but for those lost.
    struct Segment {
        transport: MemoryTransport,
        paces: Paces,
        code: Code,
        shards: Vec<Bytes>,
        sources: Vec<RepairSource>,
    }

    impl Segment {
        async fn new(k: usize, n: usize, lost: &[usize]) -> Self {
            let data: Vec<Vec<u8>> = (0..k).map(|i| (0..LEN).map(|j| (i * 31 + j * 7) as u8).collect()).collect();
            let mut parity = vec![vec![0; LEN]; n - k];
            let slices: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
            encode(&slices, &mut parity.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>()).unwrap();
            let shards: Vec<Bytes> = data.into_iter().chain(parity).map(Bytes::from).collect();
            let transport = MemoryTransport::default();
            let mut sources = Vec::new();
            for (i, shard) in shards.iter().enumerate().filter(|(i, _)| !lost.contains(i)) {
                let (addr, id) = (format!("d{i}"), ShardId::of(shard));
                transport.put(&addr, &ticket(), id, shard.clone()).await.unwrap();
                sources.push(RepairSource { position: i as u8, shard: id, node: NodeId(i as u32), addr, ticket: ticket() });
            }
            Self { transport, paces: Paces::default(), code: Code::new(k as u8, n as u8).unwrap(), shards, sources }
        }

        /// Another holder of position `of`.
        async fn second_holder(&mut self, of: usize, addr: &str, node: u32) {
            let (bytes, id) = (self.shards[of].clone(), ShardId::of(&self.shards[of]));
            self.transport.put(addr, &ticket(), id, bytes).await.unwrap();
            let source = RepairSource { position: of as u8, shard: id, node: NodeId(node), addr: addr.into(), ticket: ticket() };
            self.sources.push(source);
        }

        fn target(&self, position: usize) -> Target {
            let to = Destination::Here { probe: Slice { start: 0, len: 1024 } };
            Target { position: position as u8, shard: ShardId::of(&self.shards[position]), to }
        }

        async fn rebuild(&self, positions: &[usize]) -> Made {
            let puller = Puller { transport: &self.transport, paces: &self.paces, shard_bytes: LEN as u32 };
            let targets = positions.iter().map(|position| self.target(*position)).collect();
            rebuild(&puller, self.code, targets, self.sources.clone()).await
        }

        fn assert_made(&self, made: &Made, positions: &[usize]) {
            let mut got: Vec<usize> = made.shards.iter().map(|(target, _)| target.position.into()).collect();
            got.sort_unstable();
            assert_eq!(got, positions, "{:?}", made.reason);
            for (target, bytes) in &made.shards {
                assert_eq!(*bytes, self.shards[usize::from(target.position)], "position {}", target.position);
            }
        }
    }

    #[tokio::test]
    async fn several_positions_are_rebuilt_from_one_download() {
        for lost in [vec![0, 5], vec![1, 2], vec![4, 5], vec![3]] {
            let segment = Segment::new(4, 6, &lost).await;
            let made = segment.rebuild(&lost).await;
            segment.assert_made(&made, &lost);
            assert_eq!((segment.transport.reads().0, made.reason), (4, None), "k reads, however many are rebuilt");
        }
    }

    #[tokio::test]
    async fn a_bad_source_is_named_and_replaced_by_the_next() {
        let segment = Segment::new(4, 6, &[5]).await;
        segment.transport.corrupt("d1");
        let made = segment.rebuild(&[5]).await;
        segment.assert_made(&made, &[5]);
        assert_eq!(segment.transport.reads().0, 5, "one source had to be replaced, no other was read");
        assert_eq!(made.bad, [BadSource { node: NodeId(1), shard: ShardId::of(&segment.shards[1]) }]);
    }

    #[tokio::test]
    async fn a_second_holder_of_a_position_stands_in_for_the_first_only() {
        let mut segment = Segment::new(2, 4, &[2, 3]).await;
        segment.second_holder(0, "again", 9).await;
        segment.transport.corrupt("d0");
        let made = segment.rebuild(&[2, 3]).await;
        segment.assert_made(&made, &[2, 3]);
        segment.transport.wipe("d1");
        let made = segment.rebuild(&[2, 3]).await;
        assert!(made.shards.is_empty() && made.reason.unwrap().starts_with("1 of 2"), "two copies of one position are not two");
    }

    #[tokio::test]
    async fn replicas_are_copied_once_from_the_first_that_answers() {
        let segment = Segment::new(1, 4, &[2, 3]).await;
        segment.transport.kill("d0");
        let made = segment.rebuild(&[2, 3]).await;
        segment.assert_made(&made, &[2, 3]);
        assert_eq!(segment.transport.reads().0, 1);
    }

    #[tokio::test]
    async fn a_shard_that_somebody_still_has_is_copied_and_not_decoded() {
        let segment = Segment::new(4, 6, &[]).await;
        let made = segment.rebuild(&[2]).await;
        segment.assert_made(&made, &[2]);
        assert_eq!(segment.transport.reads().0, 1);
        segment.transport.corrupt("d2");
        let made = segment.rebuild(&[2]).await;
        segment.assert_made(&made, &[2]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_donor_is_overtaken_and_asked_last_from_then_on() {
        let segment = Segment::new(4, 6, &[5]).await;
        segment.transport.slow("d0", Duration::from_secs(20));
        let began = tokio::time::Instant::now();
        let made = segment.rebuild(&[5]).await;
        segment.assert_made(&made, &[5]);
        assert!(began.elapsed() < Duration::from_secs(3), "waited {:?} for a slow donor", began.elapsed());
        let began = tokio::time::Instant::now();
        segment.assert_made(&segment.rebuild(&[5]).await, &[5]);
        assert!(began.elapsed() < Duration::from_millis(500), "asked the slow one first again");
    }

    #[tokio::test]
    async fn too_few_sources_fail_and_name_those_that_were_missing_or_corrupt() {
        let segment = Segment::new(4, 6, &[5]).await;
        segment.transport.corrupt("d1");
        segment.transport.wipe("d2");
        segment.transport.kill("d0");
        let made = segment.rebuild(&[5]).await;
        let mut bad: Vec<_> = made.bad.iter().map(|bad| bad.node.0).collect();
        bad.sort_unstable();
        assert_eq!(bad, [1, 2], "a donor that is away is not accused");
        let reason = made.reason.unwrap();
        assert!(made.shards.is_empty() && reason.starts_with("2 of 4"), "{reason}");
    }

    #[tokio::test]
    async fn an_id_that_the_sources_do_not_give_is_not_believed_and_the_others_are_made() {
        let segment = Segment::new(2, 4, &[2, 3]).await;
        let puller = Puller { transport: &segment.transport, paces: &segment.paces, shard_bytes: LEN as u32 };
        let wrong = Target { shard: ShardId::of(b"another"), ..segment.target(3) };
        let made = rebuild(&puller, segment.code, vec![wrong, segment.target(2)], segment.sources.clone()).await;
        segment.assert_made(&made, &[2]);
        assert!(made.bad.is_empty() && made.reason.unwrap().contains("not what their ids name"));
    }

    #[test]
    fn the_weight_of_a_wide_code_is_its_sources_and_targets() {
        let mib = 1 << 20;
        let (code, wide) = (Code::new(4, 8).unwrap(), Code::new(29, 80).unwrap());
        assert!(weight(code, mib, 2) < 9 << 20);
        assert!(weight(wide, mib, 1) < 38 << 20);
    }
}
