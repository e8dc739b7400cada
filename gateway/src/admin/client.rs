//! Who asks: through the socket, or where no gateway runs, in the metadata itself.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixStream;

use super::words::{Reply, Request};
use super::{DEADLINE_S, Desk, Place, SOCKET, read_line, write_line};
use crate::config::GatewayConfig;
use crate::service::{OpenError, open};

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
pub async fn ask(config: &GatewayConfig, request: &Request) -> Result<Reply, AdminError> {
    match call(&config.data, request).await {
        // The first key may be made before the gateway's first start; for all else there must be something.
        Err(AdminError::NotRunning(folder)) if !makes_a_key(request) && !config.store_file().exists() => {
            Err(AdminError::NoGateway(folder))
        }
        Err(AdminError::NotRunning(_)) => {
            let opened = open(config).await?;
            Ok(Desk::closed(opened.tables.clone(), config).answer(request.clone()).await)
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
    let asked = tokio::time::timeout(Duration::from_secs(DEADLINE_S), exchange(&mut stream, request)).await;
    asked.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())).map_err(unreachable)
}

async fn exchange(stream: &mut UnixStream, request: &Request) -> io::Result<Reply> {
    write_line(stream, request).await?;
    let line = read_line(stream).await?;
    Ok(serde_json::from_str(&line)?)
}

async fn connect(folder: &Path) -> io::Result<UnixStream> {
    let place = Place::of(folder)?;
    UnixStream::connect(place.path(SOCKET)).await
}
