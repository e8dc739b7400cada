//! Variables of the environment as configuration values.

use std::ffi::OsString;

use toml::{Table, Value};

use crate::logs::FILTER_VARIABLE;

const NESTING: &str = "__";

/// One variable that has the prefix.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    /// The tables and the key: `STORE__FSYNC` is `["store", "fsync"]`.
    pub(super) path: Vec<String>,
    text: String,
    value: Value,
}

impl Variable {
    fn new(name: String, suffix: &str, text: String) -> Self {
        let path = suffix.to_ascii_lowercase().split(NESTING).map(str::to_owned).collect();
        let value = parse(&text);
        Self { name, path, text, value }
    }

    /// Takes the value as a string from now on; false if it was one already.
    pub(super) fn fall_back_to_text(&mut self) -> bool {
        let text = Value::String(self.text.clone());
        std::mem::replace(&mut self.value, text.clone()) != text
    }

    /// `{ store = { fsync = false } }`
    pub(super) fn table(&self) -> Table {
        let mut value = self.value.clone();
        for key in self.path.iter().skip(1).rev() {
            value = Value::Table(Table::from_iter([(key.clone(), value)]));
        }
        Table::from_iter(self.path.first().map(|key| (key.clone(), value)))
    }
}

/// The variables `PREFIX_KEY`, by name, so that the result doesn't depend on the order of the environment.
pub(super) fn variables(prefix: &str, all: impl Iterator<Item = (OsString, OsString)>) -> Vec<Variable> {
    let prefix = format!("{}_", prefix.trim_end_matches('_'));
    let mut found: Vec<Variable> = all
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .filter(|(name, _)| name != FILTER_VARIABLE)
        .filter_map(|(name, value)| {
            let suffix = name.strip_prefix(&prefix).filter(|suffix| !suffix.is_empty())?.to_owned();
            Some(Variable::new(name, &suffix, value))
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// A TOML value (`7`, `true`, `["a", "b"]`) where it is one, else the text as it stands.
fn parse(text: &str) -> Value {
    let document = format!("value = {text}");
    let single_line = !text.contains(['\n', '\r', '#']);
    let parsed = single_line.then(|| document.parse::<Table>().ok()).flatten();
    parsed.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_and_lists_are_read_as_toml_and_the_rest_is_text() {
        assert_eq!(parse("7"), Value::Integer(7));
        assert_eq!(parse("true"), Value::Boolean(true));
        assert_eq!(parse("\"7\""), Value::String("7".into()));
        assert_eq!(parse("[1, 2]"), Value::Array(vec![Value::Integer(1), Value::Integer(2)]));
        for text in ["", "127.0.0.1:9000", "a # b", "/var/lib/nodio", "1\nother = 2", "[1,", "= 3"] {
            assert_eq!(parse(text), Value::String(text.into()));
        }
    }

    #[test]
    fn only_variables_with_the_whole_prefix_count() {
        let names = ["NODIO_NODE_STORE__FSYNC", "NODIO_NODE_", "NODIO_NODES", "NODIO_LOG", "PATH"];
        let all = || names.iter().map(|name| (OsString::from(name), OsString::from("1")));
        let paths = |prefix| variables(prefix, all()).into_iter().map(|v| v.path.join(".")).collect::<Vec<_>>();
        assert_eq!(paths("NODIO_NODE"), ["store.fsync"]);
        assert_eq!(paths("NODIO_NODE_"), ["store.fsync"]);
        assert!(!paths("NODIO").contains(&"log".to_owned()));
    }
}
