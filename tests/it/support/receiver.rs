//! Somebody else's server: records every request, answers what the test says.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::{eventually, http};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }
}

#[derive(Default)]
struct State {
    seen: Vec<Request>,
    /// Answers for the next requests; then 200.
    answers: VecDeque<String>,
    /// Answers for the next requests of a path.
    answers_at: Vec<(String, String)>,
}

/// A receiver on a port of its own. Its threads end with the test process.
#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port 0 is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let receiver = Self { address, state: Arc::default() };
        let accepting = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = accepting.clone();
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        receiver
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers the next requests with these statuses (and further header lines).
    pub fn answer(&self, status: u16, headers: &str, body: &str) {
        let answer = scripted(status, headers, body);
        self.state.lock().expect("no test panics while holding it").answers.push_back(answer);
    }

    /// Answers the next request of a path with this status.
    pub fn answer_at(&self, path: &str, status: u16, body: &str) {
        let answer = (path.to_owned(), scripted(status, "", body));
        self.state.lock().expect("no test panics while holding it").answers_at.push(answer);
    }

    pub fn seen(&self) -> Vec<Request> {
        self.state.lock().expect("no test panics while holding it").seen.clone()
    }

    /// Waits until at least so many requests have arrived.
    pub fn wait_for(&self, count: usize) -> Vec<Request> {
        eventually(&format!("{count} requests arrive"), || {
            Some(self.seen()).filter(|seen| seen.len() >= count)
        })
    }

    fn serve(&self, mut stream: TcpStream) {
        while let Ok((head, mut body)) = http::read_head(&mut stream) {
            let mut words = head.split(' ');
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let mut request =
                Request { method: method.into(), path: path.into(), head: head.clone(), body: Vec::new() };
            let length: usize =
                request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
            let mut rest = vec![0; length.saturating_sub(body.len())];
            if stream.read_exact(&mut rest).is_err() {
                return;
            }
            body.extend(rest);
            request.body = body;
            let answer = {
                let mut state = self.state.lock().expect("no test panics while holding it");
                let at = state.answers_at.iter().position(|(path, _)| *path == request.path);
                state.seen.push(request);
                at.map(|at| state.answers_at.remove(at).1).or_else(|| state.answers.pop_front())
            };
            let answer = answer.unwrap_or_else(|| "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".into());
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

fn scripted(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} Scripted\r\n{headers}content-length: {length}\r\n\r\n{body}")
}
