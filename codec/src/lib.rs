//! Bytes to sealed, erasure-coded shards and back. Pure: no clock, no files, no runtime.
//!
//! ```text
//!   plaintext  | 64 KiB | 64 KiB | ... | rest |          one segment, at most k MiB
//!   sealed     | block+tag | block+tag | ... |           AES-256-GCM each, nonce = (segment, block)
//!   data       | shard 0     | shard 1     | ... pad |   the sealed bytes in order, cut in k equal pieces
//!   parity     | shard k     | ... | shard n-1       |   Reed-Solomon over GF(2^8)
//! ```
//!
//! Beside that, [`md5`]: the digest that S3 names objects' bytes by, of several objects in step.
//!
//! Promises: shards `0..k` are the sealed bytes themselves, so a range is read without decoding; a block opens only under its own key,
//! part, segment and place ([`seal`]); any `k` shards rebuild any other, byte for byte ([`erasure`]).

pub mod erasure;
pub mod key;
pub mod md5;
pub mod seal;
pub mod segment;

pub use key::DataKey;
