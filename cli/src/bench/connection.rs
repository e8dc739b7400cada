//! One keep-alive HTTP/1.1 connection per worker, driven by the worker's own task: a request costs no hop between tasks.
//!
//! Promises: nothing is retried, so what the server answers is what is counted; after anything but a complete answer the connection
//! is dropped and the next request opens another; no request takes longer than the patience.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::data::Upload;
use super::sign::{Head, Signer, UNSIGNED};
use super::target::Target;

/// Of an error's body; S3's are a few hundred bytes.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// A request; path and query percent-encoded, the query sorted.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    /// First and last byte.
    pub(super) range: Option<(u64, u64)>,
    pub(super) body: Upload,
    /// SHA-256 of the body in hex, where it is signed.
    pub(super) payload: Option<String>,
}

impl<'a> Ask<'a> {
    pub(super) fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, query: "", range: None, body: Upload::Text(Bytes::new()), payload: None }
    }
}

/// A complete answer that is a success.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    /// When the body's first byte was here; the head, where there is no body.
    pub(super) first: Instant,
    /// Bytes of the body.
    pub(super) bytes: u64,
    /// The length that the head tells.
    pub(super) told: Option<u64>,
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The server's own word: S3's code, or the status where the answer names none.
    Refused {
        status: u16,
        code: String,
    },
    Timeout,
    Unreachable,
    /// The connection ended before the answer did.
    Broken,
    /// Complete, and not what was stored.
    Wrong,
}

impl Fault {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Refused { code, .. } => code.clone(),
            Self::Timeout => "timeout".into(),
            Self::Unreachable => "unreachable".into(),
            Self::Broken => "connection broken".into(),
            Self::Wrong => "wrong bytes".into(),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused { status, code } => write!(f, "{status} {code}"),
            other => f.write_str(&other.name()),
        }
    }
}

impl std::error::Error for Fault {}

struct Link {
    sender: SendRequest<Upload>,
    /// `None` once it has ended.
    connection: Option<Connection<TokioIo<TcpStream>, Upload>>,
}

/// Asks one server, one request at a time.
pub(super) struct Client {
    target: Arc<Target>,
    addr: SocketAddr,
    host: HeaderValue,
    patience: Duration,
    signer: Signer,
    link: Option<Link>,
}

impl Client {
    pub(super) async fn new(target: Arc<Target>, patience: Duration) -> Result<Self> {
        let socket = target.socket();
        let mut found = tokio::net::lookup_host(&socket).await.with_context(|| format!("can't find {socket}"))?;
        let addr = found.next().with_context(|| format!("{socket} has no address"))?;
        let host = HeaderValue::from_str(&target.host)?;
        Ok(Self { target, addr, host, patience, signer: Signer::new(), link: None })
    }

    /// Another connection to the same server.
    pub(super) fn another(&self) -> Self {
        let (target, host) = (self.target.clone(), self.host.clone());
        Self { target, host, addr: self.addr, patience: self.patience, signer: Signer::new(), link: None }
    }

    /// Lets the connection go: the next request opens a new one.
    pub(super) fn hang_up(&mut self) {
        self.link = None;
    }

    /// Sends `ask` and hands the body of a success to `sink`, which answers whether it is right so far.
    pub(super) async fn ask(&mut self, ask: Ask<'_>, sink: impl FnMut(&[u8]) -> bool) -> Result<Answer, Fault> {
        let patience = self.patience;
        let done = tokio::time::timeout(patience, self.ask_unbounded(ask, sink)).await.unwrap_or(Err(Fault::Timeout));
        if matches!(done, Err(Fault::Timeout | Fault::Broken | Fault::Unreachable | Fault::Wrong)) {
            self.link = None;
        }
        done
    }

    async fn ask_unbounded(&mut self, ask: Ask<'_>, sink: impl FnMut(&[u8]) -> bool) -> Result<Answer, Fault> {
        let request = self.request(ask).map_err(|_| Fault::Unreachable)?;
        let mut link = match self.link.take().filter(|link| link.connection.is_some() && !link.sender.is_closed()) {
            Some(link) => link,
            None => connect(self.addr).await.map_err(|_| Fault::Unreachable)?,
        };
        let sent = link.sender.send_request(request);
        let answer = driven(&mut link.connection, sent).await.map_err(|_| Fault::Broken)?;
        let done = if answer.status().is_success() {
            read(&mut link, answer, sink).await
        } else {
            Err(refusal(&mut link, answer).await?)
        };
        // Its writing side may still be at work on what was refused.
        let usable = match &done {
            Ok(_) => true,
            Err(fault) => {
                matches!(fault, Fault::Refused { .. }) && driven(&mut link.connection, link.sender.ready()).await.is_ok()
            }
        };
        self.link = usable.then_some(link);
        done
    }

    fn request(&mut self, ask: Ask<'_>) -> Result<Request<Upload>> {
        let payload = ask.payload.as_deref().unwrap_or(UNSIGNED);
        let head = Head { method: ask.method.as_str(), path: ask.path, query: ask.query, payload };
        let signature = self.signer.sign(&self.target, nodio_host::now_ms() / 1000, head)?;
        let uri =
            if ask.query.is_empty() { Uri::try_from(ask.path)? } else { Uri::try_from(format!("{}?{}", ask.path, ask.query))? };
        let mut request = Request::builder()
            .method(ask.method)
            .uri(uri)
            .header(header::HOST, self.host.clone())
            .header("x-amz-content-sha256", payload)
            .header("x-amz-date", signature.date)
            .header(header::AUTHORIZATION, signature.authorization);
        if let Some((first, last)) = ask.range {
            request = request.header(header::RANGE, format!("bytes={first}-{last}"));
        }
        if let Some(token) = &self.target.token {
            request = request.header("x-amz-security-token", token);
        }
        Ok(request.body(ask.body)?)
    }
}

