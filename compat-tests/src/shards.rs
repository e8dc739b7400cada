//! Damage done to a donor's files from outside, as a bad disk would.
//!
//! A volume is a run of records at multiples of 64 bytes: `NdRc`, version, kind (1 is a shard), two zero bytes, length, ...; the shard
//! itself begins 64 bytes after its header.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::data::all_files;

const SLOT_BYTES: usize = 64;
const MAGIC: &[u8] = b"NdRc";
const KIND_SHARD: u8 = 1;

/// One byte inside a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    pub path: PathBuf,
    pub offset: u64,
}

/// A byte in the middle of the longest shard of a donor.
pub fn inside_a_shard(donor: &Path) -> Result<Spot> {
    let mut longest: Option<(u32, Spot)> = None;
    for path in all_files(donor)? {
        let bytes = fs::read(&path)?;
        for (offset, len) in shards(&bytes) {
            if longest.as_ref().is_none_or(|(most, _)| len > *most) {
                longest = Some((len, Spot { path: path.clone(), offset: offset + u64::from(len) / 2 }));
            }
        }
    }
    Ok(longest.with_context(|| format!("no shard in {}", donor.display()))?.1)
}

/// Where shards begin, and how long they are.
fn shards(volume: &[u8]) -> impl Iterator<Item = (u64, u32)> + '_ {
    volume.chunks_exact(SLOT_BYTES).enumerate().filter_map(|(slot, header)| {
        let (len, _) = header.get(8..12)?.split_first_chunk::<4>()?;
        let shard = header.starts_with(MAGIC) && header[5] == KIND_SHARD;
        shard.then(|| (((slot + 1) * SLOT_BYTES) as u64, u32::from_le_bytes(*len)))
    })
}

/// Flips every bit of the byte; doing it twice restores it.
pub fn flip(spot: &Spot) -> Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(&spot.path)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, spot.offset)?;
    file.write_all_at(&[!byte[0]], spot.offset)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flip_hits_the_longest_shard_and_a_second_one_undoes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("00000000.vol");
        let mut volume = Vec::new();
        for len in [64u32, 128] {
            let mut header = [0u8; 64];
            header[..4].copy_from_slice(MAGIC);
            header[5] = KIND_SHARD;
            header[8..12].copy_from_slice(&len.to_le_bytes());
            volume.extend(header);
            volume.extend(vec![7; len as usize]);
        }
        fs::write(&path, &volume).unwrap();
        let spot = inside_a_shard(folder.path()).unwrap();
        assert_eq!(spot.offset, 64 + 64 + 64 + 64);
        flip(&spot).unwrap();
        assert_ne!(fs::read(&path).unwrap(), volume);
        flip(&spot).unwrap();
        assert_eq!(fs::read(&path).unwrap(), volume);
        assert!(inside_a_shard(tempfile::tempdir().unwrap().path()).is_err());
    }
}
