//! A donor's volume files read, and harmed, from outside, as a bad disk would.
//!
//! ```text
//!   NNNNNNNN.vol   a run of records at multiples of 64 bytes, found again after damage by stepping 64 bytes
//!   0     4 5 6   8   12    16        24         56      64
//!   magic v k g   a   b     time      shard id   check   the shard's bytes ...
//! ```
//! Kind 1 is a shard of `a` bytes, set aside if `b` isn't 0; 2 a tombstone, which kills the record at volume `a`, slot `b`; 3 a void, which
//! was a shard; 4 and 5 set the record at `a`, `b` aside and take it back, and that of the highest generation `g` holds. `check` binds a
//! header to its place, as in the donor itself, so this reader believes exactly what the donor would.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nodio_wire::ShardId;

use crate::data::all_files;

const SLOT_BYTES: u64 = 64;
const MAGIC: &[u8] = b"NdRc";
const KIND_SHARD: u8 = 1;
const KIND_TOMBSTONE: u8 = 2;
const KIND_VOID: u8 = 3;
const KIND_ASIDE: u8 = 4;
const KIND_BACK: u8 = 5;
/// Sums over this many bytes each follow a shard, of 8 bytes.
const CHUNK_BYTES: u64 = 64 * 1024 + 16;

/// One byte of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    pub path: PathBuf,
    pub offset: u64,
}

/// A live shard in a volume file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub id: ShardId,
    pub len: u32,
    /// Where its header begins.
    pub header: Spot,
}

impl Held {
    /// Byte `at` of the shard.
    pub fn byte(&self, at: u64) -> Spot {
        Spot { path: self.header.path.clone(), offset: self.header.offset + SLOT_BYTES + at }
    }

    /// True if the bytes are those that the id names.
    pub fn is_whole(&self) -> Result<bool> {
        let mut bytes = vec![0; self.len as usize];
        File::open(&self.header.path)?.read_exact_at(&mut bytes, self.header.offset + SLOT_BYTES)?;
        Ok(ShardId::of(&bytes) == self.id)
    }

    /// Overwrites the header with zeros: the shard was never there.
    pub fn erase(&self) -> Result<()> {
        let file = OpenOptions::new().write(true).open(&self.header.path)?;
        Ok(file.write_all_at(&[0; SLOT_BYTES as usize], self.header.offset)?)
    }
}

/// What a donor has, ascending by id.
#[derive(Debug, Default)]
pub struct Contents {
    pub held: Vec<Held>,
    /// Set aside, to be deleted one day.
    pub trash: Vec<Held>,
}

/// Every live shard of a donor, and those in its trash. The donor may run; then what is being written may or may not be among them.
pub fn contents(donor: &Path) -> Result<Contents> {
    let mut records = Records::default();
    for (number, path) in volumes(donor)? {
        records.read(number, &path).with_context(|| path.display().to_string())?;
    }
    Ok(records.resolve())
}

/// Every live shard of a donor, without the trash.
pub fn held(donor: &Path) -> Result<Vec<Held>> {
    Ok(contents(donor)?.held)
}

/// Volume and slot.
type Place = (u32, u32);

fn volumes(donor: &Path) -> Result<BTreeMap<u32, PathBuf>> {
    let number = |path: &Path| path.file_name()?.to_str()?.strip_suffix(".vol")?.parse().ok();
    Ok(all_files(donor)?.into_iter().filter_map(|path| Some((number(&path)?, path))).collect())
}

/// All that the volumes say, in the order of their numbers.
#[derive(Default)]
struct Records {
    shards: Vec<(Place, Held, bool)>,
    dead: BTreeSet<Place>,
    /// The mark of the highest generation of each record: aside or not.
    marks: BTreeMap<Place, (u16, bool)>,
}

