//! What is to be measured, from the command line: whatever can't be is refused here, before anything is sent.

use std::time::Duration;

use clap::ValueEnum;
use nodio_node::ByteSize;

use super::phase::Length;
use super::s3::PAGE_KEYS_MAX;
use super::target::TargetArgs;
use crate::failure::Usage;

/// One PUT carries at most so much (`PutObject`, S3 API Reference).
const SIZE_MAX: u64 = 5 << 30;
const KEYS_MAX: u32 = 100_000_000;
const CONCURRENCY_MAX: i64 = 4096;
const S_MAX: f64 = 86_400.0;
/// Unless said otherwise: so many keys, but no more than make up so many bytes.
const KEYS_DEFAULT: u64 = 1000;
const BYTES_DEFAULT: u64 = 1 << 30;
const RANGE_DEFAULT: u64 = 64 << 10;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// What to measure, in this order.
    ///
    /// put writes keys that never were; get, range and head read evenly from the first KEYS; list asks for one prefix; delete
    /// removes each object once, the newest first, without a warm-up; mixed is 60 % get, 25 % put, 5 % each of head, list and delete.
    #[arg(long, value_delimiter = ',', default_value = "put,get,range,head,list,mixed,delete")]
    phases: Vec<Phase>,
    /// Bytes of an object.
    #[arg(long, default_value = "4KiB")]
    size: ByteSize,
    /// Requests under way at once, each on a connection of its own.
    #[arg(long, short, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=CONCURRENCY_MAX))]
    concurrency: u32,
    /// Length of each phase.
    #[arg(long, default_value = "10", value_parser = seconds, conflicts_with = "count")]
    seconds: Duration,
    /// Requests of each phase, instead of a length.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Seconds before each phase that don't count.
    #[arg(long, default_value = "1", value_parser = seconds)]
    warmup: Duration,
    /// Objects to be there before anything is read; what is missing is written first, as a phase called fill [default: 1000, of large
    /// objects as many as make up 1 GiB, at least one per connection].
    #[arg(long)]
    keys: Option<u32>,
    /// Bytes that range reads, from anywhere in the object [default: 64 KiB, or the object].
    #[arg(long)]
    range: Option<ByteSize>,
    /// Keys under each prefix, and on each page that list asks for.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_KEYS_MAX)))]
    list_keys: u32,
    /// Seconds after which an unanswered request is an error.
    #[arg(long, default_value = "60", value_parser = seconds)]
    timeout: Duration,
    /// Compare every byte read with what was written, and every listing with what is there.
    #[arg(long)]
    pub(super) verify: bool,
    /// Sign bodies too, which costs a SHA-256 of each; else they are sent as UNSIGNED-PAYLOAD.
    #[arg(long)]
    pub(super) sign_payload: bool,
    /// Leave the bucket behind.
    #[arg(long)]
    pub(super) keep: bool,
    /// One JSON line a phase.
    #[arg(long)]
    pub(super) json: bool,
    /// Processes whose processor time is told per request (in --json, on Linux).
    #[arg(long, value_name = "PIDS", value_delimiter = ',')]
    pub(super) cpu_of: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Phase {
    Put,
    Get,
    Range,
    Head,
    List,
    Mixed,
    Delete,
}

impl Phase {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::Range => "range",
            Self::Head => "head",
            Self::List => "list",
            Self::Mixed => "mixed",
            Self::Delete => "delete",
        }
    }
}

/// A run that can be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) phases: Vec<Phase>,
    pub(super) size: u64,
    pub(super) range: u64,
    pub(super) concurrency: usize,
    pub(super) length: Length,
    pub(super) warmup: Duration,
    pub(super) timeout: Duration,
    pub(super) keys: usize,
    pub(super) keys_per_prefix: u32,
}

