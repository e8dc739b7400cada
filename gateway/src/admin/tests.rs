use std::fs;
use std::os::unix::fs::PermissionsExt;

use nodio_host::shutdown::Shutdown;

use super::*;
use crate::config::GatewayConfig;
use crate::service::open;

fn create_key(user: &str) -> Request {
    serde_json::from_value(serde_json::json!({"do": "create_key", "user": user})).expect("a request")
}

async fn asked(config: &GatewayConfig, request: Request) -> Reply {
    ask(config, &request).await.map_err(|error| error.to_string()).unwrap()
}

/// The same requests get the same answers through the socket and without a gateway.
#[tokio::test]
async fn keys_are_managed_with_and_without_a_running_gateway() {
    for deep in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join(if deep { "d".repeat(120) } else { "d".into() });
        let config = GatewayConfig { data: data.clone(), fsync: false, ..GatewayConfig::default() };
        let Reply::Created { key: first, secret_key } = asked(&config, create_key("ann")).await else { panic!("not created") };
        assert_eq!(secret_key.len(), 40);

        let opened = open(&config).await.map_err(|error| error.to_string()).unwrap();
        let shutdown = Shutdown::new();
        let socket = listen(&data).unwrap();
        assert_eq!(fs::metadata(data.join(SOCKET)).unwrap().permissions().mode() & 0o777, 0o600);
        let serving = tokio::spawn(serve(socket, Desk::closed(opened.tables.clone(), &config), shutdown.clone()));
        let Reply::Created { key: second, .. } = asked(&config, create_key("ben")).await else { panic!("not created") };
        assert!(matches!(
            asked(&config, Request::RevokeKey { access_key: first.access_key.clone() }).await,
            Reply::Revoked { .. }
        ));
        assert!(matches!(asked(&config, Request::RevokeKey { access_key: "none".into() }).await, Reply::Refused { .. }));
        shutdown.trigger();
        serving.await.unwrap();
        drop(opened);

        let Reply::Keys { keys } = asked(&config, Request::ListKeys).await else { panic!("not listed") };
        let mut state: Vec<_> = keys.iter().map(|key| (key.user.as_str(), key.revoked.is_some())).collect();
        state.sort();
        assert_eq!(state, [("ann", true), ("ben", false)]);
        assert_ne!(first.user_id, second.user_id);
    }
}

#[tokio::test]
async fn a_socket_left_behind_is_no_gateway_and_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    drop(listen(folder.path()).unwrap());
    assert!(folder.path().join(SOCKET).exists());
    assert!(matches!(call(folder.path(), &Request::ListKeys).await, Err(AdminError::NotRunning(_))));
    assert!(listen(folder.path()).is_ok());
}

#[tokio::test]
async fn a_mistyped_folder_is_not_made_a_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let config = GatewayConfig { data: folder.path().join("typo"), ..GatewayConfig::default() };
    for request in [Request::ListKeys, Request::RevokeKey { access_key: "AK".into() }] {
        assert!(matches!(ask(&config, &request).await, Err(AdminError::NoGateway(_))));
    }
    assert!(!config.data.exists());
}

#[tokio::test]
async fn half_a_key_and_nonsense_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = GatewayConfig { data: folder.path().into(), fsync: false, ..GatewayConfig::default() };
    let half =
        serde_json::from_value(serde_json::json!({"do": "create_key", "user": "ann", "access_key": "AK"})).expect("a request");
    assert!(matches!(asked(&config, half).await, Reply::Refused { .. }));
    assert!(serde_json::from_str::<Request>(r#"{"do":"make_coffee"}"#).is_err());
}
