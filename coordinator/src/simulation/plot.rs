//! A run as a picture: segments by spare shards, repairs per day, segments lost. Plain SVG.

use std::fmt::Write;

use super::report::{Day, Summary};

const WIDTH: f64 = 910.0;
const PANEL: f64 = 190.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 170.0;
const TOP: f64 = 56.0;
const GAP: f64 = 52.0;
/// From danger to comfort.
const COLOURS: [&str; 8] = ["#b2182b", "#ef8a62", "#e6a700", "#4393c3", "#2166ac", "#053061", "#5e3c99", "#1b7837"];

struct Line {
    name: String,
    colour: &'static str,
    values: Vec<f64>,
}

/// The plot of a run.
pub fn plot(run: &Summary, days: &[Day]) -> String {
    let height = TOP + 3.0 * (PANEL + GAP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{} donors, {} segments, {}</text>\n",
        grouped(run.donors.into()),
        grouped(run.segments.into()),
        run.settings
    );
    let panels = [
        ("segments by live shards to spare, at the day's end", by_spare(days)),
        ("repairs a day", repairs(days)),
        ("segments unreadable and lost", losses(days)),
    ];
    for (number, (title, lines)) in panels.into_iter().enumerate() {
        panel(&mut svg, TOP + number as f64 * (PANEL + GAP), title, &lines);
    }
    svg.push_str("</svg>\n");
    svg
}

fn line(name: impl Into<String>, colour: &'static str, days: &[Day], value: impl Fn(&Day) -> u64) -> Line {
    Line { name: name.into(), colour, values: days.iter().map(|day| value(day) as f64).collect() }
}

fn by_spare(days: &[Day]) -> Vec<Line> {
    let classes = days.first().map_or(0, |day| day.by_spare.len());
    let class =
        |spare: usize| line(format!("{spare} to spare"), COLOURS[spare % COLOURS.len()], days, move |day| day.by_spare[spare]);
    (0..classes).rev().map(class).collect()
}

fn repairs(days: &[Day]) -> Vec<Line> {
    let urgent = line("urgent segments", COLOURS[0], days, |day| day.urgent_segments);
    vec![line("shards rebuilt", COLOURS[4], days, |day| day.repaired_shards), urgent]
}

fn losses(days: &[Day]) -> Vec<Line> {
    let minutes = line("minutes unreadable", COLOURS[1], days, |day| day.unreadable_minutes);
    let waiting = line("waiting for repair", COLOURS[3], days, |day| day.queued as u64);
    vec![minutes, waiting, line("lost, ever", COLOURS[0], days, |day| day.lost)]
}

/// One panel: a logarithmic scale from 1 (0 lies on the floor), a line for each series, its last value beside its name.
fn panel(svg: &mut String, top: f64, title: &str, lines: &[Line]) {
    let most = lines.iter().flat_map(|line| &line.values).fold(10.0, |most: f64, value| most.max(*value));
    let decades = most.log10().ceil();
    let height_of = |value: f64| top + PANEL - PANEL * value.max(1.0).log10() / decades;
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{title}</text>", top - 8.0);
    for decade in 0..=decades as u32 {
        let y = height_of(10f64.powi(decade as i32));
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y:.1}H{:.1}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0,
            if decade == 0 { "0, 1".into() } else { grouped(10u64.pow(decade)) }
        );
    }
    let days = lines.first().map_or(0, |line| line.values.len());
    months(svg, top + PANEL, days);
    for (number, line) in lines.iter().enumerate() {
        draw(svg, line, height_of);
        let last = line.values.last().copied().unwrap_or(0.0);
        let (x, y) = (WIDTH - RIGHT + 10.0, top + 12.0 + 17.0 * number as f64);
        let label = format!("{}: {}", line.name, short(last));
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" fill=\"{}\">{label}</text>", line.colour);
    }
}

fn draw(svg: &mut String, line: &Line, height_of: impl Fn(f64) -> f64) {
    let mut path = String::new();
    for (day, value) in line.values.iter().enumerate() {
        let command = if day == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{command}{:.1} {:.1}", x_of(day, line.values.len()), height_of(*value));
    }
    let _ = writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"/>", line.colour);
}

fn months(svg: &mut String, floor: f64, days: usize) {
    for day in (0..days).step_by(if days > 90 { 30 } else { 10 }) {
        let x = x_of(day, days);
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{day}</text>", floor + 16.0);
    }
    let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"#555\">day</text>", WIDTH - RIGHT + 10.0, floor + 16.0);
}

fn x_of(day: usize, days: usize) -> f64 {
    LEFT + (WIDTH - LEFT - RIGHT) * day as f64 / (days.max(2) - 1) as f64
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// With the precision that a label needs.
fn short(value: f64) -> String {
    match value {
        1e6.. => format!("{:.2} M", value / 1e6),
        1e4.. => format!("{:.0} k", value / 1e3),
        _ => grouped(value as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_to_be_read() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([9999.0, 12_345.0, 9_500_000.0].map(short), ["9,999", "12 k", "9.50 M"]);
    }
}
