//! The picture: one line per segment, one mark per holder of each shard.
//!
//! ```text
//!   segment 0   4/6  ●1 ●2 ●5 ●7 ○9 ×-   live 4 of 6, spare 0, queued for repair
//! ```
//! Healthy segments in a row are folded into one line, so that what needs care is seen.

use std::collections::BTreeMap;

use nodio_gateway::admin::{ObjectView, PartView};
use nodio_wire::NodeId;
use nodio_wire::api::{HolderView, NodeState, SegmentView, ShardView, StandingState};

use crate::status::{node_state, standing};
use crate::table::{size, table};
use crate::words::count;

/// Healthy segments in a row are folded from this many on.
const FOLD_MIN: u32 = 4;

const LEGEND: &str = "● live   ◐ live, its donor is late   ○ its donor is away   × lost (×- nobody has it)\n";

/// What stands above the picture.
pub(super) fn head(name: &str, object: &ObjectView) -> String {
    let bytes = size(object.size);
    let segments: u64 = object.parts.iter().map(|part| u64::from(part.segments)).sum();
    let what = match (object.inline, object.parts.len()) {
        (true, _) => "inline: sealed into the gateway's metadata, no shards".to_owned(),
        (false, 0) => "empty, no shards".to_owned(),
        (false, 1) => count(segments, "segment"),
        (false, parts) => format!("{} in {parts} parts", count(segments, "segment")),
    };
    format!("{name}   {bytes}, {what}\n")
}

/// Whether there are enough live shards; an unknown segment has none.
pub(super) fn is_readable(view: Option<&SegmentView>) -> bool {
    view.is_some_and(|view| usize::from(view.live) >= view.code.k())
}

/// Draws segments as they come.
pub(super) struct Picture {
    all: bool,
    out: String,
    index: u32,
    width: usize,
    /// Healthy segments in a row up to here, the first few drawn.
    run: Vec<String>,
    run_len: u32,
    run_words: String,
    donors: BTreeMap<NodeId, HolderView>,
    unreadable: u64,
    drawn: bool,
}

impl Picture {
    pub(super) fn new(all: bool) -> Self {
        Self {
            all,
            out: String::new(),
            index: 0,
            width: 1,
            run: Vec::new(),
            run_len: 0,
            run_words: String::new(),
            donors: BTreeMap::new(),
            unreadable: 0,
            drawn: false,
        }
    }

    /// Of one part alone there is nothing to say.
    pub(super) fn begin_part(&mut self, part: &PartView, parts: usize) {
        let digits = part.segments.saturating_sub(1).to_string().len();
        self.width = if !self.all && part.segments >= FOLD_MIN { 2 * digits + 1 } else { digits };
        self.index = 0;
        if parts > 1 {
            let what = if part.code.is_some() { count(part.segments.into(), "segment") } else { "inline".to_owned() };
            self.out.push_str(&format!("\npart {}   {}, {what}\n", part.number, size(part.bytes)));
        }
    }

    pub(super) fn segment(&mut self, view: Option<&SegmentView>) {
        self.drawn = true;
        self.unreadable += u64::from(!is_readable(view));
        let shards = view.iter().flat_map(|view| &view.shards);
        for holder in shards.flat_map(|shard| &shard.holders) {
            self.donors.entry(holder.node).or_insert_with(|| holder.clone());
        }
        let label = self.index.to_string();
        let line = match view {
            Some(view) => self.line(&label, &format!("{}  {}   {}", view.code, marks(view), words(view))),
            None => self.line(&label, "not in the coordinator's map"),
        };
        match view.filter(|view| !self.all && is_healthy(view)) {
            Some(view) => self.hold(view, line),
            None => {
                self.flush();
                self.out.push_str(&line);
            }
        }
        self.index += 1;
    }

    pub(super) fn end_part(&mut self) {
        self.flush();
    }

    /// What was drawn since the last time.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    /// Legend and donors, if there is anything to explain.
    pub(super) fn foot(&self) -> String {
        if !self.drawn {
            return String::new();
        }
        let rows: Vec<_> = self.donors.values().map(row).collect();
        let donors = table(&["DONOR", "STATE", "STANDING", "DOMAIN"], &rows);
        format!("\n{LEGEND}\n{donors}")
    }

    pub(super) fn unreadable(&self) -> u64 {
        self.unreadable
    }

    fn line(&self, label: &str, rest: &str) -> String {
        format!("segment {label:width$} {rest}\n", width = self.width)
    }

