//! Doors for fuzzing. Each takes any bytes and panics where a promise is broken.
//!
//! `fuzz/` has a target for each, and seeds; `tests/seeds.rs` runs them over the seeds, cut short and changed, as an ordinary test.

/// A door: any bytes may go in.
pub type Door = fn(&[u8]);

/// Every door, by the name of its target and of its folder of seeds.
pub const DOORS: [(&str, Door); 5] = [
    ("form", crate::s3::fuzz::form),
    ("policy", crate::s3::fuzz::policy),
    ("query", crate::s3::fuzz::query),
    ("row_key", crate::tables::fuzz_row_key),
    ("xml", crate::s3::fuzz::xml),
];

/// Puts bytes through the door of this name.
///
/// # Panics
/// Where a promise is broken, or there is no such door.
pub fn put_through(name: &str, bytes: &[u8]) {
    let door = DOORS.iter().find(|(given, _)| *given == name);
    assert!(door.is_some(), "there is no door {name}");
    if let Some((_, door)) = door {
        door(bytes);
    }
}
