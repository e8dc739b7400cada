//! Segments whose mending went wrong lately: who was in it, and when it is tried again. In memory only; a restart tries everything again.

use std::collections::HashMap;

use nodio_wire::{NodeId, SegmentId, UnixMs};

use crate::limits::{SETBACK_NODES_MAX, SETBACK_PAUSE_MS_MAX, SETBACK_PAUSE_MS_MIN, SETBACK_SHUN_MS, SETBACKS_MAX};

#[derive(Debug, Clone, Default)]
struct Setback {
    nodes: Vec<NodeId>,
    times: u32,
    until: UnixMs,
}

#[derive(Debug, Default)]
pub(crate) struct Setbacks {
    known: HashMap<SegmentId, Setback>,
}

impl Setbacks {
    /// Work on the segment with these donors came to nothing: next time others are tried, and each time later.
    pub(crate) fn note(&mut self, segment: SegmentId, nodes: impl IntoIterator<Item = NodeId>, now: UnixMs) {
        if self.known.len() >= SETBACKS_MAX && !self.known.contains_key(&segment) {
            self.known.clear();
        }
        let setback = self.known.entry(segment).or_default();
        let pause_ms = SETBACK_PAUSE_MS_MIN.saturating_mul(1 << setback.times.min(20)).min(SETBACK_PAUSE_MS_MAX);
        setback.until = now.saturating_add(pause_ms);
        setback.times += 1;
        for node in nodes {
            setback.nodes.retain(|other| *other != node);
            setback.nodes.push(node);
        }
        let over = setback.nodes.len().saturating_sub(SETBACK_NODES_MAX);
        setback.nodes.drain(..over);
    }

    /// It went well.
    pub(crate) fn clear(&mut self, segment: &SegmentId) {
        self.known.remove(segment);
    }

    pub(crate) fn rests(&self, segment: &SegmentId, now: UnixMs) -> bool {
        self.known.get(segment).is_some_and(|setback| now < setback.until)
    }

    /// True if the donor failed at this segment within the last hours.
    pub(crate) fn shuns(&self, segment: &SegmentId, node: NodeId, now: UnixMs) -> bool {
        let lately = |setback: &&Setback| now < setback.until.saturating_add(SETBACK_SHUN_MS);
        self.known.get(segment).filter(lately).is_some_and(|setback| setback.nodes.contains(&node))
    }

    /// Donors better not asked again for this segment, if there are others.
    pub(crate) fn nodes_of(&self, segment: &SegmentId) -> &[NodeId] {
        self.known.get(segment).map_or(&[], |setback| &setback.nodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodio_wire::PartId;

    fn segment(index: u32) -> SegmentId {
        SegmentId { part: PartId([1; 16]), index }
    }

    #[test]
    fn pauses_grow_donors_are_remembered_and_success_wipes_it_all() {
        let mut setbacks = Setbacks::default();
        let mut now = 0;
        for time in 0..40u32 {
            setbacks.note(segment(0), [NodeId(time % 6)], now);
            let pause_ms = SETBACK_PAUSE_MS_MIN.saturating_mul(1 << time.min(20)).min(SETBACK_PAUSE_MS_MAX);
            assert!(setbacks.rests(&segment(0), now + pause_ms - 1) && !setbacks.rests(&segment(0), now + pause_ms));
            now += pause_ms;
        }
        assert_eq!(setbacks.nodes_of(&segment(0)).len(), SETBACK_NODES_MAX);
        assert!(setbacks.nodes_of(&segment(0)).contains(&NodeId(39 % 6)) && !setbacks.rests(&segment(1), 0));
        let shuns = |node: u32, later: u64| setbacks.shuns(&segment(0), NodeId(node), now + later);
        assert!(shuns(39 % 6, SETBACK_SHUN_MS - 1) && !shuns(39 % 6, SETBACK_SHUN_MS) && !shuns(77, 0));
        setbacks.clear(&segment(0));
        assert!(setbacks.nodes_of(&segment(0)).is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let mut setbacks = Setbacks::default();
        for index in 0..2 * SETBACKS_MAX as u32 + 1 {
            setbacks.note(segment(index), [NodeId(1)], 0);
        }
        assert!(setbacks.known.len() <= SETBACKS_MAX);
    }
}