    /// Adds to the run of healthy segments; those of another code begin a new one.
    fn hold(&mut self, view: &SegmentView, line: String) {
        let words = format!("{}  ● all {} live, spare {}", view.code, view.code.n(), view.code.parity());
        if words != self.run_words {
            self.flush();
            self.run_words = words;
        }
        self.run_len += 1;
        if self.run_len < FOLD_MIN {
            self.run.push(line);
        }
    }

    fn flush(&mut self) {
        if self.run_len >= FOLD_MIN {
            let label = format!("{}-{}", self.index - self.run_len, self.index - 1);
            let line = self.line(&label, &self.run_words);
            self.out.push_str(&line);
            self.run.clear();
        }
        self.run.drain(..).for_each(|line| self.out.push_str(&line));
        self.run_len = 0;
        self.run_words.clear();
    }
}

/// Nothing about it needs to be seen.
fn is_healthy(view: &SegmentView) -> bool {
    let whole = |shard: &ShardView| matches!(shard.holders.as_slice(), [holder] if mark(holder) == '●');
    usize::from(view.live) == view.code.n() && !view.queued_for_repair && view.shards.iter().all(whole)
}

fn marks(view: &SegmentView) -> String {
    let shard = |shard: &ShardView| {
        let holders: Vec<_> = shard.holders.iter().map(|holder| format!("{}{}", mark(holder), holder.node)).collect();
        if holders.is_empty() { "×-".to_owned() } else { holders.join("+") }
    };
    view.shards.iter().map(shard).collect::<Vec<_>>().join(" ")
}

fn mark(holder: &HolderView) -> char {
    match (holder.state, holder.standing) {
        (_, StandingState::Refused | StandingState::Released) | (NodeState::Lost, _) => '×',
        (NodeState::Offline, _) => '○',
        (NodeState::Suspect, _) => '◐',
        (NodeState::Up, _) => '●',
    }
}

fn words(view: &SegmentView) -> String {
    let (live, k, n) = (usize::from(view.live), view.code.k(), view.code.n());
    let spare = match live.checked_sub(k) {
        Some(spare) => format!("spare {spare}"),
        None => format!("unreadable, {} more needed", k - live),
    };
    let queued = if view.queued_for_repair { ", queued for repair" } else { "" };
    format!("live {live} of {n}, {spare}{queued}")
}

