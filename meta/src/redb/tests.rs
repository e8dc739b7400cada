mod durability;
mod model;

use std::path::PathBuf;

use bytes::Bytes;
use tempfile::{TempDir, tempdir};
use tokio::task::JoinSet;

use super::*;
use crate::conformance::conforms;

/// Fast; what is tested is not the disk.
const QUICK: Options = Options { fsync: false, cache_bytes: 1 << 20 };
const SAFE: Options = Options { fsync: true, cache_bytes: 1 << 20 };

fn folder() -> (TempDir, PathBuf) {
    let dir = tempdir().unwrap();
    let path = dir.path().join("meta.redb");
    (dir, path)
}

fn complaint(path: &Path) -> String {
    let line = RedbStore::open(path, QUICK).unwrap_err().to_string();
    assert!(line.contains(&path.display().to_string()) && !line.contains('\n'), "{line}");
    line
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_redb_store_conforms() {
    let dir = tempdir().unwrap();
    let count = AtomicU64::new(0);
    for options in [QUICK, SAFE] {
        conforms(async || {
            let path = dir.path().join(format!("{}.redb", count.fetch_add(1, Ordering::Relaxed)));
            Arc::new(RedbStore::open(&path, options).unwrap()) as Arc<dyn Store>
        })
        .await;
    }
}

#[tokio::test]
async fn many_commits_at_once_share_a_transaction() {
    let (_dir, path) = folder();
    let store = Arc::new(RedbStore::open(&path, SAFE).unwrap());
    let mut commits = JoinSet::new();
    for number in 0..256_u32 {
        let store = store.clone();
        commits.spawn(async move { store.commit(Commit::new().put(number.to_be_bytes().to_vec(), "")).await });
    }
    let mut versions: Vec<Version> = commits.join_all().await.into_iter().map(Result::unwrap).collect();
    versions.sort_unstable();
    assert_eq!(versions, (1..=256).collect::<Vec<_>>());
    assert!(store.transactions() <= 64, "{} transactions", store.transactions());
}

#[tokio::test]
async fn conflicts_alone_make_no_transaction() {
    let (_dir, path) = folder();
    let store = RedbStore::open(&path, SAFE).unwrap();
    let refused = store.commit(Commit::new().check_at("missing", 1).put("a", "")).await;
    assert!(matches!(refused, Err(CommitError::Conflict)));
    assert_eq!(store.transactions(), 0);
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_stop_the_writer() {
    let (_dir, path) = folder();
    let store = RedbStore::open(&path, QUICK).unwrap();
    for _ in 0..10 {
        let waiting = store.commit(Commit::new().put("a", ""));
        let _ = tokio::time::timeout(std::time::Duration::ZERO, waiting).await;
    }
    store.commit(Commit::new().put("b", "")).await.unwrap();
    assert_eq!(store.room.available_permits(), QUEUE_COMMITS_MAX);
}

#[test]
fn a_store_has_one_owner_and_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, path) = folder();
    let store = RedbStore::open(&path, QUICK).unwrap();
    assert!(complaint(&path).ends_with("is in use by another process"));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    drop(store);
    drop(RedbStore::open(&path, QUICK).unwrap());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_half_made_file_is_made_again() {
    let (_dir, path) = folder();
    std::fs::write(path.with_extension("redb.new"), "half").unwrap();
    drop(RedbStore::open(&path, QUICK).unwrap());
    drop(RedbStore::open(&path, QUICK).unwrap());
}

#[test]
fn files_that_are_no_store_are_refused_and_left_alone() {
    let (dir, path) = folder();
    for content in [&b""[..], b"short", &[7; 100_000]] {
        std::fs::write(&path, content).unwrap();
        complaint(&path);
        assert_eq!(std::fs::read(&path).unwrap(), content);
    }
    let other = dir.path().join("other.redb");
    let database = Database::create(&other).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(ROWS).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(complaint(&other).ends_with("is a database, but not one of ours"));
    complaint(dir.path());
    complaint(&dir.path().join("missing/meta.redb"));
}

#[test]
fn a_damaged_store_is_an_error_and_not_a_crash() {
    let (_dir, path) = folder();
    let store = RedbStore::open(&path, QUICK).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let commit = (0..2000_u32).fold(Commit::new(), |commit, key| commit.put(key.to_be_bytes().to_vec(), vec![7; 100]));
    runtime.block_on(store.commit(commit)).unwrap();
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 3]).unwrap();
    complaint(&path);
    let mut zeroed = whole.clone();
    zeroed[..4096].fill(0);
    std::fs::write(&path, &zeroed).unwrap();
    complaint(&path);
}
