//! What grows, and what is held still meanwhile.

use serde::Serialize;

use super::point::Point;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// One network and what is asked of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Setting {
    /// Of settings that differ by more than their place on the axis.
    pub(super) series: &'static str,
    /// The place on the axis.
    pub(super) x: u64,
    pub(super) donors: u32,
    pub(super) code: &'static str,
    pub(super) size_bytes: u64,
    pub(super) concurrency: u32,
    /// Objects in the bucket before anything is read.
    pub(super) keys: u64,
    /// As `nodio bench` names them, in their order.
    #[serde(skip)]
    pub(super) phases: &'static str,
    #[serde(skip)]
    pub(super) seconds: f64,
}

/// What is drawn of a point, and over it.
pub(super) struct Panel {
    pub(super) title: &'static str,
    pub(super) value: fn(&Point) -> Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    Objects,
    Donors,
    Size,
    Concurrency,
}

const REQUEST_MS: Panel = Panel { title: "a request, median, ms", value: |point| point.row.p50_ms };
const SLOW_MS: Panel = Panel { title: "a request, 99th percentile, ms", value: |point| point.row.p99_ms };
const FIRST_MS: Panel = Panel { title: "until the first byte, median, ms", value: |point| point.row.first_byte_p50_ms };
const RATE: Panel = Panel { title: "requests a second", value: |point| Some(point.row.ops_per_s) };
const BYTES: Panel = Panel { title: "MB a second", value: |point| Some(point.row.mb_per_s) };
const CPU: Panel =
    Panel { title: "processor time of all servers for a request, µs", value: |point| point.row.server_cpu_us_per_op };
const CPU_PER_MB: Panel = Panel { title: "processor time of all servers for a MB, µs", value: Point::cpu_us_per_mb };
const MEMORY: Panel = Panel { title: "peak memory of all servers together, MiB", value: |point| point.peak_mib };

impl Axis {
    pub const ALL: [Self; 4] = [Self::Objects, Self::Donors, Self::Size, Self::Concurrency];

    pub fn name(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::Donors => "donors",
            Self::Size => "size",
            Self::Concurrency => "concurrency",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|axis| axis.name() == name)
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Objects => "objects in a bucket; 4 KiB each, code 4/6, 16 requests at once, a page lists 1,000 keys",
            Self::Donors => "donors in one process; objects of 1 MiB, 8 requests at once",
            Self::Size => "size of an object; code 4/6, 2 requests at once",
            Self::Concurrency => "requests at once; code 4/6",
        }
    }

    pub(super) fn panels(self) -> [Panel; 3] {
        match self {
            Self::Objects => [REQUEST_MS, CPU, MEMORY],
            Self::Donors => [BYTES, CPU, MEMORY],
            Self::Size => [BYTES, CPU_PER_MB, FIRST_MS],
            Self::Concurrency => [RATE, SLOW_MS, MEMORY],
        }
    }

    /// A place on the axis, in words.
    pub(super) fn label(self, x: u64) -> String {
        match (self, x) {
            (Self::Size, GIB..) => format!("{} GiB", x / GIB),
            (Self::Size, MIB..) => format!("{} MiB", x / MIB),
            (Self::Size, _) => format!("{} KiB", x / KIB),
            _ => super::plot::grouped(x),
        }
    }

    /// The points to measure, the cheapest first.
    pub(super) fn settings(self, quick: bool) -> Vec<Setting> {
        let seconds = if quick { 0.3 } else { 3.0 };
        let still = Setting {
            series: "",
            x: 0,
            donors: 6,
            code: "4/6",
            size_bytes: 4 * KIB,
            concurrency: 16,
            keys: 1000,
            phases: "put,get",
            seconds,
        };
        match self {
            Self::Objects => along(if quick { &[100, 1_000] } else { &[1_000, 10_000, 100_000, 1_000_000] })
                .map(|x| Setting { x, keys: x, phases: "get,list,put", ..still.clone() })
                .collect(),
            Self::Donors => {
                let still = Setting { size_bytes: MIB, concurrency: 8, keys: 64, ..still };
                let donors = if quick { &[3, 6][..] } else { &[3, 6, 12, 24, 48] };
                let code = |series, code| Setting { series, code, ..still.clone() };
                [code("2/3", "2/3"), code("auto", "auto")].into_iter().flat_map(|of| on(donors, of)).collect()
            }
            Self::Size => along(if quick { &[4 * KIB, MIB] } else { &[4 * KIB, 64 * KIB, MIB, 16 * MIB, 256 * MIB, GIB] })
                .map(|x| Setting { x, size_bytes: x, concurrency: 2, keys: (256 * MIB / x).clamp(2, 1000), ..still.clone() })
                .collect(),
            Self::Concurrency => {
                let callers = if quick { &[1, 8][..] } else { &[1, 4, 16, 64, 256] };
                let size = |series, size_bytes| Setting { series, size_bytes, keys: 256, ..still.clone() };
                let series = [size("4 KiB", 4 * KIB), size("1 MiB", MIB)];
                series
                    .into_iter()
                    .flat_map(|of| along(callers).map(move |x| Setting { x, concurrency: x as u32, ..of.clone() }))
                    .collect()
            }
        }
    }
}

fn along(places: &[u64]) -> impl Iterator<Item = u64> {
    places.iter().copied()
}

fn on(donors: &[u64], of: Setting) -> impl Iterator<Item = Setting> {
    along(donors).map(move |x| Setting { x, donors: x as u32, ..of.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_axis_has_its_points_in_order_and_each_can_be() {
        for axis in Axis::ALL {
            assert_eq!(Axis::named(axis.name()), Some(axis));
            for quick in [true, false] {
                let settings = axis.settings(quick);
                assert!(settings.len() >= 2);
                for pair in settings.windows(2) {
                    assert!(pair[0].series != pair[1].series || pair[0].x < pair[1].x, "{pair:?}");
                }
                for setting in settings {
                    let fits = setting.keys >= setting.concurrency.into() && (3..=64).contains(&setting.donors);
                    assert!(fits && setting.x > 0, "{setting:?}");
                }
            }
        }
    }

    #[test]
    fn places_are_told_as_people_say_them() {
        assert_eq!([4 * KIB, 16 * MIB, GIB].map(|x| Axis::Size.label(x)), ["4 KiB", "16 MiB", "1 GiB"]);
        assert_eq!(Axis::Objects.label(1_000_000), "1,000,000");
    }
}
