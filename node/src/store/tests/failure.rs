//! Disks that refuse: a failed write leaves no trace, and the store goes on as far as it can.

use std::fs::File;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use super::*;

/// A file that can be cut but not written.
fn unwritable() -> File {
    let file = memfd_create("volume", MemfdFlags::ALLOW_SEALING).unwrap();
    fcntl_add_seals(&file, SealFlags::GROW | SealFlags::WRITE).unwrap();
    file.into()
}

#[tokio::test]
async fn a_volume_that_cannot_be_made_fails_the_put_and_the_store_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (id, data) = shard(1, 1000);
    let in_the_way = volume::path(&options(dir.path()).dir, 1);
    std::fs::create_dir(&in_the_way).unwrap();
    assert!(matches!(store.put(id, data.clone(), 0).await, Err(StoreError::Io(_))));
    assert_eq!((store.len_of(&id), store.totals().used_bytes), (None, 0));
    std::fs::remove_dir(&in_the_way).unwrap();
    assert_eq!(store.put(id, data, 0).await, Ok(Stored::New));
}

#[tokio::test]
async fn a_failed_write_is_rolled_back_and_the_next_one_begins_a_volume() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.shared.index_mut().add_volume(1, Arc::new(unwritable()));
    let (id, data) = shard(1, 1000);
    assert!(matches!(store.put(id, data.clone(), 0).await, Err(StoreError::Io(_))));
    assert_eq!((store.len_of(&id), store.totals().used_bytes), (None, 0));
    assert_eq!(store.put(id, data.clone(), 0).await, Ok(Stored::New));
    assert_eq!(store.shared.index().get(&id).unwrap().place.volume, 2);
    assert_eq!(store.get(id, None).await, Ok(data));
}

/// `/dev/full` takes no direct writes, so this is also what becomes of a batch that was meant to go past the page cache.
#[tokio::test]
async fn a_full_disk_is_told_and_one_that_cannot_be_undone_leaves_a_store_that_reads() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (held, held_data) = shard(1, 1000);
    store.put(held, held_data.clone(), 0).await.unwrap();
    store.close().await;
    // Writing there finds no space, and cutting it is no use either.
    std::os::unix::fs::symlink("/dev/full", volume::path(&options(dir.path()).dir, 2)).unwrap();
    let store = Store::open(in_blocks(dir.path())).unwrap();
    let (id, data) = shard(2, 1000);
    assert_eq!(store.put(id, data.clone(), 0).await, Err(StoreError::Full));
    assert_eq!(store.put(id, data, 0).await, Err(StoreError::ReadOnly));
    assert!(store.totals().read_only && store.totals().free_bytes == 0);
    assert_eq!(store.get(held, None).await, Ok(held_data));
}
