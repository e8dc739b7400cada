//! S3 clients for the tests: aws-cli, boto3, s3cmd and MinIO's SDK in a Python environment of their own, duplicity in another, the SDK for
//! JavaScript in a folder of Node's packages; rclone, restic and s3fs from Debian or from PATH.
//!
//! ```text
//!   $NODIO_TEST_CLIENTS or ~/.cache/nodio-test-clients
//!     .lock                one installer at a time, also between processes
//!     python-HASH/         one environment per list of requirements; `.complete` is written last
//!     node-HASH/           one folder of packages per package.json; the same
//! ```
//! The second call finds everything in place and runs nothing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::{find_on_path, in_ci, run_quietly};

const REQUIREMENTS: &str = include_str!("../../compat-tests/clients/requirements.txt");
const DUPLICITY: &str = include_str!("../../compat-tests/clients/duplicity.txt");
const PACKAGES: &str = include_str!("../../compat-tests/clients/package.json");

/// The programs of one installation.
#[derive(Debug, Clone)]
pub struct PythonClients {
    pub python: PathBuf,
    pub aws: PathBuf,
    pub s3cmd: PathBuf,
}

/// The Python environment, made if it isn't there.
pub fn python() -> Result<PythonClients> {
    let home = once("python", REQUIREMENTS, |home| install_python(home, REQUIREMENTS))?;
    Ok(PythonClients { python: home.join("bin/python"), aws: home.join("bin/aws"), s3cmd: home.join("bin/s3cmd") })
}

/// duplicity, in an environment with no more of what it asks for than S3 needs.
pub fn duplicity() -> Result<PathBuf> {
    Ok(once("python", DUPLICITY, |home| install_python(home, DUPLICITY))?.join("bin/duplicity"))
}

/// Node and the folder of the packages that its scripts ask for.
#[derive(Debug, Clone)]
pub struct NodeClients {
    pub node: PathBuf,
    pub modules: PathBuf,
}

/// Node on PATH or from the distribution; its packages are installed if they aren't there.
pub fn node() -> Result<NodeClients> {
    let (node, npm) = (of_distribution("node", "nodejs")?, of_distribution("npm", "npm")?);
    let home = once("node", PACKAGES, |home| install_packages(&npm, home))?;
    Ok(NodeClients { node, modules: home.join("node_modules") })
}

/// rclone on PATH; installed from the distribution where that is possible.
pub fn rclone() -> Result<PathBuf> {
    of_distribution("rclone", "rclone")
}

/// restic, as [`rclone`].
pub fn restic() -> Result<PathBuf> {
    of_distribution("restic", "restic")
}

/// s3fs, as [`rclone`].
pub fn s3fs() -> Result<PathBuf> {
    of_distribution("s3fs", "s3fs")
}

/// The program on PATH; where it is missing, its package is installed first.
fn of_distribution(program: &str, package: &str) -> Result<PathBuf> {
    if let Some(path) = find_on_path(program) {
        return Ok(path);
    }
    let _lock = lock(&root_folder()?)?;
    if find_on_path(program).is_none() {
        apt_install(&[package])?;
    }
    find_on_path(program).with_context(|| format!("{package} was installed but {program} is not on PATH"))
}

/// What to do about a client that could not be had: fail in CI, say so loudly and go on elsewhere.
pub fn or_skip<T>(name: &str, found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(client) => Ok(Some(client)),
        Err(error) if in_ci() => Err(error.context(format!("the test client {name} is missing"))),
        Err(error) => {
            eprintln!("\n*** SKIPPED: {name} is missing, so nothing is tested with it: {error:#}\n");
            Ok(None)
        }
    }
}

fn root_folder() -> Result<PathBuf> {
    let root = match std::env::var_os("NODIO_TEST_CLIENTS") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").context("neither NODIO_TEST_CLIENTS nor HOME is set")?)
            .join(".cache/nodio-test-clients"),
    };
    fs::create_dir_all(&root).with_context(|| format!("can't create {}", root.display()))?;
    Ok(root)
}

/// Held until dropped; the system releases it with the process.
fn lock(root: &Path) -> Result<File> {
    let path = root.join(".lock");
    let file = File::create(&path).with_context(|| format!("can't create {}", path.display()))?;
    file.lock().with_context(|| format!("can't lock {}", path.display()))?;
    Ok(file)
}

/// A folder for what `list` names, which `fill` makes and fills the first time.
fn once(kind: &str, list: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let root = root_folder()?;
    let home = root.join(format!("{kind}-{:016x}", fingerprint(list.as_bytes())));
    let _lock = lock(&root)?;
    if !home.join(".complete").exists() {
        eprintln!("installing test clients into {} (once)", home.display());
        fill(&home)?;
        fs::write(home.join(".complete"), b"")?;
    }
    Ok(home)
}

/// Installs the requirements and nothing that they don't name.
fn install_python(home: &Path, requirements: &str) -> Result<()> {
    make_environment(home)?;
    let list = home.join("requirements.txt");
    fs::write(&list, requirements)?;
    let mut pip = Command::new(home.join("bin/python"));
    run_quietly(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"]).arg(&list))
}

/// Fails where Node is older than the packages ask for.
fn install_packages(npm: &Path, home: &Path) -> Result<()> {
    fs::create_dir_all(home)?;
    fs::write(home.join("package.json"), PACKAGES)?;
    let mut install = Command::new(npm);
    run_quietly(install.args(["install", "--engine-strict", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(home))
}

/// `python3 -m venv`; where the distribution keeps that module apart, it is installed first.
fn make_environment(home: &Path) -> Result<()> {
    let attempt = || -> Result<()> {
        if home.exists() {
            fs::remove_dir_all(home)?;
        }
        run_quietly(Command::new("python3").args(["-m", "venv"]).arg(home))
    };
    let Err(first) = attempt() else { return Ok(()) };
    apt_install(&["python3", "python3-venv"]).with_context(|| format!("{first:#}"))?;
    attempt()
}

fn apt_install(packages: &[&str]) -> Result<()> {
    if find_on_path("apt-get").is_none() || !is_root() {
        bail!("please install {} with your system's package manager", packages.join(" and "));
    }
    eprintln!("installing {} from the distribution", packages.join(" and "));
    run_quietly(Command::new("apt-get").args(["update", "--quiet"]))?;
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages);
    run_quietly(install.env("DEBIAN_FRONTEND", "noninteractive"))
}

fn is_root() -> bool {
    let uid = Command::new("id").arg("-u").output();
    uid.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// FNV-1a: the same on every machine and with every compiler, which is all a cache key needs.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_key_follows_the_requirements() {
        assert_eq!(fingerprint(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_ne!(fingerprint(b"boto3==1"), fingerprint(b"boto3==2"));
    }

    #[test]
    fn every_requirement_is_pinned() {
        for line in REQUIREMENTS.lines().chain(DUPLICITY.lines()) {
            assert!(line.contains("=="), "{line} has no version");
        }
        let packages: serde_json::Value = serde_json::from_str(PACKAGES).expect("JSON");
        for (name, version) in packages["dependencies"].as_object().expect("an object") {
            let version = version.as_str().expect("a text");
            assert!(version.starts_with(|first: char| first.is_ascii_digit()), "{name} {version} is a range");
        }
    }
}
