//! Where a running gateway answers.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nodio_host::shutdown::Shutdown;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::words::Reply;
use super::{AT_ONCE_MAX, DEADLINE_S, Desk, Place, SOCKET, read_line, write_line};

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
pub(crate) async fn serve(socket: Socket, desk: Desk, shutdown: Shutdown) {
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
                let desk = desk.clone();
                tokio::spawn(async move {
                    let _permit = permit;
                    let deadline = Duration::from_secs(DEADLINE_S);
                    if !matches!(tokio::time::timeout(deadline, serve_one(stream, &desk)).await, Ok(Ok(()))) {
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

async fn serve_one(mut stream: UnixStream, desk: &Desk) -> io::Result<()> {
    let line = read_line(&mut stream).await?;
    let reply = match serde_json::from_str(&line) {
        Ok(request) => desk.answer(request).await,
        Err(error) => Reply::Refused { error: format!("not a request: {error}") },
    };
    write_line(&mut stream, &reply).await
}