impl Records {
    fn read(&mut self, number: u32, path: &Path) -> Result<()> {
        // Compaction may have taken the volume away just now.
        let Ok(file) = File::open(path) else { return Ok(()) };
        let end = file.metadata()?.len();
        let (mut at, mut bytes) = (0, [0; SLOT_BYTES as usize]);
        while at + SLOT_BYTES <= end {
            file.read_exact_at(&mut bytes, at)?;
            let place = (number, u32::try_from(at / SLOT_BYTES)?);
            let record = Record::parse(&bytes, place).filter(|record| at + record.bytes() <= end);
            let header = Spot { path: path.to_owned(), offset: at };
            at += record.as_ref().map_or(SLOT_BYTES, Record::bytes);
            record.into_iter().for_each(|record| self.add(place, record, &header));
        }
        Ok(())
    }

    fn add(&mut self, place: Place, record: Record, header: &Spot) {
        match record {
            Record::Shard { id, len, aside } => self.shards.push((place, Held { id, len, header: header.clone() }, aside)),
            Record::Tombstone { target } => drop(self.dead.insert(target)),
            Record::Mark { target, generation, aside } => {
                let mark = self.marks.entry(target).or_insert((generation, aside));
                *mark = (*mark).max((generation, aside));
            }
            Record::Void { .. } => {}
        }
    }

    /// A later record of a shard stands for an earlier one.
    fn resolve(self) -> Contents {
        let mut last = BTreeMap::new();
        for (place, held, aside) in self.shards.into_iter().filter(|(place, ..)| !self.dead.contains(place)) {
            let aside = self.marks.get(&place).map_or(aside, |(_, aside)| *aside);
            last.insert(held.id, (held, aside));
        }
        let (trash, held): (Vec<_>, Vec<_>) = last.into_values().partition(|(_, aside)| *aside);
        let bare = |records: Vec<(Held, bool)>| records.into_iter().map(|(held, _)| held).collect();
        Contents { held: bare(held), trash: bare(trash) }
    }
}

enum Record {
    Shard { id: ShardId, len: u32, aside: bool },
    Tombstone { target: Place },
    Void { len: u32 },
    Mark { target: Place, generation: u16, aside: bool },
}

impl Record {
    /// `None` where no header was written.
    fn parse(bytes: &[u8; SLOT_BYTES as usize], (volume, slot): Place) -> Option<Self> {
        let checked = [&volume.to_le_bytes()[..], &slot.to_le_bytes(), &bytes[..56]].concat();
        if !bytes.starts_with(MAGIC) || ShardId::of(&checked).0[..8] != bytes[56..] {
            return None;
        }
        let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let (id, target) = (ShardId(*bytes[24..].first_chunk()?), (number(8), number(12)));
        let generation = u16::from_le_bytes([bytes[6], bytes[7]]);
        match bytes[5] {
            KIND_SHARD => Some(Self::Shard { id, len: number(8), aside: number(12) != 0 }),
            KIND_TOMBSTONE => Some(Self::Tombstone { target }),
            KIND_VOID => Some(Self::Void { len: number(8) }),
            KIND_ASIDE | KIND_BACK => Some(Self::Mark { target, generation, aside: bytes[5] == KIND_ASIDE }),
            _ => None,
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Tombstone { .. } | Self::Mark { .. } => SLOT_BYTES,
            Self::Shard { len, .. } | Self::Void { len } => {
                let len = u64::from(*len);
                (SLOT_BYTES + len + 8 * len.div_ceil(CHUNK_BYTES)).next_multiple_of(SLOT_BYTES)
            }
        }
    }
}

