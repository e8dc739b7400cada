//! Every donor ever registered, as it is now.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use nodio_wire::api::StandingState;
use nodio_wire::{NodeId, UnixMs};

use super::domain::domain_of;
use super::liveness::{Liveness, Presence, Timing};
use super::node::{Node, Reconcile, Transition};
use super::pool::Pool;
use crate::config::DomainRule;
use crate::tables::NodeRow;

#[derive(Debug)]
pub(crate) struct Nodes {
    known: BTreeMap<NodeId, Node>,
    by_nonce: HashMap<[u8; 16], NodeId>,
    domains: HashMap<String, u32>,
    rule: DomainRule,
    timing: Timing,
    /// When silence was last looked at.
    looked: UnixMs,
    /// Those that take shards, to draw from. Whatever may change a donor touches it there.
    pool: Pool,
}

impl Nodes {
    pub(crate) fn new(rule: DomainRule, timing: Timing, now: UnixMs) -> Self {
        let (known, by_nonce, domains) = (BTreeMap::new(), HashMap::new(), HashMap::new());
        Self { known, by_nonce, domains, rule, timing, looked: now, pool: Pool::default() }
    }

    /// A donor from its stored row. Suspect until it is heard: after a restart, or before its first heartbeat.
    pub(crate) fn load(&mut self, id: NodeId, row: &NodeRow, now: UnixMs) {
        let node = Node::loaded(id, row, self.domain(id, row), now);
        self.by_nonce.insert(node.nonce, id);
        self.known.insert(id, node);
        self.pool.touch(id);
    }

    fn domain(&mut self, id: NodeId, row: &NodeRow) -> (String, u32) {
        let domain = domain_of(self.rule, id, row.operator.as_deref(), row.zone.as_deref(), &row.addr);
        let next = self.domains.len() as u32;
        let number = *self.domains.entry(domain.clone()).or_insert(next);
        (domain, number)
    }

