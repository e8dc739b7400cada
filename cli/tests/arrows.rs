//! Who may import whom: the arrows of docs/ARCHITECTURE.md, asserted on what cargo really links.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// Every crate of the workspace, and all that it may import of ours.
const ARROWS: [(&str, &[&str]); 10] = [
    ("nodio-wire", &[]),
    ("nodio-codec", &[]),
    ("nodio-host", &[]),
    ("nodio-meta", &["nodio-wire"]),
    ("nodio-gateway", &["nodio-wire", "nodio-codec", "nodio-meta", "nodio-host"]),
    ("nodio-coordinator", &["nodio-wire", "nodio-meta", "nodio-host"]),
    ("nodio-node", &["nodio-wire", "nodio-codec", "nodio-host"]),
    ("nodio-cli", &["nodio-wire", "nodio-host", "nodio-gateway", "nodio-coordinator", "nodio-node"]),
    ("nodio-compat-tests", &["nodio-wire", "nodio-xtask"]),
    ("nodio-xtask", &[]),
];

/// Of a donor's binary there must be no S3, no metadata store, no other role.
const NOT_IN_A_DONOR: [&str; 7] = ["s3s", "redb", "quick-xml", "argon2", "nodio-gateway", "nodio-coordinator", "nodio-meta"];

/// For this machine's platform alone, so that nothing has to be fetched.
fn metadata() -> Metadata {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap().stdout;
    let rustc = String::from_utf8(rustc).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let options = ["--filter-platform".to_owned(), host.to_owned(), "--offline".to_owned()];
    MetadataCommand::new()
        .manifest_path(format!("{}/Cargo.toml", std::env::var("CARGO_MANIFEST_DIR").unwrap()))
        .other_options(options)
        .exec()
        .unwrap()
}

#[test]
fn crates_import_along_the_arrows_only() {
    let metadata = metadata();
    let allowed: BTreeMap<_, _> = ARROWS.iter().map(|(name, imports)| (*name, *imports)).collect();
    let members = metadata.workspace_packages();
    let named: BTreeSet<_> = members.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(named, allowed.keys().copied().collect(), "a crate came or went: give it its arrows");
    for package in members {
        let ours = package.dependencies.iter().map(|dependency| dependency.name.as_str()).filter(|name| named.contains(name));
        for import in ours {
            let arrow = allowed[package.name.as_str()].contains(&import);
            assert!(arrow, "{} must not import {import}", package.name);
        }
    }
}

#[test]
fn a_donors_binary_holds_no_s3_no_keys_and_no_ledger() {
    let metadata = metadata();
    let linked = linked_into(&metadata, "nodio-node");
    assert!(linked.contains("nodio-wire"), "the tree was not read");
    for name in NOT_IN_A_DONOR {
        assert!(!linked.contains(name), "nodio-node links {name}");
    }
}

/// Names of all packages that `root` links, tests and build scripts aside.
fn linked_into(metadata: &Metadata, root: &str) -> BTreeSet<String> {
    let names: HashMap<&PackageId, &str> = metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let nodes = &metadata.resolve.as_ref().unwrap().nodes;
    let mut waiting: Vec<_> = nodes.iter().filter(|node| names[&node.id] == root).collect();
    let mut linked = BTreeSet::new();
    while let Some(node) = waiting.pop() {
        if !linked.insert(names[&node.id].to_owned()) {
            continue;
        }
        let normal = node.deps.iter().filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
        for dependency in normal {
            waiting.extend(nodes.iter().filter(|node| node.id == dependency.pkg));
        }
    }
    linked
}
