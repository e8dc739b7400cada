//! A donor in memory: it holds real shards, proves what it rebuilds, gives receipts; or lies.

use std::collections::{BTreeMap, HashSet};

use nodio_wire::api::{
    Answer, AuditAnswer, BadSource, Challenge, Destination, Evidence, Heartbeat, HeldShard, Inventory, Outcome, RepairSource,
    Scrub, StoredShard, Target, Task, TaskReport, Trash, Work, set_digest,
};
use nodio_wire::auth::Who;
use nodio_wire::proof::Proof;
use nodio_wire::ticket::{Op, Ticket, receipt};
use nodio_wire::{NodeId, ShardId, UnixMs};

use super::{Network, SHARD_BYTES};

pub(super) const ROOM: u64 = 1 << 30;

/// What a donor says it has done, having done nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Proves another shard; shows a receipt of its own making.
    MadeUp,
    /// Shows what was right for another challenge or another ticket.
    Replayed,
    /// Shows a receipt where a proof is due, and the other way round.
    WrongKind,
    /// Tells of a position that nobody asked for.
    NotAsked,
}

/// What it holds, since when, and what it has to report.
pub(crate) struct Donor {
    pub id: NodeId,
    pub up: bool,
    pub held: BTreeMap<ShardId, UnixMs>,
    pub reports: Vec<TaskReport>,
    pub capacity: u64,
    pub lie: Option<Lie>,
    /// Takes work and never does it.
    pub idle: bool,
    /// Held with a wrong byte in it, which it notices when it reads them.
    pub rotten: HashSet<ShardId>,
    answers: Vec<AuditAnswer>,
    /// Found rotten and dropped.
    dropped: Vec<ShardId>,
}

impl Donor {
    pub(super) fn new(id: NodeId) -> Self {
        let (held, rotten) = (BTreeMap::new(), HashSet::new());
        let (reports, answers, dropped) = (Vec::new(), Vec::new(), Vec::new());
        Self { id, up: true, held, reports, capacity: ROOM, lie: None, idle: false, rotten, answers, dropped }
    }

    fn read(&mut self, shard: &ShardId) -> bool {
        if self.rotten.remove(shard) {
            self.held.remove(shard);
            self.dropped.push(*shard);
        }
        self.held.contains_key(shard)
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.held.len() as u64 * u64::from(SHARD_BYTES)
    }
}

impl Network {
    pub(super) async fn beat(&mut self, at: usize, leaving: bool) {
        let donor = &mut self.donors[at];
        let used = donor.held_bytes();
        let beat = Heartbeat {
            node: donor.id,
            capacity_bytes: donor.capacity,
            used_bytes: used,
            free_bytes: donor.capacity.saturating_sub(used),
            shards: donor.held.len() as u64,
            held_bytes: used,
            digest: format!("{:032x}", set_digest(donor.held.keys().copied())),
            trash: Trash::default(),
            scrub: Scrub::default(),
            answers: std::mem::take(&mut donor.answers),
            done: std::mem::take(&mut donor.reports),
            rotten: std::mem::take(&mut donor.dropped),
            slots: 8,
            leaving,
        };
        let reply = self.coordinator.heartbeat(beat).await.expect("answered");
        for task in reply.work {
            self.handed.push((self.donors[at].id, task.clone()));
            if !self.donors[at].idle {
                let report = self.perform(at, task);
                self.donors[at].reports.push(report);
            }
        }
        for challenge in reply.audits {
            let answer = self.answer(at, challenge);
            self.donors[at].answers.push(answer);
        }
        if reply.reconcile_wanted {
            self.send_inventory(at).await;
        }
    }

    fn answer(&mut self, at: usize, Challenge { id, shard, slice }: Challenge) -> AuditAnswer {
        let held = self.donors[at].read(&shard);
        let proof = || Proof::of(&self.bytes[&shard], slice).expect("a slice");
        AuditAnswer { id, answer: if held { Answer::Proof(proof()) } else { Answer::NotHeld } }
    }

    fn perform(&mut self, at: usize, task: Task) -> TaskReport {
        let outcome = match task.work {
            Work::Delete { shards } => {
                self.donors[at].held.retain(|shard, _| !shards.contains(shard));
                Outcome::done()
            }
            Work::Rebuild { code, targets, sources, .. } => self.rebuild(at, code.k(), &targets, &sources),
            Work::Push { target, .. } if self.has(self.donors[at].id, &target.shard) => {
                Outcome::Done { stored: self.store_target(at, &target).into_iter().collect(), bad: Vec::new() }
            }
            Work::Push { target, .. } => {
                let bad = vec![BadSource { node: self.donors[at].id, shard: target.shard }];
                Outcome::Failed { reason: "I don't have it".into(), bad }
            }
        };
        TaskReport { id: task.id, outcome }
    }

