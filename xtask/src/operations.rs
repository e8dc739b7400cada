//! The README's table of S3's operations, from what the gateway has and what `docs/SEMANTICS.md` says of it.
//!
//! Promises: an operation is said to be supported exactly if the gateway's own table has it, and only together with a test; what
//! SEMANTICS.md lists as not built isn't in that table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

const BEGIN: &str = "<!-- operations: written by `cargo xtask operations` -->\n";
const END: &str = "<!-- end of operations -->\n";
const UNBUILT_HEADING: &str = "## Not built\n";
/// What the gateway carries out in front of its table of operations.
const BEFORE_THE_TABLE: [&str; 1] = ["PostObject"];

/// Writes the table into the README of the project at `root`.
///
/// # Errors
/// As [`readme`]; or the file can't be written.
pub fn write(root: &Path) -> Result<()> {
    fs::write(root.join("README.md"), readme(root)?).context("README.md can't be written")
}

/// The README with the table as it should be.
///
/// # Errors
/// A file can't be read or lacks its markers; an operation has no test, or is both built and not.
pub fn readme(root: &Path) -> Result<String> {
    let read = |path: &str| fs::read_to_string(root.join(path)).with_context(|| format!("{path} can't be read"));
    let table = table(&read("gateway/src/s3/ops/mod.rs")?, &read("docs/SEMANTICS.md")?)?;
    let readme = read("README.md")?;
    let (before, rest) = readme.split_once(BEGIN).context("README.md has no place for the operations")?;
    let (_, after) = rest.split_once(END).context("README.md has no end of the operations")?;
    Ok(format!("{before}{BEGIN}{table}{END}{after}"))
}

fn table(operations: &str, semantics: &str) -> Result<String> {
    let built = built(operations);
    let unbuilt = unbuilt(semantics)?;
    let both: Vec<_> = built.intersection(&unbuilt).collect();
    ensure!(both.is_empty(), "SEMANTICS.md says these are not built: {both:?}");
    let tests = tests(semantics);
    let mut lines = vec!["| operation | supported | tested by |".to_owned(), "|---|---|---|".to_owned()];
    for operation in built.union(&unbuilt) {
        if unbuilt.contains(operation) {
            lines.push(format!("| {operation} | no | |"));
            continue;
        }
        let tests = tests.get(operation.as_str()).with_context(|| format!("SEMANTICS.md names no test of {operation}"))?;
        let more = if tests.len() > 1 { format!(" and {} more", tests.len() - 1) } else { String::new() };
        lines.push(format!("| {operation} | yes | `{}`{more} |", tests[0]));
    }
    Ok(lines.join("\n") + "\n")
}

/// The operations of the gateway's table: its lines are `family::name(NameInput) -> NameOutput;`.
fn built(source: &str) -> BTreeSet<String> {
    let name = |line: &str| {
        let (_, rest) = line.trim().split_once('(')?;
        let (name, rest) = rest.split_once("Input)")?;
        rest.trim_start().starts_with("->").then(|| name.to_owned())
    };
    source.lines().filter_map(name).chain(BEFORE_THE_TABLE.map(str::to_owned)).collect()
}

/// The names under the heading for what isn't built.
fn unbuilt(semantics: &str) -> Result<BTreeSet<String>> {
    let (_, section) = semantics.split_once(UNBUILT_HEADING).context("SEMANTICS.md doesn't say what isn't built")?;
    let section = section.split("\n## ").next().unwrap_or_default();
    Ok(words(section).filter(|word| is_operation(word)).map(str::to_owned).collect())
}

/// The tests of each operation: those in the rows that name it.
fn tests(semantics: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in semantics.lines().filter(|line| line.starts_with('|')) {
        let tests: Vec<&str> = row.split('`').filter(|code| code.contains("::")).collect();
        for operation in words(row).filter(|word| is_operation(word)) {
            let all = found.entry(operation).or_default();
            all.extend(tests.iter().filter(|test| !all.contains(test)).copied().collect::<Vec<_>>());
        }
    }
    found.retain(|_, tests| !tests.is_empty());
    found
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

/// `PutObject` and its like: a capital, and another one further on.
fn is_operation(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_uppercase())
        && word.chars().skip(1).any(|character| character.is_ascii_uppercase())
        && word.chars().any(|character| character.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATIONS: &str = "operations! {\n    put::put_object(PutObjectInput) -> PutObjectOutput;\n}";

    #[test]
    fn a_table_says_what_is_built_and_tested() {
        let semantics =
            "| PutObject, PostObject | `a/b::c`, `a/b::d` |\n| PutObject again | `a/b::c` |\n## Not built\n\nRestoreObject.\n";
        let told = table(OPERATIONS, semantics).expect("told");
        let lines: Vec<&str> = told.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| PostObject | yes | `a/b::c` and 1 more |",
                "| PutObject | yes | `a/b::c` and 1 more |",
                "| RestoreObject | no | |"
            ]
        );
    }

    #[test]
    fn what_is_untested_or_contradicts_itself_is_an_error() {
        let untested = table(OPERATIONS, "| PostObject | `a/b::c` |\n## Not built\n").expect_err("refused");
        assert!(untested.to_string().contains("PutObject"), "{untested}");
        let both = table(OPERATIONS, "| PutObject, PostObject | `a/b::c` |\n## Not built\nPutObject\n").expect_err("refused");
        assert!(both.to_string().contains("not built"), "{both}");
    }

    #[test]
    fn the_readme_has_the_table() {
        let root = crate::run::root();
        let now = fs::read_to_string(root.join("README.md")).expect("a README");
        assert!(readme(&root).expect("a table") == now, "the table is old: run `cargo xtask operations`");
    }
}
