//! `nodio invite`: prints the link with which a donor, a gateway or an operator reaches the coordinator. The link is a secret.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;
use nodio_coordinator::{CoordinatorConfig, KEY_FILE, links};
use nodio_wire::auth::Secret;
use nodio_wire::link::Link;

use crate::coordinator::{ENV_PREFIX, read_listen_file, read_public_file};
use crate::flags::Flags;
use crate::say::say;

/// The coordinator's folder below the one of `nodio up`.
const IN_UP: &str = "coordinator";
const UP_FOLDER: &str = "nodio-data";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    Donor,
    Gateway,
    Operator,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Who is invited.
    #[arg(long = "for", value_enum, default_value = "donor")]
    role: Role,
    /// The data folder of `nodio up` or of the coordinator.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The coordinator's settings file.
    #[arg(long)]
    config: Option<PathBuf>,
    /// HOST:PORT under which the invited reach the coordinator, if it is not what the coordinator listens at.
    #[arg(long)]
    public_addr: Option<String>,
}

pub(crate) fn run(args: Args) -> Result<()> {
    say(&format!("{}\n", invitation(args)?));
    Ok(())
}

fn invitation(args: Args) -> Result<Link> {
    let data = args.data.or_else(|| args.config.is_none().then(|| PathBuf::from(UP_FOLDER)).filter(|folder| folder.exists()));
    let data = data.map(|folder| coordinators_own(&folder));
    let flags = Flags::default().text("data", data.as_ref().map(|path| path.display())).text("public_addr", args.public_addr);
    let mut config: CoordinatorConfig = nodio_host::config::load(args.config.as_deref(), ENV_PREFIX, flags.into_table())?;
    config.listen = read_listen_file(&config.data).unwrap_or(config.listen);
    config.public_addr = config.public_addr.or_else(|| read_public_file(&config.data));
    let links = links(&config, &read_secret(&config.data)?);
    Ok(match args.role {
        Role::Donor => links.donor,
        Role::Gateway => links.gateway,
        Role::Operator => links.operator,
    })
}

fn coordinators_own(folder: &Path) -> PathBuf {
    let inner = folder.join(IN_UP);
    if inner.join(KEY_FILE).exists() { inner } else { folder.to_owned() }
}

fn read_secret(folder: &Path) -> Result<Secret> {
    let path = folder.join(KEY_FILE);
    let text = std::fs::read_to_string(&path);
    let text = text.with_context(|| format!("can't read {} (the coordinator makes it at its first start)", path.display()))?;
    Secret::from_hex(&text).with_context(|| format!("{} must hold 64 hex digits", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(data: &Path, role: Role) -> Args {
        Args { role, data: Some(data.to_owned()), config: None, public_addr: None }
    }

    #[test]
    fn an_invitation_names_the_address_listened_at() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join(IN_UP);
        std::fs::create_dir(&inner).unwrap();
        assert!(invitation(args(folder.path(), Role::Donor)).unwrap_err().to_string().contains(KEY_FILE));
        let secret = Secret::random();
        std::fs::write(inner.join(KEY_FILE), secret.to_hex()).unwrap();
        crate::coordinator::write_listen_file(&inner, "127.0.0.1:4321".parse().unwrap()).unwrap();
        for data in [folder.path(), &inner] {
            let link = invitation(args(data, Role::Gateway)).unwrap();
            assert_eq!((link.authority.as_str(), link.who), ("127.0.0.1:4321", nodio_wire::auth::Who::Gateway));
        }
        crate::coordinator::write_public_file(&inner, Some("lan.example:9100")).unwrap();
        assert_eq!(invitation(args(&inner, Role::Donor)).unwrap().authority, "lan.example:9100");
        let named = Args { public_addr: Some("home.example:7300".into()), ..args(&inner, Role::Operator) };
        assert_eq!(invitation(named).unwrap().authority, "home.example:7300");
    }
}
