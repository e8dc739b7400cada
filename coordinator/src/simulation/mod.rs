//! A network that lives through a year in minutes: the coordinator's own decisions over a made-up world.
//!
//! ```text
//!   churn ──► calendar ──► World ──► Nodes (heard, look) ──► transitions ──► Layout: live shards of each segment
//!   who comes, goes, dies    │                                                  │ too few, or a donor Lost
//!                            │                                                  ▼
//!                            └──◄── rebuilds of a minute ◄── decide: survey, sources, receiver ◄── Queue, by danger
//! ```
//! Real are liveness, the pool that donors are drawn from, grants, what is mended and when, and from and to whom. Made up are time,
//! the donors, and the rows: [`layout`] holds them in a few bytes each. [`decide`] alone knows the shapes of the repair rules.
//!
//! Simpler than the real thing: heartbeats of a donor that stays up are not played one by one; donors get repairs once a minute;
//! a position has one holder, so a copy that was replaced counts no more when its donor returns; nobody lies; donors fail alone.
//! The same settings give the same year, to the last shard.

mod churn;
mod decide;
mod donors;
mod filling;
mod layout;
mod mending;
mod plot;
mod queue;
mod report;
mod world;

#[cfg(test)]
mod tests;

pub use churn::Churn;
pub use nodio_wire::Code;
pub use plot::plot;
pub use queue::Order;
pub use report::{Day, Report, Summary};

use world::World;

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Settings {
    pub donors: u32,
    pub segments: u32,
    pub code: Code,
    pub shard_bytes: u32,
    pub days: u32,
    pub seed: u64,
    /// Time a donor stays Offline before it is Lost, milliseconds.
    pub repair_after_ms: u64,
    pub emergency_margin: u8,
    /// What is mended first.
    pub order: Order,
    /// What a donor moves for repairs, up and down together, megabits per second.
    pub repair_mbit: f64,
    /// Disk that donors give, as a multiple of what is stored; each gives between half and three halves of its share.
    pub room: f64,
    pub churn: Churn,
}

impl Default for Settings {
    /// A tenth of the full size: 1,000 donors, a million segments.
    fn default() -> Self {
        Self {
            donors: 1000,
            segments: 1_000_000,
            code: Code::DEFAULT,
            shard_bytes: 1 << 20,
            days: 365,
            seed: 1,
            repair_after_ms: 6 * 60 * 60 * 1000,
            emergency_margin: 0,
            order: Order::Danger,
            repair_mbit: 10.0,
            room: 2.0,
            churn: Churn::default(),
        }
    }
}

impl Settings {
    /// For the title of a table or a plot.
    pub fn title(&self) -> String {
        let order = if self.order == Order::Danger { "danger first" } else { "first come" };
        let hours = self.repair_after_ms as f64 / 3_600_000.0;
        format!("{}, lost after {hours} h, margin {}, {order}", self.code, self.emergency_margin)
    }
}

/// Lives through the days; `each` sees every day as it ends.
///
/// # Errors
/// Settings that can't be: more donors than 16 bits name, too few for the code, or no room.
pub fn run(settings: &Settings, mut each: impl FnMut(&Day)) -> Result<Report, String> {
    let mut world = World::new(settings)?;
    let mut days = Vec::new();
    for number in 1..=settings.days {
        let day = world.live_a_day(number)?;
        each(&day);
        days.push(day);
    }
    Ok(world.report(days))
}
