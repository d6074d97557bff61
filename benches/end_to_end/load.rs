//! The load: so many connections, each sending its next event when the last is answered.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The secret that both sides have.
pub const SECRET: &str = "whsec_bench";

/// How hard, and for how long.
pub struct Load {
    pub connections: usize,
    pub duration: Duration,
    /// Sent before counting begins.
    pub warm_up: Duration,
}

/// What was answered with 200.
pub struct Accepted {
    /// In the counted time, and how long that was.
    pub counted: u64,
    pub seconds: f64,
    /// In all, warm-up included: what has to be delivered.
    pub total: u64,
    pub started: Instant,
}

impl Accepted {
    /// Requests a second.
    pub fn rate(&self) -> f64 {
        self.counted as f64 / self.seconds
    }
}

/// What a request's signature is over.
#[derive(Clone, Copy)]
pub enum Signed {
    /// The time, a dot and the body as canonical JSON, as the sender documents it.
    TimestampAndBody,
    /// The body alone, for a server that verifies no other.
    Body,
}

impl Load {
    /// Runs the load; every answer that is not 200 is a panic.
    pub fn run(&self, to: SocketAddr, signed: Signed) -> Accepted {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let started = Instant::now();
            let counting = started + self.warm_up;
            let end = counting + self.duration;
            let connections: Vec<_> = (0..self.connections)
                .map(|number| tokio::spawn(connection(to, number, signed, counting, end)))
                .collect();
            let (mut counted, mut total) = (0, 0);
            for connection in connections {
                let (own_counted, own_total) = connection.await.expect("every answer is 200");
                counted += own_counted;
                total += own_total;
            }
            Accepted { counted, seconds: counting.elapsed().as_secs_f64(), total, started }
        })
    }
}

/// One connection's requests, one after the other; how many were counted, and how many in all.
async fn connection(
    to: SocketAddr,
    number: usize,
    signed: Signed,
    counting: Instant,
    end: Instant,
) -> (u64, u64) {
    let mut stream = TcpStream::connect(to).await.expect("the server listens");
    stream.set_nodelay(true).expect("a socket option");
    let (mut counted, mut total) = (0, 0);
    let mut answer = vec![0; 4096];
    while Instant::now() < end {
        stream.write_all(&request(number, total, signed)).await.expect("the request is taken");
        read_answer(&mut stream, &mut answer).await;
        total += 1;
        counted += u64::from(Instant::now() >= counting);
    }
    (counted, total)
}

/// An event of the size and shape that the sender's documentation shows, spelled as Python spells it,
/// signed.
pub fn request(connection: usize, number: u64, signed: Signed) -> Vec<u8> {
    let ids = format!("{connection:04x}-{number:012x}");
    let body = format!(
        r#"{{"type": "agent.task.status_update", "timestamp": "2025-05-25T09:22:22.269116+00:00", "payload": {{"session_id": "cd9cc7bf-e3af-4181-{ids}", "task_id": "5b73fb3f-a3cb-4912-{ids}", "status": "finished", "metadata": {{"campaign": "q4-automation", "team": "marketing"}}}}}}"#
    );
    let canonical = format!(
        r#"{{"payload":{{"metadata":{{"campaign":"q4-automation","team":"marketing"}},"session_id":"cd9cc7bf-e3af-4181-{ids}","status":"finished","task_id":"5b73fb3f-a3cb-4912-{ids}"}},"timestamp":"2025-05-25T09:22:22.269116+00:00","type":"agent.task.status_update"}}"#
    );
    let timestamp = Timestamp::now().as_second();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length is a key");
    match signed {
        Signed::TimestampAndBody => mac.update(format!("{timestamp}.{canonical}").as_bytes()),
        Signed::Body => mac.update(body.as_bytes()),
    }
    let signature = hex::encode(mac.finalize().into_bytes());
    format!(
        "POST /hooks/browser-use HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
         x-browser-use-timestamp: {timestamp}\r\nx-browser-use-signature: {signature}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.expect("the answer can be read");
        assert!(read > 0, "the server closed the connection");
        filled += read;
        let text = std::str::from_utf8(&buffer[..filled]).expect("an answer is text");
        let Some(head) = text.find("\r\n\r\n") else { continue };
        let length = text[..head].lines().find_map(content_length).expect("an answer has a length");
        if filled >= head + 4 + length {
            assert!(text.starts_with("HTTP/1.1 200"), "{text}");
            return;
        }
    }
}

/// The length, if the line says it: servers differ in how they spell a header.
fn content_length(line: &str) -> Option<usize> {
    let (name, value) = line.split_once(": ")?;
    name.eq_ignore_ascii_case("content-length").then(|| value.parse().ok()).flatten()
}
