//! Against played donors that lie, trickle, hang up and talk nonsense.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::client::HttpTransport;
use crate::donor::{DonorError, Stored, Transport};
use crate::ids::ShardId;
use crate::limits::SHARD_BYTES_MAX;
use crate::ticket::{RECEIPT_HEADER, SignedTicket};

/// What a played donor does on one connection, one after the other; then it closes.
#[derive(Clone)]
enum Act {
    /// Reads a request, head and body.
    Hear,
    /// Reads a request's head only.
    HearHead,
    Say(Vec<u8>),
    /// As `Say`, each byte on its own.
    Trickle(Vec<u8>),
    /// Waits until the other side is gone.
    Outlast,
}

struct Played {
    addr: String,
    /// Heads of all requests, with the number of the connection each came on.
    heard: Mutex<Vec<(usize, String)>>,
    outlasted: Notify,
}

impl Played {
    /// Each connection follows the next script, the last one for ever.
    async fn new(scripts: Vec<Vec<Act>>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = format!("http://{}", listener.local_addr().expect("an address"));
        let played = Arc::new(Self { addr, heard: Mutex::default(), outlasted: Notify::new() });
        let donor = played.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.expect("accepts");
                let script = scripts[number.min(scripts.len() - 1)].clone();
                let donor = donor.clone();
                tokio::spawn(async move { donor.play(number, stream, script).await });
            }
        });
        played
    }

    async fn play(&self, number: usize, mut stream: TcpStream, script: Vec<Act>) {
        for act in script {
            match act {
                Act::Hear | Act::HearHead => {
                    let Some(head) = hear_head(&mut stream).await else { return };
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                    self.heard.lock().expect("unpoisoned").push((number, head));
                    if let (Act::Hear, Some(length)) = (act, length) {
                        stream.read_exact(&mut vec![0; length]).await.expect("a whole body");
                    }
                }
                Act::Say(bytes) => stream.write_all(&bytes).await.expect("is heard"),
                Act::Trickle(bytes) => {
                    for byte in bytes {
                        stream.write_all(&[byte]).await.expect("is heard");
                        tokio::task::yield_now().await;
                    }
                }
                Act::Outlast => {
                    while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
                    self.outlasted.notify_one();
                }
            }
        }
    }

    /// The connections that requests came on, in order.
    fn connections(&self) -> Vec<usize> {
        self.heard.lock().expect("unpoisoned").iter().map(|(number, _)| *number).collect()
    }

    async fn get(&self, transport: &HttpTransport, len: u32) -> Result<Bytes, DonorError> {
        transport.get(&self.addr, &ticket(), ShardId::of(b"x"), Some(0..len)).await
    }

    async fn put(&self, transport: &HttpTransport, shard: &[u8]) -> Result<Stored, DonorError> {
        transport.put(&self.addr, &ticket(), ShardId::of(shard), Bytes::copy_from_slice(shard)).await
    }
}

/// `None` where the other side hangs up first.
async fn hear_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).expect("text"))
}

fn ticket() -> SignedTicket {
    SignedTicket("a-ticket".into())
}

fn answer(status: &str, lines: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status}\r\n{lines}content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

fn other(result: Result<Bytes, DonorError>) -> bool {
    matches!(result, Err(DonorError::Other(_)))
}

