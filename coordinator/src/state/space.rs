//! What a donor can still take: what it said, less what was promised or stored since.

/// A donor's disk as the coordinator sees it, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Space {
    pub capacity: u64,
    pub used: u64,
    /// As the donor last said; 0 until its first heartbeat.
    pub free: u64,
    /// Promised to open grants and to rebuilds under way.
    reserved: u64,
    /// Stored since the last heartbeat, and between the two before: a heartbeat may have been measured before a
    /// shard was stored and arrive after, so every stored byte counts through one whole interval.
    stored: [u64; 2],
}

impl Space {
    /// Of a donor that has not said yet how much is free: nothing is.
    pub(crate) fn unheard(capacity: u64) -> Self {
        Self { capacity, ..Self::default() }
    }

    pub(crate) fn available(&self) -> u64 {
        let promised = self.reserved.saturating_add(self.stored[0]).saturating_add(self.stored[1]);
        self.free.saturating_sub(promised)
    }

    /// Bytes on their way to the donor.
    pub(crate) fn pending(&self) -> u64 {
        self.reserved
    }

    pub(crate) fn reserve(&mut self, bytes: u64) {
        self.reserved = self.reserved.saturating_add(bytes);
    }

    pub(crate) fn unreserve(&mut self, bytes: u64) {
        self.reserved = self.reserved.saturating_sub(bytes);
    }

    pub(crate) fn stored(&mut self, bytes: u64) {
        self.stored[0] = self.stored[0].saturating_add(bytes);
    }

    /// Takes over what a heartbeat says.
    pub(crate) fn measured(&mut self, capacity: u64, used: u64, free: u64) {
        (self.capacity, self.used, self.free) = (capacity, used, free.min(capacity));
        self.stored = [0, self.stored[0]];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_bytes_count_until_a_heartbeat_must_have_seen_them() {
        let mut space = Space::default();
        space.measured(1000, 0, 1000);
        space.reserve(300);
        space.unreserve(300);
        space.stored(300);
        assert_eq!(space.available(), 700);
        space.measured(1000, 0, 1000);
        assert_eq!(space.available(), 700, "this heartbeat may be older than the shard");
        space.measured(1000, 300, 700);
        assert_eq!(space.available(), 700);
    }

    #[test]
    fn nothing_is_available_before_the_first_heartbeat_or_beyond_what_is_free() {
        let mut space = Space::unheard(1000);
        assert_eq!(space.available(), 0);
        space.measured(1000, 0, 5000);
        assert_eq!(space.available(), 1000);
        space.reserve(2000);
        assert_eq!(space.available(), 0);
    }
}
