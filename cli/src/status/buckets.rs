//! Each bucket by itself, as a running gateway counted it.

use std::path::Path;
use std::time::Duration;

use nodio_gateway::admin::{BucketView, Reply, Request, Waiting, call};

use crate::reach::Reach;
use crate::table::{duration, size, table};
use crate::words::{grouped, loss};

/// The first to ask sets the count going; a small network's is done by then.
const FIRST_COUNT_TRIES: u32 = 12;
const FIRST_COUNT_PAUSE: Duration = Duration::from_millis(250);

/// What a running gateway says, if there is one; a gateway that isn't reached takes nothing from the page but its own lines.
pub(super) async fn of_running(reach: &Reach) -> (Option<Vec<BucketView>>, Option<Waiting>) {
    let Ok(config) = reach.gateway() else { return (None, None) };
    let waiting = match call(&config.data, &Request::Waiting).await {
        Ok(Reply::Waiting { waiting }) => waiting,
        _ => return (None, None),
    };
    (counted(&config.data).await, Some(waiting))
}

async fn counted(folder: &Path) -> Option<Vec<BucketView>> {
    for _ in 0..FIRST_COUNT_TRIES {
        match call(folder, &Request::Buckets { after: None }).await.ok()? {
            Reply::Buckets { counted: false, .. } => tokio::time::sleep(FIRST_COUNT_PAUSE).await,
            _ => break,
        }
    }
    all(folder).await
}

async fn all(folder: &Path) -> Option<Vec<BucketView>> {
    let (mut buckets, mut after) = (Vec::new(), None);
    loop {
        let Reply::Buckets { buckets: page, next, .. } = call(folder, &Request::Buckets { after }).await.ok()? else {
            return None;
        };
        buckets.extend(page);
        match next {
            Some(next) => after = Some(next),
            None => return Some(buckets),
        }
    }
}

pub(super) fn render(buckets: &[BucketView], now: u64) -> String {
    if buckets.is_empty() {
        return String::new();
    }
    let rows: Vec<_> = buckets.iter().map(|bucket| row(bucket, now)).collect();
    let head = ["BUCKET", "OBJECTS", "INLINE", "SEGMENTS", "BYTES", "LEAST SPARE", "EXPECTED LOSS", "COUNTED"];
    format!("\n{}", table(&head, &rows))
}

fn row(bucket: &BucketView, now: u64) -> Vec<String> {
    let Some(measured) = bucket.measured else {
        return [bucket.bucket.as_str(), "-", "-", "-", "-", "-", "-", "not yet"].map(str::to_owned).to_vec();
    };
    let durability = &bucket.durability;
    let numbers = [bucket.objects, bucket.inline_objects, durability.segments].map(grouped);
    let least = durability.by_spare.iter().find(|(_, count)| **count > 0).map(|(spare, count)| match spare {
        ..0 => format!("{} unreadable", grouped(*count)),
        spare => format!("{spare} ({})", grouped(*count)),
    });
    let lost = if durability.segments == 0 { "-".to_owned() } else { loss(durability.lost_per_year) };
    let rest = [size(durability.bytes), least.unwrap_or_else(|| "-".to_owned()), lost];
    let age = match now.saturating_sub(measured) {
        0..1000 => "just now".to_owned(),
        age => format!("{} ago", duration(age)),
    };
    std::iter::once(bucket.bucket.clone()).chain(numbers).chain(rest).chain([age]).collect()
}
