//! Chaos: a network of real processes harmed for minutes in every way at once, by seed, under load; then quiet, and the reckoning.
//!
//! ```text
//!   seed ─► plan: kill 3 · flip · kill gateway · return 3 · fill disk · ..      (pure; the same for the same seed)
//!             │
//!   Run: plan ─► Cluster           Load: writers, readers ─► Book: what may be under each key
//!             └─ journal: what was done when                  │
//!   quiet: harm ends, load ends, the operator audits all ─► verdict: objects, segments, bytes on donors against the map, files
//! ```
//! What ends with the harm: kills; the flips; the full disk gets its room back; both relays become honest. What was flipped or dropped
//! stays so: finding and mending it is the network's affair. Latencies and the system's scheduling are not in the seed, so a run is
//! reproducible in what is done to the network and when, not in how that falls together with its own work.

pub mod book;
pub mod load;
pub mod plan;
pub mod read;
pub mod setting;
pub mod verdict;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nodio_wire::NodeId;
use nodio_wire::api::StandingState;
use tokio::time::sleep;

use self::book::Book;
use self::load::{BUCKET, Load};
use self::plan::{Cast, Event, Harm, plan};
use self::setting::{DONORS, SPARE, options};
pub use self::setting::{Setting, enough_room};
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::manners::Manner;
use crate::shards::{flip, held};
use crate::wait;

/// The longest that everything may take to be whole again.
pub const QUIET: Duration = Duration::from_secs(120);
const WORKERS: usize = 4;

/// One run, from its start to its verdict.
pub struct Run {
    cluster: Cluster,
    cast: Cast,
    book: Arc<Book>,
    dice: Dice,
    begun: Instant,
    journal: Vec<String>,
}

/// The whole of it. A failure says the seed, everything that was done, and what is wrong.
pub async fn run(setting: Setting) -> Result<()> {
    setting.check_room()?;
    let mut dice = Dice::new(setting.seed);
    let cast = Cast::draw(DONORS, &mut dice);
    let cluster = Cluster::start(options(&setting, cast)).await?;
    let (book, begun) = (Arc::new(Book::default()), Instant::now());
    let mut run = Run { cluster, cast, book, dice, begun, journal: Vec::new() };
    run.note(&format!("{setting:?} {cast:?}"));
    let Err(wrong) = run.all(&setting).await else { return Ok(()) };
    let picture = match run.cluster.map().await {
        Ok(map) => verdict::picture(&map),
        Err(error) => format!("the map can't be had: {error:#}"),
    };
    let journal = run.journal.join("\n");
    Err(wrong.context(format!("chaos with NODIO_CHAOS_SEED={}\n{journal}\n{picture}", setting.seed)))
}

impl Run {
    async fn all(&mut self, setting: &Setting) -> Result<()> {
        self.cluster.s3().must_make_bucket(BUCKET).await?;
        let events = plan(self.dice.word(), setting.length, self.cast, SPARE);
        let target = setting.object_bytes;
        let mut load = Load::start(self.cluster.s3(), self.book.clone(), &mut self.dice, WORKERS, WORKERS, target);
        self.begun = Instant::now();
        for event in events {
            self.until(event.at, &mut load).await?;
            self.act(event).await.with_context(|| format!("{event:?}"))?;
        }
        self.until(setting.length, &mut load).await?;
        ensure!(load.was_full(), "the load never reached {target} bytes: {}", load.say());
        self.heal()?;
        self.note("quiet");
        let quiet = Instant::now();
        let said = load.stop().await?;
        self.note(&said);
        self.reckoning(quiet).await
    }

    fn note(&mut self, what: &str) {
        let line = format!("{:8.3} s  {what}", self.begun.elapsed().as_secs_f64());
        eprintln!("{line}");
        self.journal.push(line);
    }

