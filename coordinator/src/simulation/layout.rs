//! The rows of the map in a few bytes each: which donor holds which position, and how many of them count.
//!
//! Donors' lists are exact while they are live. A donor that is away keeps its list as it was; what was rebuilt elsewhere meanwhile is
//! struck off when it returns.

/// No donor.
pub(super) const NOBODY: u16 = 0;

#[derive(Debug)]
pub(super) struct Layout {
    n: usize,
    /// `n` donors for each segment.
    rows: Vec<u16>,
    /// Shards whose donor is Live.
    live: Vec<u8>,
    /// Shards whose donor isn't dead, whatever the coordinator knows of that.
    alive: Vec<u8>,
    /// Segments of each donor.
    held: Vec<Vec<u32>>,
    /// Segments by their live shards.
    by_live: Vec<u64>,
    /// What was rebuilt elsewhere, of each donor that is away.
    struck: Vec<Vec<u32>>,
    /// Scratch: one mark for each segment, none set between calls.
    marks: Vec<bool>,
}

impl Layout {
    pub(super) fn new(n: usize, segments: usize) -> Self {
        let mut by_live = vec![0; n + 1];
        by_live[0] = segments as u64;
        Self {
            n,
            rows: vec![NOBODY; n * segments],
            live: vec![0; segments],
            alive: vec![0; segments],
            held: Vec::new(),
            by_live,
            struck: Vec::new(),
            marks: vec![false; segments],
        }
    }

    /// Makes room for donors up to this number.
    pub(super) fn know(&mut self, donor: u16) {
        let count = usize::from(donor) + 1;
        self.held.resize_with(count.max(self.held.len()), Vec::new);
        self.struck.resize_with(count.max(self.struck.len()), Vec::new);
    }

    pub(super) fn row(&self, segment: u32) -> &[u16] {
        let at = segment as usize * self.n;
        &self.rows[at..at + self.n]
    }

    pub(super) fn live(&self, segment: u32) -> usize {
        self.live[segment as usize].into()
    }

    pub(super) fn by_live(&self) -> &[u64] {
        &self.by_live
    }

    pub(super) fn held(&self, donor: u16) -> usize {
        self.held[usize::from(donor)].len()
    }

    /// Names a live donor for a position; the one before, if any, is away or gone.
    pub(super) fn place(&mut self, segment: u32, position: u8, donor: u16, before_is_dead: bool) {
        let at = segment as usize * self.n + usize::from(position);
        let before = std::mem::replace(&mut self.rows[at], donor);
        if before == NOBODY || before_is_dead {
            self.alive[segment as usize] += 1;
        }
        if before != NOBODY {
            self.struck[usize::from(before)].push(segment);
        }
        self.held[usize::from(donor)].push(segment);
        self.count(segment, 1);
    }

    /// A live donor goes away: `each` hears of its segments and how many live shards they have left.
    pub(super) fn away(&mut self, donor: u16, mut each: impl FnMut(u32, usize)) {
        let held = std::mem::take(&mut self.held[usize::from(donor)]);
        for segment in &held {
            each(*segment, self.count(*segment, -1));
        }
        self.held[usize::from(donor)] = held;
    }

    /// A donor that was away is back: `each` hears of its segments and how many live shards they have now.
    pub(super) fn back(&mut self, donor: u16, mut each: impl FnMut(u32, usize)) {
        let held = self.own(donor);
        for segment in &held {
            each(*segment, self.count(*segment, 1));
        }
        self.held[usize::from(donor)] = held;
    }

    /// A donor is dead: `each` hears of its segments and how many shards they can still count on.
    pub(super) fn dead(&mut self, donor: u16, mut each: impl FnMut(u32, usize)) {
        let held = self.own(donor);
        for segment in &held {
            let alive = &mut self.alive[*segment as usize];
            *alive -= 1;
            each(*segment, (*alive).into());
        }
        self.held[usize::from(donor)] = held;
    }

    /// What a donor that is given up for lost held. A dead one needs its list no more.
    pub(super) fn lost(&mut self, donor: u16, is_dead: bool) -> Vec<u32> {
        let held = self.own(donor);
        if !is_dead {
            self.held[usize::from(donor)].clone_from(&held);
        }
        held
    }

    /// Bytes it takes, by part: rows, counts, lists.
    pub(super) fn bytes(&self) -> [usize; 3] {
        let lists = self.held.iter().map(|list| list.capacity() * size_of::<u32>()).sum();
        [self.rows.capacity() * size_of::<u16>(), self.live.capacity() + self.alive.capacity(), lists]
    }

    /// Takes a donor's list, what was struck off left out.
    fn own(&mut self, donor: u16) -> Vec<u32> {
        let mut held = std::mem::take(&mut self.held[usize::from(donor)]);
        let struck = std::mem::take(&mut self.struck[usize::from(donor)]);
        if !struck.is_empty() {
            struck.iter().for_each(|segment| self.marks[*segment as usize] = true);
            held.retain(|segment| !self.marks[*segment as usize]);
            struck.iter().for_each(|segment| self.marks[*segment as usize] = false);
        }
        held
    }

    fn count(&mut self, segment: u32, change: i8) -> usize {
        let live = &mut self.live[segment as usize];
        self.by_live[usize::from(*live)] -= 1;
        *live = live.wrapping_add_signed(change);
        self.by_live[usize::from(*live)] += 1;
        usize::from(*live)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_follow_donors_and_what_was_replaced_counts_no_more() {
        let mut layout = Layout::new(2, 3);
        layout.know(3);
        for segment in 0..3 {
            layout.place(segment, 0, 1, false);
            layout.place(segment, 1, 2, false);
        }
        let mut left = Vec::new();
        layout.away(1, |segment, live| left.push((segment, live)));
        assert_eq!((left, layout.by_live()), (vec![(0, 1), (1, 1), (2, 1)], &[0, 3, 0][..]));
        layout.place(1, 0, 3, false);
        let mut back = Vec::new();
        layout.back(1, |segment, live| back.push((segment, live)));
        assert_eq!((back, layout.by_live()), (vec![(0, 2), (2, 2)], &[0, 0, 3][..]));
        assert_eq!((layout.row(1), layout.held(1), layout.alive[1]), (&[3, 2][..], 2, 2));
        layout.away(2, |_, _| ());
        layout.dead(2, |_, alive| assert_eq!(alive, 1));
        assert_eq!(layout.lost(2, true), [0, 1, 2]);
        layout.place(0, 1, 3, true);
        assert_eq!((layout.alive[0], layout.live(0), layout.held(2)), (2, 2, 0));
    }
}
