//! The service that `http` deliveries go to, on a thread of this process, and the client that it is
//! to be compared with: the same library, alone.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// As many requests are under way as a lane has by default.
const CLIENT_CONCURRENCY: usize = 16;

/// Counts the requests that it answers.
pub struct Receiver {
    pub address: SocketAddr,
    count: Arc<AtomicU64>,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = StdListener::bind("127.0.0.1:0").expect("port 0 is free");
        let address = listener.local_addr().expect("it is bound");
        listener.set_nonblocking(true).expect("a socket can be that");
        let count = Arc::new(AtomicU64::new(0));
        let counting = count.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = TcpListener::from_std(listener).expect("it is one");
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(answer(stream, counting.clone()));
                }
            });
        });
        Self { address, count }
    }

    pub fn answered(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Answers each request, until the other side hangs up.
async fn answer(mut stream: TcpStream, count: Arc<AtomicU64>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let whole = head.len() + 4 + length.unwrap_or(0);
        while bytes.len() < whole {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        }
        bytes.drain(..whole);
        count.fetch_add(1, Ordering::Relaxed);
        stream.write_all(OK).await?;
    }
}

/// Posts an event of the usual size again and again, and prints how many a second.
pub fn bare_client(url: &str, time: Duration) {
    rustls::crypto::ring::default_provider().install_default().expect("it is the first");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let rate = runtime.block_on(async {
        let client = reqwest::Client::new();
        let started = Instant::now();
        let posting = (0..CLIENT_CONCURRENCY).map(|_| {
            let (client, url) = (client.clone(), url.to_owned());
            tokio::spawn(async move {
                let mut count = 0u64;
                while started.elapsed() < time {
                    let answer =
                        client.post(&url).body("x".repeat(600)).send().await.expect("it is answered");
                    assert!(answer.status().is_success());
                    answer.bytes().await.expect("the answer has a body");
                    count += 1;
                }
                count
            })
        });
        let mut all = 0;
        for task in posting.collect::<Vec<_>>() {
            all += task.await.expect("it does not panic");
        }
        all as f64 / started.elapsed().as_secs_f64()
    });
    println!("{rate}");
}
