//! How far a long command has come: one line on stderr that is written over, if a person looks on.

use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Pauses between two looks at something that takes its time.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The line; wiped when dropped.
pub(crate) struct Progress {
    shown: bool,
    terminal: bool,
    pause: Duration,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { shown: false, terminal: std::io::stderr().is_terminal(), pause: PAUSE_MIN }
    }

    pub(crate) fn show(&mut self, text: &str) {
        if self.terminal {
            self.shown = true;
            write(&format!("\r\x1b[K{text}"));
        }
    }

    /// Before other words are said.
    pub(crate) fn wipe(&mut self) {
        if std::mem::take(&mut self.shown) {
            write("\r\x1b[K");
        }
    }

    /// Waits, from time to time a little longer.
    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 3 / 2).min(PAUSE_MAX);
    }

    /// Something has moved: look again soon.
    pub(crate) fn moved(&mut self) {
        self.pause = PAUSE_MIN;
    }
}

fn write(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.wipe();
    }
}
