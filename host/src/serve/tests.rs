use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;

struct Served {
    address: SocketAddr,
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

impl Served {
    async fn start(router: Router, options: ServeOptions) -> Self {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let task = tokio::spawn(serve(listener, router, options, shutdown.clone()));
        Self { address, shutdown, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(self) {
        self.shutdown.trigger();
        self.task.await.unwrap();
    }
}

async fn ask(stream: &mut TcpStream, path: &str) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
}

/// Reads until the answer holds `text`.
async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    while !String::from_utf8_lossy(&answer).contains(text) {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the connection ended after {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8(answer).unwrap()
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    // A cut connection may be reset; what came before is what counts.
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

#[tokio::test]
async fn one_connection_serves_many_requests_and_knows_its_peer() {
    let router = hello().route("/peer", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }));
    let served = Served::start(router, ServeOptions::default()).await;
    let mut stream = served.connect().await;
    ask(&mut stream, "/").await;
    assert!(read_until(&mut stream, "hello").await.starts_with("HTTP/1.1 200"));
    ask(&mut stream, "/peer").await;
    let own = stream.local_addr().unwrap().to_string();
    read_until(&mut stream, &own).await;
    served.stop().await;
}

#[tokio::test]
async fn a_taken_address_is_named_and_said_to_be_taken() {
    let first = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = first.local_addr().unwrap();
    let error = bind(address).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{address} is already taken by another process"));
}

#[tokio::test]
async fn an_address_of_another_machine_is_refused() {
    let error = bind("192.0.2.1:80".parse().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("192.0.2.1:80"), "{error}");
}

#[tokio::test]
async fn a_client_that_never_finishes_its_head_is_cut_off() {
    let options = ServeOptions { header_timeout: Duration::from_millis(50), ..ServeOptions::default() };
    let served = Served::start(hello(), options).await;
    let mut stream = served.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    assert!(!read_to_end(&mut stream).await.contains("200"));
    served.stop().await;
}

#[tokio::test]
async fn connections_over_the_bound_wait_for_room() {
    let options = ServeOptions { connections_max: 1, ..ServeOptions::default() };
    let served = Served::start(hello(), options).await;
    let mut first = served.connect().await;
    ask(&mut first, "/").await;
    read_until(&mut first, "hello").await;
    let mut second = served.connect().await;
    ask(&mut second, "/").await;
    let mut byte = [0; 1];
    let too_early = tokio::time::timeout(Duration::from_millis(50), second.read(&mut byte)).await;
    assert!(too_early.is_err(), "the second was answered while the first was open");
    drop(first);
    read_until(&mut second, "hello").await;
    served.stop().await;
}

fn slow(began: Arc<Notify>, finish: Arc<Notify>) -> Router {
    Router::new().route(
        "/",
        get(move || async move {
            began.notify_one();
            finish.notified().await;
            "finished"
        }),
    )
}

#[tokio::test]
async fn a_shutdown_lets_a_request_in_flight_finish_and_ends_idle_connections() {
    let (began, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let served = Served::start(slow(began.clone(), finish.clone()), ServeOptions::default()).await;
    let mut idle = served.connect().await;
    let mut busy = served.connect().await;
    ask(&mut busy, "/").await;
    began.notified().await;
    served.shutdown.trigger();
    assert_eq!(read_to_end(&mut idle).await, "");
    assert!(TcpStream::connect(served.address).await.is_err(), "the listener is gone");
    finish.notify_one();
    let answer = read_to_end(&mut busy).await;
    assert!(answer.contains("finished") && answer.contains("connection: close"), "{answer}");
    served.task.await.unwrap();
}

#[tokio::test]
async fn a_request_that_outlasts_the_drain_is_cut_off() {
    let (began, never) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let options = ServeOptions { drain: Duration::from_millis(50), ..ServeOptions::default() };
    let served = Served::start(slow(began.clone(), never), options).await;
    let mut busy = served.connect().await;
    ask(&mut busy, "/").await;
    began.notified().await;
    served.stop().await;
    assert_eq!(read_to_end(&mut busy).await, "");
}

async fn broken(_: Body) {
    panic!("broken");
}

#[tokio::test]
async fn a_panicking_handler_ends_its_own_connection_only() {
    let router = hello().route("/panic", post(broken));
    let served = Served::start(router, ServeOptions::default()).await;
    let mut other = served.connect().await;
    let mut stream = served.connect().await;
    stream.write_all(b"POST /panic HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
    ask(&mut other, "/").await;
    read_until(&mut other, "hello").await;
    served.stop().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_let_go() {
    struct Told(Arc<Notify>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let gone = Arc::new(Notify::new());
    let told = gone.clone();
    let endless = move || {
        let told = Told(told.clone());
        let chunks = futures::stream::repeat_with(move || {
            let _held = &told;
            Ok::<_, io::Error>(vec![0_u8; 64 * 1024])
        });
        async move { Body::from_stream(chunks) }
    };
    let options = ServeOptions { write_stall: Duration::from_millis(50), ..ServeOptions::default() };
    let served = Served::start(Router::new().route("/endless", get(endless)), options).await;
    let mut stream = served.connect().await;
    ask(&mut stream, "/endless").await;
    gone.notified().await;
    served.stop().await;
}
