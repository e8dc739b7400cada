//! Parts come, wait, join and leave, one event after another.

use super::*;

struct World {
    queue: Queue,
    /// Of every piece added.
    told: Vec<oneshot::Receiver<()>>,
}

const WORKERS: usize = 2;

impl World {
    fn new() -> Self {
        Self { queue: Queue::new(WORKERS), told: Vec::new() }
    }

    fn parts<const N: usize>(&mut self) -> [PartNo; N] {
        std::array::from_fn(|_| self.queue.open(Sums::new(&[])))
    }

    fn add(&mut self, part: PartNo) -> u64 {
        let (done, told) = oneshot::channel();
        self.told.push(told);
        self.queue.add(part, Piece { bytes: Bytes::from_static(b"piece"), done })
    }

    fn add_one_more(&mut self, part: PartNo) {
        self.add(part);
    }

    /// A worker that has just started, with the lanes that it took.
    fn started(&mut self) -> Worker {
        let mut worker = Worker { number: self.queue.hire().expect("a worker is wanted"), lanes: Vec::new() };
        worker.exchange(self);
        worker
    }

    fn no_worker_wanted(&mut self) -> bool {
        self.queue.hire().is_none()
    }
}

struct Worker {
    number: WorkerNo,
    lanes: Vec<Lane>,
}

impl Worker {
    fn exchange(&mut self, world: &mut World) {
        world.queue.exchange(self.number, &mut self.lanes).into_iter().for_each(|done| done.send(()).expect("somebody waits"));
    }

    fn parts(&self) -> Vec<PartNo> {
        self.lanes.iter().map(|lane| lane.part).collect()
    }

    /// Comes to the end of this part's piece.
    fn hash(&mut self, part: PartNo) {
        let lane = self.lanes.iter_mut().find(|lane| lane.part == part).expect("in hand");
        let rest = std::mem::take(&mut lane.rest);
        lane.sums.update(&rest);
    }
}

#[test]
fn a_part_alone_is_hashed_at_once() {
    let mut world = World::new();
    let [part] = world.parts();
    world.add(part);
    assert_eq!(world.started().parts(), [part]);
}

#[test]
fn a_piece_waits_for_company_until_all_have_come() {
    let mut world = World::new();
    let [a, b, c] = world.parts();
    world.add(a);
    world.add(b);
    assert!(world.no_worker_wanted());
    world.add(c);
    assert_eq!(world.started().parts(), [a, b, c]);
}

#[test]
fn when_somebody_waits_all_that_are_here_go() {
    let mut world = World::new();
    let [a, b, _idle] = world.parts();
    world.add(a);
    let piece = world.add(b);
    world.queue.press(b, piece);
    assert_eq!(world.started().parts(), [a, b]);
}

#[test]
fn a_full_set_waits_for_nobody() {
    let mut world = World::new();
    let parts = world.parts::<{ LANES + 1 }>();
    for part in &parts[..LANES] {
        assert!(world.no_worker_wanted());
        world.add(*part);
    }
    assert_eq!(world.started().parts(), parts[..LANES]);
}

#[test]
fn waiting_for_a_piece_hurries_no_later_one() {
    let mut world = World::new();
    let [a, _idle] = world.parts();
    let first = world.add(a);
    world.add(a);
    world.queue.press(a, first);
    let mut worker = world.started();
    worker.hash(a);
    worker.exchange(&mut world);
    assert_eq!(world.told[0].try_recv(), Ok(()));
    assert!(worker.lanes.is_empty() && world.no_worker_wanted(), "the second piece has time");
    world.queue.press(a, 2);
    assert_eq!(world.started().parts(), [a]);
}

#[test]
fn who_comes_while_a_worker_runs_joins_it() {
    let mut world = World::new();
    let [a] = world.parts();
    world.add(a);
    let mut worker = world.started();
    let [b, _idle] = world.parts();
    world.add(b);
    assert!(world.no_worker_wanted(), "the worker has lanes free");
    worker.exchange(&mut world);
    assert_eq!(worker.parts(), [a, b]);
}

#[test]
fn a_part_has_one_piece_in_hand_and_the_others_follow_in_order() {
    let mut world = World::new();
    let [a] = world.parts();
    (0..3).for_each(|_| world.add_one_more(a));
    let mut worker = world.started();
    for piece in 0..3 {
        assert_eq!(worker.parts(), [a]);
        assert!(world.told[piece].try_recv().is_err());
        worker.hash(a);
        worker.exchange(&mut world);
        assert_eq!(world.told[piece].try_recv(), Ok(()));
    }
    assert!(worker.lanes.is_empty());
    let sums = world.queue.close(a).expect("all of it is hashed");
    let mut whole = Sums::new(&[]);
    whole.update(b"piecepiecepiece");
    assert_eq!(sums.md5.finish(), whole.md5.finish());
}

#[test]
fn when_all_lanes_are_taken_another_worker_comes_and_then_no_more() {
    let mut world = World::new();
    let parts = world.parts::<{ WORKERS * LANES + 1 }>();
    let (first, others) = parts.split_at(LANES);
    first.iter().for_each(|part| world.add_one_more(*part));
    let mut one = world.started();
    others.iter().for_each(|part| world.add_one_more(*part));
    let two = world.started();
    assert_eq!((one.parts(), two.parts()), (first.to_vec(), others[..LANES].to_vec()));
    world.queue.press(others[LANES], 1);
    assert!(world.no_worker_wanted(), "every core hashes");
    one.hash(first[0]);
    one.exchange(&mut world);
    assert_eq!(one.parts().last(), others.last(), "first come, first served");
}

#[test]
fn a_part_that_leaves_is_dropped_and_held_by_nobody() {
    let mut world = World::new();
    let [a, b] = world.parts();
    world.add(a);
    world.add(b);
    let mut worker = world.started();
    world.add(a);
    assert!(world.queue.close(a).is_none(), "not all of it was hashed");
    worker.exchange(&mut world);
    assert_eq!(worker.parts(), [b]);
    assert!(
        world
            .told
            .iter_mut()
            .map(|told| told.try_recv())
            .filter(|told| *told == Err(oneshot::error::TryRecvError::Closed))
            .count()
            == 2
    );
    worker.hash(b);
    worker.exchange(&mut world);
    assert!(worker.lanes.is_empty() && world.queue.close(b).is_some());
    assert!(world.queue.parts.is_empty() && world.queue.ready.is_empty() && world.queue.workers == 0);
}

#[test]
fn the_last_to_bring_company_leaves_and_the_others_go() {
    let mut world = World::new();
    let [a, b] = world.parts();
    world.add(a);
    assert!(world.no_worker_wanted());
    world.queue.close(b);
    assert_eq!(world.started().parts(), [a]);
}

#[test]
fn with_a_lost_worker_go_its_parts_and_no_others() {
    let mut world = World::new();
    let [a, b] = world.parts();
    let piece = world.add(a);
    world.queue.press(a, piece);
    let worker = world.started();
    world.add(a);
    let number = worker.number;
    drop(worker);
    world.queue.lost(number);
    world.add(a);
    assert!(world.told.iter_mut().all(|told| told.try_recv() == Err(oneshot::error::TryRecvError::Closed)), "who waits is told");
    let piece = world.add(b);
    world.queue.press(b, piece);
    assert_eq!(world.started().parts(), [b]);
    assert!(world.queue.close(a).is_none());
}
