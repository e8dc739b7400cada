//! Where a value came from, for the error that names it.

use std::io;
use std::path::{Path, PathBuf};

use toml::Table;
use toml::de::{DeTable, DeValue};

use super::environment::Variable;
use super::{ConfigError, merge};

/// The file's text and what it says.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    text: String,
    table: Table,
}

impl File {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ConfigError::NotFound(path.to_owned()),
            _ => ConfigError::Unreadable { file: path.to_owned(), source },
        })?;
        let table = text.parse().map_err(|error| syntax_error(path, &text, &error))?;
        Ok(Self { path: path.to_owned(), text, table })
    }

    /// `node.toml, line 7`, as near to the key as the file goes.
    fn place(&self, keys: &[String]) -> String {
        match key_offset(&self.text, keys) {
            Some(offset) => format!("{}, line {}", self.path.display(), line_and_column(&self.text, offset).0),
            None => self.path.display().to_string(),
        }
    }
}

/// What was said, from the lowest to the highest.
#[derive(Debug)]
pub(super) struct Layers {
    pub(super) file: Option<File>,
    pub(super) variables: Vec<Variable>,
    pub(super) flags: Table,
}

impl Layers {
    pub(super) fn merged(&self) -> Table {
        let mut merged = self.file.as_ref().map(|file| file.table.clone()).unwrap_or_default();
        for variable in &self.variables {
            merge(&mut merged, variable.table());
        }
        merge(&mut merged, self.flags.clone());
        merged
    }

    /// The variable that decides the value at `keys`, if no flag does.
    pub(super) fn overriding_variable(&mut self, keys: &[String]) -> Option<&mut Variable> {
        if says(&self.flags, keys) {
            return None;
        }
        self.variables.iter_mut().rev().find(|variable| !keys.is_empty() && keys.starts_with(&variable.path))
    }

    pub(super) fn explain(&mut self, keys: &[String], message: &str) -> ConfigError {
        let key = keys.join(".");
        let message = message.replace('\n', " ");
        let message = match key.as_str() {
            "" => message,
            _ => format!("`{key}`: {message}"),
        };
        ConfigError::Value { origin: self.origin(keys), message }
    }

    fn origin(&mut self, keys: &[String]) -> String {
        if says(&self.flags, keys) {
            let flag = keys.last().map(|key| key.replace('_', "-")).unwrap_or_default();
            return format!("flag --{flag}");
        }
        if let Some(variable) = self.overriding_variable(keys) {
            return format!("environment variable {}", variable.name);
        }
        self.file.as_ref().map_or_else(|| "configuration".to_owned(), |file| file.place(keys))
    }
}

fn says(table: &Table, keys: &[String]) -> bool {
    let Some((first, rest)) = keys.split_first() else { return false };
    match table.get(first) {
        Some(toml::Value::Table(inner)) if !rest.is_empty() => says(inner, rest),
        found => found.is_some(),
    }
}

fn syntax_error(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let (line, column) = line_and_column(text, error.span().map_or(0, |span| span.start));
    ConfigError::Syntax { file: path.to_owned(), line, column, message: error.message().replace('\n', " ") }
}

/// Both count from 1; the column is in characters.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before: String = text.char_indices().take_while(|(at, _)| *at < offset).map(|(_, c)| c).collect();
    let column = before.chars().rev().take_while(|c| *c != '\n').count();
    (before.matches('\n').count() + 1, column + 1)
}

/// Where the deepest key of the path that the text has begins.
fn key_offset(text: &str, keys: &[String]) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut found = None;
    for key in keys {
        let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == key.as_str()) else { break };
        found = Some(name.span().start);
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    found
}
