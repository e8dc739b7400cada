//! Text for people: aligned columns, sizes and times with units.

/// Rows under a head, columns padded to their widest cell and two spaces apart.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    std::iter::once(&head).chain(rows).map(|row| line(row, &widths)).collect()
}

/// One column, and how gladly it is given up where there is no room; 0 never.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) folds: u8,
    pub(crate) cells: Vec<String>,
}

impl Column {
    fn width(&self) -> usize {
        self.cells.iter().map(|cell| cell.chars().count()).fold(self.name.chars().count(), usize::max)
    }
}

/// A table no wider than `width`, as far as there are columns to give up; and the names of those given up.
pub(crate) fn fitted(mut columns: Vec<Column>, width: usize) -> (String, Vec<&'static str>) {
    let mut folded = Vec::new();
    let wide = |columns: &[Column]| columns.iter().map(|column| column.width() + 2).sum::<usize>() > width.saturating_add(2);
    let order = columns.iter().map(|column| column.name).collect::<Vec<_>>();
    while wide(&columns) {
        let most = columns.iter().map(|column| column.folds).max().filter(|most| *most > 0);
        let Some(at) = columns.iter().rposition(|column| Some(column.folds) == most) else { break };
        folded.push(columns.remove(at).name);
    }
    folded.sort_by_key(|name| order.iter().position(|other| other == name));
    let head: Vec<_> = columns.iter().map(|column| column.name).collect();
    let rows = columns.first().map_or(0, |column| column.cells.len());
    let row = |index: usize| columns.iter().map(|column| column.cells[index].clone()).collect();
    (table(&head, &(0..rows).map(row).collect::<Vec<_>>()), folded)
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    format!("{}\n", cells.join("  ").trim_end())
}

/// Bytes in the largest binary unit that leaves a number of at least 1.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A duration in its largest whole unit.
pub(crate) fn duration(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0 => format!("{ms} ms"),
        1..=119 => format!("{s} s"),
        120..=7199 => format!("{} min", s / 60),
        7200..=172_799 => format!("{} h", s / 3600),
        _ => format!("{} days", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_tail() {
        let text = table(&["A", "LONG"], &[vec!["wide cell".into(), "x".into()], vec!["é".into(), String::new()]]);
        assert_eq!(text, "A          LONG\nwide cell  x\né\n");
    }

    #[test]
    fn the_least_wanted_columns_give_way() {
        let column = |name, folds, cell: &str| Column { name, folds, cells: vec![cell.to_owned()] };
        let columns = vec![column("A", 0, "aaaa"), column("B", 2, "bbbb"), column("C", 1, "cccc"), column("D", 2, "dddd")];
        let at = |width| fitted(columns.clone(), width);
        assert_eq!(at(22), ("A     B     C     D\naaaa  bbbb  cccc  dddd\n".into(), vec![]));
        assert_eq!(at(21), ("A     B     C\naaaa  bbbb  cccc\n".into(), vec!["D"]));
        assert_eq!(at(10), ("A     C\naaaa  cccc\n".into(), vec!["B", "D"]));
        assert_eq!(at(1), ("A\naaaa\n".into(), vec!["B", "C", "D"]));
    }

    #[test]
    fn sizes_and_times_have_units() {
        let sizes = [0, 1023, 1024, 1536, 1 << 20, (1 << 30) - 1, 5 << 40];
        assert_eq!(sizes.map(size), ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "1.0 GiB", "5.0 TiB"]);
        let times = [5, 1500, 180_000, 8_000_000, 400_000_000];
        assert_eq!(times.map(duration), ["5 ms", "1 s", "3 min", "2 h", "4 days"]);
    }
}