/// A byte in the middle of the longest shard of a donor.
pub fn inside_a_shard(donor: &Path) -> Result<Spot> {
    let longest = held(donor)?.into_iter().max_by_key(|held| held.len);
    let longest = longest.with_context(|| format!("no shard in {}", donor.display()))?;
    Ok(longest.byte(u64::from(longest.len) / 2))
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
    use std::fs;

    use super::*;

    const VOLUME: u32 = 3;

    /// A volume as a donor writes it.
    #[derive(Default)]
    struct Volume(Vec<u8>);

    impl Volume {
        fn record(&mut self, kind: u8, id: ShardId, a: u32, b: u32) -> u32 {
            self.record_of(kind, id, a, b, 0)
        }

        fn record_of(&mut self, kind: u8, id: ShardId, a: u32, b: u32, generation: u16) -> u32 {
            let slot = (self.0.len() / 64) as u32;
            let mut header = [0u8; 64];
            header[..4].copy_from_slice(MAGIC);
            (header[4], header[5]) = (1, kind);
            header[8..12].copy_from_slice(&a.to_le_bytes());
            header[12..16].copy_from_slice(&b.to_le_bytes());
            header[6..8].copy_from_slice(&generation.to_le_bytes());
            header[24..56].copy_from_slice(&id.0);
            let check = ShardId::of(&[&VOLUME.to_le_bytes()[..], &slot.to_le_bytes(), &header[..56]].concat());
            header[56..].copy_from_slice(&check.0[..8]);
            self.0.extend(header);
            slot
        }

        fn shard(&mut self, data: &[u8]) -> (ShardId, u32) {
            let id = ShardId::of(data);
            let slot = self.record(KIND_SHARD, id, data.len() as u32, 0);
            self.0.extend(data);
            self.0.extend(vec![0; 8 * data.len().div_ceil(CHUNK_BYTES as usize)]);
            self.0.resize(self.0.len().next_multiple_of(64), 0);
            (id, slot)
        }

        fn write(&self, folder: &Path) -> PathBuf {
            let path = folder.join(format!("{VOLUME:08}.vol"));
            fs::write(&path, &self.0).unwrap();
            path
        }
    }

    #[test]
    fn a_flip_hits_the_longest_shard_and_a_second_one_undoes_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut volume = Volume::default();
        volume.shard(&[7; 64]);
        volume.shard(&[8; 128]);
        let path = volume.write(folder.path());
        let spot = inside_a_shard(folder.path()).unwrap();
        assert_eq!(spot.offset, 64 + 64 + 64 + 64 + 64);
        flip(&spot).unwrap();
        assert_ne!(fs::read(&path).unwrap(), volume.0);
        assert!(!held(folder.path()).unwrap().iter().all(|held| held.is_whole().unwrap()));
        flip(&spot).unwrap();
        assert_eq!(fs::read(&path).unwrap(), volume.0);
        assert!(inside_a_shard(tempfile::tempdir().unwrap().path()).is_err());
    }

    #[test]
    fn only_the_last_word_on_a_shard_counts() {
        let folder = tempfile::tempdir().unwrap();
        let mut volume = Volume::default();
        let (gone, slot) = volume.shard(&[1; 100]);
        let (kept, old) = volume.shard(&[2; 70_000]);
        volume.shard(&[2; 70_000]);
        volume.record(KIND_TOMBSTONE, gone, VOLUME, slot);
        volume.record(KIND_TOMBSTONE, kept, VOLUME, old);
        volume.write(folder.path());
        let held = held(folder.path()).unwrap();
        assert_eq!(held.iter().map(|held| (held.id, held.len)).collect::<Vec<_>>(), [(kept, 70_000)]);
        assert!(held[0].is_whole().unwrap() && held[0].header.offset > u64::from(old) * 64);
    }

    #[test]
    fn the_newest_mark_says_what_is_in_the_trash() {
        let folder = tempfile::tempdir().unwrap();
        let mut volume = Volume::default();
        let (back, first) = volume.shard(&[1; 100]);
        let (aside, second) = volume.shard(&[2; 100]);
        volume.record_of(KIND_BACK, back, VOLUME, first, 2);
        volume.record_of(KIND_ASIDE, back, VOLUME, first, 1);
        volume.record_of(KIND_ASIDE, aside, VOLUME, second, 1);
        volume.write(folder.path());
        let contents = contents(folder.path()).unwrap();
        assert_eq!(contents.held.iter().map(|held| held.id).collect::<Vec<_>>(), [back]);
        assert_eq!(contents.trash.iter().map(|held| held.id).collect::<Vec<_>>(), [aside]);
    }

    #[test]
    fn what_follows_damage_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut volume = Volume::default();
        volume.shard(&[1; 1000]);
        let (second, _) = volume.shard(&[2; 1000]);
        volume.write(folder.path());
        let first = held(folder.path()).unwrap().into_iter().find(|held| held.header.offset == 0).unwrap();
        first.erase().unwrap();
        assert_eq!(held(folder.path()).unwrap().iter().map(|held| held.id).collect::<Vec<_>>(), [second]);
    }
}
