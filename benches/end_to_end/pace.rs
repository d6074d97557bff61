//! How long answers take when requests come at a rate, not one after the other.

use crate::load::{Signed, read_answer, request};
use std::fmt;
use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Enough that each has been answered when its next request is due.
const CONNECTIONS: u32 = 256;
const SYNCS: usize = 500;

/// Times, sorted.
pub struct Times(Vec<Duration>);

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |part: f64| self.0[((self.0.len() - 1) as f64 * part) as usize];
        write!(f, "p50 {:.2?}, p99 {:.2?}, most {:.2?}", at(0.5), at(0.99), at(1.0))
    }
}

/// Each request has its time, and its answer's is counted from there, also when it could only be
/// sent later.
pub fn answers(to: SocketAddr, rate: f64, time: Duration) -> Times {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut times = runtime.block_on(async {
        let every = Duration::from_secs_f64(f64::from(CONNECTIONS) / rate);
        let start = Instant::now() + Duration::from_millis(500);
        let connections: Vec<_> = (0..CONNECTIONS)
            .map(|number| tokio::spawn(paced(to, number, start + every * number / CONNECTIONS, every, time)))
            .collect();
        let mut times = Vec::new();
        for connection in connections {
            times.extend(connection.await.expect("every answer is 200"));
        }
        times
    });
    times.sort();
    Times(times)
}

async fn paced(
    to: SocketAddr,
    number: u32,
    start: Instant,
    every: Duration,
    time: Duration,
) -> Vec<Duration> {
    let mut stream = TcpStream::connect(to).await.expect("the server listens");
    stream.set_nodelay(true).expect("a socket option");
    let mut answer = vec![0; 4096];
    let (mut due, mut times) = (start, Vec::new());
    while due < start + time {
        let is_early = Instant::now() < due;
        tokio::time::sleep_until(due.into()).await;
        // The timer's own delay, of up to a millisecond, is not the server's.
        let begun = if is_early { Instant::now() } else { due };
        let request = request(number as usize, times.len() as u64, Signed::TimestampAndBody);
        stream.write_all(&request).await.expect("the request is taken");
        read_answer(&mut stream, &mut answer).await;
        times.push(begun.elapsed());
        due += every;
    }
    times
}

/// What the disk takes by itself.
pub fn syncs() -> Times {
    let mut file = tempfile::tempfile().expect("a temporary file");
    let mut times: Vec<_> = (0..SYNCS)
        .map(|_| {
            file.write_all(&[7; 4096]).expect("it can be written");
            let started = Instant::now();
            file.sync_data().expect("it can be synced");
            started.elapsed()
        })
        .collect();
    times.sort();
    Times(times)
}
