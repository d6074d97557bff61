//! The service that `http` deliveries go to, on a thread of this process.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

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
