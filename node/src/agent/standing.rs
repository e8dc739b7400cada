//! What the network makes of this donor: said in the log when it changes, kept in `DIR/standing.json` for whoever looks, and
//! told on the health page. The file is for people; nothing is decided by it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nodio_wire::api::{Standing, StandingState};
use tokio::time::Instant;

use crate::limits::STANDING_LAG_MS;
use crate::size::ByteSize;

const FILE: &str = "standing.json";
const READABLE_MODE: u32 = 0o644;

/// The last standing heard, in this run or in one before. Clones share it.
#[derive(Clone)]
pub(crate) struct Board {
    path: PathBuf,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    standing: Option<Standing>,
    /// What the file says, and since when.
    written: Option<(Standing, Instant)>,
    told: bool,
}

impl Board {
    /// Begins with what the folder's file says. One that can't be read is as good as none: the next heartbeat tells.
    pub(crate) fn open(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let standing = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Self { path, heard: Arc::new(Mutex::new(Heard { standing, ..Heard::default() })) }
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn standing(&self) -> Option<Standing> {
        self.lock().standing.clone()
    }

    /// Takes in what a heartbeat's reply said.
    pub(crate) fn hear(&self, standing: Standing) {
        let mut heard = self.lock();
        let news = heard.standing.as_ref().is_none_or(|known| is_news(known, &standing));
        if news || !std::mem::replace(&mut heard.told, true) {
            say(&standing);
        }
        heard.told = true;
        if !heard.written.as_ref().is_some_and(|(written, at)| is_recent(written, &standing, at.elapsed())) {
            if let Err(error) = write_readable(&self.path, &standing) {
                tracing::warn!("{} can't be written: {error}", self.path.display());
            }
            heard.written = Some((standing.clone(), Instant::now()));
        }
        heard.standing = Some(standing);
    }
}

/// True if there is something to say: another state, another reason, a receipt.
fn is_news(known: &Standing, heard: &Standing) -> bool {
    known.state != heard.state || known.reason != heard.reason || known.receipt != heard.receipt
}

/// True if the file needn't be written again.
fn is_recent(written: &Standing, heard: &Standing, age: Duration) -> bool {
    written == heard || (!is_news(written, heard) && age < Duration::from_millis(STANDING_LAG_MS))
}

fn say(standing: &Standing) {
    let (trust, reason) = (standing.trust, described(&standing.reason));
    match standing.state {
        StandingState::Vetting => {
            tracing::info!(trust, "this donor is new to the network: it holds shards and is tested{reason}")
        }
        StandingState::Trusted => tracing::info!(trust, "the network trusts this donor{reason}"),
        StandingState::Draining => {
            let left = standing.left.unwrap_or_default();
            let bytes = ByteSize(left.bytes);
            tracing::warn!(
                trust,
                "this donor is being drained, {} shards ({bytes}) are still to be copied away{reason}",
                left.shards
            );
        }
        StandingState::Refused => {
            tracing::error!(
                trust,
                "the network doesn't count on this donor any more{reason}; it serves what it has until it is stopped"
            );
        }
        StandingState::Released => {
            tracing::info!(
                "this donor has left the network{reason}; it serves what it has until it is stopped, which it may be now"
            );
        }
    }
}

fn described(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// Replaces the file whole, readable for everybody who may look into the folder.
pub(crate) fn write_readable(path: &Path, content: &impl serde::Serialize) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let text = serde_json::to_vec_pretty(content)?;
    nodio_host::files::write_private(path, &text)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(READABLE_MODE))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use nodio_wire::api::Left;

    use super::*;

    fn standing(state: StandingState, left: u64) -> Standing {
        let left = Some(Left { shards: left, bytes: left });
        Standing { state, since: 5, reason: "because".into(), trust: 0.5, left, receipt: None }
    }

    #[tokio::test(start_paused = true)]
    async fn the_file_follows_every_change_of_state_and_the_rest_in_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let read = || serde_json::from_slice::<Standing>(&std::fs::read(&path).unwrap()).unwrap();
        let board = Board::open(dir.path());
        assert_eq!(board.standing(), None);
        board.hear(standing(StandingState::Trusted, 9));
        assert_eq!(read(), standing(StandingState::Trusted, 9));
        board.hear(standing(StandingState::Draining, 9));
        assert_eq!(read(), standing(StandingState::Draining, 9));
        board.hear(standing(StandingState::Draining, 8));
        assert_eq!((read().left.unwrap().shards, board.standing().unwrap().left.unwrap().shards), (9, 8));
        tokio::time::advance(Duration::from_millis(STANDING_LAG_MS)).await;
        board.hear(standing(StandingState::Draining, 7));
        assert_eq!(read(), standing(StandingState::Draining, 7));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(Board::open(dir.path()).standing(), Some(standing(StandingState::Draining, 7)), "kept over a restart");
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "{").unwrap();
        assert_eq!(Board::open(dir.path()).standing(), None);
    }
}
