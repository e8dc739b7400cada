//! Every donor ever registered, as it is now.

use std::collections::{BTreeMap, HashMap, HashSet};

use nodio_wire::auth::Secret;
use nodio_wire::{NodeId, UnixMs};

use super::domain::domain_of;
use super::liveness::{Liveness, Presence, Timing};
use super::placement::Candidate;
use super::space::Space;
use crate::config::DomainRule;
use crate::tables::NodeRow;

/// One donor.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub id: NodeId,
    pub addr: String,
    pub secret: Secret,
    pub nonce: [u8; 16],
    pub domain: String,
    /// Equal domains have equal numbers.
    pub domain_number: u32,
    pub version: String,
    pub liveness: Liveness,
    /// Last heartbeat; until the first one after a start, the start itself: that is the grace a restart gives.
    pub last_seen: UnixMs,
    /// Since when it is away. Kept through the grace of a restart, so that a restart doesn't postpone Lost.
    pub away_since: Option<UnixMs>,
    /// What the stored row says of that; the liveness tick writes it where they differ.
    pub away_since_stored: Option<UnixMs>,
    pub space: Space,
    pub faults: u64,
    pub reconcile: Reconcile,
}

/// How a donor's shards are compared with the map.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reconcile {
    /// When the map's side is counted next.
    pub due: UnixMs,
    /// Counted, and not yet compared with what a heartbeat says.
    pub expected: Option<Contents>,
    /// They differed: asked for until the last page of an inventory has come.
    pub wanted: bool,
}

/// Number and digest of the distinct shards that the map places at one donor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub shards: u64,
    pub digest: u128,
}

/// A donor that changed its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transition {
    pub node: NodeId,
    pub from: Liveness,
    pub to: Liveness,
}

#[derive(Debug)]
pub(crate) struct Nodes {
    known: BTreeMap<NodeId, Node>,
    by_nonce: HashMap<[u8; 16], NodeId>,
    domains: HashMap<String, u32>,
    rule: DomainRule,
    timing: Timing,
    /// When silence was last looked at.
    looked: UnixMs,
}

impl Nodes {
    pub(crate) fn new(rule: DomainRule, timing: Timing, now: UnixMs) -> Self {
        Self { known: BTreeMap::new(), by_nonce: HashMap::new(), domains: HashMap::new(), rule, timing, looked: now }
    }

    /// A donor from its stored row. Suspect until it is heard: after a restart, or before its first heartbeat.
    pub(crate) fn load(&mut self, id: NodeId, row: &NodeRow, now: UnixMs) {
        let domain = domain_of(self.rule, id, row.operator.as_deref(), row.zone.as_deref(), &row.addr);
        let next = self.domains.len() as u32;
        let domain_number = *self.domains.entry(domain.clone()).or_insert(next);
        let node = Node {
            id,
            addr: row.addr.clone(),
            secret: row.secret.clone(),
            nonce: row.nonce,
            domain,
            domain_number,
            version: row.version.clone(),
            liveness: Liveness::Suspect { since: now },
            last_seen: now,
            away_since: row.away_since,
            away_since_stored: row.away_since,
            space: Space::unheard(row.capacity_bytes),
            faults: row.faults,
            reconcile: Reconcile { due: now, ..Reconcile::default() },
        };
        self.by_nonce.insert(node.nonce, id);
        self.known.insert(id, node);
    }

