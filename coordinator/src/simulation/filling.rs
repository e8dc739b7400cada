//! The map is filled through grants, as gateways fill it.

use std::time::Instant;

use nodio_wire::fleet::GrantRequest;

use super::Settings;
use super::world::World;
use crate::state::State;

/// Segments that one grant asks for.
const GRANT_SEGMENTS: u32 = 16;

impl World<'_> {
    pub(super) fn fill(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        let mut segment = 0;
        while segment < self.settings.segments {
            let count = GRANT_SEGMENTS.min(self.settings.segments - segment);
            self.write(segment, count)?;
            segment += count;
        }
        self.grant_ns = begun.elapsed().as_nanos() as f64 / f64::from(self.settings.segments);
        for _ in 0..2 {
            (1..self.donors.len()).for_each(|donor| self.measure(donor as u16));
        }
        Ok(())
    }

    fn write(&mut self, first: u32, count: u32) -> Result<(), String> {
        let Settings { code, shard_bytes, .. } = *self.settings;
        let ask = GrantRequest { code, shard_bytes, segments: count as u16, spares: 0, holding: Vec::new() };
        let granted = self.state.grant(&ask, u64::MAX, &mut self.rng).map_err(|error| error.to_string())?;
        for (segment, reserved) in (first..).zip(granted) {
            let State { nodes, reservations, .. } = &mut self.state;
            reservations.settle(nodes, reserved.grant);
            for (position, id) in (0..).zip(reserved.nodes) {
                self.state.stored(id, shard_bytes);
                self.layout.place(segment, position, id.0 as u16, false);
            }
        }
        Ok(())
    }
}
