//! The walk: one bucket after the other, page by page.

use std::collections::HashSet;

use nodio_wire::limits::PARTS_PER_ASK_MAX;
use nodio_wire::{PartId, UnixMs};

use super::Figures;
use crate::limits::DURABILITY_STEP_VERSIONS;
use crate::names::{BucketId, BucketName};
use crate::pipeline::Pipeline;
use crate::rows::{BucketRow, PartPlace, PartRef};
use crate::tables::{HoldingPage, PageLimit, RowPlace, Tables, Which};

const STEP: PageLimit = PageLimit { versions: DURABILITY_STEP_VERSIONS, parts: PARTS_PER_ASK_MAX };

/// How far the count has come.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// The last bucket that was begun.
    last: Option<BucketName>,
    met: HashSet<BucketId>,
    bucket: Option<BucketWalk>,
}

#[derive(Debug)]
struct BucketWalk {
    row: BucketRow,
    after: Option<RowPlace>,
    sum: Figures,
    /// Parts with several names that were counted: only these can be met twice.
    shared: HashSet<PartId>,
}

/// What a step has come to.
#[derive(Debug)]
pub(super) enum Counted {
    Some,
    /// All of a bucket.
    Bucket(BucketId, Figures),
}

impl Walk {
    /// A bucket of that id was there when it was its turn.
    pub(super) fn met(&self, id: &BucketId) -> bool {
        self.met.contains(id)
    }

    /// One step on; `None` behind the last bucket. Changes nothing when it fails.
    pub(super) async fn advance(&mut self, tables: &Tables, pipeline: &Pipeline, now: UnixMs) -> Result<Option<Counted>, String> {
        let Some(bucket) = &mut self.bucket else { return self.next_bucket(tables).await };
        if bucket.advance(tables, pipeline).await? {
            return Ok(Some(Counted::Some));
        }
        let done = self.bucket.take();
        Ok(done.map(|done| Counted::Bucket(done.row.id, Figures { measured: now, ..done.sum })))
    }

    async fn next_bucket(&mut self, tables: &Tables) -> Result<Option<Counted>, String> {
        let next = tables.all_buckets(self.last.as_ref(), 1).await.map_err(|error| error.to_string())?;
        let Some(row) = next.into_iter().next() else { return Ok(None) };
        self.last = Some(row.name.clone());
        self.met.insert(row.id);
        self.bucket = Some(BucketWalk { row, after: None, sum: Figures::default(), shared: HashSet::new() });
        Ok(Some(Counted::Some))
    }
}

impl BucketWalk {
    /// Counts one page; false behind the last one.
    async fn advance(&mut self, tables: &Tables, pipeline: &Pipeline) -> Result<bool, String> {
        let every = Which::Prefix(String::new());
        let page = tables.holdings(&self.row, &every, self.after.as_ref(), STEP).await.map_err(|error| error.to_string())?;
        let parts = segmented(&page);
        let shared = tables.shared(&parts).await.map_err(|error| error.to_string())?;
        let shared: HashSet<PartId> = shared.into_iter().collect();
        let mut met = HashSet::new();
        let once = |part: &PartId| !shared.contains(part) || (!self.shared.contains(part) && met.insert(*part));
        let parts: Vec<PartId> = parts.into_iter().filter(once).collect();
        let mut sum = self.sum.durability.clone();
        for parts in parts.chunks(PARTS_PER_ASK_MAX) {
            sum.add(&pipeline.durability(parts.to_vec()).await.map_err(|error| error.to_string())?);
        }
        self.shared.extend(met);
        self.sum.durability = sum;
        self.count_objects(&page);
        self.after = page.next;
        Ok(self.after.is_some())
    }

    fn count_objects(&mut self, page: &HoldingPage) {
        for parts in page.holdings.iter().filter(|holding| holding.row.live().is_some()).map(|holding| &holding.parts) {
            self.sum.objects += 1;
            self.sum.inline_objects += u64::from(is_inline(parts));
        }
    }
}

/// Has bytes, and none of them on donors.
pub(crate) fn is_inline(parts: &[PartRef]) -> bool {
    let inline = |part: &PartRef| part.place == PartPlace::Inline;
    parts.iter().any(inline) && parts.iter().all(|part| inline(part) || part.place == PartPlace::Empty)
}

fn segmented(page: &HoldingPage) -> Vec<PartId> {
    let parts = page.holdings.iter().flat_map(|holding| &holding.parts);
    parts.filter(|part| matches!(part.place, PartPlace::Segments(_))).map(|part| part.id).collect()
}
