//! Parts to be forgotten.

use nodio_host::Progress;
use nodio_meta::StoreError;

use super::progress;
use crate::limits::DELETES_PER_TASK;
use crate::map::{deletes, release};
use crate::service::{Coordinator, lock};

impl Coordinator {
    pub(crate) async fn release_step(&self) -> Result<Progress, StoreError> {
        let after = lock(&self.cursors).release;
        let reached = release::step(&*self.store, after, self.now()).await?;
        lock(&self.cursors).release = reached;
        self.excuse_one().await?;
        Ok(progress(reached.is_some() || after.is_some()))
    }

    /// A donor that has left deletes nothing for anybody: what it was to delete is struck off, one donor a step in turn.
    async fn excuse_one(&self) -> Result<(), StoreError> {
        let after = lock(&self.cursors).excused;
        let next = self.state().nodes.released_after(after);
        lock(&self.cursors).excused = next;
        let Some(node) = next else { return Ok(()) };
        let struck = deletes::of(&*self.store, node, DELETES_PER_TASK).await?;
        deletes::settle(&*self.store, node, &struck).await
    }
}
