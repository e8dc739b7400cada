//! The points of an axis as a picture: three panels, logarithmic both ways, a line for each kind of request. Plain SVG.

use std::fmt::Write;

use super::axis::{Axis, Panel};
use super::point::Point;

const WIDTH: f64 = 910.0;
const PANEL: f64 = 190.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 170.0;
const TOP: f64 = 56.0;
const GAP: f64 = 60.0;
const COLOURS: [&str; 6] = ["#2166ac", "#ef8a62", "#1b7837", "#5e3c99", "#e6a700", "#4393c3"];
const FAILED: &str = "#b2182b";

/// The scales of one panel.
struct Scales {
    top: f64,
    least_x: f64,
    most_x: f64,
    /// Powers of ten.
    low: f64,
    high: f64,
}

impl Scales {
    /// Whole decades around the values.
    fn new(top: f64, points: &[Point], panel: &Panel) -> Self {
        let values = points.iter().filter_map(panel.value).filter(|value| *value > 0.0);
        let (least, most) =
            values.fold((f64::MAX, f64::MIN_POSITIVE), |(least, most), value| (least.min(value), most.max(value)));
        let low = if least < f64::MAX { least.log10().floor() } else { 0.0 };
        let places = points.iter().map(|point| (point.setting.x as f64).log10());
        let (least_x, most_x) = places.fold((f64::MAX, f64::MIN), |(least, most), x| (least.min(x), most.max(x)));
        Self { top, least_x, most_x, low, high: most.log10().ceil().max(low + 1.0) }
    }

    fn x(&self, x: u64) -> f64 {
        let share = ((x as f64).log10() - self.least_x) / (self.most_x - self.least_x).max(f64::MIN_POSITIVE);
        LEFT + 12.0 + (WIDTH - LEFT - RIGHT - 24.0) * share
    }

    /// Zero lies on the floor.
    fn y(&self, value: f64) -> f64 {
        let share = (value.max(f64::MIN_POSITIVE).log10() - self.low) / (self.high - self.low);
        self.top + PANEL - PANEL * share.clamp(0.0, 1.0)
    }
}

/// The plot of an axis.
pub(super) fn plot(axis: &Axis, points: &[Point]) -> String {
    let height = TOP + 3.0 * (PANEL + GAP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{}</text>\n",
        axis.title()
    );
    for (number, panel) in axis.panels().iter().enumerate() {
        let scales = Scales::new(TOP + number as f64 * (PANEL + GAP), points, panel);
        grid(&mut svg, &scales, panel.title);
        places(&mut svg, &scales, axis, points);
        lines(&mut svg, &scales, panel, points);
    }
    svg.push_str("</svg>\n");
    svg
}

fn grid(svg: &mut String, scales: &Scales, title: &str) {
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{title}</text>", scales.top - 8.0);
    for decade in scales.low as i32..=scales.high as i32 {
        let (value, y) = (10f64.powi(decade), scales.y(10f64.powi(decade)));
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y:.1}H{:.1}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0,
            short(value)
        );
    }
}

/// Where on the axis something was measured.
fn places(svg: &mut String, scales: &Scales, axis: &Axis, points: &[Point]) {
    let mut places: Vec<u64> = points.iter().map(|point| point.setting.x).collect();
    places.sort_unstable();
    places.dedup();
    for place in places {
        let (x, y, label) = (scales.x(place), scales.top + PANEL + 16.0, axis.label(place));
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" fill=\"#555\">{label}</text>");
    }
    let (x, y) = (WIDTH - RIGHT + 10.0, scales.top + PANEL + 16.0);
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"#555\">{}</text>", axis.name());
}

/// Each line in its colour, its last value beside its name.
fn lines(svg: &mut String, scales: &Scales, panel: &Panel, points: &[Point]) {
    let mut names: Vec<String> = Vec::new();
    for name in points.iter().map(Point::line) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut shown = 0.0;
    for (name, colour) in names.iter().zip(COLOURS.iter().cycle()) {
        let on_it = points.iter().filter(|point| point.line() == *name);
        let values: Vec<(&Point, f64)> = on_it.filter_map(|point| Some((point, (panel.value)(point)?))).collect();
        let Some((_, last)) = values.last() else { continue };
        line(svg, scales, colour, &values);
        let (x, y) = (WIDTH - RIGHT + 10.0, scales.top + 12.0 + 17.0 * shown);
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" fill=\"{colour}\">{name}: {}</text>", short(*last));
        shown += 1.0;
    }
}

/// One line; a point with failed requests is crossed out and says how many.
fn line(svg: &mut String, scales: &Scales, colour: &str, values: &[(&Point, f64)]) {
    let (mut path, mut marks) = (String::new(), String::new());
    for (point, value) in values {
        let (x, y) = (scales.x(point.setting.x), scales.y(*value));
        let _ = write!(path, "{}{x:.1} {y:.1}", if path.is_empty() { 'M' } else { 'L' });
        let _ = match point.row.errors {
            0 => writeln!(marks, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"{colour}\"/>"),
            errors => writeln!(
                marks,
                "<path d=\"M{:.1} {:.1}l8 8m0 -8l-8 8\" stroke=\"{FAILED}\" stroke-width=\"2\"/>\
                 <text x=\"{:.1}\" y=\"{y:.1}\" fill=\"{FAILED}\">{errors} failed</text>",
                x - 4.0,
                y - 4.0,
                x + 7.0
            ),
        };
    }
    let _ = writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>");
    svg.push_str(&marks);
}

/// 1234567 as 1,234,567.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let comma = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    digits.chars().enumerate().flat_map(|(at, digit)| comma(at).then_some(',').into_iter().chain([digit])).collect()
}

/// With the precision that a label needs.
fn short(value: f64) -> String {
    match value {
        1e6.. => format!("{:.4} M", value / 1e6).replace(".0000", ""),
        100.0.. => grouped(value.round() as u64),
        10.0.. => format!("{value:.1}").replace(".0", ""),
        _ => format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::point::testing::point;
    use super::*;

    #[test]
    fn numbers_are_written_to_be_read() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        let texts = ["0.01", "0.5", "1", "12.3", "100", "12,346", "1 M"];
        assert_eq!([0.01, 0.5, 1.0, 12.34, 100.0, 12_345.6, 1e6].map(short), texts);
    }

    #[test]
    fn every_line_is_drawn_and_failures_stand_out() {
        let points =
            [point(100, "get", 0.5, 0), point(100, "put", 2.0, 0), point(1000, "get", 5.0, 7), point(1000, "put", 20.0, 0)];
        let svg = plot(&Axis::Objects, &points);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert_eq!((svg.matches(">get: 5<").count(), svg.matches(">put: 20<").count()), (1, 1));
        assert!(svg.contains("7 failed") && svg.contains(">1,000<"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn a_point_alone_and_values_of_nothing_have_a_place() {
        let svg = plot(&Axis::Objects, &[point(100, "get", 0.0, 0)]);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
