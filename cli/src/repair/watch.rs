//! The segments that are not full, and what becomes of them.

use std::collections::BTreeMap;

use nodio_wire::api::{Inspect, SegmentView};
use nodio_wire::limits::SEGMENTS_PER_CALL_MAX;
use nodio_wire::{Code, SegmentId};
use serde::Serialize;

use crate::words::{count, grouped};

/// What was last seen of a segment that is not full.
#[derive(Debug, Clone)]
struct Seen {
    url: String,
    code: Code,
    live: usize,
    queued: bool,
    gone: bool,
}

/// Segments leave it when they are full.
#[derive(Debug, Default)]
pub(super) struct Watch {
    open: BTreeMap<SegmentId, Seen>,
    full: u64,
}

/// A segment that is not full.
#[derive(Debug, Serialize)]
pub(super) struct Left {
    pub(super) url: String,
    pub(super) segment: SegmentId,
    pub(super) live: usize,
    pub(super) n: usize,
    pub(super) why: Why,
}

/// Why a segment is not full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Why {
    /// It was deleted meanwhile, or never was.
    Gone,
    /// Fewer than `k` are live.
    Unreadable {
        needed: usize,
    },
    /// There are not `n` places to go to.
    FewDomains {
        have: usize,
        need: usize,
    },
    Queued,
    NotQueued,
}

impl Watch {
    /// Enters a segment, unless it is full.
    pub(super) fn enter(&mut self, url: &str, view: &SegmentView) {
        if !is_full(view) {
            let seen = Seen { url: url.to_owned(), code: view.code, live: 0, queued: false, gone: false };
            self.open.insert(view.segment, seen.after(view));
        }
    }

    /// What to ask for next: everything that is open, neighbours together.
    pub(super) fn asks(&self) -> Vec<Inspect> {
        let mut asks: Vec<Inspect> = Vec::new();
        for SegmentId { part, index } in self.open.keys() {
            match asks.last_mut() {
                Some(last) if last.part == *part && ((index - last.first) as usize) < SEGMENTS_PER_CALL_MAX => {
                    last.count = index - last.first + 1;
                }
                _ => asks.push(Inspect { part: *part, first: *index, count: 1 }),
            }
        }
        asks
    }

    /// Takes in the answer to one of [`Self::asks`]. What is open and not in it is gone.
    pub(super) fn update(&mut self, ask: Inspect, views: &[SegmentView]) {
        let first = SegmentId { part: ask.part, index: ask.first };
        let last = SegmentId { part: ask.part, index: ask.first.saturating_add(ask.count - 1) };
        self.open.range_mut(first..=last).for_each(|(_, seen)| seen.gone = true);
        for view in views {
            if is_full(view) {
                self.full += u64::from(self.open.remove(&view.segment).is_some());
            } else if let Some(seen) = self.open.get_mut(&view.segment) {
                *seen = seen.clone().after(view);
            }
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.open.is_empty()
    }

    /// Something may still be mended without a donor coming back.
    pub(super) fn is_hopeful(&self) -> bool {
        self.open.values().any(|seen| !seen.gone && seen.live >= seen.code.k())
    }

    /// Grows with every shard that comes back.
    pub(super) fn live(&self) -> (u64, usize) {
        (self.full, self.open.values().map(|seen| seen.live).sum())
    }

    /// How far it is.
    pub(super) fn line(&self) -> String {
        let missing: usize = self.open.values().map(|seen| seen.code.n() - seen.live).sum();
        let open = count(self.open.len() as u64, "segment");
        format!("{open} to mend, {} missing, {} mended", count(missing as u64, "shard"), grouped(self.full))
    }

    /// What is not full, with `domains` failure domains taking shards.
    pub(super) fn left(&self, domains: usize) -> Vec<Left> {
        let left = |(segment, seen): (&SegmentId, &Seen)| Left {
            url: seen.url.clone(),
            segment: *segment,
            live: seen.live,
            n: seen.code.n(),
            why: seen.why(domains),
        };
        self.open.iter().map(left).collect()
    }
}

impl Seen {
    fn after(self, view: &SegmentView) -> Self {
        Self { code: view.code, live: view.live.into(), queued: view.queued_for_repair, gone: false, url: self.url }
    }

    fn why(&self, domains: usize) -> Why {
        let (k, n) = (self.code.k(), self.code.n());
        match self {
            _ if self.gone => Why::Gone,
            _ if self.live < k => Why::Unreadable { needed: k - self.live },
            _ if domains < n => Why::FewDomains { have: domains, need: n },
            _ if self.queued => Why::Queued,
            _ => Why::NotQueued,
        }
    }
}

fn is_full(view: &SegmentView) -> bool {
    usize::from(view.live) >= view.code.n()
}

#[cfg(test)]
mod tests {
    use nodio_wire::PartId;

    use super::*;

    fn view(part: u8, index: u32, live: u8) -> SegmentView {
        SegmentView {
            segment: SegmentId { part: PartId([part; 16]), index },
            code: Code::DEFAULT,
            shard_bytes: 1,
            committed: 0,
            live,
            queued_for_repair: true,
            shards: Vec::new(),
        }
    }

    fn watch(views: &[SegmentView]) -> Watch {
        let mut watch = Watch::default();
        views.iter().for_each(|view| watch.enter("s3://b/k", view));
        watch
    }

    #[test]
    fn neighbours_are_asked_for_together_and_full_ones_not_at_all() {
        let watch = watch(&[view(1, 0, 5), view(1, 1, 6), view(1, 200, 4), view(1, 256, 5), view(2, 7, 5)]);
        let asks: Vec<_> = watch.asks().iter().map(|ask| (ask.part.0[0], ask.first, ask.count)).collect();
        assert_eq!(asks, [(1, 0, 201), (1, 256, 1), (2, 7, 1)]);
        assert_eq!(watch.line(), "4 segments to mend, 5 shards missing, 0 mended");
    }

    #[test]
    fn segments_leave_when_they_are_full_and_are_told_apart_when_they_stay() {
        let mut watch = watch(&[view(1, 0, 5), view(1, 1, 4), view(1, 2, 5), view(1, 3, 3)]);
        assert!(watch.is_hopeful());
        let before = watch.live();
        let ask = watch.asks()[0];
        watch.update(ask, &[view(1, 0, 6), view(1, 1, 5), view(1, 3, 3)]);
        assert_ne!(watch.live(), before);
        let why = |domains| watch.left(domains).into_iter().map(|left| (left.segment.index, left.why)).collect::<Vec<_>>();
        let stuck = Why::Unreadable { needed: 1 };
        assert_eq!(why(6), [(1, Why::Queued), (2, Why::Gone), (3, stuck)]);
        assert_eq!(why(5), [(1, Why::FewDomains { have: 5, need: 6 }), (2, Why::Gone), (3, stuck)]);
        let ask = watch.asks()[0];
        watch.update(ask, &[view(1, 1, 6), view(1, 3, 3)]);
        assert!(!watch.is_hopeful() && !watch.is_done(), "what is left waits for a donor");
    }
}
