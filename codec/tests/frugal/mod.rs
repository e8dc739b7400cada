//! Holds operations to what they were seen to allocate: shared by the crates' `tests/allocations.rs`, each a test binary with one test.
//!
//! All allocations of the process count, whichever thread makes them, so nothing else may run meanwhile. The least of several runs is
//! taken: the first one fills caches and pools, and a tick may fall into any. Only gross growth fails, so that neither another version
//! of a dependency nor an honest change has to record anew.

use std::alloc::System;
use std::fmt::Write;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const RUNS: usize = 8;
/// How many times its recorded figure an operation may take.
const HEAD_ROOM: usize = 2;
/// What it may take beside that: small operations grow by a factor at a word.
const ALLOCATIONS_MORE: usize = 8;
const BYTES_MORE: usize = 4096;

/// What an operation was seen to take: its name, allocations (those that grow one included), and bytes.
pub(crate) type Figure = (&'static str, usize, usize);

/// What operations take now.
pub(crate) struct Ledger {
    recorded: &'static [Figure],
    measured: Vec<Figure>,
}

impl Ledger {
    pub(crate) fn new(recorded: &'static [Figure]) -> Self {
        Self { recorded, measured: Vec::new() }
    }

    /// Counts what `work` allocates. What it returns is dropped, uncounted, before the next run.
    pub(crate) fn measure<T>(&mut self, name: &'static str, mut work: impl FnMut() -> T) {
        let mut least = (usize::MAX, usize::MAX);
        for _ in 0..RUNS {
            let region = Region::new(ALLOCATOR);
            let made = work();
            let taken = region.change();
            drop(made);
            least = (least.0.min(taken.allocations + taken.reallocations), least.1.min(taken.bytes_allocated));
        }
        self.measured.push((name, least.0, least.1));
    }

    /// Fails where an operation takes far more than was recorded, and where the table has other operations than the test. What was
    /// measured is printed as such a table.
    pub(crate) fn settle(self) {
        let mut table = String::new();
        for (name, allocations, bytes) in &self.measured {
            writeln!(table, "    ({name:?}, {allocations}, {}),", underscored(*bytes)).unwrap();
        }
        eprintln!("const RECORDED: &[Figure] = &[\n{table}];");
        let names = |figures: &[Figure]| figures.iter().map(|figure| figure.0).collect::<Vec<_>>();
        assert_eq!(names(self.recorded), names(&self.measured), "the table has a row for each operation");
        for (recorded, measured) in self.recorded.iter().zip(&self.measured) {
            let most = (HEAD_ROOM * recorded.1 + ALLOCATIONS_MORE, HEAD_ROOM * recorded.2 + BYTES_MORE);
            let held = measured.1 <= most.0 && measured.2 <= most.1;
            assert!(held, "{}: {} allocations of {} bytes; recorded: {recorded:?}", measured.0, measured.1, measured.2);
        }
    }
}

/// 1234567 as 1_234_567.
fn underscored(number: usize) -> String {
    let digits = number.to_string();
    let groups = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    digits.chars().enumerate().flat_map(|(at, digit)| groups(at).then_some('_').into_iter().chain([digit])).collect()
}
