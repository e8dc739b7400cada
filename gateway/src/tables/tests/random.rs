//! Anything, in any order and at once, leaves the books right.

use futures::{FutureExt, future::join_all};
use proptest::prelude::*;

use super::world::MIB;
use super::*;
use crate::rows::Versioning;

#[derive(Debug, Clone, Copy)]
enum Step {
    Put(u8),
    Delete(u8),
    Copy(u8, u8),
    Upload {
        at: u8,
        parts: u8,
        list: u8,
    },
    Abort {
        at: u8,
        parts: u8,
    },
    /// An upload that nobody ends.
    Leave {
        at: u8,
        parts: u8,
    },
    /// The so-manieth version of any key, whatever it is.
    DeleteVersion(u8),
    Release,
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0u8..3;
    prop_oneof![
        2 => at().prop_map(Step::Put),
        2 => at().prop_map(Step::Delete),
        3 => (at(), at()).prop_map(|(from, to)| Step::Copy(from, to)),
        2 => (at(), 1u8..5, 1u8..4).prop_map(|(at, parts, list)| Step::Upload { at, parts, list }),
        1 => (at(), 1u8..4).prop_map(|(at, parts)| Step::Abort { at, parts }),
        1 => (at(), 1u8..4).prop_map(|(at, parts)| Step::Leave { at, parts }),
        2 => (0u8..8).prop_map(Step::DeleteVersion),
        1 => Just(Step::Release),
    ]
}

async fn run(world: &World, step: Step) {
    let name = |at: u8| format!("key{at}");
    match step {
        Step::Put(at) => drop(world.put(&name(at)).await),
        Step::Delete(at) => _ = world.delete(&name(at)).await,
        Step::Copy(from, to) => drop(world.copy(&name(from), &name(to)).await),
        Step::Upload { at, parts, list } => {
            let upload = world.begin(&name(at)).await;
            let mut added = Vec::new();
            for n in 0..parts {
                added.push(world.try_part(&name(at), upload, u16::from(n % 3) + 1, 5 * MIB).await.unwrap());
            }
            let listed: Vec<_> = added.into_iter().rev().take(usize::from(list).min(3)).rev().collect();
            let _ = world.complete(&name(at), upload, &listed).await;
        }
        Step::Abort { at, parts } => {
            let upload = world.begin(&name(at)).await;
            for n in 0..parts {
                world.add(&name(at), upload, u16::from(n) + 1).await;
            }
            world.abort(&name(at), upload).await.unwrap();
        }
        Step::Leave { at, parts } => {
            let upload = world.begin(&name(at)).await;
            for n in 0..parts {
                world.try_part(&name(at), upload, u16::from(n % 2) + 1, 1 + u64::from(n)).await.unwrap();
            }
        }
        Step::DeleteVersion(index) => {
            let all = world.tables.version_rows(&world.bucket, None, 100).await.unwrap();
            if let Some(found) = all.get(usize::from(index) % all.len().max(1)) {
                let version = Some(found.row.version);
                // Somebody else may be quicker.
                let _ = world.tables.delete_object(&world.bucket, &found.key, version, &Deletion::default(), world.now()).await;
            }
        }
        Step::Release => world.release().await,
    }
}

fn versioning() -> impl Strategy<Value = Versioning> {
    proptest::sample::select(vec![Versioning::Off, Versioning::Off, Versioning::Enabled, Versioning::Suspended])
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn one_after_another(steps in proptest::collection::vec(step(), 1..20), versioning in versioning()) {
        block_on(async {
            let world = World::new().await.versioned(versioning).await;
            for step in steps {
                run(&world, step).await;
                world.audit().await;
            }
        });
    }

    #[test]
    fn all_at_once(steps in proptest::collection::vec(step(), 2..12), versioning in versioning()) {
        block_on(async {
            let world = World::shuffled().await.versioned(versioning).await;
            let steps = steps.into_iter().filter(|step| !matches!(step, Step::Release));
            join_all(steps.map(|step| run(&world, step).boxed())).await;
            world.audit().await;
        });
    }
}
