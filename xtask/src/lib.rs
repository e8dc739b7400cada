//! The project's own chores, shared by `cargo xtask` and by the tests that need S3 clients.
//!
//! Promises: nothing is installed twice ([`clients`] keys what it installs by what was asked for); a chore that fails names the
//! command that failed; nothing is downloaded but through the package managers themselves.

pub mod clients;
pub mod fuzz;
pub mod growth;
pub mod operations;
pub mod run;
