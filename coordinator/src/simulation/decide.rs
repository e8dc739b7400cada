//! The repair rules, asked about one compact row: the only file that knows their shapes.

use nodio_wire::{Code, NodeId, ShardId};

use super::layout::NOBODY;
use crate::state::liveness::Presence;
use crate::state::placement::Need;
use crate::state::repair::{Verdict, sources, survey};
use crate::state::view::View;
use crate::tables::{Place, SegmentRow};

/// What is to be done about a segment: rebuild `positions` from `sources`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Mend {
    pub positions: Vec<u8>,
    pub sources: Vec<u16>,
}

/// A donor without a history: nobody is on trial here.
const PLAIN: View =
    View { presence: Presence::Live, up: true, sure: true, draining: false, dismissed: false, weight: 1.0, domain: u32::MAX };

/// A row of the map, filled in anew for each question.
#[derive(Debug)]
pub(super) struct Rules {
    row: SegmentRow,
    margin: usize,
}

impl Rules {
    pub(super) fn new(code: Code, shard_bytes: u32, margin: u8) -> Self {
        let place = |position: usize| Place { id: ShardId([position as u8; 32]), holders: Vec::with_capacity(1) };
        let shards = (0..code.n()).map(place).collect();
        Self { row: SegmentRow { code, shard_bytes, committed: 0, shards }, margin: margin.into() }
    }

    /// Length of a row as it is stored, bytes.
    pub(super) fn row_bytes(&self) -> usize {
        nodio_meta::row::encode(&self.row).len()
    }

    /// What must be rebuilt now; `None` if nothing, or if nothing can be.
    pub(super) fn mend(&mut self, holders: &[u16], presence: impl Fn(NodeId) -> Presence) -> Option<Mend> {
        for (place, holder) in self.row.shards.iter_mut().zip(holders) {
            place.holders.clear();
            place.holders.extend((*holder != NOBODY).then_some(NodeId((*holder).into())));
        }
        let view = |id| View { presence: presence(id), ..PLAIN };
        let Verdict::Mend { positions } = survey(&self.row, self.margin, false, view) else { return None };
        let sources = sources(&self.row, view).iter().map(|source| source.node.0 as u16).collect();
        Some(Mend { positions, sources })
    }
}

/// As [`Need::of`] has it: all holders, and the domains of those that aren't given up or about to be replaced.
pub(super) fn need(
    holders: &[u16],
    mended: &[u8],
    bytes: u64,
    presence: impl Fn(NodeId) -> Presence,
    domain: impl Fn(NodeId) -> Option<u32>,
) -> Need {
    let named = (0u8..).zip(holders).filter(|(_, holder)| **holder != NOBODY);
    let (mut not, mut domains) = (Vec::with_capacity(holders.len() + mended.len()), Vec::with_capacity(holders.len()));
    for (position, holder) in named {
        let id = NodeId((*holder).into());
        not.push(id);
        if !mended.contains(&position) && presence(id) != Presence::Gone {
            domains.extend(domain(id));
        }
    }
    Need { bytes, not, domains, apart: false, most: 1 }
}