    /// Waits for the time, and fails at once when a worker found something wrong or a process ended that nobody killed.
    async fn until(&mut self, at: Duration, load: &mut Load) -> Result<()> {
        loop {
            load.check()?;
            self.cluster.check_alive()?;
            let left = at.saturating_sub(self.begun.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            sleep(left.min(Duration::from_millis(500))).await;
        }
    }

    async fn act(&mut self, event: Event) -> Result<()> {
        self.note(&format!("{:?}", event.harm));
        match event.harm {
            Harm::Kill(donor) => self.cluster.kill_donor(donor),
            Harm::Return(donor) => self.cluster.start_donor(donor)?,
            Harm::KillCoordinator => self.cluster.kill_coordinator(),
            Harm::ReturnCoordinator => self.cluster.start_coordinator().await?,
            Harm::KillGateway => self.cluster.kill_gateway(),
            Harm::ReturnGateway => self.cluster.start_gateway().await?,
            Harm::Flip => self.flip()?,
            Harm::FillDisk => self.cluster.disk(self.cast.full).context("no small disk")?.fill()?,
            Harm::FreeDisk => self.cluster.disk(self.cast.full).context("no small disk")?.free()?,
        }
        Ok(())
    }

    /// One byte of one shard. A donor that has none yet has nothing to lose.
    fn flip(&mut self) -> Result<()> {
        let held = held(&self.cluster.donor_folder(self.cast.rotten))?;
        let Some(shard) = self.dice.pick(&held).cloned() else { return Ok(()) };
        let spot = shard.byte(self.dice.within(0..u64::from(shard.len)));
        self.note(&format!("  byte {} of shard {}", spot.offset, shard.id));
        flip(&spot)
    }

    fn heal(&mut self) -> Result<()> {
        self.cluster.disk(self.cast.full).context("no small disk")?.free()?;
        for donor in [self.cast.dropping, self.cast.slow] {
            self.cluster.manners(donor).context("no relay")?.set(Manner::Honest);
        }
        let dropped = self.cluster.manners(self.cast.dropping).map_or(0, |relay| relay.dropped());
        self.note(&format!("{dropped} shards were dropped"));
        Ok(())
    }

    async fn reckoning(&mut self, quiet: Instant) -> Result<()> {
        self.audit_until_clean(quiet).await?;
        let operator = self.cluster.operator()?;
        let left = QUIET.saturating_sub(quiet.elapsed());
        let rest = wait::until("everything is whole and at rest", left, async || verdict::settled(&operator).await).await;
        let status = rest.context("two minutes of quiet were not enough")?;
        ensure!(status.segments.full > 0, "there are no segments at all");
        self.note(&format!(
            "whole again {:.1} s into the quiet: {:?} {:?}",
            quiet.elapsed().as_secs_f64(),
            status.segments,
            status.repair
        ));
        let objects = verdict::objects(self.cluster.s3(), &self.book).await?;
        self.note(&format!("{objects} keys read and right"));
        let gone = status.nodes.iter().filter(|node| node.standing.state == StandingState::Refused).map(|node| node.node);
        self.second_opinion(&gone.collect::<Vec<_>>()).await
    }

    /// The operator looks at everything once; what that finds is mended, and the next look finds nothing.
    async fn audit_until_clean(&mut self, quiet: Instant) -> Result<()> {
        let operator = self.cluster.operator()?;
        loop {
            let parts = self.cluster.parts().await?;
            let run = verdict::audit(&operator, &parts).await?;
            self.note(&format!("audit: {} passed, {} failed, {} offline", run.passed, run.failed, run.offline));
            if run.failed + run.offline == 0 {
                return Ok(());
            }
            ensure!(quiet.elapsed() < QUIET, "audits still find damage: {:?}", run.findings);
            sleep(Duration::from_secs(2)).await;
        }
    }

    async fn second_opinion(&mut self, gone: &[NodeId]) -> Result<()> {
        let map = self.cluster.map().await?;
        self.cluster.kill_gateway();
        self.cluster.kill_coordinator();
        for donor in 0..self.cluster.donor_count() {
            self.cluster.stop_donor(donor)?;
        }
        let bytes = verdict::files(&self.cluster, &map, gone)?;
        self.note(&format!("{bytes} bytes in the volumes of all donors, as {} segments of the map say", map.len()));
        Ok(())
    }
}
