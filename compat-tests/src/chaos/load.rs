//! Writers and readers at work while harm is done: they bear refusals and broken connections, never a wrong byte, a lost object or a hang.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::task::JoinSet;

use super::book::Book;
use super::read::{Seen, get};
use crate::data::Data;
use crate::dice::Dice;
use crate::s3::{Call, Refusal, S3, object_path, outcome, within};

pub const BUCKET: &str = "chaos";
/// An answer, and each piece of a body, may not take longer.
pub(super) const HUNG: Duration = Duration::from_secs(60);
/// After a refusal.
const PAUSE: Duration = Duration::from_millis(100);
/// Between two writes of one writer once there is enough.
const FULL_PAUSE: Duration = Duration::from_millis(400);
pub(super) const VERSION_HEADER: &str = "x-amz-meta-version";
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// Parts of a multipart upload, 16 MiB together.
const PART_BYTES: [u64; 3] = [5 * MIB, 5 * MIB, 6 * MIB];

#[derive(Debug, Default)]
pub struct Counts {
    pub written: AtomicU64,
    pub written_bytes: AtomicU64,
    pub deleted: AtomicU64,
    pub read: AtomicU64,
    pub refused: AtomicU64,
    pub broken: AtomicU64,
}

/// What all workers share.
struct Shared {
    s3: S3,
    book: Arc<Book>,
    counts: Counts,
    target_bytes: u64,
    /// There was enough once.
    filled: AtomicBool,
    stop: AtomicBool,
}

impl Shared {
    fn is_full(&self) -> bool {
        let full = self.book.live().1 >= self.target_bytes;
        self.filled.fetch_or(full, Ordering::Relaxed);
        full
    }
}

/// Runs until [`Load::stop`].
pub struct Load {
    shared: Arc<Shared>,
    workers: JoinSet<Result<()>>,
}

impl Load {
    /// Fills the bucket up to about `target_bytes` and keeps it there.
    pub fn start(s3: &S3, book: Arc<Book>, dice: &mut Dice, writers: usize, readers: usize, target_bytes: u64) -> Self {
        let (s3, stop) = (s3.clone().with_patience(HUNG), AtomicBool::new(false));
        let filled = AtomicBool::new(false);
        let shared = Arc::new(Shared { s3, book, counts: Counts::default(), target_bytes, filled, stop });
        let mut workers = JoinSet::new();
        for writer in 0..writers {
            workers.spawn(write(shared.clone(), dice.fork(), writer));
        }
        for _ in 0..readers {
            workers.spawn(read(shared.clone(), dice.fork()));
        }
        Self { shared, workers }
    }

    /// What a worker found wrong, if one did.
    pub fn check(&mut self) -> Result<()> {
        self.workers.try_join_next().map_or(Ok(()), |ended| ended?)
    }

    /// True once there was as much as wanted.
    pub fn was_full(&self) -> bool {
        self.shared.filled.load(Ordering::Relaxed)
    }

    /// Lets every request under way end.
    pub async fn stop(mut self) -> Result<String> {
        self.shared.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.workers.join_next().await {
            ended??;
        }
        Ok(self.say())
    }

    pub fn say(&self) -> String {
        let (counts, (keys, bytes)) = (&self.shared.counts, self.shared.book.live());
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        format!(
            "{} writes ({} MiB), {} deletes, {} reads, {} refused, {} broken; {keys} objects of {} MiB are or may be there",
            of(&counts.written),
            of(&counts.written_bytes) / MIB,
            of(&counts.deleted),
            of(&counts.read),
            of(&counts.refused),
            of(&counts.broken),
            bytes / MIB
        )
    }
}

/// One of the sizes that are stored in ways of their own: inline, replicated, one segment, several, multipart.
#[derive(Debug, Clone, Copy)]
enum Size {
    Plain(u64),
    Multipart,
}

impl Size {
    fn draw(dice: &mut Dice) -> Self {
        match dice.within(0..100) {
            0..20 => Self::Plain(dice.within(0..4 * KIB + 1)),
            20..45 => Self::Plain(dice.within(4 * KIB + 1..64 * KIB + 1)),
            45..70 => Self::Plain(dice.within(64 * KIB + 1..4 * MIB + 1)),
            70..90 => Self::Plain(dice.within(4 * MIB + 1..16 * MIB)),
            _ => Self::Multipart,
        }
    }

    fn bytes(self) -> u64 {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Multipart => PART_BYTES.iter().sum(),
        }
    }
}

/// What one writer does next, and to which of its keys.
enum Turn {
    Put(String),
    Delete(String),
}

/// One writer's keys: those it wrote last, and those it deleted last.
struct Keys {
    writer: usize,
    made: usize,
    written: Vec<String>,
    deleted: Vec<String>,
}

impl Keys {
    /// Mostly new keys until there is enough, mostly deletes then.
    fn turn(&mut self, dice: &mut Dice, full: bool) -> Turn {
        let (new, delete) = if full { (0, 85) } else { (60, 10) };
        let throw = dice.within(0..100);
        if self.written.is_empty() || throw < new {
            return Turn::Put(self.fresh(dice));
        }
        let at = dice.within(0..self.written.len() as u64) as usize;
        if throw < new + delete {
            let key = self.written.swap_remove(at);
            self.deleted.push(key.clone());
            return Turn::Delete(key);
        }
        Turn::Put(self.written[at].clone())
    }

    /// A key that nothing is under: at times one that was deleted.
    fn fresh(&mut self, dice: &mut Dice) -> String {
        let key = match self.deleted.pop() {
            Some(deleted) if dice.chance(30) => deleted,
            deleted => {
                self.deleted.extend(deleted);
                self.made += 1;
                format!("writer-{}/{:06}", self.writer, self.made)
            }
        };
        self.written.push(key.clone());
        key
    }
}

