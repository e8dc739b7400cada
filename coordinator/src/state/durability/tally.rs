//! Segments counted: by health, by donor, by what is to be expected of them.

use std::collections::HashMap;

use nodio_wire::api::SegmentHealth;
use nodio_wire::fleet::Durability;
use nodio_wire::{Code, NodeId};

use super::Outlook;
use crate::tables::SegmentRow;

/// What the map places at one donor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub shards: u64,
    pub bytes: u64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub health: SegmentHealth,
    pub held: HashMap<NodeId, Held>,
    pub durability: Durability,
}

impl Tally {
    /// Counts one segment. `margin` is the emergency margin.
    pub(crate) fn take(&mut self, row: &SegmentRow, outlook: &Outlook, margin: usize) {
        let prospect = outlook.assess(row.code, row.placed().map(|(position, _, node)| (position, node)));
        *class(&mut self.health, row.code, prospect.live, margin) += 1;
        for (_, _, node) in row.placed() {
            let held = self.held.entry(node).or_default();
            held.shards += 1;
            held.bytes += u64::from(row.shard_bytes);
        }
        let sum = &mut self.durability;
        sum.segments += 1;
        sum.bytes += u64::from(row.shard_bytes) * row.code.k() as u64;
        *sum.by_spare.entry(spare(row.code, prospect.live)).or_default() += 1;
        sum.unreadable_now += prospect.unreadable_now;
        sum.lost_per_year += prospect.lost_per_year;
        sum.lost_per_year_next_donor += prospect.next_donor;
        sum.lost_per_year_next_parity += prospect.next_parity;
    }
}

/// The class that an operator sees the segment in.
fn class(health: &mut SegmentHealth, code: Code, live: usize, margin: usize) -> &mut u64 {
    match live {
        live if live >= code.n() => &mut health.full,
        live if live < code.k() => &mut health.lost,
        live if live <= code.k() + margin => &mut health.at_risk,
        _ => &mut health.degraded,
    }
}

/// Live shards beyond those needed; -1 for all that can't be read.
fn spare(code: Code, live: usize) -> i16 {
    live.checked_sub(code.k()).map_or(-1, |spare| spare as i16)
}
