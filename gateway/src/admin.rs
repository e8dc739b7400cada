//! Access keys while the gateway runs: a Unix domain socket in the data folder, for the folder's owner alone.
//!
//! ```text
//!   nodio keys ─► DATA/admin.sock, one line of JSON each way ─► the running gateway
//!             └─► the metadata itself, where no gateway runs
//! ```
//! Promises: the socket has mode 0600 before it has its name; secrets travel over it and nowhere else.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nodio_host::clock::now_ms;
use nodio_host::shutdown::Shutdown;
use nodio_wire::UnixMs;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::config::GatewayConfig;
use crate::service::{OpenError, open};
use crate::tables::{AccessKey, KeyInfo, NewKey, TableError, Tables};

const SOCKET: &str = "admin.sock";
/// One request or one answer, bytes.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Requests answered at once.
const AT_ONCE_MAX: usize = 8;
/// Longest wait for a request's line, or for its answer, seconds.
const DEADLINE_S: u64 = 30;
/// Longer paths don't fit a socket's address.
const SOCKET_PATH_BYTES_MAX: usize = 100;

/// What `nodio keys` asks.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Makes a key, and its user if there is none of this name yet.
    CreateKey {
        user: String,
        #[serde(default)]
        display_name: Option<String>,
        /// Both, or none: then they are made up.
        #[serde(default)]
        access_key: Option<String>,
        #[serde(default)]
        secret_key: Option<String>,
    },
    ListKeys,
    RevokeKey {
        access_key: String,
    },
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Reply {
    Created { key: Key, secret_key: String },
    Keys { keys: Vec<Key> },
    Revoked { key: Key },
    Refused { error: String },
}

/// What may be told of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub access_key: String,
    pub user: String,
    pub display_name: String,
    /// The canonical user id, 64 hex digits.
    pub user_id: String,
    /// Milliseconds since 1970.
    pub created: UnixMs,
    pub revoked: Option<UnixMs>,
}

impl From<KeyInfo> for Key {
    fn from(info: KeyInfo) -> Self {
        let KeyInfo { access_key, user, display_name, user_id, created, revoked } = info;
        Self { access_key, user, display_name, user_id, created, revoked }
    }
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("no gateway runs on {0}")]
    NotRunning(String),
    #[error("there is no gateway in {0}: name its folder with --data")]
    NoGateway(String),
    #[error("the gateway's admin socket in {folder} does not answer: {source}")]
    Unreachable { folder: String, source: io::Error },
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Asks the gateway that runs on `config.data`, or where none does, the metadata itself.
///
/// # Errors
/// [`AdminError`]. A request that is refused is a [`Reply::Refused`].
pub async fn keys(config: &GatewayConfig, request: &Request) -> Result<Reply, AdminError> {
    match call(&config.data, request).await {
        // The first key may be made before the gateway's first start; to list or revoke there must be something.
        Err(AdminError::NotRunning(folder)) if !makes_a_key(request) && !config.store_file().exists() => {
            Err(AdminError::NoGateway(folder))
        }
        Err(AdminError::NotRunning(_)) => {
            let opened = open(config).await?;
            Ok(answer(&opened.tables, request.clone()).await)
        }
        called => called,
    }
}

fn makes_a_key(request: &Request) -> bool {
    matches!(request, Request::CreateKey { .. })
}

/// Asks the gateway that runs on `folder`.
///
/// # Errors
/// [`AdminError::NotRunning`], [`AdminError::Unreachable`].
pub async fn call(folder: &Path, request: &Request) -> Result<Reply, AdminError> {
    let unreachable = |source| AdminError::Unreachable { folder: folder.display().to_string(), source };
    let mut stream = match connect(folder).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            return Err(AdminError::NotRunning(folder.display().to_string()));
        }
        Err(error) => return Err(unreachable(error)),
    };
    let asked = tokio::time::timeout(Duration::from_secs(DEADLINE_S), ask(&mut stream, request)).await;
    asked.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())).map_err(unreachable)
}

async fn ask(stream: &mut UnixStream, request: &Request) -> io::Result<Reply> {
    write_line(stream, request).await?;
    let line = read_line(stream).await?;
    Ok(serde_json::from_str(&line)?)
}

async fn connect(folder: &Path) -> io::Result<UnixStream> {
    let place = Place::of(folder)?;
    UnixStream::connect(place.path(SOCKET)).await
}

/// A folder under a name short enough for a socket's address.
struct Place {
    folder: PathBuf,
    /// Keeps the short name alive.
    _open: Option<File>,
}

impl Place {
    fn of(folder: &Path) -> io::Result<Self> {
        if folder.as_os_str().len() + SOCKET.len() < SOCKET_PATH_BYTES_MAX {
            return Ok(Self { folder: folder.to_owned(), _open: None });
        }
        let open = File::open(folder)?;
        Ok(Self { folder: PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())), _open: Some(open) })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The socket that a running gateway answers on.
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

