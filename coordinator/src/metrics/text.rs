//! Prometheus' text format, version 0.0.4: per family a line of help, a line of type, then its samples.
//! The rules are those of "Exposition formats" in Prometheus' documentation.

use std::fmt::Write;

/// What a family's figures do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Up and down.
    Gauge,
    /// Up only, but for restarts.
    Counter,
}

/// A page being written.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// Begins a family, whose samples are to follow at once. Every name is written with `nodio_` before it.
    pub(super) fn family<'a>(&'a mut self, name: &'a str, kind: Kind, help: &str) -> Family<'a> {
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        self.line(format_args!("# HELP nodio_{name} {}", escaped(help, false)));
        self.line(format_args!("# TYPE nodio_{name} {kind}"));
        Family { text: self, name }
    }

    /// A gauge with one sample and no labels.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, Kind::Gauge, help).sample(&[], value);
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, Kind::Counter, help).sample(&[], value);
    }

    pub(super) fn finish(self) -> String {
        self.0
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string can't fail.
        let _ = writeln!(self.0, "{line}");
    }
}

pub(super) struct Family<'a> {
    text: &'a mut Text,
    name: &'a str,
}

impl Family<'_> {
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value, true))).collect();
        let labels = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
        let name = self.name;
        self.text.line(format_args!("nodio_{name}{labels} {}", number(value)));
    }
}

/// Backslashes and line feeds are escaped everywhere, quotes in label values.
fn escaped(text: &str, quotes: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if quotes { text.replace('"', "\\\"") } else { text }
}

/// As Go's `ParseFloat` takes it.
fn number(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".into(),
        value if value.is_infinite() => if value > 0.0 { "+Inf" } else { "-Inf" }.into(),
        value if value != 0.0 && value.abs() < 1e-4 => format!("{value:e}"),
        value => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_help_type_and_samples() {
        let mut text = Text::default();
        text.family("donors", Kind::Gauge, "Donors.\nAll \\ of them.").sample(&[("state", "a\"b\\c\nd"), ("x", "")], 3.0);
        text.counter("bytes_total", "Bytes.", 1e15);
        let want = "# HELP nodio_donors Donors.\\nAll \\\\ of them.\n# TYPE nodio_donors gauge\n\
                    nodio_donors{state=\"a\\\"b\\\\c\\nd\",x=\"\"} 3\n\
                    # HELP nodio_bytes_total Bytes.\n# TYPE nodio_bytes_total counter\nnodio_bytes_total 1000000000000000\n";
        assert_eq!(text.finish(), want);
    }

    #[test]
    fn numbers_read_back_as_they_were() {
        for value in [0.0, -1.5, 1e-18, 3.25e-5, 0.1, 12345678901.0, 1e300, f64::MIN_POSITIVE] {
            assert_eq!(number(value).parse::<f64>(), Ok(value));
        }
        assert_eq!([f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(number), ["NaN", "+Inf", "-Inf"]);
    }
}
