//! Waiting for what must come true, never for longer than said.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// Looks until `look` answers `Ok`; after `patience` the last reason is the error.
pub async fn until<T>(what: &str, patience: Duration, mut look: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        match look().await {
            Ok(found) => return Ok(found),
            Err(reason) if Instant::now() >= deadline => bail!("{what}: not within {patience:?}: {reason:#}"),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
