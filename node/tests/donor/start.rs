//! Starts, restarts, and the one line that a person gets when a donor can't start.

use std::process::{Command, Stdio};

use nodio_host::Shutdown;
use nodio_node::{NodeConfig, NodeError};
use nodio_wire::donor::Transport;
use nodio_wire::link::Link;

use crate::coordinator::Coordinator;
use crate::{Donor, config, shard, transport};

#[tokio::test]
async fn a_restarted_donor_is_the_same_and_has_its_shards_even_while_the_coordinator_is_away() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let node = donor.node();
    let (id, data) = shard(1, 70_000);
    transport().put(donor.url(), &donor.put_ticket(), id, data.clone()).await.unwrap();
    let dir = donor.stop().await;

    let donor = Donor::start(&coordinator, dir, false).await;
    assert_eq!(donor.node(), node);
    let again = coordinator.until("its registration", |said| said.registered.get(1).cloned()).await;
    assert_eq!(again.node, Some(node));
    let dir = donor.stop().await;

    coordinator.stop();
    let donor = Donor::start(&coordinator, dir, false).await;
    assert_eq!(transport().get(donor.url(), &donor.get_ticket(id), id, None).await, Ok(data));
    donor.stop().await;
}

#[tokio::test]
async fn one_folder_has_one_donor_and_one_port_has_one() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let same_folder = NodeConfig { invite: Some(coordinator.invite()), ..config(donor.dir.path()) };
    let error = nodio_node::start(same_folder, Shutdown::new()).await.unwrap_err();
    assert!(matches!(error, NodeError::Folder(_)), "{error}");
    let elsewhere = tempfile::tempdir().unwrap();
    let same_port = NodeConfig { invite: Some(coordinator.invite()), listen: donor.running.addr, ..config(elsewhere.path()) };
    let error = nodio_node::start(same_port, Shutdown::new()).await.unwrap_err();
    assert!(error.to_string().contains("already taken"), "{error}");
    donor.stop().await;
}

#[tokio::test]
async fn a_stranger_needs_an_invite_that_is_good() {
    let coordinator = Coordinator::start().await;
    let dir = tempfile::tempdir().unwrap();
    let error = nodio_node::start(config(dir.path()), Shutdown::new()).await.unwrap_err();
    assert!(matches!(error, NodeError::NoInvite));
    let other: Link = Coordinator::start().await.invite();
    let wrong = Link { authority: coordinator.addr.to_string(), ..other };
    let error = nodio_node::start(NodeConfig { invite: Some(wrong), ..config(dir.path()) }, Shutdown::new()).await.unwrap_err();
    assert!(matches!(error, NodeError::Refused(_)), "{error}");
    // The folder is as good as new after that.
    let donor = Donor::start(&coordinator, dir, true).await;
    donor.stop().await;
}

#[tokio::test]
async fn a_donor_waits_for_a_coordinator_that_is_not_there_yet_and_can_be_stopped() {
    let coordinator = Coordinator::start().await;
    let mut invite = coordinator.invite();
    invite.authority = "127.0.0.1:1".into();
    let dir = tempfile::tempdir().unwrap();
    let shutdown = Shutdown::new();
    let starting = tokio::spawn(nodio_node::start(NodeConfig { invite: Some(invite), ..config(dir.path()) }, shutdown.clone()));
    while !dir.path().join("donor/identity.json").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    shutdown.trigger();
    assert!(matches!(starting.await.unwrap(), Err(NodeError::Stopped)));
}

/// The lean binary, as a person runs it wrongly.
#[test]
fn mistakes_are_one_line_and_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let typo = dir.path().join("node.toml");
    std::fs::write(&typo, "listen = \"127.0.0.1:0\"\ncapasity = \"1 GiB\"\n").unwrap();
    let data = dir.path().join("data");
    let (typo, data) = (typo.to_str().unwrap(), data.to_str().unwrap());
    let cases: [(&[&str], &str); 5] = [
        (&["--config", typo], "capasity"),
        (&["--data", data, "--listen", "127.0.0.1:0"], "--invite"),
        (&["--data", data, "--capacity", "5 parsecs"], "5 parsecs"),
        (&["--data", data, "--listen", "nowhere"], "listen"),
        (&["--data", "/proc/self/donor", "--listen", "127.0.0.1:0"], "/proc/self"),
    ];
    for (args, says) in cases {
        let output = Command::new(env!("CARGO_BIN_EXE_nodio-node")).args(args).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.trim_end().lines().count() == 1 && said.contains(says), "{args:?}: {said}");
    }
}
