//! Requests at a rate, and when each was due and answered.

use crate::events::Events;
use crate::load::connect;
use crate::requests::read_answer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

/// One request.
pub struct Answer {
    pub due: Instant,
    pub answered: Instant,
}

/// A load that goes on until it is ended.
pub struct Paced {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Answer>>,
}

impl Paced {
    /// So many requests a second, over so many connections.
    pub fn start(to: SocketAddr, connections: u32, per_second: u32) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(all(to, connections, per_second, is_over))
        });
        Self { over, thread }
    }

    /// Ends it; all that was asked and answered.
    pub fn end(self) -> Vec<Answer> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("every answer is 200")
    }
}

async fn all(to: SocketAddr, connections: u32, per_second: u32, over: Arc<AtomicBool>) -> Vec<Answer> {
    let every = Duration::from_secs(1) * connections / per_second;
    let (start, events) = (Instant::now(), Arc::new(Events::new(1, 0)));
    let connections = (0..connections).map(|number| {
        let due = start + every * number / connections;
        tokio::spawn(connection(to, Arc::clone(&events), due, every, Arc::clone(&over)))
    });
    let mut answers = Vec::new();
    for connection in connections.collect::<Vec<_>>() {
        answers.extend(connection.await.expect("every answer is 200"));
    }
    answers
}

/// A request that can only be sent late, because the last was not answered, was due all the same.
async fn connection(
    to: SocketAddr,
    events: Arc<Events>,
    mut due: Instant,
    every: Duration,
    over: Arc<AtomicBool>,
) -> Vec<Answer> {
    let (mut stream, mut buffer, mut answers) = (connect(to).await, vec![0; 4096], Vec::new());
    while !over.load(Ordering::Relaxed) {
        let is_early = Instant::now() < due;
        tokio::time::sleep_until(due.into()).await;
        let request = events.request();
        // The timer's own delay, of up to a millisecond, is not the server's.
        let begun = if is_early { Instant::now() } else { due };
        stream.write_all(&request).await.expect("the request is taken");
        read_answer(&mut stream, &mut buffer).await;
        answers.push(Answer { due: begun, answered: Instant::now() });
        due += every;
    }
    answers
}
