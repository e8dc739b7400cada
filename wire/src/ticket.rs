//! Tickets: leave to do one thing with one donor, minted by the coordinator, checked by the donor alone.
//!
//! A ticket to read or delete names its shard. A ticket to store can't (the name is the hash of bytes not yet sealed when
//! grants are asked for ahead), so it is bound by size and serves for one shard only: the donor remembers its nonce until it expires.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::auth::Secret;
use crate::ids::{NodeId, ShardId, UnixMs};

/// The header a shard request carries.
pub const HEADER: &str = "x-nodio-ticket";
/// The header that a donor's yes to a put carries: its [`receipt`].
pub const RECEIPT_HEADER: &str = "x-nodio-receipt";

/// What a ticket allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Op {
    Put,
    Get,
    Delete,
}

/// The right to do `op` once (put) or until it expires (get, delete).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    pub op: Op,
    pub node: NodeId,
    /// `None` only for a put.
    pub shard: Option<ShardId>,
    /// Longest body a put may bring.
    pub bytes_max: u32,
    pub expires: UnixMs,
    pub nonce: u64,
}

/// A ticket as it travels: opaque text to everybody but its donor.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignedTicket(pub String);

/// Why a donor refuses a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    #[error("no ticket")]
    Missing,
    #[error("the ticket is malformed")]
    Malformed,
    #[error("the ticket was not made for this donor")]
    Forged,
    #[error("the ticket has expired")]
    Expired,
    #[error("the ticket is for another operation")]
    WrongOp,
    #[error("the ticket is for another shard")]
    WrongShard,
    #[error("the ticket allows fewer bytes")]
    TooLong,
}

const MAC_BYTES: usize = 32;

/// A donor's word, for the coordinator alone, that it stored `shard` under the ticket with this nonce. Hex of an HMAC under the donor's
/// secret: whoever pushed the shard can carry it and can't make it up.
pub fn receipt(secret: &Secret, shard: &ShardId, nonce: u64) -> String {
    hex::encode(secret.mac(&[b"stored", &shard.0, &nonce.to_be_bytes()]))
}

impl Ticket {
    /// Signs the ticket under the donor's secret.
    #[allow(clippy::expect_used)]
    pub fn sign(&self, secret: &Secret) -> SignedTicket {
        let mut bytes = postcard::to_stdvec(self).expect("a ticket always encodes");
        let mac = secret.mac(&[b"ticket", &bytes]);
        bytes.extend_from_slice(&mac);
        SignedTicket(BASE64.encode(bytes))
    }

    /// Opens a ticket that `node` was shown and checks that it is its own and alive.
    pub fn open(text: Option<&str>, secret: &Secret, node: NodeId, now: UnixMs) -> Result<Self, TicketError> {
        let bytes = BASE64.decode(text.ok_or(TicketError::Missing)?).map_err(|_| TicketError::Malformed)?;
        let split = bytes.len().checked_sub(MAC_BYTES).ok_or(TicketError::Malformed)?;
        let (body, mac) = bytes.split_at(split);
        if !bool::from(secret.mac(&[b"ticket", body]).ct_eq(mac)) {
            return Err(TicketError::Forged);
        }
        let ticket: Self = postcard::from_bytes(body).map_err(|_| TicketError::Malformed)?;
        match ticket {
            Self { node: other, .. } if other != node => Err(TicketError::Forged),
            Self { expires, .. } if expires <= now => Err(TicketError::Expired),
            ticket => Ok(ticket),
        }
    }

    /// Checks that this ticket allows `op` on `shard` with a body of `bytes` (0 but for a put).
    pub fn allows(&self, op: Op, shard: &ShardId, bytes: usize) -> Result<(), TicketError> {
        if self.op != op {
            return Err(TicketError::WrongOp);
        }
        match self.shard {
            Some(named) if named != *shard => return Err(TicketError::WrongShard),
            None if op != Op::Put => return Err(TicketError::WrongShard),
            _ => {}
        }
        if bytes > self.bytes_max as usize && op == Op::Put {
            return Err(TicketError::TooLong);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put() -> Ticket {
        Ticket { op: Op::Put, node: NodeId(3), shard: None, bytes_max: 100, expires: 1000, nonce: 9 }
    }

    #[test]
    fn a_ticket_opens_only_for_its_donor_and_in_time() {
        let secret = Secret::random();
        let signed = put().sign(&secret).0;
        assert_eq!(Ticket::open(Some(&signed), &secret, NodeId(3), 999), Ok(put()));
        assert_eq!(Ticket::open(Some(&signed), &secret, NodeId(3), 1000), Err(TicketError::Expired));
        assert_eq!(Ticket::open(Some(&signed), &secret, NodeId(4), 0), Err(TicketError::Forged));
        assert_eq!(Ticket::open(Some(&signed), &Secret::random(), NodeId(3), 0), Err(TicketError::Forged));
        assert_eq!(Ticket::open(None, &secret, NodeId(3), 0), Err(TicketError::Missing));
        for bad in ["", "!!", "AAAA"] {
            assert_eq!(Ticket::open(Some(bad), &secret, NodeId(3), 0), Err(TicketError::Malformed));
        }
    }

    #[test]
    fn every_flipped_character_is_noticed() {
        let secret = Secret::random();
        let signed = put().sign(&secret).0;
        for at in 0..signed.len() {
            let mut text = signed.clone().into_bytes();
            text[at] = if text[at] == b'A' { b'B' } else { b'A' };
            let text = String::from_utf8(text).expect("ascii");
            assert!(Ticket::open(Some(&text), &secret, NodeId(3), 0).is_err(), "flip at {at} was taken");
        }
    }

    #[test]
    fn a_ticket_allows_one_thing() {
        let shard = ShardId::of(b"x");
        let get = Ticket { op: Op::Get, shard: Some(shard), ..put() };
        assert_eq!(put().allows(Op::Put, &shard, 100), Ok(()));
        assert_eq!(put().allows(Op::Put, &shard, 101), Err(TicketError::TooLong));
        assert_eq!(put().allows(Op::Get, &shard, 0), Err(TicketError::WrongOp));
        assert_eq!(get.allows(Op::Get, &shard, 0), Ok(()));
        assert_eq!(get.allows(Op::Get, &ShardId::of(b"y"), 0), Err(TicketError::WrongShard));
        assert_eq!(Ticket { shard: None, ..get }.allows(Op::Get, &shard, 0), Err(TicketError::WrongShard));
    }
}
