//! Configuration: a TOML file, then the environment, then flags, in rising order.
//!
//! ```text
//!   file   [store] fsync = true            ┐
//!   env    PREFIX_STORE__FSYNC=false       ├─▶ one table ─▶ T   (serde: unknown keys refused, what is left out has its default)
//!   flags  { store = { fsync = false } }   ┘
//! ```
//!
//! An error is one line that names where the value came from (file and line, variable, flag), the key, and what is wrong with it.

mod environment;
mod origin;

use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use environment::Variable;
use origin::{File, Layers};

/// One line, for a person.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration file {} does not exist", .0.display())]
    NotFound(PathBuf),
    #[error("can't read the configuration file {}: {source}", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error("{}, line {line}, column {column}: {message}", file.display())]
    Syntax { file: PathBuf, line: usize, column: usize, message: String },
    /// A key that isn't known, or a value that doesn't fit its key. `origin` is a file and line, a variable, or a flag.
    #[error("{origin}: {message}")]
    Value { origin: String, message: String },
}

/// Reads `file` if there is one, then the variables `env_prefix_KEY` (`__` between a table and its key), then `flags`.
///
/// `T` should be `#[serde(deny_unknown_fields, default)]`. A variable is read as a TOML value where it is one and fits, else as a string.
///
/// # Errors
/// The first thing that is wrong, as one line.
pub fn load<T: DeserializeOwned>(file: Option<&Path>, env_prefix: &str, flags: Table) -> Result<T, ConfigError> {
    let file = file.map(File::read).transpose()?;
    let variables = environment::variables(env_prefix, std::env::vars_os());
    build(Layers { file, variables, flags })
}

fn build<T: DeserializeOwned>(mut layers: Layers) -> Result<T, ConfigError> {
    loop {
        let merged = layers.merged();
        match serde_path_to_error::deserialize::<_, T>(Value::Table(merged)) {
            Ok(config) => return Ok(config),
            Err(error) => {
                let path = key_path(&error);
                // "8080" may be meant as a word: a variable whose value doesn't fit as a number is tried as a string, once.
                let as_text = layers.overriding_variable(&path).is_some_and(Variable::fall_back_to_text);
                if !as_text {
                    return Err(layers.explain(&path, error.inner().message()));
                }
            }
        }
    }
}

fn key_path(error: &serde_path_to_error::Error<toml::de::Error>) -> Vec<String> {
    use serde_path_to_error::Segment;
    let named = |segment: &Segment| match segment {
        Segment::Map { key } => Some(key.clone()),
        Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => None,
    };
    error.path().iter().map_while(named).collect()
}

/// Puts `upper` over `lower`, table by table; anything else replaces.
fn merge(lower: &mut Table, upper: Table) {
    for (key, value) in upper {
        match (lower.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                lower.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
