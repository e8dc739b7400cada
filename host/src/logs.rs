//! Logs: one compact line each, to stderr.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The variable that overrides the default filter, in `tracing` directives: `info,nodio_gateway=debug`.
pub const FILTER_VARIABLE: &str = "NODIO_LOG";

/// Starts logging with `default_filter` unless `NODIO_LOG` says otherwise. Does nothing if logging was already started. A filter that
/// can't be read is reported and the default kept.
pub fn init(default_filter: &str) {
    let wanted = std::env::var(FILTER_VARIABLE).ok().filter(|filter| !filter.is_empty());
    let (filter, complaint) = choose(wanted.as_deref(), default_filter);
    let started = tracing_subscriber::fmt()
        .compact()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
    if let (Ok(()), Some(complaint)) = (started, complaint) {
        tracing::warn!("{FILTER_VARIABLE} is not a log filter: {complaint}");
    }
}

fn choose(wanted: Option<&str>, default_filter: &str) -> (EnvFilter, Option<String>) {
    match wanted.map(EnvFilter::try_new) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(default_filter), Some(error.to_string())),
        None => (EnvFilter::new(default_filter), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_overrides_the_default_and_nonsense_does_not() {
        assert_eq!(choose(Some("debug"), "info").0.to_string(), "debug");
        assert_eq!(choose(None, "info,s3s=off").0.to_string(), EnvFilter::new("info,s3s=off").to_string());
        let (kept, complaint) = choose(Some("a=b=c"), "warn");
        assert_eq!(kept.to_string(), "warn");
        assert!(complaint.is_some());
    }

    #[test]
    fn starting_twice_is_harmless() {
        init("info");
        init("debug");
    }
}
