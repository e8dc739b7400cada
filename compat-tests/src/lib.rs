//! Real clients and real faults against real processes.
//!
//! ```text
//!   a test ── Cluster ── nodio coordinator, nodio gateway, n × nodio-node     real processes, folders of their own, fsync on
//!      ├─ clients: aws-cli, SDKs, backup programs and more                    installed by the tests themselves
//!      ├─ s3::S3: signed requests, retried never                              so that a fault is seen as it is
//!      ├─ shards, disk, manners: files read and harmed from outside, a disk that runs full, a relay that misbehaves
//!      └─ chaos: all of it at once, by seed, and the reckoning
//! ```
//!
//! Promises: every process is killed and reaped when its test ends, however it ends; every wait has a deadline; test data is made
//! from a seed and compared byte by byte; at most one network runs at a time in one test process.

pub mod chaos;
pub mod clients;
pub mod cluster;
pub mod data;
pub mod dice;
pub mod disk;
pub mod load;
pub mod manners;
pub mod ops;
pub mod process;
pub mod relay;
pub mod s3;
pub mod shards;
pub mod wait;
