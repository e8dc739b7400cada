//! A network of twelve donors under every harm at once keeps every promise.
//!
//! `NODIO_CHAOS_SEED`, `NODIO_CHAOS_SECONDS` and `NODIO_CHAOS_BYTES` ask for another run than the short one; the full one is
//! `NODIO_CHAOS_SECONDS=600 NODIO_CHAOS_BYTES=2_000_000_000`.

use anyhow::Result;
use nodio_compat_tests::chaos::{Setting, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn chaos_leaves_every_acknowledged_byte_and_nothing_else() -> Result<()> {
    run(Setting::from_env()?).await
}
