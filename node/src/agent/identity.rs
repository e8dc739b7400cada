//! Who this donor is: `DIR/identity.json`, 0600. Lose it and the donor is a stranger with shards nobody asks for.
//!
//! ```text
//!   nothing ── nonce drawn, written ──► Applicant ── the coordinator answers, written ──► Member
//! ```
//! The nonce is on disk before the first registration is sent, so one whose answer got lost is repeated as the same donor.

use std::path::{Path, PathBuf};

use nodio_host::files::write_private;
use nodio_wire::NodeId;
use nodio_wire::auth::{Secret, node_secret, random_bytes};
use serde::{Deserialize, Serialize};

use crate::error::NodeError;

const FORMAT: u8 = 1;

/// The file as it stands.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityFile {
    format: u8,
    node_nonce: String,
    /// What the donor last said it gives, so that a start without saying so never takes more.
    #[serde(default)]
    capacity_bytes: Option<u64>,
    member: Option<Member>,
}

/// A donor that has joined.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Member {
    pub(crate) node: NodeId,
    /// Base URL of the coordinator that it joined.
    pub(crate) coordinator: String,
    coordinator_nonce: String,
    pub(crate) secret: Secret,
}

/// The identity of one folder, always as on disk.
pub(crate) struct Identity {
    path: PathBuf,
    file: IdentityFile,
}

impl Identity {
    /// Reads the folder's identity; a new one is written at once.
    pub(crate) fn load(folder: &Path) -> Result<Self, NodeError> {
        let path = folder.join("identity.json");
        match std::fs::read(&path) {
            Ok(bytes) => {
                let file = parse(&bytes).map_err(|reason| damaged(&path, reason))?;
                Ok(Self { path, file })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let file = IdentityFile {
                    format: FORMAT,
                    node_nonce: hex::encode(random_bytes::<16>()),
                    capacity_bytes: None,
                    member: None,
                };
                let identity = Self { path, file };
                identity.save()?;
                Ok(identity)
            }
            Err(error) => Err(damaged(&path, error.to_string())),
        }
    }

    /// The identity of a folder that a donor has, which must be there; nothing is written.
    pub(crate) fn of_donor(folder: &Path) -> Result<Self, NodeError> {
        match folder.join("identity.json").try_exists() {
            Ok(true) => Self::load(folder),
            Ok(false) => Err(NodeError::NoDonor(folder.to_owned())),
            Err(error) => Err(damaged(&folder.join("identity.json"), error.to_string())),
        }
    }

    /// Settles the capacity: what is said now, which is remembered, or what was said before.
    pub(crate) fn capacity(&mut self, said: Option<u64>) -> Result<Option<u64>, NodeError> {
        if said.is_some() && said != self.file.capacity_bytes {
            self.file.capacity_bytes = said;
            self.save()?;
        }
        Ok(self.file.capacity_bytes)
    }

    /// The donor's half of its secret, as hex.
    pub(crate) fn nonce(&self) -> &str {
        &self.file.node_nonce
    }

    pub(crate) fn member(&self) -> Option<&Member> {
        self.file.member.as_ref()
    }

    /// Becomes `node`, whose secret follows from the join secret and both nonces.
    pub(crate) fn joined(
        &mut self,
        join: &Secret,
        node: NodeId,
        coordinator_nonce: String,
        coordinator: String,
    ) -> Result<Member, NodeError> {
        let ours = nonce(&self.file.node_nonce).ok_or_else(|| damaged(&self.path, "node_nonce is not 32 hex digits".into()))?;
        let theirs =
            nonce(&coordinator_nonce).ok_or_else(|| NodeError::Failed("the coordinator's nonce is not 32 hex digits".into()))?;
        let member = Member { node, coordinator, coordinator_nonce, secret: node_secret(join, &ours, &theirs) };
        self.file.member = Some(member.clone());
        self.save()?;
        Ok(member)
    }

    /// Remembers that the coordinator is found elsewhere now.
    pub(crate) fn moved(&mut self, coordinator: &str) -> Result<(), NodeError> {
        match &mut self.file.member {
            Some(member) if member.coordinator != coordinator => {
                coordinator.clone_into(&mut member.coordinator);
                self.save()
            }
            _ => Ok(()),
        }
    }

    fn save(&self) -> Result<(), NodeError> {
        let text = serde_json::to_vec_pretty(&self.file).map_err(|error| NodeError::Failed(error.to_string()))?;
        write_private(&self.path, &text)
            .map_err(|error| NodeError::Failed(format!("can't write {}: {error}", self.path.display())))
    }
}

fn parse(bytes: &[u8]) -> Result<IdentityFile, String> {
    let file: IdentityFile = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match file.format {
        FORMAT if nonce(&file.node_nonce).is_some() => Ok(file),
        FORMAT => Err("node_nonce is not 32 hex digits".into()),
        other => Err(format!("format {other} is not known")),
    }
}

fn nonce(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

fn damaged(path: &Path, reason: String) -> NodeError {
    NodeError::Identity { file: path.display().to_string(), reason }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_identity_is_kept_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = Identity::load(dir.path()).unwrap();
        let nonce = first.nonce().to_owned();
        assert_eq!(Identity::load(dir.path()).unwrap().nonce(), nonce, "kept before it is used");
        let join = Secret::random();
        let theirs = hex::encode([7u8; 16]);
        let member = first.joined(&join, NodeId(3), theirs, "http://a:1".into()).unwrap();
        let mut again = Identity::load(dir.path()).unwrap();
        let kept = again.member().unwrap();
        assert_eq!((kept.node, &kept.secret), (NodeId(3), &member.secret));
        again.moved("http://b:2").unwrap();
        assert_eq!(Identity::load(dir.path()).unwrap().member().unwrap().coordinator, "http://b:2");
        let mode = dir.path().join("identity.json").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_capacity_once_said_is_kept_until_another_is() {
        let dir = tempfile::tempdir().unwrap();
        let settle = |said| Identity::load(dir.path()).unwrap().capacity(said).unwrap();
        assert_eq!(settle(None), None);
        assert_eq!(settle(Some(5)), Some(5));
        assert_eq!(settle(None), Some(5), "a start without saying so takes no more");
        assert_eq!(settle(Some(7)), Some(7));
    }

    #[test]
    fn a_damaged_identity_is_named_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.json");
        for bad in
            ["", "{}", r#"{"format":2,"node_nonce":"00","member":null}"#, r#"{"format":1,"node_nonce":"00","member":null}"#]
        {
            std::fs::write(&path, bad).unwrap();
            assert!(matches!(Identity::load(dir.path()), Err(NodeError::Identity { .. })), "{bad} was taken");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), bad);
        }
    }
}
