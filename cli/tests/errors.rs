//! What goes wrong at a start is said in one line on stderr that begins with `nodio: `, and the exit code is not 0.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::{TempDir, tempdir};

fn nodio(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodio"));
    command.env_clear().env("NODIO_LOG", "error").args(words);
    command.output().unwrap()
}

/// Runs what must fail, and returns its one line.
fn failure(words: &[&str], code: i32) -> String {
    let output = nodio(words);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{words:?}: {text}");
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.len() == 1 && lines[0].starts_with("nodio: "), "{words:?} said:\n{text}");
    assert!(output.stdout.is_empty(), "{words:?} printed something");
    lines[0].to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A port that somebody else listens on.
fn taken() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    (listener, addr)
}

fn write(folder: &TempDir, name: &str, content: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    text(&path).to_owned()
}

#[test]
fn a_taken_port_is_named() {
    let folder = tempdir().unwrap();
    let (_listener, addr) = taken();
    let data = folder.path().join("data");
    let line = failure(&["coordinator", "--data", text(&data), "--listen", &addr], 1);
    assert!(line.contains(&addr) && line.contains("taken"), "{line}");
    let line = failure(&["up", "--data", text(&data), "--listen", &addr, "--coordinator-listen", "127.0.0.1:0", "--no-fsync"], 1);
    assert!(line.contains(&addr) && line.contains("taken"), "{line}");
    let line = failure(&["up", "--data", text(&data), "--listen", "127.0.0.1:0", "--coordinator-listen", &addr, "--no-fsync"], 1);
    assert!(line.contains(&addr) && line.contains("taken"), "{line}");
}

#[test]
fn a_folder_that_cant_be_used_is_named() {
    let folder = tempdir().unwrap();
    let file = write(&folder, "file", "not a folder");
    for words in [vec!["up", "--data", &file], vec!["coordinator", "--data", &file], vec!["up", "--data", "/proc/nodio"]] {
        let line = failure(&words, 1);
        assert!(line.contains(words[2]), "{line}");
    }
}

#[test]
fn a_typo_in_a_config_is_named_with_its_line() {
    let folder = tempdir().unwrap();
    for role in ["coordinator", "gateway", "node"] {
        let config = write(&folder, &format!("{role}.toml"), "\nlisten = \"127.0.0.1:0\"\nfsink = true\n");
        let line = failure(&[role, "--config", &config], 1);
        assert!(line.contains("fsink") && line.contains("line 3"), "{line}");
        let line = failure(&[role, "--config", "nowhere.toml"], 1);
        assert!(line.contains("nowhere.toml"), "{line}");
    }
}

#[test]
fn a_missing_master_key_or_link_is_named() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("gateway");
    let line = failure(&["gateway", "--data", text(&data), "--listen", "127.0.0.1:0"], 1);
    assert!(line.contains("link"), "{line}");
    let line = failure(&["status", "--data", text(folder.path())], 1);
    assert!(line.contains("operator.link"), "{line}");
    let line = failure(&["invite", "--data", text(folder.path())], 1);
    assert!(line.contains("cluster.key"), "{line}");
}

#[test]
fn a_master_key_that_others_can_read_is_refused() {
    let folder = tempdir().unwrap();
    let link = format!("nodio://127.0.0.1:1/gateway#{}", "00".repeat(32));
    fs::write(folder.path().join("master.key"), "00".repeat(32)).unwrap();
    let line = failure(&["gateway", "--data", text(folder.path()), "--listen", "127.0.0.1:0", "--link", &link], 1);
    assert!(line.contains("chmod 600"), "{line}");
}

#[test]
fn usage_errors_are_one_line_with_exit_code_2() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let line = failure(&["up", "--data", text(&data), "--donors", "4", "--code", "4/6"], 2);
    assert!(line.contains("needs 6 donors"), "{line}");
    for (public, listen) in
        [("http://home.example", "127.0.0.1:9100"), ("home.example:9100", "127.0.0.1:9100"), ("home.example", "0.0.0.0:0")]
    {
        let words = ["up", "--data", text(&data), "--public-addr", public, "--coordinator-listen", listen];
        assert!(failure(&words, 2).contains("public-addr"));
    }
    failure(&["up", "--data", text(&data), "--coordinator-listen", "0.0.0.0:9100"], 2);
    for words in [
        &["up", "--donors", "many"][..],
        &["up", "--code", "6/4"],
        &["no-such-command"],
        &["status", "--link", "x"],
        &["up", "--speed"],
    ] {
        failure(words, 2);
    }
    assert!(!data.exists(), "a refused start made its folder");
}

#[test]
fn a_bench_that_cant_be_is_refused_before_anything_is_sent() {
    let (folder, (_listener, addr)) = (tempdir().unwrap(), taken());
    let endpoint = format!("http://{addr}");
    let known = ["bench", "--endpoint", &endpoint, "--access-key", "k", "--secret-key", "s"];
    for words in [
        &["--size", "0"][..],
        &["--size", "4KiB", "--range", "5KiB"],
        &["--keys", "3"],
        &["--seconds", "1", "--count", "1"],
        &["--seconds", "-1"],
        &["--concurrency", "0"],
        &["--phases", "put,fly"],
        &["--list-keys", "5000"],
    ] {
        failure(&[&known[..], words].concat(), 2);
    }
    let nowhere = text(folder.path());
    assert!(failure(&["bench", "--data", nowhere], 2).contains("AWS_ENDPOINT_URL"));
    assert!(failure(&["bench", "--endpoint", &endpoint, "--data", nowhere], 2).contains("AWS_ACCESS_KEY_ID"));
    let words = ["bench", "--endpoint", "https://h", "--access-key", "k", "--secret-key", "s"];
    assert!(failure(&words, 2).contains("https"));
}

#[test]
fn help_is_for_every_command() {
    for words in [
        &["--help"][..],
        &["up", "--help"],
        &["coordinator", "--help"],
        &["gateway", "--help"],
        &["node", "--help"],
        &["keys", "--help"],
        &["status", "--help"],
        &["inspect", "--help"],
        &["audit", "--help"],
        &["repair", "--help"],
        &["drain", "--help"],
        &["bench", "--help"],
    ] {
        let output = nodio(words);
        assert!(output.status.success() && !output.stdout.is_empty(), "{words:?}");
    }
}
