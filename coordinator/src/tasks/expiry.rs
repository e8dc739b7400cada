//! Promises and leases that are over.

use nodio_host::Progress;

use super::progress;
use crate::limits::PAGE_ROWS;
use crate::service::Coordinator;
use crate::state::State;

impl Coordinator {
    pub(crate) fn expiry_step(&self) -> Progress {
        let now = self.now();
        let mut state = self.state();
        let State { nodes, reservations, .. } = &mut *state;
        let more = reservations.expire(nodes, now, PAGE_ROWS);
        let expired = state.expire_tasks(now, PAGE_ROWS);
        if expired > 0 {
            tracing::info!(expired, "work that no donor reported on is planned anew");
        }
        progress(more || expired >= PAGE_ROWS)
    }
}
