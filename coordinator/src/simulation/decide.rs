//! The repair rules, asked about one compact row: the only file that knows their shapes.

use nodio_wire::{Code, NodeId, ShardId};

use super::layout::NOBODY;
use crate::state::liveness::Presence;
use crate::state::placement::Need;
use crate::state::repair::{Verdict, sources, survey};
use crate::state::view::View;
use crate::tables::{Place, SegmentRow};

/// What is to be done about a segment: rebuild `positions` from `sources`, at donors that meet `need`.
#[derive(Debug)]
pub(super) struct Mend {
    pub positions: Vec<u8>,
    pub sources: Vec<u16>,
    pub need: Need,
}

/// A donor without a history: nobody is on trial here.
pub(super) const PLAIN: View =
    View { presence: Presence::Live, up: true, sure: true, draining: false, dismissed: false, weight: 1.0, domain: u32::MAX };

/// A donor is idle or busy.
const SEATS: usize = 1;

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
    pub(super) fn mend(&mut self, holders: &[u16], view: impl Fn(NodeId) -> View) -> Option<Mend> {
        for (place, holder) in self.row.shards.iter_mut().zip(holders) {
            place.holders.clear();
            place.holders.extend((*holder != NOBODY).then_some(NodeId((*holder).into())));
        }
        let Verdict::Mend { positions } = survey(&self.row, self.margin, false, &view) else { return None };
        let sources = sources(&self.row, &view).iter().map(|source| source.node.0 as u16).collect();
        let need = Need::of(&self.row, &positions, &[], SEATS, view);
        Some(Mend { positions, sources, need })
    }
}
