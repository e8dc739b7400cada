//! Users, buckets and their quotas by the command line, where no gateway runs.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Exit code, what it printed, what it complained of.
fn nodio(folder: &TempDir, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodio"));
    let Output { status, stdout, stderr } =
        command.env_clear().args(words).arg("--data").arg(folder.path().join("gateway")).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn done(folder: &TempDir, words: &[&str]) -> String {
    let (code, out, err) = nodio(folder, words);
    assert_eq!((code, err.as_str()), (0, ""), "{words:?}");
    out
}

#[test]
fn users_are_made_listed_and_limited_where_no_gateway_runs() {
    let folder = tempfile::tempdir().unwrap();
    let made = done(&folder, &["users", "create", "--id", "tenant-1", "--display-name", "Tenant One"]);
    assert!(made.contains("user        tenant-one\n"), "{made}");
    done(&folder, &["users", "create", "bob"]);
    let quota = ["users", "quota", "tenant-one", "--bytes", "50 GiB", "--objects", "100000"];
    let shown = "USER        DISPLAY NAME  USED             OBJECTS       ID\n\
                 tenant-one  Tenant One    0 B of 50.0 GiB  0 of 100,000  tenant-1\n";
    assert_eq!(done(&folder, &quota), shown);
    assert_eq!(done(&folder, &["users", "quota", "tenant-1"]), shown, "without limits it only tells, and an id is a name");
    let less = done(&folder, &["users", "quota", "tenant-one", "--bytes", "1000"]);
    assert!(less.contains("0 B of 1000 B") && less.contains("0 of 100,000"), "what isn't said stays: {less}");

    let listed: Value = serde_json::from_str(&done(&folder, &["users", "list", "--json"])).unwrap();
    let users = listed["users"].as_array().unwrap();
    let tenant = users.iter().find(|user| user["user_id"] == "tenant-1").unwrap();
    assert_eq!((users.len(), &tenant["quota"]["bytes"], &tenant["usage"]["bytes"]), (2, &1000.into(), &0.into()));

    let lifted = done(&folder, &["users", "quota", "tenant-one", "--none"]);
    assert!(!lifted.contains(" of "), "{lifted}");
    assert_eq!(done(&folder, &["buckets", "list"]), "there are no buckets\n");
}

#[test]
fn what_cannot_be_limited_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    done(&folder, &["users", "create", "bob"]);
    for (words, code, said) in [
        (&["users", "quota", "nobody", "--none"][..], 1, "there is no such user"),
        (&["buckets", "quota", "not-there", "--objects", "1"], 1, "there is no such bucket"),
        (&["users", "quota", "bob", "--none", "--bytes", "1"], 2, "cannot be used with"),
        (&["users", "quota", "bob", "--bytes", "many"], 2, "a size looks like"),
        (&["users", "create", "--id", "not an id"], 1, "a user id has"),
        (&["users", "create", "--id", "bob"], 1, "a user of this name"),
        (&["users", "create", "carl", "--id", "bob"], 1, "login name"),
    ] {
        let (got, out, err) = nodio(&folder, words);
        assert_eq!((got, out.as_str()), (code, ""), "{words:?}: {err}");
        assert!(err.contains(said) && err.lines().count() == 1, "{words:?}: {err}");
    }
}
