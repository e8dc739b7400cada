//! `DIR/volumes/notes.json`: how far the scrub and the clock are. Losing it costs a round of the scrub, and makes shards look
//! younger than they are; nothing that is held depends on it.

use std::io;
use std::path::{Path, PathBuf};

use nodio_host::files::write_private;
use nodio_wire::UnixMs;
use serde::{Deserialize, Serialize};

use super::scrub::Round;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Notes {
    /// The store's clock when this was written; 0: never.
    pub(crate) clock_ms: UnixMs,
    pub(crate) scrub: Round,
}

fn path(dir: &Path) -> PathBuf {
    dir.join("notes.json")
}

/// What was noted last. Notes that are missing or can't be read are as if never made.
pub(crate) fn load(dir: &Path) -> Notes {
    let read = std::fs::read(path(dir)).and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::other));
    read.unwrap_or_else(|error: io::Error| {
        if error.kind() != io::ErrorKind::NotFound {
            tracing::warn!("{} can't be read, the scrub begins anew: {error}", path(dir).display());
        }
        Notes::default()
    })
}

/// Replaces the notes at once.
pub(crate) fn save(dir: &Path, notes: &Notes) -> io::Result<()> {
    let bytes = serde_json::to_vec(notes).map_err(io::Error::other)?;
    write_private(&path(dir), &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_read_as_written_and_damaged_ones_as_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path()), Notes::default());
        let notes = Notes { clock_ms: 7, scrub: Round { rounds: 3, bytes: 9, ..Round::default() } };
        save(dir.path(), &notes).unwrap();
        assert_eq!(load(dir.path()), notes);
        std::fs::write(path(dir.path()), "{\"clock_ms\": ").unwrap();
        assert_eq!(load(dir.path()), Notes::default());
        std::fs::write(path(dir.path()), "{\"clock_ms\": 5, \"later\": 1}").unwrap();
        assert_eq!(load(dir.path()).clock_ms, 5, "fields of other versions do no harm");
    }
}
