//! Donors in memory: the plain model of a donor for pipeline tests, with switches for the ways donors fail.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{DonorError, Stored, Transport};
use crate::buffer::Buffer;
use crate::ids::ShardId;
use crate::ticket::SignedTicket;

/// Any number of donors, told apart by address. Tickets are not checked: that is the donor's own test.
#[derive(Default)]
pub struct MemoryTransport {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    shards: HashMap<(String, ShardId), Bytes>,
    dead: HashSet<String>,
    full: HashSet<String>,
    slow: HashMap<String, Duration>,
    gets: u64,
    bytes_read: u64,
}

impl MemoryTransport {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nobody answers at `addr`; [`Self::revive`] brings it back with its shards.
    pub fn kill(&self, addr: &str) {
        self.state().dead.insert(addr.to_owned());
    }

    pub fn revive(&self, addr: &str) {
        self.state().dead.remove(addr);
    }

    /// From now on `addr` stores nothing.
    pub fn fill(&self, addr: &str) {
        self.state().full.insert(addr.to_owned());
    }

    /// From now on every answer of `addr` takes this long.
    pub fn slow(&self, addr: &str, by: Duration) {
        self.state().slow.insert(addr.to_owned(), by);
    }

    /// Flips one bit in every shard that `addr` holds; returns how many.
    pub fn corrupt(&self, addr: &str) -> usize {
        let mut state = self.state();
        let held = state.shards.iter_mut().filter(|((at, _), shard)| at == addr && !shard.is_empty());
        held.map(|(_, shard)| {
            let mut bytes = shard.to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            *shard = bytes.into();
        })
        .count()
    }

    /// Drops every shard that `addr` holds.
    pub fn wipe(&self, addr: &str) {
        self.state().shards.retain(|(at, _), _| at != addr);
    }

    /// Reads so far: requests and bytes.
    pub fn reads(&self) -> (u64, u64) {
        let state = self.state();
        (state.gets, state.bytes_read)
    }

    /// Every shard held anywhere, as (address, id, bytes).
    pub fn held(&self) -> Vec<(String, ShardId, Bytes)> {
        self.state().shards.iter().map(|((addr, id), shard)| (addr.clone(), *id, shard.clone())).collect()
    }

    async fn answer(&self, addr: &str) -> Result<(), DonorError> {
        let slow = self.state().slow.get(addr).copied();
        if let Some(by) = slow {
            tokio::time::sleep(by).await;
        }
        if self.state().dead.contains(addr) { Err(DonorError::Unreachable("killed".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Transport for MemoryTransport {
    async fn put(&self, addr: &str, _: &SignedTicket, id: ShardId, shard: Bytes) -> Result<Stored, DonorError> {
        self.answer(addr).await?;
        let mut state = self.state();
        if state.full.contains(addr) {
            return Err(DonorError::Full);
        }
        assert_eq!(ShardId::of(&shard), id, "a shard is stored under its own hash");
        state.shards.insert((addr.to_owned(), id), shard);
        Ok(Stored::default())
    }

    async fn read(&self, addr: &str, _: &SignedTicket, id: ShardId, range: Option<Range<u32>>) -> Result<Buffer, DonorError> {
        self.answer(addr).await?;
        let mut state = self.state();
        let shard = state.shards.get(&(addr.to_owned(), id)).cloned().ok_or(DonorError::NotHeld)?;
        let bytes = match range {
            Some(range) => shard.slice(range.start as usize..range.end as usize),
            None => shard,
        };
        state.gets += 1;
        state.bytes_read += bytes.len() as u64;
        Ok(Buffer::from(&bytes[..]))
    }
}
