//! Opening and creating the file.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::redb::{Builder, Database, ReadableDatabase};

use super::{ABOUT, FORMAT, FORMAT_NOW, ROWS, SEQUENCE};
use crate::{StoreError, Version};

const PRIVATE_FILE_MODE: u32 = 0o600;

/// A file that is open.
pub(super) struct Opened {
    pub(super) database: Database,
    /// Of the last commit.
    pub(super) sequence: Version,
    /// All of it had to be read to find out which pages are free.
    pub(super) checked: bool,
}

pub(super) fn open(path: &Path, cache_bytes: usize) -> Result<Opened, StoreError> {
    let opened = match path.try_exists() {
        Ok(true) => open_existing(path, cache_bytes),
        Ok(false) => create(path, cache_bytes).map(|database| (database, false)),
        Err(error) => Err(error.into()),
    };
    let (database, checked) = opened.map_err(|error| describe(path, error))?;
    let sequence = sequence(&database).map_err(|error| describe(path, error))?;
    Ok(Opened { database, sequence, checked })
}

fn open_existing(path: &Path, cache_bytes: usize) -> Result<(Database, bool), ::redb::Error> {
    if path.metadata()?.len() == 0 {
        return Err(::redb::Error::Corrupted("it is empty".to_owned()));
    }
    let (mut builder, checks) = (Builder::new(), Arc::new(AtomicBool::new(false)));
    let checked = checks.clone();
    builder.set_cache_size(cache_bytes).set_repair_callback(move |repair| {
        checks.store(true, Ordering::Relaxed);
        tracing::info!("the metadata store was not closed well; checking it: {:.0} %", repair.progress() * 100.0);
    });
    // That check reads every page and may trip over a damaged one.
    let opened = catch_unwind(AssertUnwindSafe(|| builder.open(path)));
    let database = opened.map_err(|_| ::redb::Error::Corrupted("its pages contradict one another".to_owned()))??;
    Ok((database, checked.load(Ordering::Relaxed)))
}

/// Makes the file under another name first: after a crash it is there with all that belongs to it, or not at all.
fn create(path: &Path, cache_bytes: usize) -> Result<Database, ::redb::Error> {
    let new = unfinished(path);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(PRIVATE_FILE_MODE).open(&new)?;
    let database = Builder::new().set_cache_size(cache_bytes).create_file(file)?;
    initialize(&database)?;
    std::fs::rename(&new, path)?;
    sync_folder_of(path)?;
    Ok(database)
}

pub(super) fn initialize(database: &Database) -> Result<(), ::redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(ROWS)?;
    {
        let mut about = transaction.open_table(ABOUT)?;
        about.insert(FORMAT, FORMAT_NOW)?;
        about.insert(SEQUENCE, 0)?;
    }
    Ok(transaction.commit()?)
}

fn sequence(database: &Database) -> Result<Version, ::redb::Error> {
    let transaction = database.begin_read()?;
    let about = transaction.open_table(ABOUT)?;
    let number = |name| Ok::<_, ::redb::Error>(about.get(name)?.map(|found| found.value()));
    match (number(FORMAT)?, number(SEQUENCE)?) {
        (Some(FORMAT_NOW), Some(sequence)) => Ok(sequence),
        (Some(other), _) => Err(::redb::Error::Corrupted(format!("its format is {other}, and this version reads {FORMAT_NOW}"))),
        (None, _) => Err(::redb::Error::TableDoesNotExist(FORMAT.to_owned())),
    }
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// One line for a person.
fn describe(path: &Path, error: ::redb::Error) -> StoreError {
    use ::redb::Error::{
        Corrupted, DatabaseAlreadyOpen, Io, RepairAborted, TableDoesNotExist, TableTypeMismatch, TypeDefinitionChanged,
        UpgradeRequired,
    };
    let path = path.display();
    StoreError::Failed(match error {
        DatabaseAlreadyOpen => format!("{path} is in use by another process"),
        TableDoesNotExist(_) | TableTypeMismatch { .. } | TypeDefinitionChanged { .. } | UpgradeRequired(_) => {
            format!("{path} is a database, but not one of ours")
        }
        Io(error) if error.kind() == io::ErrorKind::InvalidData => format!("{path} is not a metadata store"),
        Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => format!("{path} is damaged: it was cut short"),
        Corrupted(what) => format!("{path} is damaged: {what}"),
        RepairAborted => format!("{path} is damaged and could not be repaired"),
        other => format!("can't open {path}: {other}"),
    })
}
