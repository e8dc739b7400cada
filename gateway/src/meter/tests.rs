//! The count over tables in memory and a coordinator in memory, with a clock of its own.

use nodio_codec::DataKey;
use nodio_meta::MemoryStore;
use nodio_wire::donor::memory::MemoryTransport;
use nodio_wire::fleet::memory::MemoryFleet;
use nodio_wire::fleet::{Fleet, PlacedShard, SegmentCommit};
use nodio_wire::{Code, NodeId, PartId, SegmentId, ShardId};

use super::*;
use crate::keys::{MasterKey, WrapAad};
use crate::names::{ObjectKey, ObjectUid, UserId};
use crate::pipeline::PipelineOptions;
use crate::rows::{BucketRow, ETag, LiveObject, ObjectBody, PartPlace, PartRef};
use crate::tables::{CopyKeys, CopySource, NewBucket, NewObject, Precondition};

const EVERY_MS: u64 = 600_000;
const START: UnixMs = 1_000_000;

struct World {
    fleet: Arc<MemoryFleet>,
    tables: Tables,
    meter: Meter,
    owner: UserId,
}

impl World {
    fn new() -> Self {
        let fleet = Arc::new(MemoryFleet::new(6));
        let tables =
            Tables::new(Arc::new(MemoryStore::new()), MasterKey::from_hex(&hex::encode([1; 32]), "test").expect("a key"));
        let options = PipelineOptions { memory_bytes_max: 64 << 20 };
        let pipeline = Pipeline::new(fleet.clone(), Arc::new(MemoryTransport::default()), options);
        Self { meter: Meter::new(tables.clone(), pipeline, EVERY_MS), fleet, tables, owner: UserId::random() }
    }

    async fn bucket(&self, name: &str) -> BucketRow {
        let name = BucketName::parse(name).expect("a name");
        let new =
            NewBucket { name, owner: self.owner.clone(), region: "r".into(), object_lock: false, acl: None, ownership: None };
        self.tables.create_bucket(new, 1).await.expect("made")
    }

    fn new_object(&self, uid: ObjectUid, body: ObjectBody) -> NewObject {
        let live = LiveObject::plain(1, ETag::single([0; 16]), body);
        NewObject { uid, owner: self.owner.clone(), live, inline: None }
    }

    /// An object of one part: with so many segments, or inline.
    async fn put(&self, bucket: &BucketRow, at: &str, segments: u32) {
        let (at, uid, id) = (ObjectKey::parse(at).expect("a key"), ObjectUid::new(1), PartId::random());
        let key = self.tables.bucket_keys(bucket.id).wrap(&DataKey::random(), WrapAad { key: &at, uid, part: id });
        let code = Code::DEFAULT;
        let place = if segments == 0 { PartPlace::Inline } else { PartPlace::Segments(code) };
        let part = PartRef { number: 1, id, len: 1, key, place, md5: [0; 16], checksum: None };
        let mut new = self.new_object(uid, ObjectBody::Single(part));
        new.inline = (segments == 0).then(|| "x".into());
        let placed = |i: usize| PlacedShard { id: ShardId([i as u8; 32]), node: Some(NodeId(i as u32 + 1)) };
        let shards: Vec<_> = (0..code.n()).map(placed).collect();
        let commit = |index| SegmentCommit {
            segment: SegmentId { part: id, index },
            code,
            shard_bytes: 10,
            shards: shards.clone(),
            grant: 0,
        };
        self.fleet.commit((0..segments).map(commit).collect()).await.expect("committed");
        self.tables.put_object(bucket, &at, &new, &Precondition::default(), 2).await.expect("put");
    }

    async fn copy(&self, from: (&BucketRow, &str), to: (&BucketRow, &str)) {
        let (source, target) = (ObjectKey::parse(from.1).expect("a key"), ObjectKey::parse(to.1).expect("a key"));
        let row = self.tables.object(from.0, &source, None).await.expect("there");
        let source = CopySource { bucket: from.0, key: &source, row: &row };
        let new = self.new_object(ObjectUid::new(2), ObjectBody::Empty);
        let (opens, wraps) = (self.tables.bucket_keys(from.0.id), self.tables.bucket_keys(to.0.id));
        let keys = CopyKeys { from: &opens, to: &wraps };
        self.tables.copy_object(source, (to.0, &target), keys, new, &Precondition::default(), 3).await.expect("copied");
    }

    /// Steps until there is nothing to do; the number of steps that did something.
    async fn run(&self, now: UnixMs) -> usize {
        let mut steps = 0;
        while self.meter.step(now).await.expect("a step") == Progress::More {
            steps += 1;
        }
        steps
    }

    /// Name, objects, inline objects and segments of each bucket that was counted.
    async fn counted(&self) -> Vec<(String, u64, u64, u64)> {
        let (page, more) = self.meter.page(None).await.expect("a page");
        assert!(!more);
        let row = |one: Measured| {
            let figures = one.figures?;
            Some((one.bucket.as_str().to_owned(), figures.objects, figures.inline_objects, figures.durability.segments))
        };
        page.into_iter().filter_map(row).collect()
    }
}

#[tokio::test]
async fn each_bucket_has_the_sum_of_its_parts_and_a_copied_part_counts_once_in_each() {
    let world = World::new();
    let (one, two) = (world.bucket("one").await, world.bucket("two").await);
    for (at, segments) in [("a", 3), ("b", 1), ("small", 0)] {
        world.put(&one, at, segments).await;
    }
    // More than a step takes in, so that a part's names lie in different steps.
    for at in 0..DURABILITY_PAGES {
        world.put(&one, &format!("many/{at}"), 0).await;
    }
    world.copy((&one, "a"), (&one, "z")).await;
    world.copy((&one, "a"), (&one, "aa")).await;
    world.copy((&one, "a"), (&two, "a")).await;
    assert!(!world.meter.ask());
    world.run(START).await;
    let many = DURABILITY_PAGES as u64;
    assert_eq!(world.counted().await, [("one".into(), 5 + many, 1 + many, 4), ("two".into(), 1, 0, 3)]);
    assert!(world.meter.ask());
    let (page, _) = world.meter.page(None).await.unwrap();
    let figures = page[1].figures.as_ref().unwrap();
    assert_eq!((figures.measured, figures.durability.by_spare.get(&2)), (START, Some(&3)));
}

