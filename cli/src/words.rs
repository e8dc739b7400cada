//! Numbers in words that an operator understands.

use nodio_wire::fleet::Durability;

/// Rarer than this is not told more exactly: no model of volunteers is good for longer.
const PER_YEAR_MIN: f64 = 1e-6;
/// Two expectations that differ by less than this factor are called the same.
const SAME_FACTOR: f64 = 1.05;

/// `1 segment`, `1,204 segments`.
pub(crate) fn count(number: u64, one: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {one}{s}", grouped(number))
}

/// Digits in groups of three.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Two digits that count: `1.4`, `38`, `1,200`.
fn about(value: f64) -> String {
    if value < 9.95 {
        let text = format!("{value:.1}");
        return text.strip_suffix(".0").map_or(text.clone(), str::to_owned);
    }
    let magnitude = 10f64.powi(value.log10().floor() as i32 - 1);
    grouped(((value / magnitude).round() * magnitude).round() as u64)
}

/// An expected number of segments lost in a year.
pub(crate) fn loss(per_year: f64) -> String {
    match per_year {
        rate if rate >= 0.95 => {
            let number = about(rate);
            let s = if number == "1" { "" } else { "s" };
            format!("{number} segment{s} a year")
        }
        rate if rate >= PER_YEAR_MIN => format!("1 segment in {} years", about(1.0 / rate)),
        _ => format!("less than 1 segment in {} years", about(1.0 / PER_YEAR_MIN)),
    }
}

/// What a change would make of an expected loss.
pub(crate) fn change(now: f64, then: f64) -> String {
    if now < PER_YEAR_MIN || (then * SAME_FACTOR > now && then < now * SAME_FACTOR) {
        return "change little".to_owned();
    }
    format!("make that {}", loss(then))
}

/// What can't be read at this moment.
pub(crate) fn unreadable(durability: &Durability) -> String {
    let known: u64 = durability.by_spare.iter().filter(|(spare, _)| **spare < 0).map(|(_, count)| count).sum();
    let hidden = durability.unreadable_now - known as f64;
    match (known, hidden) {
        (0, hidden) if hidden < PER_YEAR_MIN => "none".to_owned(),
        (0, hidden) if hidden < 0.95 => format!("none known; 1 chance in {} that one is", about(1.0 / hidden)),
        (0, hidden) => format!("none known; about {} expected, by damage not yet found", about(hidden)),
        (known, hidden) if hidden < 0.95 => count(known, "segment"),
        (known, hidden) => format!("{}; about {} more expected, by damage not yet found", count(known, "segment"), about(hidden)),
    }
}

/// A share as percent, never rounded up to all.
pub(crate) fn percent(share: f64) -> String {
    let tenths = (share.clamp(0.0, 1.0) * 1000.0 + 1e-9).floor() as u64;
    if tenths.is_multiple_of(10) { format!("{}%", tenths / 10) } else { format!("{}.{}%", tenths / 10, tenths % 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")];
        cases.iter().for_each(|(number, text)| assert_eq!(grouped(*number), *text));
        assert_eq!(
            (count(1, "part"), count(0, "part"), count(1200, "part")),
            ("1 part".into(), "0 parts".into(), "1,200 parts".into())
        );
    }

    #[test]
    fn an_expected_loss_is_in_words() {
        let cases = [
            (0.0, "less than 1 segment in 1,000,000 years"),
            (1e-12, "less than 1 segment in 1,000,000 years"),
            (2.5e-4, "1 segment in 4,000 years"),
            (0.0123, "1 segment in 81 years"),
            (0.7, "1 segment in 1.4 years"),
            (1.0, "1 segment a year"),
            (3.26, "3.3 segments a year"),
            (1234.0, "1,200 segments a year"),
        ];
        cases.iter().for_each(|(rate, text)| assert_eq!(loss(*rate), *text, "{rate}"));
        assert_eq!(change(0.01, 0.0001), "make that 1 segment in 10,000 years");
        assert_eq!(change(0.01, 1e-9), "make that less than 1 segment in 1,000,000 years");
        assert_eq!(change(0.01, 0.0099), "change little");
        assert_eq!(change(1e-9, 0.0), "change little");
        assert_eq!(change(0.0, 0.0), "change little");
    }

    #[test]
    fn what_is_unreadable_is_told_from_what_is_expected() {
        let durability = |known: u64, expected: f64| Durability {
            by_spare: if known > 0 { [(-1, known)].into() } else { Default::default() },
            unreadable_now: expected,
            ..Durability::default()
        };
        assert_eq!(unreadable(&durability(0, 0.0)), "none");
        assert_eq!(unreadable(&durability(0, 0.0005)), "none known; 1 chance in 2,000 that one is");
        assert_eq!(unreadable(&durability(0, 3.0)), "none known; about 3 expected, by damage not yet found");
        assert_eq!(unreadable(&durability(2, 2.0001)), "2 segments");
        assert_eq!(unreadable(&durability(1, 5.0)), "1 segment; about 4 more expected, by damage not yet found");
    }

    #[test]
    fn a_share_is_all_only_when_it_is() {
        let cases = [(1.0, "100%"), (0.9999, "99.9%"), (0.5, "50%"), (0.123, "12.3%"), (0.0, "0%")];
        cases.iter().for_each(|(share, text)| assert_eq!(percent(*share), *text));
    }
}
