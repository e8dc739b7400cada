//! Being a process: what every role needs around its own work, and nothing of that work.
//!
//! ```text
//!   file < environment < flags ──▶ config::load ──▶ T
//!   SIGINT, SIGTERM ─────────────▶ Shutdown ──┬──▶ serve   stops accepting, drains for a bounded time
//!                                             └──▶ Ticks   finish the step in hand, start no other
//!   second signal ───────────────▶ exits at once
//! ```
//!
//! Promises: one wall clock ([`clock`]), one place that leaves the async threads ([`mod@blocking`]), one way to write a private file
//! ([`files::write_private`]: complete or absent). Every listener is bounded in connections and in the time a client may take to say what
//! it wants. Nothing here knows S3, shards or stores. You may lose, at a shutdown, only what has not finished when the drain time is over.

pub mod blocking;
pub mod clock;
pub mod config;
pub mod files;
pub mod limits;
pub mod logs;
pub mod serve;
pub mod shutdown;
pub mod tick;

pub use blocking::{Panicked, blocking};
pub use clock::now_ms;
pub use config::ConfigError;
pub use files::{FolderError, FolderLock};
pub use serve::{ListenError, ServeOptions, bind, serve};
pub use shutdown::Shutdown;
pub use tick::{Progress, TickStatus, Ticks};
