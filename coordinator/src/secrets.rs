//! The cluster's secret, made once and kept in the coordinator's folder, and the links made from it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use nodio_host::files::write_private;
use nodio_wire::auth::{Secret, Who};
use nodio_wire::link::Link;

use crate::config::CoordinatorConfig;

/// The cluster's secret, in the coordinator's folder, as 64 hex digits.
pub const KEY_FILE: &str = "cluster.key";
/// The operator's link, in the coordinator's folder, for tools on the same machine.
pub const OPERATOR_LINK_FILE: &str = "operator.link";

/// A file of secrets that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("can't read {}: {source}", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("can't write {}: {source}", file.display())]
    Write { file: PathBuf, source: io::Error },
    #[error("{} must hold 64 hex digits", .0.display())]
    Malformed(PathBuf),
    /// Making a new one would lock out every donor and gateway.
    #[error("{} is missing although the folder holds a shard map: put the copy of it back", .0.display())]
    Missing(PathBuf),
}

/// What each role is given to reach the coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    pub donor: Link,
    pub gateway: Link,
    pub operator: Link,
}

/// The three links of a cluster, naming `public_addr`, else the listening address.
pub fn links(config: &CoordinatorConfig, secret: &Secret) -> Links {
    let authority = authority(config);
    let link = |who: Who| {
        #[allow(clippy::expect_used)]
        Link::for_role(&authority, who, secret).expect("these three roles have links")
    };
    Links { donor: link(Who::Joining), gateway: link(Who::Gateway), operator: link(Who::Operator) }
}

/// A listening address as one to connect to: "all addresses" is this machine.
fn authority(config: &CoordinatorConfig) -> String {
    let ip = match config.listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    config.public_addr.clone().unwrap_or_else(|| SocketAddr::new(ip, config.listen.port()).to_string())
}

/// Reads the cluster's secret; makes it at the first start, that is while there is no `store` file either.
pub(crate) fn load_or_create(folder: &Path, store: &Path) -> Result<Secret, SecretError> {
    let file = folder.join(KEY_FILE);
    match std::fs::read_to_string(&file) {
        Ok(text) => Secret::from_hex(&text).ok_or(SecretError::Malformed(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && store.exists() => Err(SecretError::Missing(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = Secret::random();
            write(&file, &secret.to_hex())?;
            Ok(secret)
        }
        Err(source) => Err(SecretError::Read { file, source }),
    }
}

/// Leaves the operator's link where tools on this machine look for it.
pub(crate) fn write_operator_link(folder: &Path, link: &Link) -> Result<(), SecretError> {
    write(&folder.join(OPERATOR_LINK_FILE), &link.to_string())
}

fn write(file: &Path, line: &str) -> Result<(), SecretError> {
    write_private(file, format!("{line}\n").as_bytes()).map_err(|source| SecretError::Write { file: file.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_made_once_and_never_replaced_under_a_map() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("store");
        let made = load_or_create(folder.path(), &store).expect("made");
        std::fs::write(&store, b"rows").expect("written");
        assert_eq!(load_or_create(folder.path(), &store).expect("read").to_hex(), made.to_hex());
        std::fs::write(folder.path().join(KEY_FILE), b"nonsense").expect("written");
        assert!(matches!(load_or_create(folder.path(), &store), Err(SecretError::Malformed(_))));
        std::fs::remove_file(folder.path().join(KEY_FILE)).expect("removed");
        assert!(matches!(load_or_create(folder.path(), &store), Err(SecretError::Missing(_))));
    }

    #[test]
    fn links_name_an_address_that_can_be_reached() {
        let secret = Secret::random();
        let mut config = CoordinatorConfig::default();
        assert_eq!(links(&config, &secret).donor.authority, "127.0.0.1:7300");
        config.listen = "[::]:7301".parse().expect("an address");
        assert_eq!(links(&config, &secret).gateway.authority, "[::1]:7301");
        config.public_addr = Some("home.example:1".into());
        let links = links(&config, &secret);
        assert_eq!(links.operator.authority, "home.example:1");
        assert_eq!(Link::for_role("home.example:1", Who::Joining, &secret), Some(links.donor));
    }
}