async fn connect(addr: SocketAddr) -> Result<Link> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    Ok(Link { sender, connection: Some(connection) })
}

/// Polls `work` and the connection that it waits for, in one task.
async fn driven<T>(connection: &mut Option<Connection<TokioIo<TcpStream>, Upload>>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(done);
        }
        let ended = connection.as_mut().is_some_and(|connection| Pin::new(connection).poll(context).is_ready());
        if ended {
            *connection = None;
        }
        work.as_mut().poll(context)
    })
    .await
}

async fn read(link: &mut Link, answer: Response<Incoming>, mut sink: impl FnMut(&[u8]) -> bool) -> Result<Answer, Fault> {
    let told = answer.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut read = Answer { first: Instant::now(), bytes: 0, told };
    let mut body = answer.into_body();
    while let Some(frame) = driven(&mut link.connection, body.frame()).await {
        let Ok(data) = frame.map_err(|_| Fault::Broken)?.into_data() else { continue };
        if read.bytes == 0 {
            read.first = Instant::now();
        }
        read.bytes += data.len() as u64;
        if !sink(&data) {
            return Err(Fault::Wrong);
        }
    }
    Ok(read)
}

async fn refusal(link: &mut Link, answer: Response<Incoming>) -> Result<Fault, Fault> {
    let status = answer.status().as_u16();
    let body = http_body_util::Limited::new(answer.into_body(), REFUSAL_BYTES_MAX);
    let body = driven(&mut link.connection, body.collect()).await.map_err(|_| Fault::Broken)?.to_bytes();
    Ok(Fault::Refused { status, code: code_in(&String::from_utf8_lossy(&body)).unwrap_or_else(|| status.to_string()) })
}

fn code_in(text: &str) -> Option<String> {
    let (code, _) = text.split_once("<Code>")?.1.split_once("</Code>")?;
    Some(code.to_owned())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::data::{Object, Pool};
    use super::*;

    /// A server that answers each connection's requests with the next of `answers`, and tells how many connections came.
    async fn played(answers: Vec<Vec<&'static str>>) -> (Client, tokio::task::JoinHandle<usize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(async move {
            let count = answers.len();
            for answers in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                for answer in answers {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await.unwrap());
                    }
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
            count
        });
        let target = Target { host, region: "r".into(), access_key: "k".into(), secret_key: "s".into(), token: None };
        (Client::new(target.into(), Duration::from_millis(500)).await.unwrap(), server)
    }

    async fn get(client: &mut Client) -> Result<(u64, Vec<u8>), Fault> {
        let mut body = Vec::new();
        let answer = client.ask(Ask::new(Method::GET, "/b/k"), |bytes| {
            body.extend_from_slice(bytes);
            true
        });
        let bytes = answer.await?.bytes;
        Ok((bytes, body))
    }

    #[tokio::test]
    async fn one_connection_serves_until_it_breaks() {
        const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
        const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        const SLOW_DOWN: &str = "HTTP/1.1 503 Slow\r\ncontent-length: 21\r\n\r\n<Code>SlowDown</Code>";
        const BARE: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        const SHORT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc";
        const LAST: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc";
        let (mut client, server) = played(vec![vec![FINE, CHUNKED, SLOW_DOWN, BARE, SHORT], vec![LAST], vec![FINE]]).await;
        let fine = Ok((3, b"abc".to_vec()));
        let refused = |status, code: &str| Err(Fault::Refused { status, code: code.into() });
        let wanted =
            [fine.clone(), fine.clone(), refused(503, "SlowDown"), refused(404, "404"), Err(Fault::Broken), fine.clone(), fine];
        for (number, wanted) in wanted.into_iter().enumerate() {
            assert_eq!(get(&mut client).await, wanted, "answer {number}");
        }
        assert_eq!(server.await.unwrap(), 3, "connections");
        assert_eq!(get(&mut client).await, Err(Fault::Unreachable), "nobody listens any more");
    }

    #[tokio::test]
    async fn a_silent_server_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let target = Target { host, region: "r".into(), access_key: "k".into(), secret_key: "s".into(), token: None };
        let mut client = Client::new(target.into(), Duration::from_millis(50)).await.unwrap();
        assert_eq!(get(&mut client).await, Err(Fault::Timeout));
    }

    #[tokio::test]
    async fn a_refusal_in_the_middle_of_a_body_is_heard() {
        let refused = "HTTP/1.1 503 Slow\r\nconnection: close\r\ncontent-length: 21\r\n\r\n<Code>SlowDown</Code>";
        let (mut client, _server) = played(vec![vec![refused]]).await;
        let body = Upload::Pieces(Pool::new(1).body(Object { number: 1, generation: 1 }, 64 << 20));
        let ask = Ask { body, ..Ask::new(Method::PUT, "/b/k") };
        let fault = client.ask(ask, |_| true).await.unwrap_err();
        // Which of the two the client sees first is the kernel's choice.
        assert!(matches!(&fault, Fault::Refused { code, .. } if code == "SlowDown") || fault == Fault::Broken, "{fault}");
    }
}