/// Makes the socket. One that an earlier process left behind is replaced: the folder's lock says that it is dead.
pub(crate) fn listen(folder: &Path) -> io::Result<Socket> {
    let place = Place::of(folder)?;
    let new = format!(".{SOCKET}.new");
    match fs::remove_file(folder.join(&new)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(place.path(&new))?;
    fs::set_permissions(folder.join(&new), Permissions::from_mode(0o600))?;
    let path = folder.join(SOCKET);
    fs::rename(folder.join(&new), &path)?;
    Ok(Socket { listener, path })
}

/// Answers until `shutdown`, then takes the socket away.
pub(crate) async fn serve(socket: Socket, tables: Tables, shutdown: Shutdown) {
    let at_once = Arc::new(Semaphore::new(AT_ONCE_MAX));
    loop {
        let permit = at_once.clone().acquire_owned();
        let accepted = tokio::select! {
            biased;
            () = shutdown.wait() => break,
            accepted = async { (permit.await, socket.listener.accept().await) } => accepted,
        };
        match accepted {
            (Ok(permit), Ok((stream, _))) => {
                let tables = tables.clone();
                tokio::spawn(async move {
                    let _permit = permit;
                    let deadline = Duration::from_secs(DEADLINE_S);
                    if !matches!(tokio::time::timeout(deadline, serve_one(stream, &tables)).await, Ok(Ok(()))) {
                        tracing::debug!("a request on the admin socket was not finished");
                    }
                });
            }
            (_, Err(error)) => {
                tracing::warn!("the admin socket can't accept: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            (Err(_), _) => break,
        }
    }
    let _ = fs::remove_file(&socket.path);
}

async fn serve_one(mut stream: UnixStream, tables: &Tables) -> io::Result<()> {
    let line = read_line(&mut stream).await?;
    let reply = match serde_json::from_str(&line) {
        Ok(request) => answer(tables, request).await,
        Err(error) => Reply::Refused { error: format!("not a request: {error}") },
    };
    write_line(&mut stream, &reply).await
}

async fn read_line(stream: &mut UnixStream) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    BufReader::new(stream.take(LINE_BYTES_MAX)).read_line(&mut line).await?;
    if line.ends_with('\n') { Ok(line) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

async fn write_line<T: Serialize>(stream: &mut UnixStream, value: &T) -> io::Result<()> {
    let mut line = Zeroizing::new(serde_json::to_vec(value)?);
    line.push(b'\n');
    stream.write_all(&line).await
}

async fn answer(tables: &Tables, request: Request) -> Reply {
    let answered = match request {
        Request::CreateKey { user, display_name, access_key, secret_key } => {
            create(tables, user, display_name, access_key, secret_key).await
        }
        Request::ListKeys => tables.list_keys().await.map(|keys| Reply::Keys { keys: keys.into_iter().map(Key::from).collect() }),
        Request::RevokeKey { access_key } => {
            tables.revoke_key(&access_key, now_ms()).await.map(|key| Reply::Revoked { key: key.into() })
        }
    };
    answered.unwrap_or_else(|error| Reply::Refused { error: error.to_string() })
}

async fn create(
    tables: &Tables,
    user: String,
    display_name: Option<String>,
    access_key: Option<String>,
    secret_key: Option<String>,
) -> Result<Reply, TableError> {
    let given = match (access_key, secret_key) {
        (Some(access_key), Some(secret_key)) => Some((access_key, Zeroizing::new(secret_key))),
        (None, None) => None,
        _ => return Err(TableError::BadAccessKey("an access key and its secret are given together or not at all")),
    };
    let AccessKey { info, secret } = tables.create_key(&NewKey { user, display_name, given }, now_ms()).await?;
    Ok(Reply::Created { key: info.into(), secret_key: secret.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create_key(user: &str) -> Request {
        Request::CreateKey { user: user.into(), display_name: None, access_key: None, secret_key: None }
    }

    async fn ask(config: &GatewayConfig, request: Request) -> Reply {
        keys(config, &request).await.map_err(|error| error.to_string()).unwrap()
    }

    /// The same requests get the same answers through the socket and without a gateway.
    #[tokio::test]
    async fn keys_are_managed_with_and_without_a_running_gateway() {
        for deep in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let data = folder.path().join(if deep { "d".repeat(120) } else { "d".into() });
            let config = GatewayConfig { data: data.clone(), fsync: false, ..GatewayConfig::default() };
            let Reply::Created { key: first, secret_key } = ask(&config, create_key("ann")).await else { panic!("not created") };
            assert_eq!(secret_key.len(), 40);

            let opened = open(&config).await.map_err(|error| error.to_string()).unwrap();
            let shutdown = Shutdown::new();
            let socket = listen(&data).unwrap();
            assert_eq!(fs::metadata(data.join(SOCKET)).unwrap().permissions().mode() & 0o777, 0o600);
            let serving = tokio::spawn(serve(socket, opened.tables.clone(), shutdown.clone()));
            let Reply::Created { key: second, .. } = ask(&config, create_key("ben")).await else { panic!("not created") };
            assert!(matches!(
                ask(&config, Request::RevokeKey { access_key: first.access_key.clone() }).await,
                Reply::Revoked { .. }
            ));
            assert!(matches!(ask(&config, Request::RevokeKey { access_key: "none".into() }).await, Reply::Refused { .. }));
            shutdown.trigger();
            serving.await.unwrap();
            drop(opened);

            let Reply::Keys { keys } = ask(&config, Request::ListKeys).await else { panic!("not listed") };
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
            assert!(matches!(keys(&config, &request).await, Err(AdminError::NoGateway(_))));
        }
        assert!(!config.data.exists());
    }

    #[tokio::test]
    async fn half_a_key_and_nonsense_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let config = GatewayConfig { data: folder.path().into(), fsync: false, ..GatewayConfig::default() };
        let half = Request::CreateKey { user: "ann".into(), display_name: None, access_key: Some("AK".into()), secret_key: None };
        assert!(matches!(ask(&config, half).await, Reply::Refused { .. }));
        assert!(serde_json::from_str::<Request>(r#"{"do":"make_coffee"}"#).is_err());
    }
}
