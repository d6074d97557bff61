//! The load: so many connections, each sending its next event when the last is answered.

use crate::events::Events;
use crate::requests::read_answer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::runtime::Builder;

/// What became of the requests: all were answered with 200.
pub struct Answered {
    /// How long each took, in the order of the connections.
    pub times: Vec<Duration>,
    /// From the first request to the last answer.
    pub seconds: f64,
}

impl Answered {
    pub fn count(&self) -> u64 {
        self.times.len() as u64
    }

    pub fn per_second(&self) -> f64 {
        self.count() as f64 / self.seconds
    }
}

/// Runs the load while there are to be more; every answer that is not 200 is a panic.
pub fn run(
    to: SocketAddr,
    events: &Arc<Events>,
    connections: usize,
    more: impl Fn(&Events, Duration) -> bool + Clone + Send + 'static,
) -> Answered {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut streams = Vec::new();
        for _ in 0..connections {
            streams.push(connect(to).await);
        }
        let started = Instant::now();
        let running: Vec<_> = streams
            .into_iter()
            .map(|stream| tokio::spawn(connection(stream, Arc::clone(events), more.clone())))
            .collect();
        let mut times = Vec::new();
        for connection in running {
            times.extend(connection.await.expect("every answer is 200"));
        }
        Answered { times, seconds: started.elapsed().as_secs_f64() }
    })
}

pub async fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).await.expect("the server listens");
    stream.set_nodelay(true).expect("a socket option");
    stream
}

async fn connection(
    mut stream: TcpStream,
    events: Arc<Events>,
    more: impl Fn(&Events, Duration) -> bool,
) -> Vec<Duration> {
    let (begun, mut times, mut answer) = (Instant::now(), Vec::new(), vec![0; 4096]);
    while more(&events, begun.elapsed()) {
        let request = events.request();
        let started = Instant::now();
        stream.write_all(&request).await.expect("the request is taken");
        read_answer(&mut stream, &mut answer).await;
        times.push(started.elapsed());
    }
    times
}
