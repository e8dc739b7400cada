//! The fuzzers' seeds as ordinary tests: as they are, cut short anywhere, and with any byte changed.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use nodio_gateway::fuzz::DOORS;

/// Asked for when it runs: one target folder may serve several checkouts.
fn fuzz_folder() -> PathBuf {
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../fuzz")
}

fn seeds(name: &str) -> Vec<PathBuf> {
    let folder = fuzz_folder().join("seeds").join(name);
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn every_door_holds_on_its_seeds_and_what_is_near_them() {
    for (name, door) in DOORS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for seed in seeds {
            let bytes = std::fs::read(seed).unwrap();
            door(&bytes);
            for at in 0..bytes.len() {
                door(&bytes[..at]);
                for bit in [0x01, 0x20, 0x80] {
                    let mut changed = bytes.clone();
                    changed[at] ^= bit;
                    door(&changed);
                }
            }
        }
    }
}

#[test]
fn there_is_a_target_for_every_door_and_a_door_for_every_target() {
    let root = fuzz_folder();
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for (name, _) in DOORS {
        assert!(manifest.contains(&format!("name = \"{name}\"")) && root.join(format!("targets/{name}.rs")).exists(), "{name}");
    }
    assert_eq!(std::fs::read_dir(root.join("targets")).unwrap().count(), DOORS.len());
    assert_eq!(std::fs::read_dir(root.join("seeds")).unwrap().count(), DOORS.len());
}
