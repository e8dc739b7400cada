//! `nodio-node leave`, as a person runs it beside a donor that goes on.

use std::path::Path;
use std::process::{Output, Stdio};

use nodio_wire::NodeId;
use nodio_wire::api::{Left, Receipt, Standing, StandingState};
use tokio::process::Command;

use crate::Donor;
use crate::coordinator::Coordinator;

async fn run(data: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodio-node"));
    command.arg("leave").arg("--data").arg(data).args(args).stdin(Stdio::null());
    command.output().await.unwrap()
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

fn draining(shards: u64) -> Standing {
    let left = Some(Left { shards, bytes: shards << 20 });
    Standing { state: StandingState::Draining, reason: "its owner said so".into(), left, ..Standing::default() }
}

fn released(node: NodeId) -> Standing {
    let receipt = Receipt { node, joined: 1, released: 2, gib_hours: 3, audits_passed: 4, mac: "ab".into() };
    Standing { state: StandingState::Released, receipt: Some(receipt), ..Standing::default() }
}

#[tokio::test]
async fn leaving_shows_what_is_left_and_ends_with_a_receipt() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let data = donor.dir.path().join("donor");
    coordinator.said().leaving = vec![draining(12), released(donor.node())];
    let output = run(&data, &[]).await;
    let (out, err) = said(&output);
    assert!(output.status.success(), "{err}");
    assert!(out.contains("must go on running") && !out.contains("start it"), "{out}");
    assert!(out.contains("12 shards (12 MiB) left") && out.contains("receipt.json"), "{out}");
    let receipt: Receipt = serde_json::from_slice(&std::fs::read(data.join("receipt.json")).unwrap()).unwrap();
    assert_eq!(Some(receipt), released(donor.node()).receipt);
    assert_eq!(
        coordinator.said().leaves.iter().map(|leave| (leave.node, leave.cancel)).collect::<Vec<_>>(),
        [(donor.node(), false)]
    );
    donor.stop().await;
}

#[tokio::test]
async fn leaving_can_be_asked_for_without_waiting_and_taken_back() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let data = donor.dir.path().join("donor");
    let output = run(&data, &["--no-wait"]).await;
    assert!(output.status.success() && said(&output).0.contains("is leaving"), "{output:?}");
    let output = run(&data, &["--cancel"]).await;
    assert!(output.status.success() && said(&output).0.contains("stays: trusted"), "{output:?}");
    assert_eq!(coordinator.said().leaves.iter().map(|leave| leave.cancel).collect::<Vec<_>>(), [false, true]);
    let dir = donor.stop().await;
    let output = run(&dir.path().join("donor"), &["--no-wait"]).await;
    assert!(said(&output).0.contains("please start it"), "{output:?}");
    assert!(!dir.path().join("donor/receipt.json").exists());
}

#[tokio::test]
async fn what_stands_in_the_way_is_one_line() {
    let coordinator = Coordinator::start().await;
    let stranger = tempfile::tempdir().unwrap();
    let nowhere = stranger.path().join("nowhere");
    let output = run(&nowhere, &[]).await;
    let (_, err) = said(&output);
    assert!(!output.status.success() && err.contains("there is no donor in") && err.trim_end().lines().count() == 1, "{err}");
    assert!(!nowhere.exists(), "asking makes no donor");
    let identity = r#"{"format":1,"node_nonce":"00000000000000000000000000000000","member":null}"#;
    std::fs::write(stranger.path().join("identity.json"), identity).unwrap();
    let (_, err) = said(&run(stranger.path(), &[]).await);
    assert!(err.contains("never joined") && err.trim_end().lines().count() == 1, "{err}");
    let donor = Donor::join(&coordinator).await;
    coordinator.stop();
    let (_, err) = said(&run(&donor.dir.path().join("donor"), &["--coordinator", "http://127.0.0.1:1"]).await);
    assert!(err.contains("can't be reached") && err.trim_end().lines().count() == 1, "{err}");
    donor.stop().await;
}
