//! A gateway in this process: donors in memory, a plain coordinator, a real listener; and a client that signs with another's code.

pub(crate) mod access;
mod client;
mod fleet;
mod form;
mod webhook;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nodio_gateway::config::GatewayConfig;
use nodio_gateway::service::{Running, start};
use nodio_gateway::tables::NewKey;
use nodio_host::clock::now_ms;
use nodio_host::shutdown::Shutdown;
use nodio_wire::donor::memory::MemoryTransport;
use nodio_wire::{Code, CodePolicy};

pub(crate) use client::{Answer, Call, Client, Payload, presign};
pub(crate) use fleet::PlainFleet;
pub(crate) use form::{Form, sign_v2, time_in};
pub(crate) use webhook::{Manner, Posted, Webhook};

pub(crate) const REGION: &str = "us-east-1";
pub(crate) const BUCKET: &str = "my-bucket";

/// All that a test needs. Dropping it ends the gateway.
pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) fleet: Arc<PlainFleet>,
    pub(crate) donors: Arc<MemoryTransport>,
    pub(crate) addr: SocketAddr,
    config: GatewayConfig,
    running: Option<Running>,
    shutdown: Shutdown,
    folder: Option<tempfile::TempDir>,
}

impl World {
    /// A gateway with six donors, one user, and [`BUCKET`].
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut GatewayConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let donors = Arc::new(MemoryTransport::default());
        let fleet = Arc::new(PlainFleet::new(6));
        let mut config = GatewayConfig {
            data: folder.path().join("gateway"),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            domains: vec!["s3.localhost".into()],
            code: CodePolicy::Fixed(Code::new(4, 6).unwrap()),
            fsync: false,
            drain_ms: 500,
            release_after_ms: 0,
            release_every_ms: 20,
            ..GatewayConfig::default()
        };
        change(&mut config);
        let shutdown = Shutdown::new();
        let running = start(config.clone(), fleet.clone(), donors.clone(), shutdown.clone())
            .await
            .map_err(|error| error.to_string())
            .unwrap();
        let addr = running.addr();
        let key = running.tables().create_key(&new_key("ann"), now_ms()).await.unwrap();
        let client = Client::new(addr, &key.info.access_key, &key.secret);
        let world = Self { client, fleet, donors, addr, config, running: Some(running), shutdown, folder: Some(folder) };
        let made = world.client.send(Call::put(&format!("/{BUCKET}"), "")).await;
        assert_eq!(made.status, 200, "{}", made.text());
        world
    }

    /// Another user, with no bucket.
    pub(crate) async fn stranger(&self) -> Client {
        let tables = self.running.as_ref().unwrap().tables();
        let key = tables.create_key(&new_key("ben"), now_ms()).await.unwrap();
        Client::new(self.addr, &key.info.access_key, &key.secret)
    }

    /// A user with the id of [`id_of`], named like its e-mail address; `policy` narrows the key.
    pub(crate) async fn user(&self, name: &str, policy: Option<&str>) -> Client {
        let new = NewKey {
            user: name.into(),
            display_name: Some(format!("The {name}")),
            user_id: Some(id_of(name)),
            email: Some(format!("{name}@example.org")),
            policy: policy.map(str::to_owned),
            ..NewKey::default()
        };
        let key = self.running.as_ref().unwrap().tables().create_key(&new, now_ms()).await.unwrap();
        Client::new(self.addr, &key.info.access_key, &key.secret)
    }

    /// The keys in the bucket.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let listed = self.client.send(Call::get(&format!("/{BUCKET}?list-type=2"))).await;
        assert_eq!(listed.status, 200, "{}", listed.text());
        listed.all("Key")
    }

    /// Waits until the donors' shards belong to the parts that are named, and no others.
    pub(crate) async fn settled(&self, segments: usize) -> bool {
        for _ in 0..200 {
            if self.fleet.segments() == segments {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }

    /// The same, each segment under one of these codes, which are in order.
    pub(crate) async fn settled_as(&self, codes: &[&str]) -> bool {
        for _ in 0..200 {
            if self.fleet.codes() == codes {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }

    /// The gateway's folder.
    pub(crate) fn data_folder(&self) -> PathBuf {
        self.config.data.clone()
    }

    /// Where its gauges are.
    pub(crate) fn metrics_addr(&self) -> SocketAddr {
        self.running.as_ref().unwrap().metrics_addr().unwrap()
    }

    /// Ends the gateway in an orderly way.
    pub(crate) async fn stop(mut self) {
        self.shutdown.trigger();
        self.running.take().unwrap().wait().await;
    }

    /// Ends the gateway and starts it anew on the same folder, with the same donors.
    pub(crate) async fn restart(self) -> Self {
        self.restart_after(|_| {}).await
    }

    /// The same, with other settings.
    pub(crate) async fn restart_with(mut self, change: impl FnOnce(&mut GatewayConfig)) -> Self {
        change(&mut self.config);
        self.restart().await
    }

    /// The same, with something done to its metadata file meanwhile.
    pub(crate) async fn restart_after(mut self, work: impl FnOnce(&std::path::Path)) -> Self {
        self.shutdown.trigger();
        self.running.take().unwrap().wait().await;
        work(&self.config.store_file());
        let shutdown = Shutdown::new();
        let started = start(self.config.clone(), self.fleet.clone(), self.donors.clone(), shutdown.clone()).await;
        let running = started.map_err(|error| error.to_string()).unwrap();
        let addr = running.addr();
        let client = Client::new(addr, &self.client.access_key, &self.client.secret);
        let (fleet, donors, config, folder) = (self.fleet.clone(), self.donors.clone(), self.config.clone(), self.folder.take());
        Self { client, fleet, donors, addr, config, running: Some(running), shutdown, folder }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.trigger();
    }
}

/// The canonical id of a user that [`World::user`] makes.
pub(crate) fn id_of(name: &str) -> String {
    format!("{:0<64}", hex::encode(name))
}

fn new_key(user: &str) -> NewKey {
    NewKey { user: user.into(), ..NewKey::default() }
}

/// Bytes that don't repeat soon.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    (0..len as u64).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Sends bytes as they are.
pub(crate) async fn exchange_bytes(addr: SocketAddr, request: &[u8]) -> Answer {
    client::exchange(addr, request, true).await.expect("an answer")
}

/// Sends bytes as they are and then no more.
pub(crate) async fn break_off(addr: SocketAddr, request: &[u8]) -> Option<Answer> {
    client::exchange(addr, request, false).await
}

/// A key as it stands in a URI.
pub(crate) fn encoded(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    key.bytes().map(|byte| if plain(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") }).collect()
}