    fn rebuild(&mut self, at: usize, k: usize, targets: &[Target], sources: &[RepairSource]) -> Outcome {
        let readable: HashSet<u8> =
            sources.iter().filter(|source| self.has(source.node, &source.shard)).map(|source| source.position).collect();
        let is_down = |node: NodeId| self.donors.iter().any(|donor| donor.id == node && !donor.up);
        let lacking = sources.iter().filter(|source| !self.has(source.node, &source.shard) && !is_down(source.node));
        let bad = lacking.map(|source| BadSource { node: source.node, shard: source.shard }).collect();
        if readable.len() < k {
            return Outcome::Failed { reason: "too few sources".into(), bad };
        }
        Outcome::Done { stored: targets.iter().filter_map(|target| self.store_target(at, target)).collect(), bad }
    }

    fn store_target(&mut self, at: usize, target: &Target) -> Option<StoredShard> {
        if let Some(lie) = self.donors[at].lie {
            return Some(self.lie(lie, target));
        }
        let bytes = &self.bytes[&target.shard];
        let (keeper, evidence) = match &target.to {
            Destination::Here { probe } => (self.donors[at].id, Evidence::Proof(Proof::of(bytes, *probe).expect("a slice"))),
            Destination::There { node, ticket, .. } => {
                let secret = self.coordinator.secret_of(Who::Node(*node)).expect("known");
                let ticket = Ticket::open(Some(&ticket.0), &secret, *node, self.now()).expect("a good ticket");
                ticket.allows(Op::Put, &target.shard, bytes.len()).expect("allowed");
                (*node, Evidence::Receipt(receipt(&secret, &target.shard, ticket.nonce)))
            }
        };
        let now = self.now();
        let keeper = self.donors.iter_mut().find(|donor| donor.id == keeper && donor.up)?;
        keeper.held.entry(target.shard).or_insert(now);
        Some(StoredShard { position: target.position, evidence })
    }

    fn lie(&self, lie: Lie, target: &Target) -> StoredShard {
        let bytes = &self.bytes[&target.shard];
        let other = vec![7; bytes.len()];
        let made_up = || Evidence::Receipt("ab".repeat(32));
        let evidence = match (lie, &target.to) {
            (Lie::MadeUp | Lie::NotAsked, Destination::Here { probe }) => {
                Evidence::Proof(Proof::of(&other, *probe).expect("a slice"))
            }
            (Lie::Replayed, Destination::Here { .. }) => {
                let longer = [bytes.as_slice(), &other].concat();
                let slice = nodio_wire::proof::Slice { start: 0, len: 1024 };
                Evidence::Proof(Proof::of(&longer, slice).expect("a slice"))
            }
            (Lie::Replayed, Destination::There { node, .. }) => {
                let secret = self.coordinator.secret_of(Who::Node(*node)).expect("known");
                Evidence::Receipt(receipt(&secret, &target.shard, 12345))
            }
            (Lie::WrongKind, Destination::There { .. }) => {
                let whole = nodio_wire::proof::Slice { start: 0, len: bytes.len() as u32 };
                Evidence::Proof(Proof::of(bytes, whole).expect("a slice"))
            }
            (Lie::WrongKind, Destination::Here { .. }) | (_, Destination::There { .. }) => made_up(),
        };
        let position = if lie == Lie::NotAsked { target.position + 1 } else { target.position };
        StoredShard { position, evidence }
    }

    fn has(&self, node: NodeId, shard: &ShardId) -> bool {
        let has = |donor: &Donor| donor.held.contains_key(shard) && !donor.rotten.contains(shard);
        self.donors.iter().any(|donor| donor.id == node && donor.up && has(donor))
    }

    async fn send_inventory(&mut self, at: usize) {
        let now = self.now();
        let donor = &mut self.donors[at];
        let held = |(id, since): (&ShardId, &UnixMs)| HeldShard { id: *id, age_s: ((now - since) / 1000) as u32, trashed: false };
        let all: Vec<HeldShard> = donor.held.iter().map(held).collect();
        let pages: Vec<&[HeldShard]> = if all.is_empty() { vec![&[]] } else { all.chunks(7).collect() };
        let mut from = ShardId([0; 32]);
        for (number, shards) in pages.iter().enumerate() {
            let last = number + 1 == pages.len();
            let through = shards.last().filter(|_| !last).map_or(ShardId([0xff; 32]), |shard| shard.id);
            let page = Inventory { node: donor.id, from, through, shards: shards.to_vec(), last };
            let reply = self.coordinator.inventory(page).await.expect("answered");
            donor.held.retain(|shard, _| !reply.surplus.contains(shard));
            from = after(through);
        }
    }
}

fn after(mut id: ShardId) -> ShardId {
    for byte in id.0.iter_mut().rev() {
        let (next, carried) = byte.overflowing_add(1);
        *byte = next;
        if !carried {
            break;
        }
    }
    id
}
