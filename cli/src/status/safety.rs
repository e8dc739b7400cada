//! How safe everything is, in words.

use nodio_wire::fleet::Durability;

use crate::words::{change, grouped, loss, unreadable};

pub(super) fn render(durability: &Durability) -> String {
    if durability.segments == 0 {
        return "durability  nothing stored on donors yet\n".to_owned();
    }
    let now = durability.lost_per_year;
    format!(
        "durability  {}\n            unreadable now: {}\n            expected loss: {}\n            one more donor would {}\n            one more parity shard would {}\n",
        spares(durability),
        unreadable(durability),
        loss(now),
        change(now, durability.lost_per_year_next_donor),
        change(now, durability.lost_per_year_next_parity),
    )
}

/// Segments by how many shards each could lose, safest first.
pub(super) fn spares(durability: &Durability) -> String {
    let one = |(spare, count): (&i16, &u64)| match spare {
        ..0 => format!("{} unreadable", grouped(*count)),
        0 => format!("{} with none to spare", grouped(*count)),
        spare => format!("{} with {spare} to spare", grouped(*count)),
    };
    let told: Vec<_> = durability.by_spare.iter().rev().filter(|(_, count)| **count > 0).map(one).collect();
    format!("segments: {}", told.join(", "))
}
