//! Every file of config/ is a role's, and the role takes it as it is.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

use nodio_coordinator::CoordinatorConfig;
use nodio_gateway::config::GatewayConfig;
use nodio_host::config::load;
use nodio_node::NodeConfig;
use toml::Table;

/// No variable begins so.
const NO_ENVIRONMENT: &str = "NODIO_TEST_WITHOUT_ENVIRONMENT";

#[test]
fn the_commented_files_are_taken_by_their_roles() {
    let folder = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../config");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let known = ["coordinator.toml", "gateway.toml", "node.toml"].map(str::to_owned);
    assert_eq!(files.collect::<BTreeSet<_>>(), BTreeSet::from(known), "a file without a test");
    let file = |name: &str| folder.join(name);
    let coordinator: CoordinatorConfig = load(Some(&file("coordinator.toml")), NO_ENVIRONMENT, Table::new()).unwrap();
    coordinator.check().unwrap();
    let gateway: GatewayConfig = load(Some(&file("gateway.toml")), NO_ENVIRONMENT, Table::new()).unwrap();
    gateway.check().unwrap();
    load::<NodeConfig>(Some(&file("node.toml")), NO_ENVIRONMENT, Table::new()).unwrap();
}
