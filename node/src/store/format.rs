//! The number of a store's format, and what keeps a node from a store it can't read.
//!
//! ```text
//!   DIR/volumes/00000000.vol/        a folder where a volume's name is: nodes of format 1 fail to open it and stop, unharmed
//!                            format  the number, as text
//! ```
//! A store is of format 1, without any such folder, until a record that format 1 doesn't have is written: what never used the
//! trash can go back to an older node.

use std::fs;
use std::io;
use std::path::Path;

use nodio_host::files::write_private;

use super::volume;

/// The highest format that this node reads and writes.
const FORMAT: u32 = 2;

/// Refuses a store of a format that this node doesn't know.
pub(crate) fn check(dir: &Path) -> io::Result<()> {
    let folder = volume::path(dir, 0);
    let text = match fs::read_to_string(folder.join("format")) {
        Ok(text) => text,
        // A folder without its file: the crash came between the two, before any record of format 2.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    match text.trim().parse::<u32>() {
        Ok(number) if number <= FORMAT => Ok(()),
        _ => Err(io::Error::other(format!("the store is of format {}, this node reads up to {FORMAT}", text.trim()))),
    }
}

/// Makes the store one of format 2, durably, if it isn't yet.
pub(crate) fn raise(dir: &Path) -> io::Result<()> {
    let folder = volume::path(dir, 0);
    let file = folder.join("format");
    if file.exists() {
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    volume::sync_dir(dir)?;
    write_private(&file, format!("{FORMAT}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_formats_that_are_known_open() {
        let dir = tempfile::tempdir().unwrap();
        check(dir.path()).unwrap();
        fs::create_dir(volume::path(dir.path(), 0)).unwrap();
        check(dir.path()).unwrap();
        raise(dir.path()).unwrap();
        raise(dir.path()).unwrap();
        check(dir.path()).unwrap();
        for other in ["3\n", "x", ""] {
            fs::write(volume::path(dir.path(), 0).join("format"), other).unwrap();
            assert!(check(dir.path()).unwrap_err().to_string().contains("reads up to 2"), "{other:?}");
        }
    }

    /// What a node of format 1 does with each volume, in this order.
    #[test]
    fn a_node_of_format_1_stops_at_the_folder_before_it_touches_a_volume() {
        let dir = tempfile::tempdir().unwrap();
        raise(dir.path()).unwrap();
        assert_eq!(volume::path(dir.path(), 0).file_name().unwrap(), "00000000.vol");
        assert!(volume::open(dir.path(), 0).is_err());
        assert!(volume::list(dir.path()).unwrap().is_empty(), "for us it is no volume");
    }
}
