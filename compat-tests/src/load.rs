//! Writers and readers that run while a test does harm, and the book of what was acknowledged.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::task::JoinSet;

use crate::data::Data;
use crate::s3::{Got, S3};

/// Pause after a refused request.
const PAUSE: Duration = Duration::from_millis(50);
/// Sizes written in turn: inline, replicated, one segment, several segments.
const SIZES: [u64; 6] = [900, 30_000, 300_000, 5_000_000, 64_000, 1];

/// What the gateway acknowledged, and what it was only asked for.
#[derive(Debug, Default)]
pub struct Book {
    acknowledged: Mutex<BTreeMap<String, Data>>,
    asked: AtomicU64,
    refused: AtomicU64,
    reads: AtomicU64,
}

impl Book {
    pub fn acknowledged(&self) -> BTreeMap<String, Data> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, key: String, data: Data) {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).insert(key, data);
    }

    fn pick(&self, turn: u64) -> Option<(String, Data)> {
        let known = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        let at = (turn as usize).checked_rem(known.len())?;
        known.iter().nth(at).map(|(key, data)| (key.clone(), *data))
    }

    pub fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            asked: of(&self.asked),
            refused: of(&self.refused),
            reads: of(&self.reads),
            acknowledged: self.acknowledged().len(),
        }
    }

    /// What was asked for under a key that a writer used.
    pub fn data_of(number: u64) -> (String, Data) {
        (format!("load/{number:06}"), Data::new(1000 + number, SIZES[(number % SIZES.len() as u64) as usize]))
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Counts {
    pub asked: u64,
    pub refused: u64,
    pub reads: u64,
    pub acknowledged: usize,
}

/// Runs until [`Load::stop`].
pub struct Load {
    pub book: Arc<Book>,
    stop: Arc<AtomicBool>,
    workers: JoinSet<Result<()>>,
}

/// What readers accept from an acknowledged object while harm is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Every read succeeds.
    Always,
    /// Refused or broken is allowed, wrong never.
    MayFail,
}

impl Load {
    pub fn start(s3: &S3, bucket: &str, writers: usize, readers: usize, reads: Reads) -> Self {
        let (book, stop, mut workers) = (Arc::new(Book::default()), Arc::new(AtomicBool::new(false)), JoinSet::new());
        for _ in 0..writers {
            workers.spawn(write(s3.clone(), bucket.to_owned(), book.clone(), stop.clone()));
        }
        for reader in 0..readers {
            workers.spawn(read(s3.clone(), bucket.to_owned(), book.clone(), stop.clone(), reader as u64, reads));
        }
        Self { book, stop, workers }
    }

    /// Lets every request in flight end, and fails with what a worker found wrong.
    pub async fn stop(mut self) -> Result<Arc<Book>> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.workers.join_next().await {
            ended??;
        }
        Ok(self.book)
    }
}

async fn write(s3: S3, bucket: String, book: Arc<Book>, stop: Arc<AtomicBool>) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        let (key, data) = Book::data_of(book.asked.fetch_add(1, Ordering::Relaxed));
        match s3.put(&bucket, &key, data).await {
            Ok(Ok(())) => book.note(key, data),
            Ok(Err(refusal)) if refusal.status >= 500 && !refusal.code.is_empty() => {
                book.refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
            Ok(Err(refusal)) => bail!("PUT {key}: {refusal:?}"),
            Err(error) if hung(&error) => return Err(error.context(format!("PUT {key}"))),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    Ok(())
}

async fn read(s3: S3, bucket: String, book: Arc<Book>, stop: Arc<AtomicBool>, reader: u64, reads: Reads) -> Result<()> {
    let mut turn = reader.wrapping_mul(7919);
    while !stop.load(Ordering::Relaxed) {
        turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let Some((key, data)) = book.pick(turn >> 33) else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        match s3.get(&bucket, &key, data).await? {
            Got::Right => drop(book.reads.fetch_add(1, Ordering::Relaxed)),
            Got::Wrong(wrong) => bail!("GET {key}: {wrong}"),
            other if reads == Reads::Always => bail!("GET {key} ({} bytes): {other:?}", data.len),
            Got::Refused(refusal) if refusal.status < 500 => bail!("GET {key}: {refusal:?}"),
            Got::Refused(_) | Got::Broken(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    Ok(())
}

fn hung(error: &anyhow::Error) -> bool {
    error.to_string().contains("no answer within")
}
