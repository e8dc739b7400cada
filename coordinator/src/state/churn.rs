//! Random weather over the pure state: grants race, donors come and go, work is lost. What must hold, holds at every step.

use nodio_wire::fleet::{FleetError, GrantRequest};
use nodio_wire::{Code, NodeId, PartId, SegmentId, ShardId};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::State;
use super::nodes::tests::up;
use super::reservations::Reservations;
use super::tasks::{Aim, How, Mending, TaskBook};
use super::walks::Walks;

const FREE: u64 = 100_000;

#[derive(Debug, Clone)]
enum Event {
    Grant { segments: u16, shard_bytes: u32 },
    Settle { which: usize },
    Beat { node: u32, leaving: bool },
    Later { ms: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (1u16..6, 1u32..9000).prop_map(|(segments, shard_bytes)| Event::Grant { segments, shard_bytes }),
        2 => any::<usize>().prop_map(|which| Event::Settle { which }),
        2 => (1u32..9, prop::bool::weighted(0.1)).prop_map(|(node, leaving)| Event::Beat { node, leaving }),
        2 => (1u64..120).prop_map(|ms| Event::Later { ms }),
    ]
}

/// The world: what donors really hold, beside what the coordinator believes.
struct World {
    state: State,
    used: [u64; 9],
    open: Vec<(super::Reserved, u64)>,
    now: u64,
}

impl World {
    fn new() -> Self {
        let state =
            State { nodes: up(8, FREE), reservations: Reservations::new(1), tasks: TaskBook::new(1), walks: Walks::default() };
        Self { state, used: [0; 9], open: Vec::new(), now: 0 }
    }

    fn apply(&mut self, event: Event, rng: &mut StdRng) -> Result<(), TestCaseError> {
        match event {
            Event::Grant { segments, shard_bytes } => self.grant(segments, shard_bytes, rng)?,
            Event::Settle { which } if !self.open.is_empty() => {
                let (reserved, shard_bytes) = self.open.swap_remove(which % self.open.len());
                let State { nodes, reservations, .. } = &mut self.state;
                reservations.settle(nodes, reserved.grant);
                for id in reserved.nodes {
                    self.used[id.0 as usize] += super::footprint(shard_bytes as u32);
                    self.state.stored(id, shard_bytes as u32);
                }
            }
            Event::Settle { .. } => {}
            Event::Beat { node, leaving } => {
                self.state.nodes.heard(NodeId(node), leaving, self.now);
                let used = self.used[node as usize];
                let node = self.state.nodes.get_mut(NodeId(node)).expect("known");
                node.space.measured(FREE, used, FREE.saturating_sub(used));
            }
            Event::Later { ms } => {
                self.now += ms;
                self.state.nodes.advance(self.now);
            }
        }
        Ok(())
    }

    fn grant(&mut self, segments: u16, shard_bytes: u32, rng: &mut StdRng) -> Result<(), TestCaseError> {
        let ask = GrantRequest { code: Code::new(2, 4).expect("a code"), shard_bytes, segments, spares: 1, holding: Vec::new() };
        match self.state.grant(&ask, u64::MAX, rng) {
            Ok(granted) => {
                prop_assert_eq!(granted.len(), usize::from(segments));
                for reserved in granted {
                    prop_assert!((3..=5).contains(&reserved.nodes.len()));
                    for id in &reserved.nodes {
                        prop_assert!(
                            self.state.nodes.get(*id).is_some_and(|node| node.liveness.is_up()),
                            "granted a donor that isn't up"
                        );
                    }
                    self.open.push((reserved, shard_bytes.into()));
                }
            }
            Err(FleetError::NotEnoughDonors { need, have }) => prop_assert!(have < need),
            Err(other) => prop_assert!(false, "{}", other),
        }
        Ok(())
    }

    /// If every open grant were used, no donor would hold more than it has room for.
    fn check(&self) -> Result<(), TestCaseError> {
        let mut promised = self.used;
        for (reserved, shard_bytes) in &self.open {
            for id in &reserved.nodes {
                promised[id.0 as usize] += super::footprint(*shard_bytes as u32);
            }
        }
        prop_assert!(promised.iter().all(|bytes| *bytes <= FREE), "overfilled: {:?}", promised);
        Ok(())
    }
}

