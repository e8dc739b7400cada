//! Parts to be forgotten.

use nodio_host::Progress;
use nodio_meta::StoreError;

use super::progress;
use crate::map::release;
use crate::service::{Coordinator, lock};

impl Coordinator {
    pub(crate) async fn release_step(&self) -> Result<Progress, StoreError> {
        let after = lock(&self.cursors).release;
        let reached = release::step(&*self.store, after, self.now()).await?;
        lock(&self.cursors).release = reached;
        Ok(progress(reached.is_some() || after.is_some()))
    }
}
