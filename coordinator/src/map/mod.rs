//! The shard map: what is written when something happens to a segment. Every function is one bounded, idempotent transaction, or a
//! few of them, over the rows of [`crate::keyspace`].
//!
//! ```text
//!   commit ───► s/ + n/ (+ r/ if a shard has no live donor)
//!   forget ───► a shard was missing or corrupt: donor off the s/ row, n/ gone, r/ written (+ x/ if the bytes are bad)
//!   record ───► a shard was stored: donor onto the s/ row, n/ written; holders too many off it, their n/ gone, x/ written
//!   holders ──► the same for holders too many alone
//!   queue ────► r/
//!   release ──► q/, then step by step: s/, n/ gone, x/ written; r/ is left to the planner
//!   inventory   what a donor holds against its n/ rows
//! ```
//! Promises: an `s/` row and its `n/` rows change in one commit, checked against the version that was read; so of two writers one
//! starts again. Nothing here decides who is alive: that is asked of the caller.

pub(crate) mod commit;
pub(crate) mod deletes;
pub(crate) mod forget;
pub(crate) mod holders;
pub(crate) mod inventory;
pub(crate) mod nodes;
pub(crate) mod queue;
pub(crate) mod record;
pub(crate) mod release;

#[cfg(test)]
pub(crate) mod testing;

use nodio_meta::StoreError;

/// Why the map could not be changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MapError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is asked for contradicts the map or itself.
    #[error("{0}")]
    Refused(String),
}