fn row(holder: &HolderView) -> Vec<String> {
    let words = [node_state(holder.state), standing(holder.standing), &holder.domain];
    std::iter::once(holder.node.to_string()).chain(words.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use nodio_wire::{Code, PartId, SegmentId, ShardId};

    use super::*;

    fn holder(node: u32, state: NodeState, standing: StandingState) -> HolderView {
        HolderView { node: NodeId(node), domain: format!("node-{node}"), state, standing }
    }

    fn up(node: u32) -> Vec<HolderView> {
        vec![holder(node, NodeState::Up, StandingState::Trusted)]
    }

    fn view(index: u32, live: u8, queued: bool, holders: Vec<Vec<HolderView>>) -> SegmentView {
        let shards = holders.into_iter().map(|holders| ShardView { id: ShardId([1; 32]), holders });
        SegmentView {
            segment: SegmentId { part: PartId([1; 16]), index },
            code: Code::DEFAULT,
            shard_bytes: 100,
            committed: 0,
            live,
            queued_for_repair: queued,
            shards: shards.collect(),
        }
    }

    fn healthy(index: u32) -> SegmentView {
        view(index, 6, false, (1..=6).map(up).collect())
    }

    fn part(number: u16, segments: u32) -> PartView {
        PartView { number, part: PartId([1; 16]), bytes: 5 << 20, code: Some(Code::DEFAULT), segments }
    }

    fn drawn(all: bool, views: &[Option<SegmentView>]) -> Picture {
        let mut picture = Picture::new(all);
        picture.begin_part(&part(1, views.len() as u32), 1);
        views.iter().for_each(|view| picture.segment(view.as_ref()));
        picture.end_part();
        picture
    }

    #[test]
    fn every_state_has_its_mark() {
        use NodeState::{Lost, Offline, Suspect, Up};
        use StandingState::{Draining, Refused, Trusted, Vetting};
        let moved = vec![holder(5, Offline, Trusted), holder(12, Up, Vetting)];
        let holders = vec![
            up(1),
            vec![holder(2, Suspect, Trusted)],
            moved,
            vec![holder(7, Up, Draining)],
            vec![holder(9, Lost, Trusted)],
            vec![],
        ];
        let refused = vec![up(1), up(2), up(3), vec![holder(4, Up, Refused)], vec![], vec![]];
        let mut picture = drawn(false, &[Some(view(0, 4, true, holders)), Some(view(1, 3, false, refused)), None]);
        let expected = "\
segment 0 4/6  ●1 ◐2 ○5+●12 ●7 ×9 ×-   live 4 of 6, spare 0, queued for repair
segment 1 4/6  ●1 ●2 ●3 ×4 ×- ×-   live 3 of 6, unreadable, 1 more needed
segment 2 not in the coordinator's map
";
        assert_eq!(picture.take(), expected);
        assert_eq!(picture.unreadable(), 2);
        let expected = "
● live   ◐ live, its donor is late   ○ its donor is away   × lost (×- nobody has it)

DONOR  STATE    STANDING  DOMAIN
1      up       trusted   node-1
2      suspect  trusted   node-2
3      up       trusted   node-3
4      up       refused   node-4
5      offline  trusted   node-5
7      up       draining  node-7
9      lost     trusted   node-9
12     up       vetting   node-12
";
        assert_eq!(picture.foot(), expected);
    }

    #[test]
    fn healthy_segments_in_a_row_are_one_line() {
        let sick = |index| view(index, 5, true, (1..=5).map(up).chain([vec![]]).collect());
        let views: Vec<_> = (0..12).map(|index| Some(if index == 5 { sick(index) } else { healthy(index) })).collect();
        let expected = "\
segment 0-4   4/6  ● all 6 live, spare 2
segment 5     4/6  ●1 ●2 ●3 ●4 ●5 ×-   live 5 of 6, spare 1, queued for repair
segment 6-11  4/6  ● all 6 live, spare 2
";
        assert_eq!(drawn(false, &views).take(), expected);
        let each = drawn(true, &views).take();
        assert_eq!(each.lines().count(), 12);
        assert!(each.starts_with("segment 0  4/6  ●1 ●2 ●3 ●4 ●5 ●6   live 6 of 6, spare 2\n"), "{each}");
        let few = drawn(false, &[Some(healthy(0)), Some(healthy(1)), Some(healthy(2))]).take();
        assert_eq!(few.lines().count(), 3);
    }

    #[test]
    fn a_moved_shard_is_not_folded_away() {
        let mut holders: Vec<_> = (1..=6).map(up).collect();
        holders[2].extend(up(9));
        let views: Vec<_> = (0..4).map(|index| Some(view(index, 6, false, holders.clone()))).collect();
        let text = drawn(false, &views).take();
        assert_eq!(text.matches("●3+●9").count(), 4, "{text}");
    }

    #[test]
    fn parts_have_heads_and_inline_says_so() {
        let mut picture = Picture::new(false);
        let inline = PartView { code: None, segments: 0, bytes: 17, ..part(9, 0) };
        for (part, views) in [(part(1, 1), vec![healthy(0)]), (inline, vec![])] {
            picture.begin_part(&part, 2);
            views.iter().for_each(|view| picture.segment(Some(view)));
            picture.end_part();
        }
        let expected = "
part 1   5.0 MiB, 1 segment
segment 0 4/6  ●1 ●2 ●3 ●4 ●5 ●6   live 6 of 6, spare 2

part 9   17 B, inline
";
        assert_eq!(picture.take(), expected);

        let object = |parts: Vec<PartView>, inline, bytes| ObjectView {
            key: "k".into(),
            version: None,
            newest: true,
            delete_marker: false,
            size: bytes,
            modified: 0,
            inline,
            parts,
        };
        let name = "s3://b/k";
        assert_eq!(head(name, &object(vec![part(1, 3)], false, 9 << 20)), "s3://b/k   9.0 MiB, 3 segments\n");
        assert_eq!(
            head(name, &object(vec![part(1, 3), part(2, 1)], false, 9 << 20)),
            "s3://b/k   9.0 MiB, 4 segments in 2 parts\n"
        );
        assert_eq!(head(name, &object(vec![], false, 0)), "s3://b/k   0 B, empty, no shards\n");
        let sealed = head(name, &object(vec![inline], true, 17));
        assert_eq!(sealed, "s3://b/k   17 B, inline: sealed into the gateway's metadata, no shards\n");
        assert_eq!(Picture::new(false).foot(), "");
    }
}
