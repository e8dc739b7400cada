//! Store tickets that were used. One ticket stores one shard; showing it again for the same shard is a retry.
//!
//! Kept in groups by expiry, so that forgetting is dropping a group. A restart forgets all of them: until they expire, minutes
//! later, a ticket could then serve once more, for a shard no longer than the first.

use std::collections::{BTreeMap, HashMap};

use nodio_wire::api::digest_of;
use nodio_wire::ticket::Ticket;
use nodio_wire::{ShardId, UnixMs};

use crate::limits::SPENT_GROUP_MS;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpendError {
    #[error("the ticket was used for another shard")]
    Used,
    #[error("too many tickets are remembered")]
    TooMany,
}

#[derive(Debug)]
pub(crate) struct Spent {
    /// Group (expiry divided by [`SPENT_GROUP_MS`]) -> nonce -> head of the shard id.
    groups: BTreeMap<u64, HashMap<u64, u128>>,
    count: usize,
    max: usize,
}

impl Spent {
    pub(crate) fn new(max: usize) -> Self {
        Self { groups: BTreeMap::new(), count: 0, max }
    }

    /// Uses a ticket, which is its donor's own and alive, for `shard`.
    pub(crate) fn spend(&mut self, ticket: &Ticket, shard: &ShardId, now: UnixMs) -> Result<(), SpendError> {
        self.forget(now);
        let group = ticket.expires / SPENT_GROUP_MS;
        let head = digest_of(shard);
        match self.groups.get(&group).and_then(|nonces| nonces.get(&ticket.nonce)) {
            Some(used) if *used == head => return Ok(()),
            Some(_) => return Err(SpendError::Used),
            None if self.count >= self.max => return Err(SpendError::TooMany),
            None => {}
        }
        self.groups.entry(group).or_default().insert(ticket.nonce, head);
        self.count += 1;
        Ok(())
    }

    fn forget(&mut self, now: UnixMs) {
        while let Some(oldest) = self.groups.first_entry() {
            if (oldest.key() + 1).saturating_mul(SPENT_GROUP_MS) > now {
                return;
            }
            self.count -= oldest.remove().len();
        }
    }
}

#[cfg(test)]
mod tests {
    use nodio_wire::NodeId;
    use nodio_wire::ticket::Op;

    use super::*;

    fn ticket(nonce: u64, expires: UnixMs) -> Ticket {
        Ticket { op: Op::Put, node: NodeId(1), shard: None, bytes_max: 1, expires, nonce }
    }

    #[test]
    fn a_ticket_serves_for_one_shard_until_it_expires() {
        let mut spent = Spent::new(2);
        let (a, b) = (ShardId::of(b"a"), ShardId::of(b"b"));
        assert_eq!(spent.spend(&ticket(1, 100_000), &a, 0), Ok(()));
        assert_eq!(spent.spend(&ticket(1, 100_000), &a, 10), Ok(()), "a retry");
        assert_eq!(spent.spend(&ticket(1, 100_000), &b, 20), Err(SpendError::Used));
        assert_eq!(spent.spend(&ticket(2, 200_000), &b, 99_999), Ok(()));
        assert_eq!(spent.spend(&ticket(3, 200_000), &b, 99_999), Err(SpendError::TooMany));
        assert_eq!(spent.spend(&ticket(3, 200_000), &b, 110_000), Ok(()), "the first is forgotten after its expiry");
        assert_eq!(spent.spend(&ticket(2, 200_000), &a, 199_999), Err(SpendError::Used));
    }

    #[test]
    fn a_ticket_that_never_expires_is_remembered() {
        let mut spent = Spent::new(2);
        assert_eq!(spent.spend(&ticket(1, u64::MAX), &ShardId::of(b"a"), 0), Ok(()));
        assert_eq!(spent.spend(&ticket(1, u64::MAX), &ShardId::of(b"b"), u64::MAX - 1), Err(SpendError::Used));
    }
}
