//! The object pipeline alone, its donors and coordinator in this process's memory: no HTTP, no S3, no disk.
//! `cargo bench -p nodio-gateway --bench pipeline -- --help`.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use nodio_gateway::bare::{Bare, BarePart, Failure};
use nodio_wire::Code;
use nodio_wire::donor::memory::MemoryTransport;
use nodio_wire::fleet::memory::MemoryFleet;

const USAGE: &str = "\
cargo bench -p nodio-gateway --bench pipeline -- [OPTIONS]

Writes one object and reads it back, several rounds for each code. Rates are medians of the rounds, the best in brackets; processor
time is all of this process's, its donors' share (each checks the hash of what it stores) included.

  --code K/N     only this code [4/6, 10/30, 29/80, 1/3]
  --mib N        length of the object [120]
  --rounds N     [7]
  --donors N     [90]";

const MIB: usize = 1 << 20;
/// As a body comes from a socket, about.
const CHUNK_BYTES: usize = 128 << 10;
/// The gateway's own default.
const MEMORY_BYTES: usize = 192 << 20;
const MS_PER_TICK: u64 = 10;

/// The allocator of the `nodio` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Asked {
    codes: Vec<Code>,
    mib: usize,
    rounds: usize,
    donors: u32,
}

#[derive(Default)]
struct Rounds {
    up: Vec<Duration>,
    down: Vec<Duration>,
    first: Vec<Duration>,
    cpu_up: Duration,
    cpu_down: Duration,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let Some(asked) = parse(std::env::args().skip(1))? else { return Ok(writeln!(out, "{USAGE}")?) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    writeln!(
        out,
        "{:<6} {:>18} {:>18} {:>14} {:>22}",
        "code", "up, MiB/s", "down, MiB/s", "first byte, ms", "CPU up / down, s/GiB"
    )?;
    let object = chunks(asked.mib * MIB);
    for code in &asked.codes {
        let mut rounds = Rounds::default();
        for _ in 0..asked.rounds {
            runtime.block_on(rounds.add(*code, asked.donors, &object)).map_err(|failure| failure.to_string())?;
        }
        writeln!(out, "{}", rounds.row(*code, asked.mib))?;
    }
    Ok(())
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Asked>, Box<dyn Error>> {
    let codes = ["4/6", "10/30", "29/80", "1/3"].map(str::parse::<Code>);
    let mut asked = Asked { codes: codes.into_iter().collect::<Result<_, _>>()?, mib: 120, rounds: 7, donors: 90 };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--bench" => {}
            "--help" => return Ok(None),
            "--code" => asked.codes = vec![value()?.parse()?],
            "--mib" => asked.mib = value()?.parse::<usize>()?.max(1),
            "--rounds" => asked.rounds = value()?.parse::<usize>()?.max(1),
            "--donors" => asked.donors = value()?.parse()?,
            other => return Err(format!("{other} is no option; see --help").into()),
        }
    }
    Ok(Some(asked))
}

/// Bytes without a pattern, cut as they would come.
fn chunks(len: usize) -> Vec<Bytes> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let all: Vec<u8> = (0..len / 8).flat_map(|_| next()).collect();
    let all = Bytes::from(all);
    (0..len).step_by(CHUNK_BYTES).map(|from| all.slice(from..(from + CHUNK_BYTES).min(len))).collect()
}

impl Rounds {
    /// One round with donors that hold nothing yet.
    async fn add(&mut self, code: Code, donors: u32, object: &[Bytes]) -> Result<(), Failure> {
        let (fleet, transport) = (Arc::new(MemoryFleet::new(donors)), Arc::new(MemoryTransport::default()));
        let bare = Bare::new(fleet, transport, code, MEMORY_BYTES);
        let (began, cpu) = (Instant::now(), cpu());
        let part = bare.write(object.to_vec()).await?;
        self.up.push(began.elapsed());
        self.cpu_up += self::cpu().saturating_sub(cpu);
        self.read(&bare, &part, object.iter().map(Bytes::len).sum()).await
    }

    async fn read(&mut self, bare: &Bare, part: &BarePart, len: usize) -> Result<(), Failure> {
        let (began, cpu) = (Instant::now(), cpu());
        let (mut first, mut got) = (None, 0);
        let sink = |chunk: Bytes| {
            first.get_or_insert_with(|| began.elapsed());
            got += chunk.len();
        };
        bare.read(part, sink).await?;
        self.down.push(began.elapsed());
        self.cpu_down += self::cpu().saturating_sub(cpu);
        self.first.extend(first);
        if got == len { Ok(()) } else { Err(format!("{got} bytes came back of {len}").into()) }
    }

    fn row(mut self, code: Code, mib: usize) -> String {
        let gib = (mib * self.up.len()) as f64 / 1024.0;
        let rates = |times: &mut Vec<Duration>| {
            let (median, best) = median_and_best(times);
            format!("{:.0} ({:.0})", mib as f64 / median.as_secs_f64(), mib as f64 / best.as_secs_f64())
        };
        let (up, down) = (rates(&mut self.up), rates(&mut self.down));
        let first = median_and_best(&mut self.first).0.as_secs_f64() * 1e3;
        let cpu = format!("{:.2} / {:.2}", self.cpu_up.as_secs_f64() / gib, self.cpu_down.as_secs_f64() / gib);
        format!("{:<6} {up:>18} {down:>18} {first:>14.1} {cpu:>22}", code.to_string())
    }
}

fn median_and_best(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[0])
}

/// Processor time of this process so far; nothing where there is no `/proc`.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    Duration::from_millis(ticks.sum::<u64>() * MS_PER_TICK)
}
