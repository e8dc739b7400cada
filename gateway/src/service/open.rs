//! The data folder: locked, with its master key and its metadata.

use std::path::PathBuf;
use std::sync::Arc;

use nodio_host::blocking::blocking;
use nodio_host::clock::now_ms;
use nodio_host::files::{FolderLock, ensure_folder, lock_folder};
use nodio_meta::RedbStore;
use nodio_meta::redb::Options;

use super::OpenError;
use crate::config::GatewayConfig;
use crate::keys::{KeyError, MasterKey};
use crate::tables::Tables;

/// The metadata, open, and no other process's until this is dropped.
pub struct Opened {
    pub tables: Tables,
    /// The key file, if it was made just now.
    pub made_key: Option<PathBuf>,
    _lock: FolderLock,
}

/// Opens the folder that `config` names, making it and a master key file if this is the first time.
///
/// # Errors
/// [`OpenError`]; [`nodio_host::files::FolderError::InUse`] while a gateway runs on it.
pub async fn open(config: &GatewayConfig) -> Result<Opened, OpenError> {
    config.check()?;
    let folder = config.clone();
    let opened =
        blocking(move || open_blocking(&folder)).await.map_err(|panicked| OpenError::Panicked(panicked.to_string()))??;
    opened.tables.check_master().await?;
    opened.tables.load_keyring().await?;
    for name in &config.kms_keys {
        opened.tables.create_named_key(name, now_ms()).await?;
    }
    opened.tables.count_once().await?;
    for (webhook, events) in opened.tables.count_events().await? {
        tracing::warn!(webhook, events, "events wait for a webhook that is not configured");
    }
    Ok(opened)
}

fn open_blocking(config: &GatewayConfig) -> Result<Opened, OpenError> {
    ensure_folder(&config.data)?;
    let lock = lock_folder(&config.data)?;
    let (master, made_key) = master_key(config)?;
    let file = config.store_file();
    let options = Options { fsync: config.fsync, cache_bytes: config.metadata_cache_mib as usize * 1024 * 1024 };
    let store =
        RedbStore::open(&file, options).map_err(|source| OpenError::Store { file: file.display().to_string(), source })?;
    let webhooks = config.webhook.iter().map(|webhook| webhook.name.as_str());
    let tables = Tables::new(Arc::new(store), master).with_webhooks(webhooks);
    Ok(Opened { tables, made_key, _lock: lock })
}

/// A missing key file is made only where there is no metadata yet that an older key would be needed for.
fn master_key(config: &GatewayConfig) -> Result<(MasterKey, Option<PathBuf>), KeyError> {
    match (MasterKey::load(&config.key_source()), config.key_file()) {
        (Err(KeyError::Missing(_)), Some(path)) if !config.store_file().exists() => {
            let key = MasterKey::create(&path)?;
            Ok((key, Some(path)))
        }
        (loaded, _) => Ok((loaded?, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(folder: &std::path::Path) -> GatewayConfig {
        GatewayConfig { data: folder.join("data"), fsync: false, ..GatewayConfig::default() }
    }

    #[tokio::test]
    async fn the_first_start_makes_a_key_and_later_ones_need_it() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let key = open(&config).await.map(|opened| opened.made_key.clone()).map_err(|error| error.to_string()).unwrap().unwrap();
        assert!(open(&config).await.is_ok_and(|opened| opened.made_key.is_none()));
        std::fs::remove_file(&key).unwrap();
        assert!(matches!(open(&config).await, Err(OpenError::Key(KeyError::Missing(_)))));
        assert!(!key.exists(), "a key that opens nothing must not be made");
        MasterKey::create(&key).unwrap();
        assert!(matches!(open(&config).await, Err(OpenError::Tables(crate::tables::TableError::OtherMasterKey))));
    }

    #[tokio::test]
    async fn two_processes_never_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let _first = open(&config).await.map_err(|error| error.to_string()).unwrap();
        assert!(matches!(open(&config).await, Err(OpenError::Folder(_))));
    }
}
