//! Errors as a person sees them: one line, and an exit code that tells a wrong command from a failed one.

use std::process::ExitCode;

const FAILED: u8 = 1;
const USAGE: u8 = 2;

/// The command line asks for what can't be.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Says what went wrong, in one line on stderr.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("nodio: {}", one_line(error));
    ExitCode::from(if error.is::<Usage>() { USAGE } else { FAILED })
}

/// Help and version as they are; what clap finds wrong as one line.
pub(crate) fn report_arguments(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    if text.contains("Usage:") && !text.starts_with("error:") {
        eprint!("{text}");
        return ExitCode::from(USAGE);
    }
    let said = text.split("\n\n").next().unwrap_or_default();
    eprintln!("nodio: {}; see --help", squeeze(said.trim_start_matches("error: ")));
    ExitCode::from(USAGE)
}

/// The error and its causes; a cause that the line already holds is not said twice.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = squeeze(&cause.to_string());
        if line.is_empty() {
            line = text;
        } else if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
    }
    line
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn causes_are_on_the_line_once() {
        let error = anyhow!("disk\n full").context("can't write: disk full").context("can't start");
        assert_eq!(one_line(&error), "can't start: can't write: disk full");
        assert_eq!(one_line(&anyhow!("b").context("a")), "a: b");
    }

    #[test]
    fn a_usage_error_is_told_from_a_failure() {
        assert!(anyhow::Error::new(Usage("no".into())).is::<Usage>());
        assert!(anyhow::Error::new(Usage("no".into())).context("why").is::<Usage>());
    }
}
