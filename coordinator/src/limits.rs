//! Every number of the coordinator that isn't configured, its unit last.

/// Disk space a donor needs for a shard beyond the shard's own bytes: its record and the file system's rounding.
pub(crate) const SHARD_OVERHEAD_BYTES: u64 = 4096;

/// Grants that may be open (neither committed nor expired) at once.
pub(crate) const GRANTS_OPEN_MAX: usize = 200_000;

/// Rows read by one scan of a background step or of a status count.
pub(crate) const PAGE_ROWS: usize = 512;
/// Segments forgotten by one commit of a release.
pub(crate) const RELEASE_SEGMENTS_PER_STEP: usize = 128;
/// Parts named by one call to release.
pub(crate) const RELEASE_PARTS_PER_CALL_MAX: usize = 10_000;
/// Fault reports taken in one call, and in one commit.
pub(crate) const REPORTS_PER_CALL_MAX: usize = 4096;
pub(crate) const REPORTS_PER_COMMIT: usize = 64;
/// Parts listed by one call.
pub(crate) const PARTS_PER_CALL_MAX: usize = 10_000;
/// Holders kept for one position before those that are away are given up.
pub(crate) const HOLDERS_MAX: usize = 4;
/// Rows of the mend queue changed by one commit: one that was renewed meanwhile holds up no more than these.
pub(crate) const QUEUE_ROWS_PER_COMMIT: usize = 32;
/// Rest between two looks at the segments that can't be mended, as a multiple of `plan_every_ms`; a change among the donors ends it.
pub(crate) const TAIL_REST_FACTOR: u64 = 60;
/// Holdings looked at by one step of a pass over a donor that gives shards away.
pub(crate) const MOVE_PAGE_ROWS: usize = 64;
/// Segments whose mending failed that are remembered, and donors for each.
pub(crate) const SETBACKS_MAX: usize = 10_000;
pub(crate) const SETBACK_NODES_MAX: usize = 4;
/// Shortest and longest pause before such a segment is tried again, milliseconds.
pub(crate) const SETBACK_PAUSE_MS_MIN: u64 = 500;
pub(crate) const SETBACK_PAUSE_MS_MAX: u64 = 5 * 60 * 1000;
/// Time for which a donor that counts for nothing anyway isn't read again for a segment it was of no use to, milliseconds.
pub(crate) const SETBACK_SHUN_MS: u64 = 6 * 60 * 60 * 1000;
/// Segments of the mend queue that are looked at together.
pub(crate) const PLAN_WINDOW_SEGMENTS: usize = 512;
/// Receivers tried for one shard before it waits for the next round.
pub(crate) const RECEIVERS_TRIED_MAX: usize = 8;
/// Donors drawn for one shard before all are looked at.
pub(crate) const DRAWS_MAX: usize = 64;
/// Shards named by one delete task.
pub(crate) const DELETES_PER_TASK: usize = 512;
/// Task reports and rotten shards taken from one heartbeat.
pub(crate) const HEARTBEAT_REPORTS_MAX: usize = 4096;
/// Task reports worked on at once: they share the store's group commit.
pub(crate) const REPORTS_AT_ONCE: usize = 16;

/// Donors the coordinator will know, gone ones included.
pub(crate) const NODES_MAX: usize = 100_000;
/// Longest address, operator, zone or version a donor may give.
pub(crate) const LABEL_BYTES_MAX: usize = 256;

/// Bodies up to this length, such as heartbeats and locates, have a budget of their own, bytes.
pub(crate) const SHORT_BODY_BYTES_MAX: usize = 64 * 1024;
/// Request bodies of either budget held in memory at once, bytes.
pub(crate) const BODIES_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest wait for a request's body, milliseconds.
pub(crate) const BODY_MS_MAX: u64 = 10_000;

