//! The run's own bucket: made under a name that nobody else has, and removed with all that is in it.
//!
//! Promises: no other bucket is ever named; what is removed is what the bucket itself lists, so that an object whose write was never
//! answered goes too. No upload in parts is ever begun, so none has to be aborted.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Method;
use tokio::task::JoinSet;

use super::connection::{Ask, Client, Fault};
use super::data::Upload;
use super::s3::{PAGE_KEYS_MAX, keys_in};

/// Rounds in a row that may remove nothing: a write that was cut off may still come out of the server.
const IDLE_ROUNDS_MAX: u32 = 10;
const IDLE_PAUSE: Duration = Duration::from_millis(300);
/// Deletions at once, at most.
const WORKERS_MAX: usize = 64;
/// Where a bucket needs no word about its place.
const REGION_WITHOUT_CONSTRAINT: &str = "us-east-1";

/// A name like no other.
pub(super) fn own_name() -> String {
    format!("nodio-bench-{:016x}", u64::from_le_bytes(nodio_wire::auth::random_bytes()))
}

pub(super) async fn make(client: &mut Client, bucket: &str, region: &str) -> Result<(), Fault> {
    let path = format!("/{bucket}");
    let body = if region == REGION_WITHOUT_CONSTRAINT {
        String::new()
    } else {
        format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        )
    };
    let ask = Ask { body: Upload::Text(Bytes::from(body)), ..Ask::new(Method::PUT, &path) };
    client.ask(ask, |_| true).await.map(drop)
}

/// Removes every object, then the bucket. Fails when nothing moves any more.
pub(super) async fn remove(client: &mut Client, bucket: &str, workers: usize) -> Result<()> {
    client.hang_up();
    let (mut idle, mut seen) = (0, Vec::new());
    loop {
        let fault = match page(client, bucket).await {
            Ok(keys) if keys.is_empty() => match remove_empty(client, bucket).await {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            },
            Ok(keys) => {
                idle = if keys == seen { idle } else { 0 };
                let fault = remove_keys(client, bucket, &keys, workers).await;
                seen = keys;
                fault.unwrap_or(Fault::Wrong)
            }
            Err(fault) if is_gone(&fault) => return Ok(()),
            Err(fault) => fault,
        };
        idle += 1;
        if idle > IDLE_ROUNDS_MAX {
            return Err(fault).with_context(|| format!("the bucket {bucket} is left behind"));
        }
        if idle > 1 {
            tokio::time::sleep(IDLE_PAUSE).await;
        }
    }
}

/// Keys that are in the bucket, at most a page; none when it is empty.
async fn page(client: &mut Client, bucket: &str) -> Result<Vec<String>, Fault> {
    let path = format!("/{bucket}");
    let query = format!("list-type=2&max-keys={PAGE_KEYS_MAX}");
    let mut page = Vec::new();
    let sink = |bytes: &[u8]| {
        page.extend_from_slice(bytes);
        true
    };
    client.ask(Ask { query: &query, ..Ask::new(Method::GET, &path) }, sink).await?;
    Ok(keys_in(&page))
}

async fn remove_empty(client: &mut Client, bucket: &str) -> Result<(), Fault> {
    match client.ask(Ask::new(Method::DELETE, &format!("/{bucket}")), |_| true).await {
        Err(fault) if !is_gone(&fault) => Err(fault),
        _ => Ok(()),
    }
}

fn is_gone(fault: &Fault) -> bool {
    matches!(fault, Fault::Refused { code, .. } if code == "NoSuchBucket")
}

/// Removes the keys, many at once. Returns a reason why some may be left.
async fn remove_keys(client: &Client, bucket: &str, keys: &[String], workers: usize) -> Option<Fault> {
    let mut tasks = JoinSet::new();
    for keys in keys.chunks(keys.len().div_ceil(workers.clamp(1, WORKERS_MAX))) {
        let paths: Vec<_> = keys.iter().map(|key| format!("/{bucket}/{key}")).collect();
        let mut client = client.another();
        tasks.spawn(async move {
            for path in paths {
                client.ask(Ask::new(Method::DELETE, &path), |_| true).await?;
            }
            Ok(())
        });
    }
    let mut fault = None;
    while let Some(ended) = tasks.join_next().await {
        fault = fault.or(ended.unwrap_or(Err(Fault::Broken)).err());
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_are_names() {
        let names = [own_name(), own_name()];
        assert_ne!(names[0], names[1]);
        assert!(names.iter().all(|name| name.starts_with("nodio-bench-") && name.len() == 28));
    }
}
