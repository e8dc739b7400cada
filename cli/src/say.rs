//! Words for the person at the terminal, or for the pipe behind.

use std::io::Write;

/// Prints to stdout at once. A reader that has gone away is no error: the work goes on without it.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