const DURABILITY_PAGES: usize = crate::limits::DURABILITY_STEP_VERSIONS + 10;

#[tokio::test]
async fn a_count_is_due_when_first_asked_for_and_then_now_and_then() {
    let world = World::new();
    let bucket = world.bucket("one").await;
    assert_eq!(world.run(START).await, 0, "nobody asked, and the period is not over");
    assert!(!world.meter.ask());
    assert!(world.run(START + 1).await > 0);
    world.put(&bucket, "a", 2).await;
    assert!(world.meter.ask());
    assert_eq!(world.run(START + EVERY_MS).await, 0, "who asks later gets what is there");
    assert_eq!(world.counted().await, [("one".into(), 0, 0, 0)]);
    assert!(world.run(START + 1 + EVERY_MS).await > 0);
    assert_eq!(world.counted().await, [("one".into(), 1, 0, 2)]);
}

#[tokio::test]
async fn a_step_that_fails_is_done_again_later_and_nothing_is_counted_twice() {
    let world = World::new();
    for name in ["one", "two"] {
        let bucket = world.bucket(name).await;
        world.put(&bucket, "a", 2).await;
    }
    world.meter.ask();
    // The first bucket is found and counted; then the coordinator goes.
    assert_eq!(world.meter.step(START).await, Ok(Progress::More));
    assert_eq!(world.meter.step(START).await, Ok(Progress::More));
    assert_eq!(world.meter.step(START).await, Ok(Progress::More));
    world.fleet.down(true);
    assert!(world.meter.step(START).await.unwrap_err().contains("switched off"));
    assert_eq!(world.meter.step(START + 1).await, Ok(Progress::Idle), "not at once again");
    world.fleet.down(false);
    world.run(START + DURABILITY_RETRY_MS).await;
    assert_eq!(world.counted().await, [("one".into(), 1, 0, 2), ("two".into(), 1, 0, 2)]);
}

#[tokio::test]
async fn figures_of_a_deleted_bucket_go_at_once_and_for_good() {
    let world = World::new();
    let (kept, gone) = (world.bucket("kept").await, world.bucket("gone").await);
    world.meter.ask();
    world.run(START).await;
    assert_eq!(world.counted().await.len(), 2);
    world.tables.delete_bucket(&gone.name).await.unwrap();
    assert_eq!(world.counted().await, [("kept".into(), 0, 0, 0)]);
    world.bucket("gone").await;
    assert_eq!(world.counted().await.len(), 1, "another bucket of that name was not counted yet");
    world.run(START + EVERY_MS).await;
    assert_eq!(world.counted().await.len(), 2);
    assert!(!world.meter.state().figures.contains_key(&gone.id) && world.meter.state().figures.contains_key(&kept.id));
}

#[test]
fn gauges_are_in_the_text_format() {
    let durability = Durability {
        segments: 5,
        bytes: 7,
        by_spare: [(-1, 1), (2, 4)].into(),
        unreadable_now: 0.25,
        lost_per_year: 1e-7,
        lost_per_year_next_donor: 0.0,
        lost_per_year_next_parity: 1.5,
    };
    let figures = Figures { measured: 61_500, objects: 3, inline_objects: 2, durability };
    let measured = [
        Measured {
            bucket: BucketName::parse("my-bucket").unwrap(),
            usage: Usage { bytes: 900, objects: 4 },
            quota: Some(Quota { bytes: Some(1000), objects: None }),
            figures: Some(figures),
        },
        Measured { bucket: BucketName::parse("not-counted").unwrap(), usage: Usage::default(), quota: None, figures: None },
    ];
    let text = metrics::render(&measured);
    let values: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let expected = [
        "nodio_bucket_segments{bucket=\"my-bucket\",spare=\"-1\"} 1",
        "nodio_bucket_segments{bucket=\"my-bucket\",spare=\"2\"} 4",
        "nodio_bucket_bytes{bucket=\"my-bucket\"} 7",
        "nodio_bucket_objects{bucket=\"my-bucket\"} 3",
        "nodio_bucket_inline_objects{bucket=\"my-bucket\"} 2",
        "nodio_bucket_unreadable_now{bucket=\"my-bucket\"} 0.25",
        "nodio_bucket_lost_per_year{bucket=\"my-bucket\"} 0.0000001",
        "nodio_bucket_lost_per_year_next_donor{bucket=\"my-bucket\"} 0",
        "nodio_bucket_lost_per_year_next_parity{bucket=\"my-bucket\"} 1.5",
        "nodio_bucket_measured_timestamp_seconds{bucket=\"my-bucket\"} 61",
        "nodio_bucket_usage_bytes{bucket=\"my-bucket\"} 900",
        "nodio_bucket_usage_bytes{bucket=\"not-counted\"} 0",
        "nodio_bucket_usage_objects{bucket=\"my-bucket\"} 4",
        "nodio_bucket_usage_objects{bucket=\"not-counted\"} 0",
        "nodio_bucket_quota_bytes{bucket=\"my-bucket\"} 1000",
    ];
    assert_eq!(values, expected);
    assert_eq!(text.matches("# TYPE").count(), 13);
    assert_eq!(text.matches("# HELP").count(), 13);
}
