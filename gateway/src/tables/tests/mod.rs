//! A small world to test in, and an audit of all its rows.

mod access;
mod buckets;
mod conditions;
mod expire;
mod holdings;
mod list;
mod locks;
mod objects;
mod outbox;
mod random;
mod redb;
mod references;
mod uploads;
mod usage;
mod versions;
mod world;

use world::{Shuffled, World};

pub(super) use super::*;
