//! What is left after a restart, a killed process and a failing disk.

use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;

use ::redb::StorageBackend;
use ::redb::backends::InMemoryBackend;

use super::*;

const CHILD: &str = "NODIO_TEST_META_CHILD";
const CHILD_TASKS: u64 = 4;

async fn count_rows(store: &RedbStore) -> usize {
    store.scan(KeyRange::all(), usize::MAX, Direction::Ascending).await.unwrap().len()
}

#[tokio::test]
async fn everything_committed_is_there_after_a_restart() {
    for options in [QUICK, SAFE] {
        let (_dir, path) = folder();
        let store = RedbStore::open(&path, options).unwrap();
        let mut last = 0;
        for number in 0..50_u32 {
            last = store.commit(Commit::new().put(number.to_be_bytes().to_vec(), "value")).await.unwrap();
        }
        drop(store);
        let store = RedbStore::open(&path, options).unwrap();
        assert_eq!(count_rows(&store).await, 50);
        let row = store.get(&49_u32.to_be_bytes()).await.unwrap().unwrap();
        assert_eq!((row.value, row.version), ("value".into(), last));
        assert_eq!(store.commit(Commit::new()).await.unwrap(), last + 1, "the sequence goes on");
    }
}

#[tokio::test]
async fn commits_still_queued_when_the_store_is_dropped_are_made() {
    let (_dir, path) = folder();
    let store = RedbStore::open(&path, SAFE).unwrap();
    let queued: Vec<_> = (0..100_u32)
        .map(|number| {
            let mut commit = Box::pin(store.commit(Commit::new().put(number.to_be_bytes().to_vec(), "")));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let _ = commit.as_mut().poll(&mut context);
        })
        .collect();
    drop((queued, store));
    assert_eq!(count_rows(&RedbStore::open(&path, SAFE).unwrap()).await, 100);
}

#[tokio::test]
async fn without_fsync_commits_are_flushed_in_the_background() {
    let (_dir, path) = folder();
    let store = RedbStore::open(&path, QUICK).unwrap();
    store.commit(Commit::new().put("a", "")).await.unwrap();
    assert_eq!(store.transactions(), 1);
    while store.transactions() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // As it would be found if the process were killed now.
    let copy = path.with_extension("copy");
    std::fs::copy(&path, &copy).unwrap();
    assert_eq!(count_rows(&RedbStore::open(&copy, QUICK).unwrap()).await, 1);
}

/// True if the file, as a kill would leave it now, opens without being read whole.
fn would_open_at_once(path: &Path) -> bool {
    let copy = path.with_extension("killed");
    std::fs::copy(path, &copy).unwrap();
    Database::builder().set_repair_callback(|repair| repair.abort()).open(&copy).is_ok()
}

#[tokio::test]
async fn a_store_that_rests_opens_at_once_after_a_kill() {
    for options in [QUICK, SAFE] {
        let (_dir, path) = folder();
        let store = RedbStore::open(&path, options).unwrap();
        store.commit(Commit::new().put("a", "")).await.unwrap();
        let busy = path.with_extension("busy");
        std::fs::copy(&path, &busy).unwrap();
        while store.transactions() < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(would_open_at_once(&path));
        // And one that was killed before it came to rest is at rest soon after the next start, though nobody commits.
        let _store = RedbStore::open(&busy, options).unwrap();
        while !would_open_at_once(&busy) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

/// Not a test of its own: the process that the next test kills. Commits rows and prints the number of each that was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::print_stdout)]
async fn child_that_commits_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let store = Arc::new(RedbStore::open(Path::new(&path), SAFE).unwrap());
    let mut tasks = JoinSet::new();
    for task in 0..CHILD_TASKS {
        let store = store.clone();
        tasks.spawn(async move {
            for number in (task..).step_by(CHILD_TASKS as usize) {
                store.commit(Commit::new().put(number.to_be_bytes().to_vec(), vec![7; 300])).await.unwrap();
                println!("\nrow {number}");
            }
        });
    }
    tasks.join_all().await;
}

fn start_child(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "redb::tests::durability::child_that_commits_until_it_is_killed", "--nocapture", "--test-threads=1"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The numbers acknowledged by a child that is killed after so many of them.
fn acknowledged(path: &Path, kill_after: usize) -> Vec<u64> {
    let mut child = start_child(path);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    // The last line may be cut off; then its number was not acknowledged in full, or is one that was given before.
    let mut numbers = Vec::new();
    for line in lines {
        numbers.extend(line.strip_prefix("row ").and_then(|number| number.parse::<u64>().ok()));
        if numbers.len() == kill_after {
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success());
    assert!(numbers.len() >= kill_after);
    numbers
}

#[tokio::test]
async fn every_acknowledged_row_survives_kill_9() {
    let (_dir, path) = folder();
    for kill_after in [1, 40, 100] {
        let numbers = acknowledged(&path, kill_after);
        let store = RedbStore::open(&path, SAFE).unwrap();
        for number in &numbers {
            let row = store.get(&number.to_be_bytes()).await.unwrap();
            assert_eq!(row.map(|row| row.value.len()), Some(300), "row {number}");
        }
        let version = store.commit(Commit::new().put("after", "")).await.unwrap();
        let rows = store.scan(KeyRange::all(), usize::MAX, Direction::Ascending).await.unwrap();
        assert!(rows.iter().filter(|row| row.version == version).count() == 1, "no version is given twice");
    }
}

/// A disk that stops taking writes when the switch is thrown.
#[derive(Debug)]
struct FailingDisk {
    disk: InMemoryBackend,
    failing: Arc<AtomicBool>,
}

impl FailingDisk {
    fn check(&self) -> Result<(), io::Error> {
        if self.failing.load(Ordering::Relaxed) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for FailingDisk {
    fn len(&self) -> Result<u64, io::Error> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.disk.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.check()?;
        self.disk.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.check()?;
        self.disk.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.check()?;
        self.disk.write(offset, data)
    }
}

#[tokio::test]
async fn a_failing_disk_fails_its_commits_and_closes_the_store() {
    let failing = Arc::new(AtomicBool::new(false));
    let backend = FailingDisk { disk: InMemoryBackend::new(), failing: failing.clone() };
    let database = Database::builder().create_with_backend(backend).unwrap();
    file::initialize(&database).unwrap();
    let store = RedbStore::start(file::Opened { database, sequence: 0, checked: false }, true).unwrap();
    store.commit(Commit::new().put("a", "")).await.unwrap();

    failing.store(true, Ordering::Relaxed);
    let failed = store.commit(Commit::new().put("b", "")).await;
    assert!(matches!(failed, Err(CommitError::Store(StoreError::Failed(_)))), "{failed:?}");
    failing.store(false, Ordering::Relaxed);
    let closed = store.commit(Commit::new().put("c", "")).await;
    assert!(matches!(closed, Err(CommitError::Store(StoreError::Closed))), "{closed:?}");
}