async fn write(shared: Arc<Shared>, mut dice: Dice, writer: usize) -> Result<()> {
    let mut keys = Keys { writer, made: 0, written: Vec::new(), deleted: Vec::new() };
    while !shared.stop.load(Ordering::Relaxed) {
        let full = shared.is_full();
        match keys.turn(&mut dice, full) {
            Turn::Put(key) => put(&shared, &key, Size::draw(&mut dice)).await?,
            Turn::Delete(key) => delete_one(&shared, &key).await?,
        }
        if full {
            tokio::time::sleep(FULL_PAUSE).await;
        }
    }
    Ok(())
}

async fn put(shared: &Shared, key: &str, size: Size) -> Result<()> {
    let (number, data) = shared.book.begin(key, Some(size.bytes()));
    let data = data.context("a put has data")?;
    let sent = match size {
        Size::Plain(_) => within(HUNG, put_plain(&shared.s3, key, number, data)).await,
        // Five requests.
        Size::Multipart => within(HUNG * 5, put_parts(&shared.s3, key, number, data)).await,
    };
    if took(shared, key, sent)? {
        shared.book.acknowledge(key, number);
        shared.counts.written.fetch_add(1, Ordering::Relaxed);
        shared.counts.written_bytes.fetch_add(data.len, Ordering::Relaxed);
    } else {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn put_plain(s3: &S3, key: &str, number: usize, data: Data) -> Result<Result<(), Refusal>> {
    let call = Call::new("PUT", object_path(BUCKET, key)).header("content-length", data.len.to_string());
    outcome(s3.send(call.header(VERSION_HEADER, number.to_string()).body(data.body())).await?).await
}

async fn put_parts(s3: &S3, key: &str, number: usize, data: Data) -> Result<Result<(), Refusal>> {
    let mut upload = match s3.begin_upload(BUCKET, key, &[(VERSION_HEADER, number.to_string())]).await? {
        Ok(upload) => upload,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut from = 0;
    for bytes in PART_BYTES {
        if let Err(refusal) = s3.put_part(&mut upload, data.slice(from..from + bytes)).await? {
            return Ok(Err(refusal));
        }
        from += bytes;
    }
    s3.complete_upload(&upload).await
}

async fn delete_one(shared: &Shared, key: &str) -> Result<()> {
    let (number, _) = shared.book.begin(key, None);
    let sent = within(HUNG, shared.s3.delete(BUCKET, key)).await;
    if took(shared, key, sent)? {
        shared.book.acknowledge(key, number);
        shared.counts.deleted.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// True for a yes. A refusal for the moment and a broken connection are borne.
fn took(shared: &Shared, key: &str, sent: Result<Result<Result<(), Refusal>>>) -> Result<bool> {
    match sent.with_context(|| format!("writing {key} hung"))? {
        Ok(Ok(())) => Ok(true),
        Ok(Err(refusal)) => bear(shared, &refusal).with_context(|| format!("writing {key}")).map(|()| false),
        Err(error) if error.to_string().contains("no answer within") => Err(error.context(format!("writing {key} hung"))),
        Err(_) => {
            shared.counts.broken.fetch_add(1, Ordering::Relaxed);
            Ok(false)
        }
    }
}

fn bear(shared: &Shared, refusal: &Refusal) -> Result<()> {
    if refusal.status < 500 || refusal.code.is_empty() {
        bail!("{refusal:?}");
    }
    shared.counts.refused.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

async fn read(shared: Arc<Shared>, mut dice: Dice) -> Result<()> {
    while !shared.stop.load(Ordering::Relaxed) {
        let Some(expected) = shared.book.pick(&mut dice) else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let from = dice.chance(40).then(|| dice.within(0..4 * MIB));
        let range = from.map(|from| from..from + 1 + dice.within(0..2 * MIB));
        match get(&shared.s3, &shared.book, &expected, range).await.with_context(|| format!("GET {}", expected.key))? {
            Seen::Right => drop(shared.counts.read.fetch_add(1, Ordering::Relaxed)),
            Seen::Refused(refusal) => {
                bear(&shared, &refusal).with_context(|| format!("GET {}", expected.key))?;
                tokio::time::sleep(PAUSE).await;
            }
            Seen::Broken => {
                shared.counts.broken.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_fills_up_to_the_target_and_stays_about_there() {
        const TARGET: u64 = 100 * MIB;
        let (book, mut dice) = (Book::default(), Dice::new(1));
        let mut keys = Keys { writer: 0, made: 0, written: Vec::new(), deleted: Vec::new() };
        let mut seen = Vec::new();
        for _ in 0..3000 {
            let live = book.live().1;
            if live >= TARGET || !seen.is_empty() {
                seen.push(live);
            }
            let (key, len) = match keys.turn(&mut dice, live >= TARGET) {
                Turn::Put(key) => (key, Some(Size::draw(&mut dice).bytes())),
                Turn::Delete(key) => (key, None),
            };
            let (number, _) = book.begin(&key, len);
            book.acknowledge(&key, number);
        }
        let (most, mean) = (seen.iter().max().copied().unwrap_or(0), seen.iter().sum::<u64>() / seen.len().max(1) as u64);
        assert!(seen.len() > 2000 && most <= TARGET * 3 / 2, "{} MiB at most", most / MIB);
        assert!(mean > TARGET * 3 / 4, "{} MiB in the mean", mean / MIB);
    }
}
