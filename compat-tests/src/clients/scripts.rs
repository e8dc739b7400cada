//! SDKs, each through a script of `clients/`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nodio_xtask::clients as installed;

use super::{Access, PATIENCE};
use crate::process::run_captured;

/// A script of `clients/` under the Python that has boto3.
pub struct Python {
    program: PathBuf,
    access: Access,
}

impl Python {
    pub fn find(access: &Access) -> Result<Option<Self>> {
        let found = installed::or_skip("boto3", installed::python())?;
        Ok(found.map(|found| Self { program: found.python, access: access.clone() }))
    }

    pub fn run(&self, script: &str, words: &[&str]) -> Result<String> {
        let mut command = self.access.command(&self.program);
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(path(script)?).args(words);
        run_captured(&mut command, PATIENCE)?.ok()
    }
}

/// A script of `clients/` under Node, with the SDK for JavaScript.
pub struct Node {
    program: PathBuf,
    modules: PathBuf,
    access: Access,
}

impl Node {
    pub fn find(access: &Access) -> Result<Option<Self>> {
        let found = installed::or_skip("the SDK for JavaScript", installed::node())?;
        Ok(found.map(|found| Self { program: found.node, modules: found.modules, access: access.clone() }))
    }

    pub fn run(&self, script: &str, words: &[&str]) -> Result<String> {
        let mut command = self.access.command(&self.program);
        command.env("NODE_PATH", &self.modules).arg(path(script)?).args(words);
        run_captured(&mut command, PATIENCE)?.ok()
    }
}

/// Where a script lies. Asked for when it runs: one target folder may serve several checkouts.
fn path(script: &str) -> Result<PathBuf> {
    let root = std::env::var("CARGO_MANIFEST_DIR").context("not run by cargo")?;
    Ok(Path::new(&root).join("clients").join(script))
}
