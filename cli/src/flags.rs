//! Flags as the topmost layer of a role's configuration: what wasn't said leaves the layers below alone.

use std::fmt::Display;

use toml::{Table, Value};

/// A table of the flags that were given.
#[derive(Debug, Default)]
pub(crate) struct Flags(Table);

impl Flags {
    pub(crate) fn text(mut self, key: &str, value: Option<impl Display>) -> Self {
        if let Some(value) = value {
            self.0.insert(key.to_owned(), Value::String(value.to_string()));
        }
        self
    }

    pub(crate) fn number(mut self, key: &str, value: Option<u32>) -> Self {
        if let Some(value) = value {
            self.0.insert(key.to_owned(), Value::Integer(value.into()));
        }
        self
    }

    /// `--no-KEY`: turns the setting off when given.
    pub(crate) fn off(mut self, key: &str, given: bool) -> Self {
        if given {
            self.0.insert(key.to_owned(), Value::Boolean(false));
        }
        self
    }

    /// `--KEY`: turns the setting on when given.
    pub(crate) fn on(mut self, key: &str, given: bool) -> Self {
        if given {
            self.0.insert(key.to_owned(), Value::Boolean(true));
        }
        self
    }

    pub(crate) fn into_table(self) -> Table {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_said_is_in_the_table() {
        let flags =
            Flags::default().text("a", Some("x")).text("b", None::<&str>).number("c", Some(3)).number("d", None).off("e", true);
        let table = flags.off("f", false).on("g", true).on("h", false).into_table();
        assert_eq!(
            table,
            toml::toml! { a = "x"
            c = 3
            e = false
            g = true }
        );
    }
}