    /// A donor registered: a new one, or a known one that started again. Of the latter all that was learned stays, but for what it holds: its
    /// disk may be another.
    pub(crate) fn registered(&mut self, id: NodeId, row: &NodeRow, now: UnixMs) {
        let (domain, domain_number) = self.domain(id, row);
        let Some(node) = self.get_mut(id) else { return self.load(id, row, now) };
        (node.domain, node.domain_number) = (domain, domain_number);
        node.addr.clone_from(&row.addr);
        node.version.clone_from(&row.version);
        node.space.capacity = row.capacity_bytes;
        node.reconcile = Reconcile { due: now, ..Reconcile::default() };
        node.checked = false;
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<&Node> {
        self.known.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        let node = self.known.get_mut(&id)?;
        self.pool.touch(id);
        Some(node)
    }

    pub(crate) fn by_nonce(&self, nonce: &[u8; 16]) -> Option<NodeId> {
        self.by_nonce.get(nonce).copied()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Node> {
        self.known.values()
    }

    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.pool.touch_all();
        self.known.values_mut()
    }

    /// The first donor behind `after` that has left the network; `None` where the turn begins anew.
    pub(crate) fn released_after(&self, after: Option<NodeId>) -> Option<NodeId> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut behind = self.known.range((start, Bound::Unbounded));
        behind.find(|(_, node)| node.standing.state == StandingState::Released).map(|(id, _)| *id)
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// The number for the next new donor: above every number ever given.
    pub(crate) fn next_id(&self) -> NodeId {
        NodeId(self.known.last_key_value().map_or(1, |(last, _)| last.0.saturating_add(1)))
    }

    pub(crate) fn presence(&self, id: NodeId) -> Presence {
        self.get(id).map_or(Presence::Gone, Node::presence)
    }

    /// A sign of life; or the word that none will follow. Returns the state before.
    pub(crate) fn heard(&mut self, id: NodeId, leaving: bool, now: UnixMs) -> Option<Transition> {
        let node = self.get_mut(id)?;
        let from = node.liveness;
        node.watch(!from.is_away(), now);
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
        let Self { known, pool, timing, .. } = self;
        let step = |node: &mut Node| {
            node.last_seen = (node.last_seen + own_silence_ms).min(now);
            node.watched = (node.watched + own_silence_ms).min(now);
            let change = node.look(now, timing);
            if node.liveness.is_away() {
                node.watch(false, now);
            }
            let change = change?;
            pool.touch(change.node);
            Some(change)
        };
        known.values_mut().filter_map(step).collect()
    }

    /// Looks at one donor's silence, with nothing known of the coordinator's own.
    pub(crate) fn look(&mut self, id: NodeId, now: UnixMs) -> Option<Transition> {
        let timing = self.timing;
        self.get_mut(id)?.look(now, &timing)
    }

    /// The donors that take shards, as they are now, to draw from.
    pub(crate) fn pool(&mut self) -> &mut Pool {
        let Self { known, pool, .. } = self;
        pool.refresh(|id| known.get(&id)?.candidate());
        pool
    }

    /// Failure domains with a donor that is Up.
    pub(crate) fn domains_up(&self) -> usize {
        let up = self.known.values().filter(|node| node.liveness.is_up());
        let mut numbers: Vec<u32> = up.map(|node| node.domain_number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.len()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::limits::RECORD_WRITE_MS;
    use crate::tables::Kept;
    use nodio_wire::api::Left;
    use nodio_wire::auth::Secret;

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
            faults: 0,
            kept: Kept::default(),
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
        assert!(!nodes.get(NodeId(1)).expect("loaded").takes_shards(), "unheard donors take nothing");
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
    fn time_there_and_away_is_counted_and_a_stop_of_the_coordinator_is_nobodys() {
        const DAY: u64 = 24 * 60 * 60 * 1000;
        let mut nodes = Nodes::new(DomainRule::Auto, Timing { heartbeat_ms: DAY / 100, repair_after_ms: DAY }, 0);
        nodes.load(NodeId(1), &row(1), 0);
        nodes.load(NodeId(2), &row(2), 0);
        for beat in 1..=1000 {
            nodes.heard(NodeId(1), false, beat * DAY / 100);
            nodes.advance(beat * DAY / 100);
        }
        let availability = |nodes: &Nodes, id: u32| nodes.get(NodeId(id)).expect("known").record.availability();
        assert!(
            availability(&nodes, 1) > 0.98 && availability(&nodes, 2) < 0.11,
            "{} {}",
            availability(&nodes, 1),
            availability(&nodes, 2)
        );
        let before = availability(&nodes, 1);
        nodes.advance(100 * DAY);
        nodes.heard(NodeId(1), false, 100 * DAY + 1);
        assert!((availability(&nodes, 1) - before).abs() < 1e-6);
    }

    #[test]
    fn byte_hours_count_what_is_named_and_held() {
        let mut nodes = up(1, 1 << 20);
        let node = nodes.get_mut(NodeId(1)).expect("known");
        node.reported.held_bytes = 500;
        node.counted(Left { shards: 3, bytes: 300 });
        nodes.heard(NodeId(1), false, 60 * 60 * 1000);
        assert!((nodes.get(NodeId(1)).expect("known").byte_hours - 300.0).abs() < 1e-6);
    }

    #[test]
    fn rows_are_written_at_once_only_for_what_matters() {
        let mut nodes = up(1, 1 << 20);
        let node = nodes.get_mut(NodeId(1)).expect("known");
        assert!(!node.is_to_be_stored(RECORD_WRITE_MS), "nothing changed");
        node.audited(true);
        assert!(!node.is_to_be_stored(RECORD_WRITE_MS - 1) && node.is_to_be_stored(RECORD_WRITE_MS));
        let kept = node.kept();
        node.was_stored(kept, RECORD_WRITE_MS);
        node.enter(crate::state::reputation::released("bye"), None, RECORD_WRITE_MS + 1);
        assert!(node.is_to_be_stored(RECORD_WRITE_MS + 1));
    }

    #[test]
    fn registering_again_keeps_state_and_takes_the_new_address() {
        let mut nodes = up(1, 1 << 20);
        nodes.get_mut(NodeId(1)).expect("known").checked = true;
        let moved = NodeRow { addr: "http://10.9.9.9:1".into(), ..row(1) };
        nodes.registered(NodeId(1), &moved, 50);
        let node = nodes.get(NodeId(1)).expect("known");
        assert_eq!((node.addr.as_str(), node.domain.as_str()), ("http://10.9.9.9:1", "net:10.9.9.0/24"));
        assert!(node.liveness.is_up() && node.space.available() > 0);
        assert!(!node.checked, "started so soon that nobody missed it, it may have lost all it had");
        assert_eq!(nodes.next_id(), NodeId(2));
        assert_eq!(nodes.by_nonce(&[1; 16]), Some(NodeId(1)));
    }
}
