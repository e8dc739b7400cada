//! The documents are true: every test that SEMANTICS.md names exists.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    // Asked for when it runs: one target folder may serve several checkouts.
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").expect("cargo says")).join("..")
}

/// The source file of `folder/file::test`.
fn source(folder: &str, file: &str) -> PathBuf {
    match folder {
        "gateway" => root().join(format!("gateway/tests/s3/{file}.rs")),
        _ => root().join(format!("{folder}/tests/{file}.rs")),
    }
}

#[test]
fn every_test_that_the_semantics_name_exists() {
    let text = std::fs::read_to_string(root().join("docs/SEMANTICS.md")).unwrap();
    let names: Vec<&str> =
        text.split('`').skip(1).step_by(2).filter(|code| code.contains("::") && *code != "folder/file::test").collect();
    assert!(names.len() > 50, "only {} tests are named", names.len());
    for name in names {
        let (place, test) = name.split_once("::").unwrap();
        let (folder, file) = place.split_once('/').unwrap();
        let source = std::fs::read_to_string(source(folder, file)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(source.contains(&format!("fn {test}(")), "{name} does not exist");
    }
}
