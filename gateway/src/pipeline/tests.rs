//! The pipeline over donors in memory that die, lie, fill up and dawdle.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use md5::{Digest, Md5};
use nodio_wire::donor::memory::MemoryTransport;
use nodio_wire::fleet::memory::{MemoryFleet, addr};
use nodio_wire::fleet::{FleetError, ShardFault, ShardReport};
use nodio_wire::{Code, CodePolicy};

use super::*;

struct World {
    fleet: Arc<MemoryFleet>,
    donors: Arc<MemoryTransport>,
    pipeline: Pipeline,
    code: CodePolicy,
}

fn world(donors: u32, code: &str) -> World {
    let fleet = Arc::new(MemoryFleet::new(donors));
    let transport = Arc::new(MemoryTransport::default());
    let code = code.parse::<CodePolicy>().expect("a code");
    let options = PipelineOptions { memory_bytes_max: 64 << 20 };
    World { pipeline: Pipeline::new(fleet.clone(), transport.clone(), options), fleet, donors: transport, code }
}

fn bytes(len: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ len as u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(|_| next()).collect()
}

fn body(bytes: &Bytes) -> Body {
    let chunks: Vec<Bytes> = bytes.chunks(100_000).map(Bytes::copy_from_slice).collect();
    stream::iter(chunks.into_iter().map(Ok)).boxed()
}

fn options(code: CodePolicy) -> WriteOptions {
    WriteOptions { checksums: vec![ChecksumKind::Crc32c], length: None, bytes_max: u64::MAX, code }
}

impl World {
    fn options(&self) -> WriteOptions {
        options(self.code)
    }

    async fn write(&self, bytes: &Bytes) -> Result<WrittenPart, WriteError> {
        self.pipeline.write(body(bytes), self.options()).await
    }

    async fn read(&self, part: &WrittenPart, range: Range<u64>) -> Result<Bytes, ReadError> {
        let body = self.pipeline.read(vec![piece(part, range)]).await?;
        let chunks: Vec<Bytes> = body.try_collect().await.map_err(|error| ReadError::Internal(error.to_string()))?;
        Ok(chunks.concat().into())
    }

    /// A donor whose shard every healthy read of the first segment needs.
    fn holder_of_data(&self) -> u32 {
        self.fleet.segments()[0].shards[0].node.expect("placed").0
    }

