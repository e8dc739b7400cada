//! One read, judged by the book as its bytes arrive.

use std::ops::Range;

use anyhow::{Context, Result};

use super::book::{Book, Expected};
use super::load::{BUCKET, HUNG, VERSION_HEADER};
use crate::data::Checker;
use crate::s3::{Call, Refusal, S3, object_path, refusal_in, within};

/// What a read that found nothing wrong came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// The right bytes, or rightly nothing.
    Right,
    Refused(Refusal),
    Broken,
}

/// Reads a key, or a range of it, and compares it with the version it says it is as the bytes arrive.
///
/// # Errors
/// Wrong bytes, a version that can't be there any more, an object that is missing, an answer that takes too long.
pub async fn get(s3: &S3, book: &Book, expected: &Expected, range: Option<Range<u64>>) -> Result<Seen> {
    let mut call = Call::new("GET", object_path(BUCKET, &expected.key));
    if let Some(range) = &range {
        call = call.header("range", format!("bytes={}-{}", range.start, range.end - 1));
    }
    let Ok(answer) = within(HUNG, s3.send(call)).await? else { return Ok(Seen::Broken) };
    match (answer.status().as_u16(), range) {
        (200, None) => compare(answer, book, expected, 0, u64::MAX).await,
        (206, Some(range)) => compare(answer, book, expected, range.start, range.end).await,
        (404, _) => book.absent(expected).map(|()| Seen::Right).map_err(anyhow::Error::msg),
        (416, Some(range)) if book.may_be_shorter(expected, range.start) => Ok(Seen::Right),
        (status, _) => match within(HUNG, answer.text()).await? {
            Ok(text) => Ok(Seen::Refused(refusal_in(status, &text))),
            Err(_) => Ok(Seen::Broken),
        },
    }
}

async fn compare(mut answer: reqwest::Response, book: &Book, expected: &Expected, from: u64, end: u64) -> Result<Seen> {
    let number = answer.headers().get(VERSION_HEADER).and_then(|number| number.to_str().ok()).context("no version")?;
    let data = book.found(expected, number.parse()?).map_err(anyhow::Error::msg)?;
    let mut check = Checker::within(data, from..end.min(data.len));
    while let Ok(chunk) = within(HUNG, answer.chunk()).await? {
        match chunk {
            Some(bytes) => check.update(&bytes).map_err(anyhow::Error::msg)?,
            None => return check.finish().map(|()| Seen::Right).map_err(anyhow::Error::msg),
        }
    }
    Ok(Seen::Broken)
}
