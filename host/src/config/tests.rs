use std::ffi::OsString;

use serde::Deserialize;
use tempfile::TempDir;

use super::*;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    name: String,
    port: u16,
    zones: Vec<String>,
    secret: Option<String>,
    store: Store,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Store {
    fsync: bool,
    folder: String,
}

struct Case {
    dir: TempDir,
    layers: Layers,
}

impl Case {
    fn new(file: &str, variables: &[(&str, &str)], flags: &str) -> Result<Self, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        std::fs::write(&path, file).unwrap();
        let all = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let variables = environment::variables("NODIO_NODE", all);
        let layers = Layers { file: Some(File::read(&path)?), variables, flags: flags.parse().unwrap() };
        Ok(Self { dir, layers })
    }
}

fn loaded(file: &str, variables: &[(&str, &str)], flags: &str) -> Config {
    build(Case::new(file, variables, flags).unwrap().layers).unwrap()
}

/// The error's line, with the folder cut away.
fn complaint(file: &str, variables: &[(&str, &str)], flags: &str) -> String {
    let case = Case::new(file, variables, flags).unwrap();
    let line = build::<Config>(case.layers).unwrap_err().to_string();
    assert!(!line.contains('\n'), "{line}");
    line.replace(&format!("{}/", case.dir.path().display()), "")
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let file = "name = 'file'\nport = 1\n[store]\nfsync = true\nfolder = 'kept'";
    let variables = [("NODIO_NODE_NAME", "env"), ("NODIO_NODE_PORT", "2"), ("NODIO_NODE_STORE__FSYNC", "false")];
    let config = loaded(file, &variables, "port = 3");
    let store = Store { fsync: false, folder: "kept".into() };
    assert_eq!(config, Config { name: "env".into(), port: 3, store, ..Config::default() });
}

#[test]
fn without_a_file_defaults_hold() {
    let config: Config = load(None, "NODIO_TEST_NOTHING_SETS_THIS", Table::new()).unwrap();
    assert_eq!(config, Config::default());
}

#[test]
fn a_variable_that_looks_like_a_number_still_fits_a_string() {
    let variables = [
        ("NODIO_NODE_NAME", "8080"),
        ("NODIO_NODE_PORT", "8080"),
        ("NODIO_NODE_SECRET", "true"),
        ("NODIO_NODE_STORE__FOLDER", "1979-05-27"),
        ("NODIO_NODE_ZONES", "['a', 'b']"),
    ];
    let config = loaded("", &variables, "");
    assert_eq!((config.name.as_str(), config.port, config.secret.as_deref()), ("8080", 8080, Some("true")));
    assert_eq!(config.store.folder, "1979-05-27");
    assert_eq!(config.zones, ["a", "b"]);
}

#[test]
fn a_missing_file_is_named() {
    let error = load::<Config>(Some(Path::new("/no/such/node.toml")), "X", Table::new()).unwrap_err();
    assert_eq!(error.to_string(), "the configuration file /no/such/node.toml does not exist");
    let folder = load::<Config>(Some(Path::new("/")), "X", Table::new()).unwrap_err();
    assert!(folder.to_string().starts_with("can't read the configuration file /: "), "{folder}");
}

#[test]
fn a_syntax_error_is_one_line_with_its_place() {
    let error = Case::new("name = 'a'\nport = \n", &[], "").err().unwrap();
    let ConfigError::Syntax { line, .. } = &error else { panic!("{error}") };
    assert_eq!(*line, 2);
    assert!(error.to_string().contains("node.toml, line 2, column "), "{error}");
    assert!(!error.to_string().contains('\n'), "{error}");
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let line = complaint("name = 'a'\n\n[store]\nfsink = true\n", &[], "");
    assert!(line.starts_with("node.toml, line 4: "), "{line}");
    assert!(line.contains("store.fsink") && line.contains("fsync"), "{line}");
}

#[test]
fn a_wrong_type_is_named_with_its_key_and_line() {
    let line = complaint("\nport = 'high'\n", &[], "");
    assert!(line.starts_with("node.toml, line 2: `port`: "), "{line}");
    let line = complaint("store = 7\n", &[], "");
    assert!(line.starts_with("node.toml, line 1: `store`: "), "{line}");
    let line = complaint("zones = ['a', 7]\n", &[], "");
    assert!(line.starts_with("node.toml, line 1: `zones`: "), "{line}");
}

#[test]
fn a_wrong_variable_is_named() {
    let line = complaint("port = 1", &[("NODIO_NODE_PORT", "70000")], "");
    assert!(line.starts_with("environment variable NODIO_NODE_PORT: `port`: "), "{line}");
    let line = complaint("", &[("NODIO_NODE_STORE__FSINK", "true")], "");
    assert!(line.starts_with("environment variable NODIO_NODE_STORE__FSINK: `store.fsink`: "), "{line}");
}

#[test]
fn a_wrong_flag_is_named_even_if_a_variable_says_it_too() {
    let line = complaint("", &[("NODIO_NODE_PORT", "1")], "port = 'x'");
    assert!(line.starts_with("flag --port: `port`: "), "{line}");
}