    /// Returns when every segment was released; the test's own time limit is the deadline.
    async fn nothing_in_the_map(&self) {
        while !self.fleet.segments().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What the coordinator was told, as soon as it was told anything.
    async fn reports(&self) -> Vec<ShardReport> {
        while self.fleet.reports().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.fleet.reports()
    }

    /// Reads with nothing remembered from before.
    fn forgetful(&self) -> Self {
        let options = PipelineOptions { memory_bytes_max: 64 << 20 };
        let pipeline = Pipeline::new(self.fleet.clone(), self.donors.clone(), options);
        Self { fleet: self.fleet.clone(), donors: self.donors.clone(), pipeline, code: self.code }
    }
}

fn piece(part: &WrittenPart, range: Range<u64>) -> ReadPiece {
    ReadPiece { part: part.id, key: part.key.clone(), place: part.place.clone(), len: part.len, range }
}

const MIB: usize = 1 << 20;

#[tokio::test]
async fn bodies_of_every_size_come_back() {
    let world = world(6, "4/6");
    for len in [0, 1, 4096, 4097, 65_536, 65_537, MIB + 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 9 * MIB + 12_345] {
        let sent = bytes(len);
        let part = world.write(&sent).await.expect("writes");
        assert_eq!(part.len, len as u64);
        assert_eq!(part.md5, <[u8; 16]>::from(Md5::digest(&sent)));
        assert_eq!(part.checksums.len(), 1);
        match len {
            0 => assert_eq!(part.place, Place::Empty),
            1..=4096 => assert!(matches!(part.place, Place::Inline(_)), "{len}"),
            4097..=65_536 => assert_eq!(part.place, Place::Segments(Code::new(1, 3).expect("code"))),
            _ => assert_eq!(part.place, Place::Segments(Code::new(4, 6).expect("code"))),
        }
        assert!(world.read(&part, 0..len as u64).await.expect("reads") == sent, "{len} bytes differ");
    }
}

#[tokio::test]
async fn ranges_read_only_what_they_need() {
    let world = world(6, "4/6");
    let sent = bytes(9 * MIB);
    let part = world.write(&sent).await.expect("writes");
    for (start, end) in
        [(0, 1), (65_535, 65_537), (4 * MIB - 1, 4 * MIB + 1), (MIB, 2 * MIB), (9 * MIB - 1, 9 * MIB), (5, 9 * MIB - 5)]
    {
        let before = world.donors.reads().1;
        let got = world.read(&part, start as u64..end as u64).await.expect("reads");
        assert!(got == sent.slice(start..end), "{start}..{end} differs");
        let read = (world.donors.reads().1 - before) as usize;
        assert!(read <= (end - start) + 4 * 65_552 + (end - start) / 1000, "{start}..{end} read {read} bytes");
    }
}

#[tokio::test]
async fn several_parts_read_as_one() {
    let world = world(6, "4/6");
    let (a, b, c) = (bytes(5 * MIB), bytes(0), bytes(100));
    let mut pieces = Vec::new();
    for bytes in [&a, &b, &c] {
        let part = world.write(bytes).await.expect("writes");
        pieces.push(piece(&part, 0..part.len));
    }
    let body = world.pipeline.read(pieces).await.expect("reads");
    let got: Vec<Bytes> = body.try_collect().await.expect("reads");
    assert!(got.concat() == [a, b, c].concat());
}

#[tokio::test]
async fn any_two_dead_donors_of_six_hide_nothing() {
    let world = world(6, "4/6");
    let (large, small) = (bytes(5 * MIB), bytes(20_000));
    let (first, second) = (world.write(&large).await.expect("writes"), world.write(&small).await.expect("writes"));
    for (a, b) in [(1, 2), (3, 6), (5, 4)] {
        let world = world.forgetful();
        world.donors.kill(&addr(a));
        world.donors.kill(&addr(b));
        assert!(world.read(&first, 0..first.len).await.expect("reads") == large);
        assert!(world.read(&first, 70_000..80_000).await.expect("reads") == large.slice(70_000..80_000));
        assert!(world.read(&second, 0..second.len).await.expect("reads") == small);
        world.donors.revive(&addr(a));
        world.donors.revive(&addr(b));
    }
}

#[tokio::test]
async fn a_third_dead_donor_is_a_clear_error() {
    let world = world(6, "4/6");
    let part = world.write(&bytes(5 * MIB)).await.expect("writes");
    (1..=3).for_each(|number| world.donors.kill(&addr(number)));
    assert!(matches!(world.read(&part, 0..part.len).await, Err(ReadError::Unreadable(_))));
}

#[tokio::test]
async fn a_lying_donor_is_found_out_and_reported() {
    let world = world(6, "4/6");
    let sent = bytes(5 * MIB);
    let part = world.write(&sent).await.expect("writes");
    let liar = world.holder_of_data();
    assert!(world.donors.corrupt(&addr(liar)) > 0);
    assert!(world.read(&part, 0..part.len).await.expect("reads") == sent);
    let reports = world.reports().await;
    assert!(reports.iter().all(|report| report.node.0 == liar && report.fault == ShardFault::Corrupt), "{reports:?}");
}

#[tokio::test]
async fn lost_shards_are_read_around_and_reported() {
    let world = world(6, "4/6");
    let sent = bytes(5 * MIB);
    let part = world.write(&sent).await.expect("writes");
    let emptied = world.holder_of_data();
    world.donors.wipe(&addr(emptied));
    assert!(world.read(&part, 0..part.len).await.expect("reads") == sent);
    let reports = world.reports().await;
    assert!(reports.iter().all(|report| report.node.0 == emptied && report.fault == ShardFault::Missing), "{reports:?}");
}

#[tokio::test]
async fn another_key_opens_nothing() {
    let world = world(6, "4/6");
    for len in [100, 20_000, 2 * MIB] {
        let mut part = world.write(&bytes(len)).await.expect("writes");
        part.key = DataKey::random();
        assert!(matches!(world.read(&part, 0..part.len).await, Err(ReadError::Damaged(_))), "{len}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_donor_is_hedged() {
    let world = world(6, "4/6");
    let sent = bytes(2 * MIB);
    let part = world.write(&sent).await.expect("writes");
    world.donors.slow(&addr(1), Duration::from_secs(8));
    world.donors.slow(&addr(2), Duration::from_secs(8));
    let began = tokio::time::Instant::now();
    assert!(world.read(&part, 0..part.len).await.expect("reads") == sent);
    assert!(began.elapsed() < Duration::from_secs(2), "waited for the slow: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_dead_or_full_donor_is_replaced_by_a_spare() {
    let world = world(8, "4/6");
    world.donors.kill(&addr(1));
    world.donors.fill(&addr(2));
    let sent = bytes(9 * MIB);
    let part = world.write(&sent).await.expect("writes");
    for segment in world.fleet.segments() {
        assert!(segment.shards.iter().all(|shard| shard.node.is_some_and(|node| node.0 > 2)), "{segment:?}");
    }
    assert!(world.read(&part, 0..part.len).await.expect("reads") == sent);
}

#[tokio::test]
async fn below_the_quorum_others_are_asked_for_apart_from_those_that_hold_shards() {
    let world = world(12, "4/6");
    // Eight are granted, 2 to 9.
    (2..=5).for_each(|number| world.donors.kill(&addr(number)));
    world.write(&bytes(2 * MIB)).await.expect("writes");
    let asked = world.fleet.asked();
    let mut holding: Vec<u32> = asked[1].holding.iter().map(|node| node.0).collect();
    holding.sort_unstable();
    assert_eq!((asked.len(), &asked[0].holding[..], &holding[..]), (2, &[][..], &[6, 7, 8, 9][..]));
    assert_eq!((asked[1].segments, asked[1].spares), (1, 6), "as many to spare as failed, and two");
    let segment = &world.fleet.segments()[0];
    let placed: std::collections::HashSet<u32> =
        segment.shards.iter().filter_map(|shard| shard.node).map(|node| node.0).collect();
    assert!(placed.len() == 6 && placed.is_disjoint(&(2..=5).collect()), "{segment:?}");
}

#[tokio::test]
async fn one_missing_shard_is_left_to_repair_and_two_are_refused() {
    let world = world(6, "4/6");
    world.donors.kill(&addr(1));
    world.write(&bytes(2 * MIB)).await.expect("five of six are a quorum");
    let placed = world.fleet.segments()[0].shards.iter().filter(|shard| shard.node.is_some()).count();
    assert_eq!(placed, 5);
    world.donors.kill(&addr(2));
    assert!(matches!(world.write(&bytes(2 * MIB)).await, Err(WriteError::Donors(_))));
    assert_eq!(world.fleet.segments().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_laggard_does_not_hold_up_a_write_for_long() {
    let world = world(6, "4/6");
    world.donors.slow(&addr(3), Duration::from_secs(9));
    let began = tokio::time::Instant::now();
    world.write(&bytes(2 * MIB)).await.expect("writes");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_laggard_is_replaced_where_there_are_spares() {
    let world = world(8, "4/6");
    world.donors.slow(&addr(3), Duration::from_secs(9));
    for _ in 0..4 {
        world.write(&bytes(2 * MIB)).await.expect("writes");
    }
    for segment in world.fleet.segments() {
        assert!(segment.shards.iter().all(|shard| shard.node.is_some()), "{segment:?}");
    }
}

#[tokio::test]
async fn bodies_of_the_wrong_length_leave_nothing() {
    let world = world(6, "4/6");
    let sent = bytes(10 * MIB);
    let announced = |length, bytes_max| WriteOptions { length, bytes_max, ..world.options() };
    let write = |options| world.pipeline.write(body(&sent), options);
    assert!(matches!(write(announced(Some(10 * MIB as u64 + 1), u64::MAX)).await, Err(WriteError::WrongLength { .. })));
    assert!(matches!(write(announced(Some(10 * MIB as u64 - 1), u64::MAX)).await, Err(WriteError::WrongLength { .. })));
    assert!(matches!(write(announced(None, MIB as u64)).await, Err(WriteError::TooLong { .. })));
    let broken = stream::iter([Ok(sent.slice(..9 * MIB)), Err(BodyError("cut".into()))]).boxed();
    assert!(matches!(world.pipeline.write(broken, world.options()).await, Err(WriteError::Body(_))));
    world.nothing_in_the_map().await;
}

#[tokio::test]
async fn a_dropped_write_releases_what_it_had_entered() {
    let world = world(6, "4/6");
    let chunk = bytes(4 * MIB);
    let endless = stream::repeat_with(move || Ok(chunk.clone())).boxed();
    let write = tokio::time::timeout(Duration::from_secs(4), world.pipeline.write(endless, world.options()));
    let entered = async {
        while world.fleet.segments().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! { ended = write => panic!("an endless write ended: {}", ended.is_ok()), () = entered => {} }
    world.nothing_in_the_map().await;
}

#[tokio::test]
async fn without_a_coordinator_writes_say_so() {
    let world = world(6, "4/6");
    world.fleet.down(true);
    assert!(matches!(world.write(&bytes(MIB)).await, Err(WriteError::Fleet(FleetError::Unavailable(_)))));
}

#[tokio::test]
async fn a_wrong_code_is_refused_before_anything_is_sent() {
    let world = world(3, "4/6");
    assert!(matches!(world.write(&bytes(MIB)).await, Err(WriteError::Fleet(FleetError::NotEnoughDonors { need: 5, have: 3 }))));
    assert!(world.donors.held().is_empty());
}

#[tokio::test]
async fn auto_follows_the_number_of_donors() {
    let alone = world(1, "auto").write(&bytes(MIB)).await;
    assert!(matches!(alone, Err(WriteError::Fleet(FleetError::NotEnoughDonors { need: 2, have: 1 }))));
    world(1, "1/1").write(&bytes(MIB)).await.expect("one copy, as asked for");
    for (donors, code) in [(2, (1, 2)), (3, (1, 3)), (6, (4, 6))] {
        let world = world(donors, "auto");
        let part = world.write(&bytes(MIB)).await.expect("writes");
        assert_eq!(part.place, Place::Segments(Code::new(code.0, code.1).expect("code")));
    }
}

#[tokio::test]
async fn donors_hold_no_plaintext() {
    let world = world(6, "4/6");
    let marker = b"a phrase that must not be found on any donor ".repeat(50_000);
    world.write(&marker.into()).await.expect("writes");
    for (_, _, shard) in world.donors.held() {
        assert!(!shard.windows(8).any(|window| window == b"a phrase"));
    }
}

#[tokio::test]
async fn many_readers_and_writers_fit_into_a_small_memory() {
    let fleet = Arc::new(MemoryFleet::new(6));
    let options_small = PipelineOptions { memory_bytes_max: 24 << 20 };
    let code = CodePolicy::Fixed(Code::new(4, 6).expect("code"));
    let pipeline = Pipeline::new(fleet, Arc::new(MemoryTransport::default()), options_small);
    let sent = bytes(9 * MIB);
    let run = |_| {
        let (pipeline, sent) = (pipeline.clone(), sent.clone());
        async move {
            let part = pipeline.write(body(&sent), options(code)).await.expect("writes");
            let body = pipeline.read(vec![piece(&part, 0..part.len)]).await.expect("reads");
            let seen = body.try_fold(0, |at, chunk| {
                assert!(chunk == sent.slice(at..at + chunk.len()));
                futures::future::ready(Ok(at + chunk.len()))
            });
            assert_eq!(seen.await.expect("reads"), sent.len());
        }
    };
    futures::future::join_all((0..8).map(run)).await;
}
