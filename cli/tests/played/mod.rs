//! A coordinator and a gateway as the tools see them, playing what a test tells them.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

use nodio_gateway::admin::{Reply, Request};
use serde_json::{Value, json};
use tempfile::TempDir;

type Calls = Arc<Mutex<Vec<(String, Value)>>>;

/// Both, in the folder that `nodio up` would make.
pub(crate) struct Played {
    folder: TempDir,
    calls: Calls,
}

impl Played {
    /// `answers` are the coordinator's, by path, one after the other; the last of them stays.
    pub(crate) fn new(
        gateway: impl Fn(Request) -> Reply + Send + 'static,
        answers: impl IntoIterator<Item = (&'static str, Vec<Value>)>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let calls = Calls::default();
        let addr = play_coordinator(answers.into_iter().collect(), calls.clone());
        fs::create_dir(folder.path().join("coordinator")).unwrap();
        let link = format!("nodio://{addr}/operator#{}", "00".repeat(32));
        fs::write(folder.path().join("coordinator/operator.link"), link).unwrap();
        fs::create_dir(folder.path().join("gateway")).unwrap();
        play_gateway(folder.path().join("gateway/admin.sock"), gateway);
        Self { folder, calls }
    }

    /// Runs `nodio` with these words and `--data`: exit code, what it printed, what it complained of.
    pub(crate) fn nodio(&self, words: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nodio"));
        command.env_clear().args(words).arg("--data").arg(self.folder.path());
        let Output { status, stdout, stderr } = command.output().unwrap();
        (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }

    /// What the coordinator was asked under this path.
    pub(crate) fn asked(&self, path: &str) -> Vec<Value> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|(called, _)| called == path).map(|(_, body)| body.clone()).collect()
    }
}

fn play_coordinator(mut answers: HashMap<&'static str, Vec<Value>>, calls: Calls) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (path, body) = request(&stream);
            calls.lock().unwrap().push((path.clone(), body));
            let (status, answer) = match answers.get_mut(path.as_str()) {
                Some(left) if left.len() > 1 => (200, left.remove(0)),
                Some(left) => (200, left[0].clone()),
                None => (404, json!({"error": "no such path"})),
            };
            let answer = answer.to_string();
            let length = answer.len();
            write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}").unwrap();
        }
    });
    addr
}

/// Path and body.
fn request(stream: &TcpStream) -> (String, Value) {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_lowercase());
    }
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.parse().unwrap());
    assert!(head.iter().any(|line| line.starts_with("x-nodio-auth: ")), "a request was not signed");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let path = head[0].split(' ').nth(1).unwrap().to_owned();
    (path, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn play_gateway(path: PathBuf, answer: impl Fn(Request) -> Reply + Send + 'static) {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            let reply = answer(serde_json::from_str(&line).unwrap());
            writeln!(stream, "{}", serde_json::to_string(&reply).unwrap()).unwrap();
        }
    });
}
