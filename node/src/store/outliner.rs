//! Makes the outlines that are missing, a few headers a step: of a volume once it is full, and of the newest when the store
//! is closed.
//!
//! An outline takes room as a put does: where puts would be refused there is none, and a start reads that volume's headers. It
//! counts among the bytes used from then on.

use std::time::{Duration, Instant};

use super::limits::{OUTLINE_CLOSE_MS, OUTLINE_STEP_RECORDS};
use super::outline::{self, Draft};
use super::{Shared, Store, StoreError, off_thread};

/// The outlining of one store. Its state is only how far it is; losing that loses nothing.
pub(crate) struct Outliner {
    store: Store,
    draft: Option<Draft>,
}

impl Outliner {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, draft: None }
    }

    /// One bounded step; true if there is more to do.
    pub(crate) async fn step(&mut self) -> Result<bool, StoreError> {
        let (store, draft) = (self.store.clone(), self.draft.take());
        let (more, draft) = off_thread(move || step(&store.shared, draft, false)).await?;
        self.draft = draft;
        Ok(more)
    }
}

/// Makes what is missing, of the newest volume as well, within the time that a stop may take. Nobody may write any more.
pub(crate) fn finish(shared: &Shared) {
    let until = Instant::now() + Duration::from_millis(OUTLINE_CLOSE_MS);
    let (mut more, mut draft) = (true, None);
    while more && Instant::now() < until {
        (more, draft) = step(shared, draft, true);
    }
}

/// Goes on with a draft, or begins the next. A volume whose outline can't be made is left alone until the next start.
fn step(shared: &Shared, draft: Option<Draft>, with_newest: bool) -> (bool, Option<Draft>) {
    let next = match draft {
        Some(draft) => Some((draft.number, Ok(draft))),
        None => shared
            .index()
            .without_outline(with_newest)
            .map(|(number, volume)| (number, Draft::begin(&shared.options.dir, number, volume))),
    };
    let Some((number, draft)) = next else { return (false, None) };
    let more = draft.and_then(|mut draft| {
        let more = draft.step(OUTLINE_STEP_RECORDS)?;
        fits(shared, draft.bytes)?;
        if more { Ok(Some(draft)) } else { enter(shared, draft).map(|()| None) }
    });
    let draft = more.unwrap_or_else(|error| {
        tracing::info!(volume = number, "it gets no outline, a start will read it: {error}");
        shared.index_mut().give_up_outline(number);
        None
    });
    (true, draft)
}

fn fits(shared: &Shared, bytes: u64) -> std::io::Result<()> {
    let used_bytes = shared.index().used_bytes();
    if bytes <= shared.room(used_bytes).puts_bytes { Ok(()) } else { Err(std::io::ErrorKind::StorageFull.into()) }
}

fn enter(shared: &Shared, draft: Draft) -> std::io::Result<()> {
    let (number, len, bytes) = (draft.number, draft.len, draft.bytes);
    if !draft.finish(shared.options.fsync)? {
        return Err(std::io::Error::other("it was written to meanwhile"));
    }
    // Compaction may have dropped the volume meanwhile: it takes the outline along only if it comes after this.
    if shared.index_mut().set_outline(number, len, bytes) {
        return Ok(());
    }
    outline::remove(&shared.options.dir, number, false)
}
