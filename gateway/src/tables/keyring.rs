//! The keyring: names under which objects can be encrypted. Kept in memory too, as every request that names a key asks for it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use nodio_meta::row::decode;
use nodio_meta::{Direction, KeyRange, Outcome};
use nodio_wire::UnixMs;

use super::plan::Plan;
use super::{TableError, Tables, keyspace};
use crate::rows::NamedKeyRow;

const NAME_BYTES_MAX: usize = 64;
const SCAN_ROWS: usize = 1000;

/// What may be told of a named key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedKey {
    pub name: String,
    /// Milliseconds since 1970.
    pub created: UnixMs,
    pub disabled: Option<UnixMs>,
}

/// Whether something can be encrypted or opened under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyState {
    Unknown,
    Disabled,
    Enabled,
}

/// The names that this process knows. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyring(Arc<RwLock<BTreeMap<String, KeyState>>>);

impl Keyring {
    pub(crate) fn state(&self, name: &str) -> KeyState {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(name).copied().unwrap_or(KeyState::Unknown)
    }

    fn learn(&self, key: &NamedKey) {
        let state = if key.disabled.is_some() { KeyState::Disabled } else { KeyState::Enabled };
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key.name.clone(), state);
    }
}

/// Whether a named key may have this name: 1 to 64 letters, digits, hyphens and underscores.
pub(crate) fn is_key_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

impl Tables {
    pub(crate) fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Fills the keyring with what is stored.
    ///
    /// # Errors
    /// [`TableError::Store`], [`TableError::Row`].
    pub(crate) async fn load_keyring(&self) -> Result<(), TableError> {
        for key in self.list_named_keys().await? {
            self.keyring.learn(&key);
        }
        Ok(())
    }

    /// Makes a named key; one that is there already stays as it is, and is answered.
    ///
    /// # Errors
    /// [`TableError::BadKeyName`].
    pub async fn create_named_key(&self, name: &str, now: UnixMs) -> Result<NamedKey, TableError> {
        if !is_key_name(name) {
            return Err(TableError::BadKeyName);
        }
        let row_key = keyspace::named_key(name);
        let key = self.change(|| async {
            if let Some((there, _)) = self.row::<NamedKeyRow>(&row_key).await? {
                return Ok(Outcome::Done(told(there)));
            }
            let row = NamedKeyRow { name: name.to_owned(), created: now, disabled: None };
            let mut plan = Plan::default();
            plan.absent(row_key.clone());
            plan.put(row_key.clone(), &row);
            Ok(Outcome::Commit(plan.into_commit(), told(row)))
        });
        let key = key.await?;
        self.keyring.learn(&key);
        Ok(key)
    }

    /// Lets a named key be used, or not. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`TableError::NoSuchNamedKey`].
    pub async fn enable_named_key(&self, name: &str, enabled: bool, now: UnixMs) -> Result<NamedKey, TableError> {
        let row_key = keyspace::named_key(name);
        let key = self.change(|| async {
            let (mut row, version) = self.row::<NamedKeyRow>(&row_key).await?.ok_or(TableError::NoSuchNamedKey)?;
            if enabled == row.disabled.is_none() {
                return Ok(Outcome::Done(told(row)));
            }
            row.disabled = (!enabled).then_some(now);
            let mut plan = Plan::default();
            plan.at(row_key.clone(), version);
            plan.put(row_key.clone(), &row);
            Ok(Outcome::Commit(plan.into_commit(), told(row)))
        });
        let key = key.await?;
        self.keyring.learn(&key);
        Ok(key)
    }

    /// All named keys by name, disabled ones too.
    ///
    /// # Errors
    /// [`TableError::Store`], [`TableError::Row`].
    pub async fn list_named_keys(&self) -> Result<Vec<NamedKey>, TableError> {
        let mut range = KeyRange::prefix(keyspace::NAMED_KEYS);
        let mut keys = Vec::new();
        loop {
            let rows = self.store.scan(range.clone(), SCAN_ROWS, Direction::Ascending).await?;
            for row in &rows {
                keys.push(told(decode(&row.value)?));
            }
            match rows.last() {
                Some(last) if rows.len() == SCAN_ROWS => range = range.starting_after(last.key.clone()),
                _ => return Ok(keys),
            }
        }
    }
}

fn told(row: NamedKeyRow) -> NamedKey {
    let NamedKeyRow { name, created, disabled } = row;
    NamedKey { name, created, disabled }
}
