//! Test data: endless, seeded, addressable by position, so that any byte that comes back can be checked without keeping the original.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::stream;

/// Bytes made and compared at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// `len` bytes that depend only on `seed` and position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Data {
    pub seed: u64,
    pub len: u64,
}

impl Data {
    pub fn new(seed: u64, len: u64) -> Self {
        Self { seed, len }
    }

    /// The bytes from `from`, as many as `to` has room for; less at the end.
    pub fn fill(&self, from: u64, to: &mut [u8]) -> usize {
        let count = to.len().min(usize::try_from(self.len.saturating_sub(from)).unwrap_or(usize::MAX));
        let mut at = from;
        let mut rest = &mut to[..count];
        while !rest.is_empty() {
            let word = mix(self.seed.wrapping_add((at / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15))).to_le_bytes();
            let word = &word[(at % 8) as usize..];
            let taken = word.len().min(rest.len());
            rest[..taken].copy_from_slice(&word[..taken]);
            rest = &mut rest[taken..];
            at += taken as u64;
        }
        count
    }

    /// Bytes `range` of the data.
    pub fn slice(&self, range: std::ops::Range<u64>) -> Vec<u8> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let filled = self.fill(range.start, &mut bytes);
        bytes.truncate(filled);
        bytes
    }

    /// All of it; for small data.
    pub fn bytes(&self) -> Vec<u8> {
        self.slice(0..self.len)
    }

    /// True if `bytes` are what stands at `from`.
    pub fn matches(&self, from: u64, bytes: &[u8]) -> bool {
        from + bytes.len() as u64 <= self.len && self.slice(from..from + bytes.len() as u64) == bytes
    }

    /// A request body that is made while it is sent.
    pub fn body(self) -> reqwest::Body {
        if self.len <= CHUNK_BYTES as u64 {
            return self.bytes().into();
        }
        reqwest::Body::wrap_stream(stream::unfold(0, move |from| async move {
            let end = self.len.min(from + CHUNK_BYTES as u64);
            (from < end).then(|| (Ok::<_, io::Error>(Bytes::from(self.slice(from..end))), end))
        }))
    }

    pub fn write_file(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = BufWriter::new(File::create(path)?);
        let mut from = 0;
        while from < self.len {
            let end = self.len.min(from + CHUNK_BYTES as u64);
            file.write_all(&self.slice(from..end))?;
            from = end;
        }
        file.flush()
    }

    /// Compares with a file; the error says where they part.
    pub fn check_file(&self, path: &Path) -> Result<(), String> {
        let mut check = Checker::new(*self);
        let mut file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let read = file.read(&mut buffer).map_err(|error| format!("{}: {error}", path.display()))?;
            if read == 0 {
                return check.finish().map_err(|error| format!("{}: {error}", path.display()));
            }
            check.update(&buffer[..read]).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
}

/// Compares a stream with [`Data`] as it arrives.
#[derive(Debug)]
pub struct Checker {
    data: Data,
    at: u64,
    end: u64,
}

impl Checker {
    pub fn new(data: Data) -> Self {
        Self::within(data, 0..data.len)
    }

    /// For a part of the data.
    pub fn within(data: Data, range: std::ops::Range<u64>) -> Self {
        Self { data, at: range.start, end: range.end }
    }

    pub fn update(&mut self, bytes: &[u8]) -> Result<(), String> {
        if !self.data.matches(self.at, bytes) {
            return Err(format!("wrong bytes within {}..{} of {}", self.at, self.at + bytes.len() as u64, self.data.len));
        }
        self.at += bytes.len() as u64;
        Ok(())
    }

    pub fn finish(self) -> Result<(), String> {
        if self.at == self.end { Ok(()) } else { Err(format!("ends at {} instead of {}", self.at, self.end)) }
    }
}

/// SplitMix64's finisher.
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A file for a client to carry: a path relative to the tree's root, and what is in it.
#[derive(Debug, Clone)]
pub struct TreeFile {
    pub path: String,
    pub data: Data,
}

/// The sizes every client must carry.
pub const SIZES: [u64; 5] = [0, 1, 4096, (1 << 20) + 1, 100 << 20];

/// Every size under an awkward name, and every awkward name with a small file.
pub fn awkward_tree() -> Vec<TreeFile> {
    let names = [
        "plain.bin",
        "with a space.bin",
        "ünïcödé-日本-😀.bin",
        "plus+and&=#.bin",
        "percent%41%20%2F.bin",
        "deep/er/and deeper/file",
    ];
    let sized = SIZES.iter().zip(names).map(|(size, name)| (format!("sizes/{name}"), *size));
    let named = names.iter().map(|name| (format!("names/{name}"), 700));
    let files = sized.chain(named).enumerate();
    files.map(|(seed, (path, len))| TreeFile { path, data: Data::new(seed as u64 + 1, len) }).collect()
}

pub fn write_tree(root: &Path, files: &[TreeFile]) -> io::Result<()> {
    files.iter().try_for_each(|file| file.data.write_file(&root.join(&file.path)))
}

/// Fails unless the folder holds exactly these files, byte for byte.
pub fn check_tree(root: &Path, files: &[TreeFile]) -> Result<(), String> {
    for file in files {
        file.data.check_file(&root.join(&file.path))?;
    }
    let found = all_files(root).map_err(|error| error.to_string())?.len();
    if found == files.len() { Ok(()) } else { Err(format!("{found} files instead of {}", files.len())) }
}

/// Every regular file below `root`.
pub fn all_files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            found.extend(all_files(&entry.path())?);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_slice_is_part_of_the_whole() {
        let data = Data::new(7, 1000);
        let whole = data.bytes();
        for (from, to) in [(0, 1000), (1, 9), (7, 8), (8, 16), (993, 1000), (500, 500)] {
            assert_eq!(data.slice(from..to), whole[from as usize..to as usize]);
            assert!(data.matches(from, &whole[from as usize..to as usize]));
        }
        assert_ne!(Data::new(8, 1000).bytes(), whole);
    }

    #[test]
    fn a_file_is_compared_to_the_last_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let data = Data::new(3, 600_000);
        data.write_file(&path).unwrap();
        assert_eq!(data.check_file(&path), Ok(()));
        assert!(Data { len: 600_001, ..data }.check_file(&path).is_err());
        assert!(Data { len: 599_999, ..data }.check_file(&path).is_err());
        assert!(Data { seed: 4, ..data }.check_file(&path).is_err());
    }

    #[test]
    fn a_tree_with_a_file_too_many_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<_> = awkward_tree().into_iter().filter(|file| file.data.len < 5000).collect();
        write_tree(folder.path(), &files).unwrap();
        assert_eq!(check_tree(folder.path(), &files), Ok(()));
        std::fs::write(folder.path().join("more"), b"").unwrap();
        assert!(check_tree(folder.path(), &files).is_err());
    }
}