    /// A donor registered: a new one, or a known one that started again.
    pub(crate) fn registered(&mut self, id: NodeId, row: &NodeRow, now: UnixMs) {
        let Some(known) = self.known.get(&id) else { return self.load(id, row, now) };
        let kept = known.clone();
        self.load(id, row, now);
        if let Some(node) = self.known.get_mut(&id) {
            node.liveness = kept.liveness;
            node.last_seen = kept.last_seen;
            node.away_since = kept.away_since;
            node.space = kept.space;
            node.space.capacity = row.capacity_bytes;
        }
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<&Node> {
        self.known.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.known.get_mut(&id)
    }

    pub(crate) fn by_nonce(&self, nonce: &[u8; 16]) -> Option<NodeId> {
        self.by_nonce.get(nonce).copied()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Node> {
        self.known.values()
    }

    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.known.values_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// The number for the next new donor: above every number ever given.
    pub(crate) fn next_id(&self) -> NodeId {
        NodeId(self.known.last_key_value().map_or(1, |(last, _)| last.0.saturating_add(1)))
    }

    pub(crate) fn presence(&self, id: NodeId) -> Presence {
        self.get(id).map_or(Presence::Gone, |node| node.liveness.presence())
    }

    /// A sign of life; or the word that none will follow. Returns the state before.
    pub(crate) fn heard(&mut self, id: NodeId, leaving: bool, now: UnixMs) -> Option<Transition> {
        let node = self.known.get_mut(&id)?;
        let from = node.liveness;
        node.last_seen = now;
        node.liveness = match from {
            Liveness::Offline { .. } | Liveness::Lost { .. } if leaving => from,
            _ if leaving => Liveness::Offline { since: now },
            _ => Liveness::Up,
        };
        node.away_since = if leaving { node.away_since.or(Some(now)) } else { None };
        Some(Transition { node: id, from, to: node.liveness })
    }

    /// Looks at everybody's silence. When the coordinator itself was stopped for long, that silence was its own and isn't counted.
    pub(crate) fn advance(&mut self, now: UnixMs) -> Vec<Transition> {
        let gap_ms = now.saturating_sub(self.looked);
        let own_silence_ms = if gap_ms > self.timing.heartbeat_ms * 2 { gap_ms } else { 0 };
        self.looked = now;
        let timing = self.timing;
        let step = |node: &mut Node| {
            node.last_seen = (node.last_seen + own_silence_ms).min(now);
            let from = node.liveness;
            node.liveness = from.after_silence(node.last_seen, node.away_since, now, &timing);
            if node.liveness.is_away() && node.away_since.is_none() {
                node.away_since = Some(now);
            }
            (from != node.liveness).then_some(Transition { node: node.id, from, to: node.liveness })
        };
        self.known.values_mut().filter_map(step).collect()
    }

    /// Up donors with what they can take.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let up = self.known.values().filter(|node| node.liveness.is_up());
        up.map(|node| Candidate {
            node: node.id,
            domain: node.domain_number,
            available: node.space.available(),
            pending: node.space.pending(),
        })
        .collect()
    }

    pub(crate) fn domains_up(&self) -> usize {
        let up = self.known.values().filter(|node| node.liveness.is_up());
        up.map(|node| node.domain_number).collect::<HashSet<_>>().len()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const TIMING: Timing = Timing { heartbeat_ms: 100, repair_after_ms: 1000 };

    pub(crate) fn row(number: u8) -> NodeRow {
        NodeRow {
            addr: format!("http://10.0.{number}.1:7400"),
            nonce: [number; 16],
            coordinator_nonce: [0; 16],
            secret: Secret::new([number; 32]),
            capacity_bytes: 1 << 30,
            operator: None,
            zone: None,
            version: "test".into(),
            registered: 0,
            away_since: None,
            faults: 0,
        }
    }

    /// Donors 1..=count, each in a network of its own, Up with `free` bytes.
    pub(crate) fn up(count: u8, free: u64) -> Nodes {
        let mut nodes = Nodes::new(DomainRule::Auto, TIMING, 0);
        for number in 1..=count {
            let id = NodeId(number.into());
            nodes.load(id, &row(number), 0);
            nodes.heard(id, false, 0);
            nodes.get_mut(id).expect("loaded").space.measured(1 << 40, 0, free);
        }
        nodes
    }

    #[test]
    fn a_restarted_coordinator_gives_everybody_three_beats() {
        let mut nodes = Nodes::new(DomainRule::Auto, TIMING, 5000);
        nodes.load(NodeId(1), &row(1), 5000);
        assert!(nodes.candidates().is_empty(), "unheard donors take nothing");
        assert_eq!(nodes.presence(NodeId(1)), Presence::Live, "and are read");
        assert!(nodes.advance(5150).is_empty() && nodes.advance(5299).is_empty());
        assert_eq!(nodes.advance(5300).len(), 1);
        assert_eq!(nodes.presence(NodeId(1)), Presence::Away);
    }

    #[test]
    fn a_coordinator_that_slept_blames_nobody() {
        let mut nodes = up(3, 1 << 20);
        assert!(nodes.advance(100).is_empty());
        assert!(nodes.advance(3_600_000).is_empty(), "it was itself that slept");
        assert_eq!(nodes.advance(3_600_100).len(), 3, "from then on silence counts");
    }

    #[test]
    fn leaving_is_offline_at_once_and_a_heartbeat_brings_back() {
        let mut nodes = up(2, 1 << 20);
        let left = nodes.heard(NodeId(1), true, 10).expect("known");
        assert_eq!(left.to, Liveness::Offline { since: 10 });
        assert_eq!(nodes.heard(NodeId(1), true, 20).expect("known").to, Liveness::Offline { since: 10 });
        let back = nodes.heard(NodeId(1), false, 30).expect("known");
        assert!(back.from.is_away() && back.to.is_up());
        assert!(nodes.heard(NodeId(9), false, 30).is_none());
    }

    #[test]
    fn registering_again_keeps_state_and_takes_the_new_address() {
        let mut nodes = up(1, 1 << 20);
        let moved = NodeRow { addr: "http://10.9.9.9:1".into(), ..row(1) };
        nodes.registered(NodeId(1), &moved, 50);
        let node = nodes.get(NodeId(1)).expect("known");
        assert_eq!((node.addr.as_str(), node.domain.as_str()), ("http://10.9.9.9:1", "net:10.9.9.0/24"));
        assert!(node.liveness.is_up() && node.space.available() > 0);
        assert_eq!(nodes.next_id(), NodeId(2));
        assert_eq!(nodes.by_nonce(&[1; 16]), Some(NodeId(1)));
    }
}