#[tokio::test]
async fn requests_share_a_connection_and_are_what_a_donor_expects() {
    let stored = answer("201 Created", &format!("{RECEIPT_HEADER}: r\r\n"), b"");
    let script =
        vec![Act::Hear, Act::Say(stored), Act::Hear, Act::Say(answer("206 Partial Content", "", b"shard")), Act::Outlast];
    let (donor, transport) = (Played::new(vec![script]).await, HttpTransport::default());
    assert_eq!(donor.put(&transport, &[7; 300_000]).await, Ok(Stored { receipt: Some("r".into()) }));
    assert_eq!(donor.get(&transport, 5).await, Ok(Bytes::from_static(b"shard")));
    assert_eq!(donor.connections(), [0, 0]);
    let heads = donor.heard.lock().expect("unpoisoned").clone();
    let host = donor.addr.strip_prefix("http://").expect("the scheme");
    let put = format!(
        "PUT /shards/{} HTTP/1.1\r\nhost: {host}\r\nx-nodio-ticket: a-ticket\r\ncontent-length: 300000\r\n\r\n",
        ShardId::of(&[7; 300_000])
    );
    let get = format!(
        "GET /shards/{} HTTP/1.1\r\nhost: {host}\r\nx-nodio-ticket: a-ticket\r\nrange: bytes=0-4\r\n\r\n",
        ShardId::of(b"x")
    );
    assert_eq!(heads, [(0, put), (0, get)]);
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_costs_one_more_try_and_no_more() {
    let good = vec![Act::Hear, Act::Say(answer("206 Partial Content", "", b"shard")), Act::Hear];
    let scripts = vec![good.clone(), good, vec![Act::Hear]];
    let (donor, transport) = (Played::new(scripts).await, HttpTransport::default());
    assert!(donor.get(&transport, 5).await.is_ok());
    assert!(donor.get(&transport, 5).await.is_ok(), "the first connection is closed unanswered, the second answers");
    assert_eq!(donor.connections(), [0, 0, 1]);
    assert!(matches!(donor.get(&transport, 5).await, Err(DonorError::Unreachable(_))));
    assert_eq!(donor.connections(), [0, 0, 1, 1, 2], "a new connection that is closed is a failure");
}

#[tokio::test]
async fn lengths_are_not_believed() {
    let transport = HttpTransport::default();
    let lies = [
        answer("206 Partial Content", "", b"sh"),
        answer("206 Partial Content", "", b"shards"),
        answer("200 OK", "", b"shard"),
        b"HTTP/1.1 206 Partial Content\r\ncontent-length: 18446744073709551615\r\n\r\nshard".to_vec(),
        b"HTTP/1.1 206 Partial Content\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshard\r\n0\r\n\r\n".to_vec(),
        b"HTTP/1.1 206 Partial Content\r\n\r\nshard".to_vec(),
        b"220 mail.example.org ESMTP\r\n".to_vec(),
        b"\0\x01\x02garbage".to_vec(),
        [
            b"HTTP/1.1 206 Partial Content\r\n".to_vec(),
            b"x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(1000),
        ]
        .concat(),
    ];
    for lie in lies {
        let donor = Played::new(vec![vec![Act::Hear, Act::Say(lie.clone()), Act::Outlast]]).await;
        let got = donor.get(&transport, 5).await;
        assert!(other(got.clone()), "{:?}: {got:?}", String::from_utf8_lossy(&lie[..lie.len().min(80)]));
    }
    let endless = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", SHARD_BYTES_MAX + 1);
    let donor = Played::new(vec![vec![Act::Hear, Act::Say(endless.into_bytes()), Act::Outlast]]).await;
    assert!(other(transport.get(&donor.addr, &ticket(), ShardId::of(b"x"), None).await));
}

#[tokio::test]
async fn an_answer_cut_short_is_no_answer_and_isnt_asked_again() {
    let whole = answer("206 Partial Content", "", b"shard");
    for cut in [1, 20, whole.len() - 6, whole.len() - 1] {
        let donor = Played::new(vec![vec![Act::Hear, Act::Say(whole[..cut].to_vec())]]).await;
        let got = donor.get(&HttpTransport::default(), 5).await;
        assert!(matches!(got, Err(DonorError::Unreachable(_))), "{cut}: {got:?}");
        assert_eq!(donor.connections(), [0], "{cut}");
    }
}

#[tokio::test]
async fn a_trickle_adds_up() {
    let body: Vec<u8> = (0..5000u32).map(|i| i as u8).collect();
    let donor = Played::new(vec![vec![Act::Hear, Act::Trickle(answer("206 Partial Content", "", &body)), Act::Outlast]]).await;
    assert_eq!(donor.get(&HttpTransport::default(), 5000).await, Ok(Bytes::from(body)));
}

#[tokio::test]
async fn a_request_that_is_dropped_closes_its_connection() {
    let half = answer("206 Partial Content", "", &[1; 100])[..90].to_vec();
    let donor = Played::new(vec![vec![Act::Hear, Act::Say(half), Act::Outlast]]).await;
    let transport = HttpTransport::default();
    tokio::select! {
        got = donor.get(&transport, 100) => panic!("half an answer was taken for one: {got:?}"),
        () = async { while donor.connections().is_empty() { tokio::task::yield_now().await } } => {}
    }
    donor.outlasted.notified().await;
}

#[tokio::test]
async fn a_refusal_is_heard_before_the_body_is_sent() {
    let refusal = answer("401 Unauthorized", "x-nodio-donor: 1\r\n", b"the ticket has expired");
    let donor = Played::new(vec![vec![Act::HearHead, Act::Say(refusal), Act::Outlast]]).await;
    let transport = HttpTransport::default();
    for _ in 0..2 {
        let refused = donor.put(&transport, &[1; SHARD_BYTES_MAX * 16]).await;
        assert_eq!(refused, Err(DonorError::Ticket("the ticket has expired".into())));
    }
    assert_eq!(donor.connections(), [0, 1], "a connection with half a request on it is not used again");
}

#[tokio::test]
async fn not_held_and_rotten_count_only_from_a_donor() {
    let transport = HttpTransport::default();
    for (status, marked, meaning) in [
        ("404 Not Found", "", None),
        ("404 Not Found", "X-Nodio-Donor: 1\r\n", Some(DonorError::NotHeld)),
        ("410 Gone", "", None),
        ("410 Gone", "x-nodio-donor: 1\r\n", Some(DonorError::Rotten)),
    ] {
        let donor = Played::new(vec![vec![Act::Hear, Act::Say(answer(status, marked, b"why")), Act::Outlast]]).await;
        let got = donor.get(&transport, 5).await;
        match meaning {
            Some(meaning) => assert_eq!(got, Err(meaning)),
            None => assert!(other(got)),
        }
    }
}

#[tokio::test]
async fn a_long_refusal_is_understood_unread() {
    let refusal = answer("507 Insufficient Storage", "x-nodio-donor: 1\r\n", &[b'x'; 100_000]);
    let donor = Played::new(vec![vec![Act::Hear, Act::Say(refusal), Act::Outlast]]).await;
    let transport = HttpTransport::default();
    assert_eq!(donor.put(&transport, b"shard").await, Err(DonorError::Full));
    assert_eq!(donor.put(&transport, b"shard").await, Err(DonorError::Full));
    assert_eq!(donor.connections(), [0, 1]);
}

#[tokio::test]
async fn what_is_said_unasked_is_never_an_answer() {
    let mut first = answer("206 Partial Content", "", b"shard");
    first.extend(answer("206 Partial Content", "", b"wrong"));
    let scripts = vec![
        vec![Act::Hear, Act::Say(first), Act::Outlast],
        vec![Act::Hear, Act::Say(answer("206 Partial Content", "connection: close\r\n", b"right")), Act::Outlast],
    ];
    let (donor, transport) = (Played::new(scripts).await, HttpTransport::default());
    assert_eq!(donor.get(&transport, 5).await, Ok(Bytes::from_static(b"shard")));
    assert_eq!(donor.get(&transport, 5).await, Ok(Bytes::from_static(b"right")));
    assert_eq!(donor.get(&transport, 5).await, Ok(Bytes::from_static(b"right")));
    assert_eq!(donor.connections(), [0, 1, 2], "nor after a donor said that it closes");
}

#[tokio::test]
async fn tickets_and_addresses_smuggle_nothing() {
    let transport = HttpTransport::default();
    let id = ShardId::of(b"x");
    let smuggling = SignedTicket("t\r\nx: y".into());
    assert!(matches!(transport.get("http://127.0.0.1:1", &smuggling, id, None).await, Err(DonorError::Ticket(_))));
    assert!(matches!(transport.get("http://127.0.0.1:1\r\nx: y", &ticket(), id, None).await, Err(DonorError::Unreachable(_))));
    assert!(matches!(transport.get("https://127.0.0.1:1", &ticket(), id, None).await, Err(DonorError::Unreachable(_))));
}
