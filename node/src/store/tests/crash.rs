//! kill -9 in mid-write: a process of our own is killed while it stores, and everything it had acknowledged is there.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

/// What the child says, each followed by an id; none is in another.
const WORDS: [&str; 6] = ["stored ", "deleting ", "deleted ", "moving ", "set-aside ", "taken-back "];
const FOLDER: &str = "NODIO_TEST_STORE_CHILD";

/// Not a test of its own: the process that the next test kills. It says each id once its put was answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::print_stdout)]
async fn child_that_stores_until_it_is_killed() {
    let Some(dir) = std::env::var_os(FOLDER) else { return };
    // Batches of one shard go through the page cache, longer ones past it.
    let direct_min_bytes = 30_000;
    let store = Store::open(StoreOptions { fsync: true, direct_min_bytes, ..options(Path::new(&dir)) }).unwrap();
    let mut outliner = Outliner::new(store.clone());
    tokio::spawn(async move {
        loop {
            outliner.step().await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    });
    for seed in 0..u64::MAX {
        let puts = (0..4).map(|part| {
            let (id, data) = shard(seed * 4 + part, 20_000 + part as usize);
            let store = store.clone();
            async move { store.put(id, data, 0).await.map(|_| id) }
        });
        for put in futures::future::join_all(puts).await {
            match put {
                Ok(id) => println!("stored {id}"),
                Err(error) => return println!("ended {error}"),
            }
        }
        if seed % 8 == 7 {
            let (id, _) = shard(seed * 4, 20_000);
            println!("deleting {id}");
            store.delete(&[id]).await.unwrap();
            println!("deleted {id}");
        }
        if seed % 8 == 3 {
            let (id, _) = shard(seed * 4 + 1, 20_001);
            println!("moving {id}");
            store.trash(&[id], 1_000).await.unwrap();
            println!("set-aside {id}");
        }
        if seed % 16 == 4 {
            let (id, _) = shard((seed - 1) * 4 + 1, 20_001);
            println!("moving {id}");
            store.restore(&[id]).await.unwrap();
            println!("taken-back {id}");
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    for lines in [5, 37, 120, 171] {
        let dir = tempfile::tempdir().unwrap();
        let Said { stored, deleted, aside, back, in_doubt } = run_and_kill(dir.path(), lines);
        let store = open(dir.path());
        for id in &stored {
            if deleted.contains(id) {
                assert_eq!(store.len_of(id), None, "{id} came back");
            } else {
                let held = store.get(*id, None).await;
                assert_eq!(held.map(|data| ShardId::of(&data)), Ok(*id));
                let set_aside = aside.contains(id) && !back.contains(id);
                assert!(in_doubt == Some(*id) || store.is_trashed(id) == set_aside, "{id}: {set_aside}");
            }
        }
        assert!(stored.len() > lines / 2);
        store.close().await;
    }
}

/// What the child said was done.
struct Said {
    stored: Vec<ShardId>,
    deleted: Vec<ShardId>,
    aside: Vec<ShardId>,
    back: Vec<ShardId>,
    /// Moved into the trash or out of it, perhaps.
    in_doubt: Option<ShardId>,
}

/// Lets the child say `lines` lines, kills it, and reads what else it had said.
fn run_and_kill(dir: &Path, lines: usize) -> Said {
    let name = "store::tests::crash::child_that_stores_until_it_is_killed";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(FOLDER, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut heard: Vec<String> =
        said.by_ref().map(Result::unwrap).filter(|line| WORDS.iter().any(|word| line.contains(word))).take(lines).collect();
    child.kill().unwrap();
    heard.extend(said.map(Result::unwrap));
    child.wait().unwrap();
    let ids = |what: &str| {
        let named = heard.iter().filter_map(|line| line.split_once(what)).filter_map(|(_, id)| id.parse().ok());
        named.collect::<Vec<ShardId>>()
    };
    let (deleting, deleted) = (ids("deleting "), ids("deleted "));
    // A delete that was begun and not answered may or may not have happened.
    let in_doubt = |id: &ShardId| deleting.contains(id) && !deleted.contains(id);
    let stored = ids("stored ").into_iter().filter(|id| !in_doubt(id)).collect();
    let (aside, back, moving) = (ids("set-aside "), ids("taken-back "), ids("moving "));
    let in_doubt = moving.last().copied().filter(|_| moving.len() > aside.len() + back.len());
    Said { stored, deleted, aside, back, in_doubt }
}
