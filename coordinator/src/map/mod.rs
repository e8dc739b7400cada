//! The shard map: what is written when something happens to a segment. Every function is one bounded, idempotent transaction, or a
//! few of them, over the rows of [`crate::keyspace`].
//!
//! ```text
//!   commit ───► s/ + n/ (+ r/ if a shard has no live donor)
//!   forget ───► a shard was missing or corrupt: s/ position emptied, n/ gone, r/ written (+ x/ if the bytes are bad)
//!   record ───► a shard was rebuilt: s/ position filled, n/ written, old holder's n/ gone and x/ written, r/ gone if that was all
//!   release ──► q/, then step by step: s/, n/, r/ gone, x/ written
//!   inventory   what a donor holds against its n/ rows
//! ```
//! Promises: an `s/` row and its `n/` rows change in one commit, checked against the version that was read; so of two writers one
//! starts again. Nothing here decides who is alive: that is asked of the caller.

pub(crate) mod commit;
pub(crate) mod deletes;
pub(crate) mod forget;
pub(crate) mod inventory;
pub(crate) mod nodes;
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
