//! A webhook that does with events what the test says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nodio_gateway::config::Webhook as Setting;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How it treats what is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Takes,
    Answers(u16),
    /// Closes the connection without an answer.
    HangsUp,
    /// Answers only once its manner changes.
    Holds,
}

/// What was posted and taken.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Posted {
    /// Event, key: of the one record in it.
    pub(crate) fn event(&self) -> (String, String) {
        let records = self.body["Records"].as_array().unwrap();
        assert_eq!(records.len(), 1);
        let text = |place: &str| records[0].pointer(place).and_then(Value::as_str).unwrap().to_owned();
        (text("/eventName"), text("/s3/object/key"))
    }

    pub(crate) fn at(&self, place: &str) -> Option<&Value> {
        self.body["Records"][0].pointer(place)
    }
}

/// Ends with its last handle.
pub(crate) struct Webhook {
    addr: SocketAddr,
    manner: watch::Sender<Manner>,
    /// All that was taken, and the number of attempts.
    state: Arc<watch::Sender<(Vec<Posted>, usize)>>,
    serving: JoinHandle<()>,
    held: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Webhook {
    pub(crate) async fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (manner, _) = watch::channel(manner);
        let state = Arc::new(watch::channel((Vec::new(), 0)).0);
        let held: Arc<Mutex<Vec<JoinHandle<()>>>> = Arc::default();
        let (manners, states, holding) = (manner.clone(), state.clone(), held.clone());
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (manner, state) = (manners.subscribe(), states.clone());
                let task = tokio::spawn(async move { drop(answer(stream, manner, &state).await) });
                holding.lock().unwrap().push(task);
            }
        });
        Self { addr, manner, state, serving, held }
    }

    pub(crate) fn setting(&self, name: &str) -> Setting {
        Setting { name: name.into(), url: format!("http://{}/events", self.addr), token: None }
    }

    pub(crate) fn becomes(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }

    pub(crate) fn taken(&self) -> Vec<Posted> {
        self.state.borrow().0.clone()
    }

    /// Waits for so many events that were taken; not for fewer, and there must not be more.
    pub(crate) async fn wait_taken(&self, count: usize) -> Vec<Posted> {
        let mut state = self.state.subscribe();
        let reached = state.wait_for(|(taken, _)| taken.len() >= count);
        let waited = tokio::time::timeout(Duration::from_secs(60), reached).await.map(drop);
        let taken = self.taken();
        assert!(waited.is_ok() && taken.len() == count, "{count} events were awaited, {} came: {taken:?}", taken.len());
        taken
    }

    /// Waits for so many attempts more.
    pub(crate) async fn wait_attempts(&self, more: usize) {
        let mut state = self.state.subscribe();
        let before = state.borrow_and_update().1;
        let reached = state.wait_for(|(_, attempts)| *attempts >= before + more);
        tokio::time::timeout(Duration::from_secs(60), reached).await.unwrap().unwrap();
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.serving.abort();
        self.held.lock().unwrap().iter().for_each(JoinHandle::abort);
    }
}

async fn answer(
    mut stream: TcpStream,
    mut manner: watch::Receiver<Manner>,
    state: &watch::Sender<(Vec<Posted>, usize)>,
) -> std::io::Result<()> {
    let Some((head, body)) = receive(&mut stream).await? else { return Ok(()) };
    state.send_modify(|(_, attempts)| *attempts += 1);
    let holds = |manner: &Manner| *manner == Manner::Holds;
    let manner = *manner.wait_for(|manner| !holds(manner)).await.map_err(std::io::Error::other)?;
    let status = match manner {
        Manner::HangsUp | Manner::Holds => return Ok(()),
        Manner::Answers(status) => status,
        Manner::Takes => {
            let body = serde_json::from_slice(&body).map_err(std::io::Error::other)?;
            state.send_modify(|(taken, _)| taken.push(Posted { head, body }));
            200
        }
    };
    let response = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(response.as_bytes()).await
}

/// Head and body of a request.
async fn receive(stream: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut received = Vec::new();
    loop {
        if let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&received[..end]).into_owned();
            let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let body = &received[end + 4..];
            if body.len() >= length.unwrap_or(0) {
                return Ok(Some((head, body.to_vec())));
            }
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await? {
            0 => return Ok(None),
            read => received.extend_from_slice(&buffer[..read]),
        }
    }
}
