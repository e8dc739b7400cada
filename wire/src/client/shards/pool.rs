//! Connections that wait for their next request, by donor.
//!
//! Promises: one waits for at most [`IDLE_TIME`], less than what its server allows, so that none is used while it is being closed; there
//! are never more than [`IDLE_MAX`]; one that was closed, or that says something unasked, is not used again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::super::POOL_IDLE as IDLE_TIME;

/// Idle connections to one donor, and to all, at most.
const IDLE_PER_DONOR_MAX: usize = 32;
const IDLE_MAX: usize = 1024;
/// Time between two looks for those that have waited too long.
const REAP_EVERY: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The longest waiting first.
    by_donor: HashMap<Box<str>, Vec<Waiting>>,
    count: usize,
    reaping: bool,
}

struct Waiting {
    since: Instant,
    stream: TcpStream,
}

impl Pool {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection to `addr` that was used last, if one waits.
    pub(super) fn take(&self, addr: &str) -> Option<TcpStream> {
        let mut idle = self.idle();
        loop {
            let waiting = idle.by_donor.get_mut(addr)?.pop()?;
            idle.count -= 1;
            if waiting.since.elapsed() < IDLE_TIME && is_quiet(&waiting.stream) {
                return Some(waiting.stream);
            }
        }
    }

    /// Keeps a connection that has nothing left to say or to hear.
    pub(super) fn keep(self: &Arc<Self>, addr: &str, stream: TcpStream) {
        let mut idle = self.idle();
        if idle.count >= IDLE_MAX {
            return;
        }
        let waiting = Waiting { since: Instant::now(), stream };
        match idle.by_donor.get_mut(addr) {
            Some(donor) if donor.len() >= IDLE_PER_DONOR_MAX => return,
            Some(donor) => donor.push(waiting),
            None => drop(idle.by_donor.insert(addr.into(), vec![waiting])),
        }
        idle.count += 1;
        if !std::mem::replace(&mut idle.reaping, true) {
            tokio::spawn(reap(Arc::downgrade(self)));
        }
    }

    /// Closes what has waited too long; false once nothing waits.
    fn reap(&self) -> bool {
        let mut idle = self.idle();
        let Idle { by_donor, count, reaping } = &mut *idle;
        by_donor.retain(|_, donor| {
            donor.retain(|waiting| waiting.since.elapsed() < IDLE_TIME && is_quiet(&waiting.stream));
            !donor.is_empty()
        });
        *count = by_donor.values().map(Vec::len).sum();
        *reaping = *count > 0;
        *reaping
    }
}

/// Runs while anything waits.
async fn reap(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(REAP_EVERY).await;
        if !pool.upgrade().is_some_and(|pool| pool.reap()) {
            return;
        }
    }
}

/// True if the peer has neither closed nor said anything.
fn is_quiet(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}
