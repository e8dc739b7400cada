//! What every store does with counters.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{all_keys, conflicts, must, value};
use crate::{Commit, KeyRange, Store, Sums};

async fn sums(store: &dyn Store, key: &str) -> Option<Sums> {
    value(store, key).await.map(|value| Sums::read(&value))
}

pub(super) async fn counters_are_rows_that_are_added_to(store: &dyn Store) {
    must(store, Commit::new().check_at_most("a", Sums([0, 0])).add("a", Sums([5, 1])).add("a", Sums([2, -3]))).await;
    assert_eq!(sums(store, "a").await, Some(Sums([7, -2])));
    let version = must(store, Commit::new().add("a", Sums([1, 1])).add("b", Sums([1, 0]))).await;
    must(store, Commit::new().check_at("a", version).check_at_most("a", Sums([8, -1]))).await;
    for held in [Commit::new().check_at_most("a", Sums([7, 0])), Commit::new().check_at_most("a", Sums([9, -2]))] {
        assert!(conflicts(store, held.put("a", "")).await);
    }
    assert!(conflicts(store, Commit::new().check_empty(KeyRange::prefix(b"b"))).await);
    assert!(conflicts(store, Commit::new().check_absent("b")).await);
    // Writes apply in order, to counters too; what is no counter begins with zeros.
    must(store, Commit::new().add("a", Sums([1, 1])).delete("a").add("b", Sums([1, 1])).put("b", "text").add("b", Sums([3, 3])))
        .await;
    assert_eq!((sums(store, "a").await, sums(store, "b").await), (None, Some(Sums([3, 3]))));
    must(store, Commit::new().add("a", Sums([1, 1])).delete_range(KeyRange::all()).add("c", Sums([1, 1]))).await;
    assert_eq!(all_keys(store).await, "c");
}

/// However many add at once, each sum counts, and just as many are let in as there is room for.
pub(super) async fn no_addition_is_lost_and_no_limit_passed(store: Arc<dyn Store>) {
    const TASKS: i64 = 8;
    const EACH: i64 = 50;
    const ROOM: i64 = 20;
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = store.clone();
        tasks.spawn(async move {
            let mut made = 0;
            for _ in 0..EACH {
                let bounded = Commit::new().check_at_most("bounded", Sums([ROOM - 1, ROOM - 1])).add("bounded", Sums([1, 1]));
                made += i64::from(store.commit(bounded).await.is_ok());
                must(&*store, Commit::new().add("free", Sums([2, -1]))).await;
            }
            made
        });
    }
    let made: i64 = tasks.join_all().await.into_iter().sum();
    assert_eq!((made, sums(&*store, "bounded").await), (ROOM, Some(Sums([ROOM, ROOM]))));
    assert_eq!(sums(&*store, "free").await, Some(Sums([2 * TASKS * EACH, -TASKS * EACH])));
}