proptest! {
    #[test]
    fn no_donor_is_ever_promised_more_than_it_has(events in prop::collection::vec(event(), 1..120), seed: u64) {
        let (mut world, mut rng) = (World::new(), StdRng::seed_from_u64(seed));
        for event in events {
            world.apply(event, &mut rng)?;
            world.check()?;
        }
    }
}

#[derive(Debug, Clone)]
enum Job {
    Assign { segment: u32, worker: u32, targets: Vec<u32>, push: bool },
    HandOut { worker: u32 },
    Report { which: usize },
    Gone { node: u32 },
    Expire { ms: u64 },
}

fn job() -> impl Strategy<Value = Job> {
    let targets = prop::collection::hash_set(1u32..9, 1..4).prop_map(|nodes| nodes.into_iter().collect());
    prop_oneof![
        4 => (0u32..6, 1u32..9, targets, any::<bool>())
            .prop_map(|(segment, worker, targets, push)| Job::Assign { segment, worker, targets, push }),
        4 => (1u32..9).prop_map(|worker| Job::HandOut { worker }),
        3 => any::<usize>().prop_map(|which| Job::Report { which }),
        1 => (1u32..9).prop_map(|node| Job::Gone { node }),
        1 => (1u64..80).prop_map(|ms| Job::Expire { ms }),
    ]
}

fn mending(segment: u32, targets: &[u32], push: bool) -> Mending {
    let aim = |(position, node): (u8, &u32)| Aim { position, shard: ShardId([position; 32]), node: NodeId(*node) };
    let targets = &targets[..if push { 1 } else { targets.len() }];
    let code = Code::new(2, 4).expect("a code");
    Mending {
        segment: SegmentId { part: PartId([1; 16]), index: segment },
        shard_bytes: 9000,
        targets: (0u8..).zip(targets).map(aim).collect(),
        how: if push { How::Push } else { How::Rebuild { code, sources: Vec::new() } },
        urgency: segment as u8,
        relieves: None,
    }
}

fn promised(state: &State) -> u64 {
    (1..9).filter_map(|id| state.nodes.get(NodeId(id))).map(|node| node.space.pending()).sum()
}

proptest! {
    #[test]
    fn space_is_reserved_for_just_the_work_that_is_under_way(jobs in prop::collection::vec(job(), 1..150)) {
        let (mut state, mut now, mut handed) = (World::new().state, 0, Vec::new());
        for job in jobs {
            match job {
                Job::Assign { segment, worker, targets, push } => {
                    state.assign(NodeId(worker), mending(segment, &targets, push), now + 100);
                }
                Job::HandOut { worker } => {
                    let waiting = state.tasks.has_waiting(NodeId(worker));
                    let given = state.hand_out(NodeId(worker), now + 100, now);
                    prop_assert_eq!(given.is_some(), waiting, "work waits, or is given");
                    handed.extend(given.map(|(id, _)| (worker, id)));
                }
                Job::Report { which } if !handed.is_empty() => {
                    let (worker, id) = handed[which % handed.len()];
                    prop_assert!(state.tasks.claim(NodeId(worker % 8 + 1), id).is_none(), "not that donor's work");
                    if state.tasks.claim(NodeId(worker), id).is_some() {
                        prop_assert!(state.tasks.claim(NodeId(worker), id).is_none(), "a second report counts");
                        state.close(id);
                    }
                }
                Job::Report { .. } => {}
                Job::Gone { node } => state.drop_tasks_of(NodeId(node)),
                Job::Expire { ms } => {
                    now += ms;
                    state.expire_tasks(now, 1000);
                }
            }
            let under_way: usize = (0..6).map(|index| state.tasks.under_way(&mending(index, &[1], true).segment).len()).sum();
            prop_assert_eq!(promised(&state), under_way as u64 * super::footprint(9000));
        }
        state.expire_tasks(u64::MAX, 1000);
        prop_assert_eq!((promised(&state), state.tasks.rebuilding()), (0, 0));
        prop_assert!((1..9).all(|id| state.tasks.load_of(NodeId(id)) == 0 && !state.tasks.has_waiting(NodeId(id))));
    }
}