/// Pages the metadata store keeps in memory, bytes.
pub(crate) const STORE_CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Scheduled audits that a donor which was silent for long may be asked at once.
pub(crate) const AUDIT_BURST: f64 = 4.0;
/// Shards drawn for audits beyond those expected until the next walk, and drawn at most.
pub(crate) const AUDIT_SAMPLE_SPARE: usize = 8;
pub(crate) const AUDIT_SAMPLE_MAX: usize = 4096;
/// Shards of one donor that others call missing or wrong which wait to be asked about.
pub(crate) const AUDIT_ACCUSED_MAX: usize = 256;
/// Heartbeats within which a question must be answered.
pub(crate) const AUDIT_PATIENCE_BEATS: u64 = 3;
/// Audits asked for by operators that are remembered at once.
pub(crate) const AUDIT_RUNS_MAX: usize = 16;
/// Questions of one such audit that wait for answers before more segments are read, and segments read together.
pub(crate) const AUDIT_RUN_WAITING_MAX: u64 = 4096;
pub(crate) const AUDIT_RUN_PAGE_ROWS: usize = 64;

/// Shortest time between two writings of a donor's record, unless its standing changes, milliseconds.
pub(crate) const RECORD_WRITE_MS: u64 = 60_000;
/// Donors' rows written by one commit.
pub(crate) const NODES_PER_COMMIT: usize = 64;
/// Heartbeats between two walks over what a draining donor still holds.
pub(crate) const DRAIN_WALK_BEATS: u64 = 10;
/// Shards named by one page of an inventory.
pub(crate) const INVENTORY_SHARDS_MAX: usize = 50_000;
/// Longest reason an operator may give, bytes.
pub(crate) const REASON_BYTES_MAX: usize = 1024;
/// Segments up to which a status is counted afresh; above, the background count is shown with its time.
pub(crate) const FRESH_SEGMENTS_MAX: usize = 20_000;
/// Rows of a queue up to which they are counted afresh.
pub(crate) const FRESH_QUEUE_ROWS_MAX: usize = 100_000;
/// Pause between two looks of the meter, and between two of its full counts, milliseconds.
pub(crate) const METER_EVERY_MS: u64 = 60_000;
pub(crate) const METER_COUNT_EVERY_MS: u64 = 5 * 60_000;
/// Life of a page of metrics: however often it is scraped, it is made at most this often, milliseconds.
pub(crate) const METRICS_MS: u64 = 15_000;
/// Connections of scrapers at once.
pub(crate) const METRICS_CONNECTIONS_MAX: usize = 16;

// The durability model. Reasons for these values are in docs/DURABILITY.md.
pub(crate) const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1000;
/// What is believed of the loss of newcomers before anything was seen, losses a year, and how many donors watched for a year that is
/// worth.
pub(crate) const LOSSES_PER_YEAR_BEFORE: f64 = 1.0;
pub(crate) const NEWCOMERS_BEFORE: f64 = 4.0;
/// Steps of Newton's method: it doubles the digits with each.
pub(crate) const RATE_STEPS_MAX: u32 = 12;
/// What is believed of hidden damage before an audit: so many failures in so many audits.
pub(crate) const FAILURES_BEFORE: f64 = 0.5;
pub(crate) const AUDITS_BEFORE: f64 = 500.0;
/// Hidden damage is found by the donor's scrub within 30 days, and is drawn anew after that.
pub(crate) const DAMAGE_DRAWS_PER_YEAR: f64 = 365.0 / 30.0;
/// Events with one cause for donors that seem to have nothing in common, a year, and the share of domains that each takes for good.
pub(crate) const SHOCKS_PER_YEAR: f64 = 0.1;
pub(crate) const SHOCK_LOSS_SHARE: f64 = 0.01;
/// What a donor rebuilds before that was measured, bytes a second, and how many donor-seconds of measuring that is worth.
pub(crate) const PACE_BYTES_PER_S_BEFORE: f64 = 512.0 * 1024.0;
pub(crate) const PACE_BEFORE_DONOR_S: f64 = 600.0;
/// Share of what was measured that is kept at each measurement.
pub(crate) const PACE_KEPT: f64 = 0.99;
/// However seldom donors are there, rebuilding is taken to move at this share of its pace.
pub(crate) const AVAILABILITY_MIN: f64 = 0.01;