impl Args {
    pub(super) fn plan(&self) -> Result<Plan, Usage> {
        let size = self.size.0;
        if size == 0 || size > SIZE_MAX {
            return Err(Usage("--size must be from 1 byte to 5 GiB".into()));
        }
        if self.seconds.is_zero() || self.timeout.is_zero() {
            return Err(Usage("--seconds and --timeout must be more than 0".into()));
        }
        Ok(Plan {
            phases: self.phases.clone(),
            size,
            range: self.range_of(size)?,
            concurrency: self.concurrency as usize,
            length: self.count.map_or(Length::Time(self.seconds), Length::Requests),
            warmup: self.warmup,
            timeout: self.timeout,
            keys: self.keys_of(size)? as usize,
            keys_per_prefix: self.list_keys,
        })
    }

    fn range_of(&self, size: u64) -> Result<u64, Usage> {
        match self.range.map_or(RANGE_DEFAULT.min(size), |range| range.0) {
            range if range == 0 || range > size => {
                Err(Usage(format!("--range must be from 1 byte to the size of an object, {size}")))
            }
            range => Ok(range),
        }
    }

    fn keys_of(&self, size: u64) -> Result<u32, Usage> {
        let fitting = (BYTES_DEFAULT / size).clamp(1, KEYS_DEFAULT) as u32;
        match self.keys.unwrap_or(fitting.max(self.concurrency)) {
            keys if keys < self.concurrency || keys > KEYS_MAX => {
                Err(Usage(format!("--keys must be from {}, one per connection, to {KEYS_MAX}", self.concurrency)))
            }
            keys => Ok(keys),
        }
    }
}

/// A number of seconds, up to a day; fractions are fine.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if (0.0..=S_MAX).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(format!("must be from 0 to {S_MAX}"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn plan(words: &[&str]) -> Result<Plan, String> {
        let line = Line::try_parse_from([&["bench"], words].concat()).map_err(|error| error.to_string())?;
        line.args.plan().map_err(|usage| usage.0)
    }

    #[test]
    fn what_isnt_said_fits_what_is() {
        let plain = plan(&[]).unwrap();
        assert_eq!((plain.size, plain.range, plain.keys, plain.concurrency), (4096, 4096, 1000, 16));
        assert_eq!((plain.length, plain.phases.len()), (Length::Time(Duration::from_secs(10)), 7));
        let keys = |words: &[&str]| plan(words).unwrap().keys;
        assert_eq!(keys(&["--size", "64MiB", "-c", "4"]), 16);
        assert_eq!(keys(&["--size", "1GiB", "-c", "4"]), 4);
        assert_eq!(keys(&["-c", "2000"]), 2000);
        assert_eq!(plan(&["--size", "1MiB"]).unwrap().range, 65_536);
        let counted = plan(&["--count", "5", "--warmup", "0.5", "--phases", "get,put,get"]).unwrap();
        assert_eq!((counted.length, counted.warmup), (Length::Requests(5), Duration::from_millis(500)));
        assert_eq!(counted.phases, [Phase::Get, Phase::Put, Phase::Get]);
    }

    #[test]
    fn what_cant_be_is_refused() {
        for words in [
            &["--size", "0"][..],
            &["--size", "6GiB"],
            &["--size", "much"],
            &["--range", "4097"],
            &["--range", "0"],
            &["--keys", "15"],
            &["--keys", "200000000"],
            &["--concurrency", "0"],
            &["--concurrency", "5000"],
            &["--seconds", "0"],
            &["--seconds", "-1"],
            &["--seconds", "NaN"],
            &["--seconds", "inf"],
            &["--seconds", "1", "--count", "1"],
            &["--count", "0"],
            &["--timeout", "0"],
            &["--warmup", "soon"],
            &["--phases", "put,fly"],
            &["--phases", ""],
            &["--list-keys", "1001"],
            &["--list-keys", "0"],
            &["--access-key", "k"],
            &["--cpu-of", "me"],
        ] {
            assert!(plan(words).is_err(), "{words:?} was taken");
        }
    }
}
