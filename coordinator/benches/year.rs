//! A year of churn: `cargo bench -p nodio-coordinator --bench year -- --help`.

use std::io::Write;

use nodio_coordinator::simulation::{Churn, Code, Day, Order, Settings, Summary, plot, run};

const USAGE: &str = "\
cargo bench -p nodio-coordinator --bench year -- [OPTIONS]

One line of JSON for each simulated day, and one for the whole. Without options: a tenth of the full size.

  --full             10,000 donors and 10,000,000 segments
  --donors N         --segments N       --days N         --seed N
  --code K/N         --repair-after-h H --margin N       --order danger|arrival
  --mbit X           what a donor moves for repairs, up and down together
  --life-days X      mean life of a donor
  --short-per-day X  short absences of a donor a day     --long-every-days X
  --nightly X        share of the donors that switch off every night
  --plot FILE        writes the run as an SVG
  --from FILE        plots the lines of an earlier run, and runs none
  --compare          instead: a table of settings side by side, for these donors, segments and days";

struct Asked {
    settings: Settings,
    plot: Option<String>,
    from: Option<String>,
    compare: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(asked) = parse(std::env::args().skip(1))? else {
        writeln!(std::io::stderr(), "{USAGE}")?;
        return Ok(());
    };
    if asked.compare { compare(&asked.settings) } else { one(&asked) }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Asked>, Box<dyn std::error::Error>> {
    let mut asked = Asked { settings: Settings::default(), plot: None, from: None, compare: false };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let to = &mut asked.settings;
        match word.as_str() {
            "--bench" => {}
            "--help" => return Ok(None),
            "--compare" => asked.compare = true,
            "--full" => (to.donors, to.segments) = (10_000, 10_000_000),
            "--donors" => to.donors = value()?.parse()?,
            "--segments" => to.segments = value()?.parse()?,
            "--days" => to.days = value()?.parse()?,
            "--seed" => to.seed = value()?.parse()?,
            "--code" => to.code = value()?.parse()?,
            "--repair-after-h" => to.repair_after_ms = (value()?.parse::<f64>()? * 3_600_000.0) as u64,
            "--margin" => to.emergency_margin = value()?.parse()?,
            "--order" => to.order = if value()? == "arrival" { Order::Arrival } else { Order::Danger },
            "--mbit" => to.repair_mbit = value()?.parse()?,
            "--life-days" => to.churn.life_days = value()?.parse()?,
            "--short-per-day" => to.churn.short_per_day = value()?.parse()?,
            "--long-every-days" => to.churn.long_every_days = value()?.parse()?,
            "--nightly" => to.churn.nightly = value()?.parse()?,
            "--from" => asked.from = Some(value()?),
            "--plot" => asked.plot = Some(value()?),
            other => return Err(format!("{other} is no option; --help lists them").into()),
        }
    }
    Ok(Some(asked))
}

fn one(asked: &Asked) -> Result<(), Box<dyn std::error::Error>> {
    let (summary, days) = match &asked.from {
        Some(file) => read(file)?,
        None => live(&asked.settings)?,
    };
    if let Some(file) = &asked.plot {
        std::fs::write(file, plot(&summary, &days))?;
    }
    Ok(())
}

fn live(settings: &Settings) -> Result<(Summary, Vec<Day>), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    let say = |day: &Day| drop(serde_json::to_string(day).map(|line| writeln!(out, "{line}")));
    let report = run(settings, say)?;
    let summary = report.summary();
    writeln!(out, "{}", serde_json::to_string(&summary)?)?;
    Ok((summary, report.days))
}

/// The lines that a run has written.
fn read(file: &str) -> Result<(Summary, Vec<Day>), Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(file)?;
    let mut lines: Vec<&str> = text.lines().collect();
    let summary = serde_json::from_str(lines.pop().unwrap_or_default())?;
    Ok((summary, lines.into_iter().map(serde_json::from_str).collect::<Result<_, _>>()?))
}

fn compare(base: &Settings) -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "| settings | lost | unreadable, s a year | donors given up | shards rebuilt | urgent | kbit/s a donor | longest queue | wall, s |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|---|")?;
    for (name, settings) in sides(base)? {
        let sum = run(&settings, |_| ())?.summary();
        writeln!(out, "{}", row(&name, &sum))?;
        out.flush()?;
    }
    Ok(())
}

/// The settings that are compared: one thing differs at a time.
fn sides(base: &Settings) -> Result<Vec<(String, Settings)>, Box<dyn std::error::Error>> {
    let mut sides = Vec::new();
    let mut add = |note: &str, settings: Settings| sides.push((format!("{}{note}", settings.title()), settings));
    for code in ["4/6", "4/8", "10/16"] {
        let code: Code = code.parse()?;
        // As many bytes in each network, whatever its code.
        let segments = (u64::from(base.segments) * base.code.k() as u64 / code.k() as u64) as u32;
        let coded = Settings { code, segments, ..base.clone() };
        add("", coded.clone());
        add("", Settings { emergency_margin: 1, ..coded.clone() });
    }
    let coded = Settings { code: Code::new(4, 8)?, ..base.clone() };
    for hours in [1, 24] {
        add("", Settings { repair_after_ms: hours * 3_600_000, ..coded.clone() });
    }
    let nightly = Churn { nightly: 0.2, ..base.churn.clone() };
    for hours in [6, 12] {
        add(", 20 % off at night", Settings { repair_after_ms: hours * 3_600_000, churn: nightly.clone(), ..coded.clone() });
    }
    Ok(sides)
}

fn row(name: &str, sum: &Summary) -> String {
    format!(
        "| {name} | {} | {:.2} | {} | {} | {} | {:.0} | {} | {:.0} |",
        sum.lost,
        sum.unreadable_s_per_segment_year,
        sum.given_up,
        sum.repaired_shards,
        sum.urgent_segments,
        sum.repair_kbit_per_donor,
        sum.queued_max,
        sum.wall_s
    )
}
